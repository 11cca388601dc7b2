package probe

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"tcp:192.0.2.7:80":         "tcp:192.0.2.7:80",
		" tcp:web1.example:8080 ":  "tcp:web1.example:8080",
		"tcp:[2001:db8::7]:443":    "tcp:[2001:db8::7]:443",
		"tcp:2001:db8::7:443":      "tcp:[2001:db8::7]:443",
		"ping:192.0.2.7":           "ping:192.0.2.7",
		"ping:2001:db8::7":         "ping:[2001:db8::7]",
		"ping:[::1]":               "ping:[::1]",
		"exec:/usr/local/bin/x -a": "exec:/usr/local/bin/x -a",
		"exec:/x":                  "exec:/x",
	} {
		c, err := Parse(text)
		if err != nil || c.String() != want {
			t.Errorf("%q: %q, %v", text, c, err)
			continue
		}
		if again, err := Parse(c.String()); err != nil || again.String() != want {
			t.Errorf("%q, read again: %q, %v", text, again, err)
		}
	}
	for _, text := range []string{"", "tcp", "tcp:", "tcp:80", "tcp:host", "tcp:host:", "tcp:host:0", "tcp:host:65536", "tcp::80", "tcp:[1.2.3.4]:80", "tcp:[::1:80",
		"tcp:-o:80", "tcp:a b:80", "ping:", "ping:-f", "ping:a:b", "ping:300.1.1.1", "ping:fe80::1%eth0", "ping:1.2.3", "exec:", "exec:x", "exec:./x", "http:host", "udp:host:53"} {
		if c, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q is read as %+v, %v", text, c, err)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"0.0.0.0": "0.0.0.0", "255.1.20.9": "255.1.20.9", "::": "0:0:0:0:0:0:0:0", "::1": "0:0:0:0:0:0:0:1", "1::": "1:0:0:0:0:0:0:0",
		"2001:db8::a:1": "2001:db8:0:0:0:0:a:1", "1:2:3:4:5:6:7:8": "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4": "0:0:0:0:0:ffff:102:304", "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
		"256.1.1.1": "", "01.1.1.1": "", "1.1.1": "", "1.1.1.1.1": "", "1.1.1.": "", "": "", ":": "", ":::": "", "1:2:3:4:5:6:7": "", "1:2:3:4:5:6:7:8:9": "", "1::2::3": "",
		"12345::": "", "1:2:3:4:5:6:7:8::": "", "g::": "", "1.2.3.4::": "", "::1.2.3": "", "+1::": "",
	} {
		a, ok := parseAddress(text)
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("%q: %q, %v", text, a, ok)
		}
		std := net.ParseIP(text) // another reader
		if ok != (std != nil) || ok && !std.Equal(net.ParseIP(a.String())) {
			t.Errorf("%q: %q, and package net says %v", text, a, std)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::1", "1:2::3.4.5.6", "::ffff:1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseAddress(s)
		std := net.ParseIP(s)
		if ok != (std != nil) || ok && !std.Equal(net.ParseIP(a.String())) {
			t.Errorf("%q: %q %v, and package net says %v", s, a, ok, std)
		}
	})
}

func TestFindHost(t *testing.T) {
	hosts := []byte("# 1.1.1.1 web1\n127.0.0.1\tlocalhost\nfe80::1%eth0 web1\n192.0.2.7  web1.example WEB1 # db1\n2001:db8::7 web1\nbroken db1\n")
	for name, want := range map[string]string{"web1": "192.0.2.7", "Web1.Example": "192.0.2.7", "localhost": "127.0.0.1", "db1": "", "web": "", "192.0.2.7": ""} {
		if a, ok := findHost(hosts, name); ok != (want != "") || ok && a.String() != want {
			t.Errorf("%s: %s, %v", name, a, ok)
		}
	}
}

// node is a root with programs.
func node(t *testing.T, files map[string]string) World {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	return World{Host: h, Clock: clock.System(), Runner: run.System{}, Env: []string{"LBVM_VM=web1"}}
}

func made(t *testing.T, w World, text string, limit time.Duration) error {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c.Make(context.Background(), w, limit)
}

const long = time.Minute // nothing here takes so long, on any machine

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	w := node(t, map[string]string{"/etc/hosts": "127.0.0.1 web1\n"})
	for _, name := range []string{"127.0.0.1", "web1"} {
		if err := made(t, w, "tcp:"+name+":"+port, long); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := made(t, w, "tcp:db1:"+port, long); !errors.Is(err, ErrUnmade) {
		t.Errorf("a name that nobody knows: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := made(t, w, "tcp:127.0.0.1:"+port, long); !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	if err := made(t, w, "tcp:255.255.255.255:"+port, long); !errors.Is(err, ErrUnmade) {
		t.Errorf("no way there: %v", err)
	}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		defer l.Close()
		if err := made(t, w, "tcp:"+l.Addr().String(), long); err != nil {
			t.Errorf("IPv6: %v", err)
		}
	}
}

