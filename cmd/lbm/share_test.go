package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
)

// stuck is a bench whose shared storage hangs: its files are pipes that nobody writes to, so that who opens one of them waits
// for ever. Only the program that the bench starts as itself really runs.
func stuck(t *testing.T) *bench {
	t.Helper()
	b := ready(t, map[string]string{"service:web": `state="119" state_str="disabled" flags="0" flags_str="" owner="none" last_owner="xen3.01100011.com"`})
	b.record(t, "xen-centos1", []string{"running xen1.01100011.com boot-1"})
	b.measured(t)
	b.write(t, "gfs/lbvm/log/migrate.log", "")
	err := filepath.WalkDir(filepath.Join(b.root, "gfs"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
	b.self, b.run, b.wait = "/proc/self/exe", itself{b.tools}, hasty{clock.System()}
	return b
}

// itself runs this program, and nothing else.
type itself struct{ *tools }

func (r itself) Run(ctx context.Context, c run.Command) (run.Result, error) {
	if c.Argv[0] == "/proc/self/exe" {
		return run.System{}.Run(ctx, c)
	}
	return r.tools.Run(ctx, c)
}

// hasty gives the shared storage up at once: what hangs for ever hangs so long too.
type hasty struct{ clock.Clock }

func (h hasty) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == shareLimit {
		d = 50 * time.Millisecond
	}
	return h.Clock.WithTimeout(ctx, d)
}

// On a shared storage that hangs no command hangs: each says so, shows what is known without it, or changes nothing.
func TestHungShare(t *testing.T) {
	const says = "/gfs does not answer"
	type row struct {
		args  string
		code  int
		shows string
	}
	rows := []row{
		{"status", exitFailed, "3 VMs (2 started, 1 disabled)"},
		{"status", exitFailed, "fence_tool ls"},
		{"status -o json", exitFailed, `"started": 2`},
		{"-l", exitUnknown, ""},
		{"list", exitUnknown, "xen1.01100011.com  started"},
		{"list -o json", exitUnknown, `"handoff": null`},
		{"show centos1", exitUnknown, "started on xen1.01100011.com"},
		{"show centos1 -o json", exitUnknown, `"passes": null`},
		{"show nosuch", exitRefused, ""},
		{"nodes", exitUnknown, "xen2.01100011.com  online"},
		{"nodes -o json", exitUnknown, `"online": true`},
		{"why-down centos1", 0, "(xen:centos1) is started"},
		{"why-down 101", 0, "next:  fence_tool ls"},
		{"history", exitUnknown, ""}, {"handoff 101", exitRefused, ""}, {"top --once", exitFailed, ""},
		{"check", exitUnknown, ""}, {"eval 1", exitUnknown, ""}, {"explain centos1", exitUnknown, ""}, {"replay --from 1h", exitUnknown, ""}, {"notify", exitUnknown, ""},
		{"init", exitRefused, ""}, {"add /etc/vz/conf/105.conf", exitRefused, ""}, {"-c /etc/vz/conf/105.conf", exitRefused, ""}, {"remove centos1", exitRefused, ""}, {"purge", exitRefused, ""},
		{"migrate centos1 xen2.01100011.com", exitRefused, ""}, {"migrate centos1", exitRefused, ""}, {"migrate --dry-run centos1", exitRefused, ""},
		{"evacuate --yes xen1.01100011.com", exitRefused, ""}, {"evacuate --dry-run xen1.01100011.com", exitRefused, ""}, {"evacuate --shutdown --within 1m", exitRefused, ""},
		{"failback --yes xen1.01100011.com", exitRefused, ""}, {"place 101", exitRefused, ""}, {"restart centos1", exitRefused, ""},
		{"repair 101", exitRefused, ""}, {"confirm-down --yes 101 xen3.01100011.com", exitRefused, ""}, {"take --yes 101", exitRefused, ""},
		{"node add xen4.01100011.com", exitRefused, ""},
		{"ccs bump", exitRefused, ""}, {"ccs set //rm log_level 7", exitRefused, ""},
	}
	elsewhere := map[string]string{
		"guard": "it asks the record in a process of its own, and is asked by hypervisors", "blackbox": "it is this node's own", "exec": "what is defined is this node's own",
		"doctor": "it asks the storage in a process of its own", "mark-left": "it waits: the others must know what stays here when a node leaves", "help": "", "completion": "",
	}
	b := stuck(t)
	conf := filepath.Join(b.root, "etc/cluster/cluster.conf")
	before, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	var tried []string
	for _, x := range rows {
		tried = append(tried, strings.Fields(x.args)[0])
		code, ended := make(chan int, 1), false
		go func() { code <- b.lbm(strings.Fields(x.args)...) }()
		select {
		case got := <-code:
			ended = true
			said := b.out.String() + b.errors.String()
			if got != x.code || strings.Count(strings.Join(strings.Fields(said), " "), says) != 1 && x.args != "show nosuch" || !strings.Contains(said, x.shows) {
				t.Errorf("lbm %s ends with %d, want %d, and says\n%s", x.args, got, x.code, said)
			}
			if x.code == exitRefused && x.args != "show nosuch" && !strings.Contains(said, "nothing was changed") {
				t.Errorf("lbm %s says\n%s", x.args, said)
			}
		case <-time.After(4 * time.Minute):
		}
		if !ended {
			t.Fatalf("lbm %s hangs with the storage", x.args)
		}
	}
	b.tools.mu.Lock()
	for _, asked := range b.tools.asked {
		if strings.HasPrefix(asked, "clusvcadm") || strings.HasPrefix(asked, "cman_tool version -r") {
			t.Errorf("it ran %q", asked)
		}
	}
	b.tools.mu.Unlock()
	if after, err := os.ReadFile(conf); err != nil || string(after) != string(before) {
		t.Errorf("cluster.conf was changed: %v", err)
	}
	for _, c := range b.app().Commands {
		if _, is := elsewhere[c.Name]; !is && !slices.Contains(tried, c.Name) {
			t.Errorf("lbm %s was not tried", c.Name)
		}
	}
}

// With the tools of both cluster managers lbvm.conf says which it is. Where it lies on a share that hangs it is not read.
func TestHungShareWithBothManagers(t *testing.T) {
	for _, x := range []struct {
		args string
		code int
	}{
		{"status", exitFailed}, {"list", exitUnknown}, {"why-down 101", 0}, {"migrate centos1", exitRefused}, {"take --yes 101", exitRefused},
		{"remove centos1", exitRefused}, {"ccs bump", exitRefused}, {"nosuch", exitUsage}, {"doctor", exitFailed}, {"exec check", exitUsage},
	} {
		b := stuck(t)
		b.write(t, "usr/sbin/crm_mon", "#!/bin/false\n")
		if err := os.Chmod(filepath.Join(b.root, "usr/sbin/crm_mon"), 0o755); err != nil {
			t.Fatal(err)
		}
		code := make(chan int, 1)
		go func() { code <- b.lbm(strings.Fields(x.args)...) }()
		select {
		case got := <-code:
			if got != x.code {
				t.Errorf("lbm %s: exit %d, want %d\n%s%s", x.args, got, x.code, &b.out, &b.errors)
			}
		case <-time.After(4 * time.Minute):
			t.Fatalf("lbm %s hangs with the storage", x.args)
		}
	}
}

// Who has less time than the shared storage is given, as a guard has, takes it for one that hangs, not for an interrupt, behind which
// lbvm.conf would be read.
func TestHungShareWithLittleTime(t *testing.T) {
	b := stuck(t)
	b.write(t, "usr/sbin/crm_mon", "#!/bin/false\n")
	if err := os.Chmod(filepath.Join(b.root, "usr/sbin/crm_mon"), 0o755); err != nil {
		t.Fatal(err)
	}
	w := b.world
	w.share = &share{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	kind := make(chan string, 1)
	go func() { kind <- w.kind(ctx) }()
	select {
	case got := <-kind:
		if err := w.answers(context.Background()); got != cluster.NameRGManager || !errors.Is(err, errHangs) {
			t.Errorf("%q, %v", got, err)
		}
	case <-time.After(4 * time.Minute):
		t.Fatal("it hangs with the storage")
	}
}

// While one process hangs with the shared storage those after it do not begin to: they can be ended.
func TestOneTouchAtATime(t *testing.T) {
	b := ready(t, nil)
	path := filepath.Join(b.root, host.RunDir, "touch")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	held, err := lockfile.Try(path, "a test")
	if err != nil {
		t.Fatal(err)
	}
	touch := func(ctx context.Context) error {
		r, err := run.System{}.Run(ctx, run.Command{Argv: []string{"/proc/self/exe", "doctor", "--touch"}, Env: b.host.Environ()})
		if err == nil && r.Code != 0 {
			err = errors.New(string(r.Stderr))
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	if err := touch(ctx); !errors.Is(err, run.ErrDeadline) {
		t.Errorf("another one asks: %v", err)
	}
	cancel()
	done := make(chan error, 1)
	go func() { done <- touch(context.Background()) }()
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the other one has ended: %v", err)
	}
}

// Each file on the shared storage that hangs is found by the process that touches it.
func TestTouchReadsWhatCommandsRead(t *testing.T) {
	for _, name := range []string{"lbvm/cluster", "lbvm.conf", "lbvm/nodes/xen2.01100011.com", "lbvm/handoff/xen-centos1/state", "lbvm/log/migrate.log", "lbvm/adopt/xen-centos9/plan"} {
		b := ready(t, nil)
		b.record(t, "xen-centos1", []string{"running xen1.01100011.com boot-1"})
		b.measured(t)
		b.write(t, "gfs/lbvm/log/migrate.log", "")
		b.write(t, "gfs/lbvm/adopt/xen-centos9/plan", "")
		path := filepath.Join(b.root, "gfs", name)
		if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			_, err := run.System{}.Run(ctx, run.Command{Argv: []string{"/proc/self/exe", "doctor", "--touch"}, Env: b.host.Environ()})
			done <- err
		}()
		reached := make(chan *os.File, 1)
		go func() { // opening ends when somebody opens it to read
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err == nil {
				reached <- f
			}
		}()
		select {
		case f := <-reached:
			cancel()
			if err := <-done; !errors.Is(err, run.ErrDeadline) {
				t.Errorf("%s: %v", name, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		case err := <-done:
			t.Errorf("%s was not read: %v", name, err)
		case <-time.After(4 * time.Minute):
			t.Errorf("%s: nothing came of it", name)
		}
		cancel()
	}
}

// One that answers is not said to hang, and who interrupts is not told of it.
func TestShareThatAnswers(t *testing.T) {
	b := ready(t, nil)
	b.self, b.run = "/proc/self/exe", itself{b.tools}
	if code := b.lbm("list"); code != 0 || b.errors.Len() > 0 {
		t.Errorf("%d %s", code, b.errors.String())
	}
	b = stuck(t)
	b.wait = clock.System()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var exit cli.ExitCoder
	if err := (world{host: b.host, run: b.run, wait: b.wait, self: b.self, share: &share{}}).answers(ctx); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("%v", err)
	}
}
