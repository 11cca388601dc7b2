package sample

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func packet() Packet {
	return NewPacket("node1", time.Unix(1195668541, 0), []Reading{
		{Resource: Resource{Name: "cpu"}, Value: "0.25"}, {Resource: Resource{Name: "ram", LogFile: "free"}, Value: "512"}, {Resource: Resource{Name: "io"}, Err: errors.New("it failed")},
	})
}

func TestPacket(t *testing.T) {
	p := packet()
	const want = "lbvm-push 1 node1\ncpu 1195668541 0.25\nfree 1195668541 512\nend\n"
	if got := string(p.Format()); got != want {
		t.Errorf("%q", got)
	}
	members, logs := []string{"node3", "node1"}, []string{"cpu", "free", "io"}
	got, err := ParsePacket([]byte(want), members, logs)
	if diff := cmp.Diff(p, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	p.Facts = &host.Facts{Member: "node1", Boot: "b", At: time.Unix(1195668541, 0).UTC(), Tools: map[string]string{}, Guests: []host.GuestFact{{Type: "xen", Name: "a", State: "running", CPU: 0.5}}}
	got, err = ParsePacket(p.Format(), members, logs)
	if diff := cmp.Diff(p, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for n := range len(p.Format()) { // whatever is missing
		if got, err := ParsePacket(p.Format()[:n], members, logs); !errors.Is(err, ErrPacket) || got.Lines != nil {
			t.Fatalf("%d bytes: %v %v", n, got, err)
		}
	}
	for name, text := range map[string]string{
		"another member":           strings.Replace(want, "node1", "node9", 1),
		"a folder":                 strings.Replace(want, "node1", "../node1", 1),
		"no member":                strings.Replace(want, " node1", "", 1),
		"another resource":         strings.Replace(want, "free", "report.log", 1),
		"a path":                   strings.Replace(want, "free", "../../etc/passwd", 1),
		"an empty name":            strings.Replace(want, "free", "", 1),
		"no number":                strings.Replace(want, "512", "many", 1),
		"a fourth word":            strings.Replace(want, "512", "512 1", 1),
		"no time":                  strings.Replace(want, "1195668541 512", "x 512", 1),
		"a time before the first":  strings.Replace(want, "1195668541 512", "0 512", 1),
		"a log twice":              strings.Replace(want, "free", "cpu", 1),
		"something behind the end": want + "cpu 1 1\n",
		"another format":           strings.Replace(want, "push 1", "push 2", 1),
		"facts of another node":    strings.Replace(want, "end\n", "facts\nformat=1\nmember=node3\nboot=b\nend\n", 1),
		"broken facts":             strings.Replace(want, "end\n", "facts\nformat=7\nend\n", 1),
		"too long":                 strings.Replace(want, "0.25", "0.25"+strings.Repeat("0", MaxPacket), 1),
	} {
		if got, err := ParsePacket([]byte(text), members, logs); !errors.Is(err, ErrPacket) || got.Lines != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

func TestTakeAppends(t *testing.T) {
	dir := t.TempDir()
	p := packet()
	for i, want := range []string{"1195668541 512\n", "1195668541 512\n1195668601 512\n"} {
		for again := range 2 { // a value that is there is not written twice
			if seen, err := p.Take(dir, ""); err != nil || seen != (again == 1) {
				t.Errorf("%d: seen %v, %v", i, seen, err)
			}
		}
		if b, err := os.ReadFile(filepath.Join(dir, "node1-free")); err != nil || string(b) != want {
			t.Errorf("%d: %q %v", i, b, err)
		}
		for j := range p.Lines {
			p.Lines[j].At = p.Lines[j].At.Add(time.Minute)
		}
	}
	// The stamp alone counts, not a part of another one, and not the value.
	write(t, dir, "node1-cpu", "11195668661 1\n1 1195668661\n")
	write(t, dir, "node1-free", strings.Repeat("1 1\n", 5000)+"1195668661 7\n")
	if seen, err := p.Take(dir, ""); err != nil || seen {
		t.Errorf("seen %v, %v", seen, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "node1-cpu")); err != nil || !strings.HasSuffix(string(b), "\n1195668661 0.25\n") {
		t.Errorf("%q %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "node1-free")); err != nil || !strings.HasSuffix(string(b), "\n1195668661 7\n") {
		t.Errorf("%q %v", b[len(b)-40:], err)
	}
}

// ssh answers for peers.
type ssh struct {
	mu    sync.Mutex
	calls []string
	play  func(ctx context.Context, peer string) (run.Result, error)
}

func (s *ssh) Run(ctx context.Context, c run.Command) (run.Result, error) {
	peer := c.Argv[len(c.Argv)-3]
	s.mu.Lock()
	s.calls = append(s.calls, fmt.Sprintf("%s < %d bytes", strings.Join(c.Argv[1:], " "), len(c.Stdin)))
	s.mu.Unlock()
	return s.play(ctx, peer)
}

// A peer that hangs costs the time that there is, and keeps none of the others from being told.
func TestPush(t *testing.T) {
	s, root, _ := node(t)
	write(t, root, "usr/bin/ssh", "")
	if err := os.Chmod(filepath.Join(root, "usr/bin/ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var told sync.WaitGroup
	told.Add(4)
	fake := &ssh{play: func(ctx context.Context, peer string) (run.Result, error) {
		switch peer {
		case "hangs":
			told.Done()
			<-ctx.Done()
			return run.Result{}, ctx.Err()
		case "refuses":
			told.Done()
			return run.Result{Code: 255, Stderr: []byte("Permission denied (publickey).\nmore")}, nil
		}
		told.Done()
		if peer == "shares" {
			return run.Result{Stdout: []byte(Seen + "\n")}, nil
		}
		return run.Result{}, nil
	}}
	s.Run = fake
	go func() { told.Wait(); cancel() }() // the others were served while one hangs
	failed := s.Push(ctx, packet(), []string{"hangs", "refuses", "node2", "shares", "-oProxyCommand=x"})
	if len(failed) != 4 || !errors.Is(failed["shares"], ErrSeen) || !errors.Is(failed["hangs"], context.Canceled) || fmt.Sprint(failed["refuses"]) != "exit code 255: Permission denied (publickey)." || !errors.Is(failed["-oProxyCommand=x"], host.ErrName) {
		t.Errorf("%v", failed)
	}
	want := fmt.Sprintf("-T -oBatchMode=yes -oConnectTimeout=5 -- node2 /usr/libexec/lbvm/lblog --receive < %d bytes", len(packet().Format()))
	if len(fake.calls) != 4 || !slices.Contains(fake.calls, want) {
		t.Errorf("%q", fake.calls)
	}
}

func FuzzParsePacket(f *testing.F) {
	p := packet()
	f.Add(p.Format())
	p.Facts = &host.Facts{Member: "node1", Boot: "b"}
	f.Add(p.Format())
	members, logs := []string{"node1"}, []string{"cpu", "free"}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b, members, logs)
		if err != nil {
			return
		}
		if p.Member != "node1" || p.Facts != nil && p.Facts.Member != "node1" {
			t.Errorf("%+v", p)
		}
		for _, l := range p.Lines {
			if !slices.Contains(logs, l.Log) || strings.ContainsAny(l.Value, " \n") || l.At.Unix() <= 0 {
				t.Errorf("%+v", l)
			}
		}
	})
}