// A guest that hangs takes no connection, and refuses none.
func TestTCPSilence(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	check := Check{Kind: TCP, Host: "127.0.0.1", Port: sa.(*syscall.SockaddrInet4).Port}
	w := node(t, nil)
	for i := 0; i < 8; i++ { // its queue gets full, for nobody accepts
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(check.Port), 300*time.Millisecond)
		if err != nil {
			break
		}
		defer c.Close()
	}
	err = check.Make(context.Background(), w, 200*time.Millisecond)
	if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "in time") {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := check.Make(ended, w, long); !errors.Is(err, ErrUnmade) {
		t.Errorf("told to end: %v", err)
	}
}

func TestExec(t *testing.T) {
	w := node(t, map[string]string{
		"/well":   "#!/bin/sh\ntest \"$LBVM_VM\" = web1 && test \"$1\" = 'a*b' && test \"$#\" = 1\n",
		"/sick":   "#!/bin/sh\necho one; echo 'the table is broken' >&2; exit 1\n",
		"/absent": "#!/bin/sh\n/no/such/program\n",
		"/killed": "#!/bin/sh\nkill -9 $$\n",
		"/locked": "#!/bin/sh\n/etc\n", // which no shell can run
		"/usage":  "#!/bin/sh\nexit 2\n",
	})
	for text, want := range map[string]error{"exec:/well a*b": nil, "exec:/well a b": ErrNoAnswer, "exec:/sick": ErrNoAnswer, "exec:/missing": ErrUnmade, "exec:/absent": ErrUnmade, "exec:/killed": ErrNoAnswer, "exec:/locked": ErrUnmade, "exec:/usage": ErrNoAnswer} {
		if err := made(t, w, text, long); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := made(t, w, "exec:/sick", long); !strings.Contains(err.Error(), "the table is broken") {
		t.Errorf("%v", err)
	}
}

// A check that hangs is ended with whatever it has started.
func TestExecGroup(t *testing.T) {
	w := node(t, map[string]string{"/hangs": "#!/bin/sh\nsleep 1000 &\necho $! >\"$LBVM_ROOT/pid\"\nwait\n"})
	pidFile := w.Host.Path("/pid")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.Clock = &untilWritten{Clock: w.Clock, file: pidFile}
	c, err := Parse("exec:/hangs")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Make(ctx, w, long); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("%v", err)
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Since(began) > 4*time.Minute {
			t.Fatalf("%d still lives: %s", pid, stat)
		}
	}
}

// untilWritten is a clock whose time is over as soon as a file is there and not empty.
type untilWritten struct {
	clock.Clock
	file string
}

func (u *untilWritten) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for ctx.Err() == nil {
			if fi, err := os.Stat(u.file); err == nil && fi.Size() > 0 {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return ctx, cancel
}

func TestPing(t *testing.T) {
	const says = "#!/bin/sh\necho \"$0 $*\" >>\"$LBVM_ROOT/said\"\n"
	w := node(t, map[string]string{"/bin/ping": says, "/etc/hosts": "192.0.2.7 web1\n"})
	if err := made(t, w, "ping:web1", 5*time.Second); err != nil {
		t.Error(err)
	}
	if err := made(t, w, "ping:::1", time.Hour); err != nil {
		t.Error(err)
	}
	w.Clock = &untilWritten{Clock: w.Clock, file: w.Host.Path("/never")} // however short
	if err := made(t, w, "ping:web1", time.Second); err != nil {
		t.Error(err)
	}
	said, err := os.ReadFile(w.Host.Path("/said"))
	if err != nil {
		t.Fatal(err)
	}
	want := "ping -n -q -c 1 -w 4 192.0.2.7\nping -n -q -c 1 -w 9 0:0:0:0:0:0:0:1\nping -n -q -c 1 -w 1 192.0.2.7\n"
	if got := strings.ReplaceAll(string(said), w.Host.Path("/bin")+"/", ""); got != want {
		t.Errorf("%s", got)
	}
	for code, want := range map[int]error{1: ErrNoAnswer, 2: ErrUnmade} {
		w := node(t, map[string]string{"/bin/ping": "#!/bin/sh\nexit " + strconv.Itoa(code) + "\n"})
		if err := made(t, w, "ping:192.0.2.7", long); !errors.Is(err, want) {
			t.Errorf("exit %d: %v", code, err)
		}
	}
	if err := made(t, node(t, nil), "ping:192.0.2.7", long); !errors.Is(err, ErrUnmade) {
		t.Errorf("without a tool: %v", err)
	}
}
