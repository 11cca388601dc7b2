package vmexec

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/internal/run"
)

// guest is a VM of the toy, whose state changes by what its program is told.
type guest struct {
	s     *stage
	state string
	deaf  bool  // stop says that it is done, and the guest runs on
	hold  int   // looks until a stop has an effect
	fails error // of every change
	image string
}

func (g *guest) play(argv []string) (run.Result, error) {
	if argv[1] == "status" {
		if g.hold > 0 {
			if g.hold--; g.hold == 0 {
				g.state = "down"
			}
		}
		return says(g.state + "\n")
	}
	if g.fails != nil {
		return run.Result{}, g.fails
	}
	switch argv[1] {
	case "start", "thaw", "restore":
		g.state = "up"
	case "stop":
		switch {
		case g.deaf:
		case g.hold == 0:
			g.state = "down"
		}
	case "kill", "move":
		g.state = "down"
	case "save":
		g.s.file(strings.TrimPrefix(argv[3], g.s.root), g.image, 0o600)
		g.state = "down"
	}
	return ends(0)
}

func newGuest(t *testing.T, state string) (*guest, *stage) {
	t.Helper()
	s := newStage(t, toy)
	g := &guest{s: s, state: state, image: "memory"}
	s.play = g.play
	return g, s
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestLife(t *testing.T) {
	g, s := newGuest(t, "down")
	d, ctx := s.driver(), soon(t)
	x, err := d.Guest(ctx, "web", nil)
	if err != nil || x.Mem != 64<<20 || x.Config != s.root+"/etc/x/web.conf" || len(x.Witnesses) != 1 || x.Witnesses[0].Block {
		t.Fatalf("%+v, %v", x, err)
	}
	if err := d.Start(ctx, x); err != nil || g.state != "up" {
		t.Errorf("start: %v, %s", err, g.state)
	}
	if st, err := d.State(ctx, "web"); st != hypervisor.Running || err != nil {
		t.Errorf("%s, %v", st, err)
	}
	if err := d.Shutdown(ctx, "web"); err != nil || g.state != "down" {
		t.Errorf("shutdown: %v, %s", err, g.state)
	}
	for _, nothing := range []func(context.Context, string) error{d.Shutdown, d.Destroy} { // there is nothing: nothing is run
		if err := nothing(ctx, "web"); err != nil {
			t.Error(err)
		}
	}
	g.state = "frozen"
	if err := d.(hypervisor.Thawer).Thaw(ctx, "web"); err != nil || g.state != "up" {
		t.Errorf("thaw: %v, %s", err, g.state)
	}
	image := s.root + "/shared/image"
	if err := d.(hypervisor.Saver).Save(ctx, "web", image); err != nil || g.state != "down" {
		t.Errorf("save: %v, %s", err, g.state)
	}
	if err := d.(hypervisor.Saver).Save(ctx, "web", image); err == nil {
		t.Error("an image was saved over another")
	}
	if err := d.Restore(ctx, x, image); err != nil || g.state != "up" {
		t.Errorf("restore: %v, %s", err, g.state)
	}
	if err := d.(hypervisor.Live).Migrate(ctx, "web", "node2"); err != nil {
		t.Errorf("migrate: %v", err)
	}
	s.wantChanges("xtool start web /etc/x/web.conf", "xtool stop web", "xtool thaw web", "xtool save web /shared/image", "xtool restore web /shared/image", "xtool move web node2")
}

// What a program says of a stop counts for nothing until status has said it.
func TestStopIsProved(t *testing.T) {
	g, s := newGuest(t, "up")
	g.deaf = true
	ctx, cancel := context.WithCancel(soon(t))
	asked := 0
	s.play = func(argv []string) (run.Result, error) {
		if argv[1] == "status" {
			if asked++; asked == 20 {
				cancel()
			}
		}
		return g.play(argv)
	}
	if err := s.driver().Shutdown(ctx, "web"); err == nil || !strings.Contains(err.Error(), "still running") {
		t.Errorf("a guest that runs was shut down: %v", err)
	}
	s.wantChanges("xtool stop web")
	if err := s.driver().Destroy(soon(t), "web"); err != nil || g.state != "down" {
		t.Errorf("destroy: %v, %s", err, g.state)
	}
	g, s = newGuest(t, "up") // it takes its time
	g.hold = 5
	if err := s.driver().Shutdown(soon(t), "web"); err != nil {
		t.Error(err)
	}
	s.wantChanges("xtool stop web")
	g, s = newGuest(t, "up") // the program fails and the guest is gone all the same
	s.play = func(argv []string) (run.Result, error) {
		r, err := g.play(argv)
		if argv[1] == "stop" {
			r.Code = 1
		}
		return r, err
	}
	if err := s.driver().Shutdown(soon(t), "web"); err != nil {
		t.Error(err)
	}
	g, s = newGuest(t, "up") // it fails and the guest runs: waiting would be in vain
	g.fails = run.ErrSignal
	if err := s.driver().Shutdown(soon(t), "web"); !errors.Is(err, run.ErrSignal) {
		t.Error(err)
	}
	g, s = newGuest(t, "frozen") // it cannot hear
	if err := s.driver().Shutdown(soon(t), "web"); err == nil || len(s.changes()) > 0 {
		t.Errorf("%v, %q", err, s.changes())
	}
	g, s = newGuest(t, "half")
	if err := s.driver().Destroy(soon(t), "web"); err != nil || g.state != "down" {
		t.Errorf("%v, %s", err, g.state)
	}
}

// Without destroy, stop is all that there is.
func TestDestroyWithoutDestroy(t *testing.T) {
	g, s := newGuest(t, "up")
	s.file(Dir+"/toy", strings.Replace(toy, "destroy xtool kill %{name};", "", 1), 0o644)
	if err := s.driver().Destroy(soon(t), "web"); err != nil || g.state != "down" {
		t.Errorf("%v, %s", err, g.state)
	}
	s.wantChanges("xtool stop web")
}

// An answer that is none is unknown, with an error, and nothing is done on it.
func TestUnknown(t *testing.T) {
	for name, play := range map[string]func([]string) (run.Result, error){
		"hangs":          func([]string) (run.Result, error) { return run.Result{}, run.ErrDeadline },
		"signal":         func([]string) (run.Result, error) { return run.Result{}, run.ErrSignal },
		"gone meanwhile": func([]string) (run.Result, error) { return run.Result{}, run.ErrNotFound },
		"huge":           func([]string) (run.Result, error) { return run.Result{Stdout: []byte("down\n"), Truncated: true}, nil },
		"empty":          func([]string) (run.Result, error) { return says("") },
		"other words":    func([]string) (run.Result, error) { return says("Down\n") },
		"another code":   func([]string) (run.Result, error) { return run.Result{Code: 1, Stdout: []byte("down\n")}, nil },
		"both":           func([]string) (run.Result, error) { return says("down\nup\n") },
	} {
		s := newStage(t, toy)
		s.play = play
		d, ctx := s.driver(), soon(t)
		if st, err := d.State(ctx, "web"); st != hypervisor.Unknown || err == nil {
			t.Errorf("%s: %s, %v", name, st, err)
		}
		if err := d.Shutdown(ctx, "web"); err == nil {
			t.Errorf("%s: a guest of which nothing is known was shut down", name)
		}
		s.wantChanges()
	}
}

// A definition that cannot be used leaves everything unknown and changes nothing; what is wrong stands in each error.
func TestBadFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(s *stage)
		want string
	}{
		{"no folder", func(*stage) {}, "technology \"toy\" is not defined here"},
		{"no file", func(s *stage) { s.file(Dir+"/other", toy, 0o644) }, "technology \"toy\" is not defined here"},
		{"empty", func(s *stage) { s.file(Dir+"/toy", "", 0o644) }, "there is no status"},
		{"half", func(s *stage) { s.file(Dir+"/toy", toy[:strings.Index(toy, "stop xtool")], 0o644) }, "there is no stop"},
		{"writable by others", func(s *stage) { s.must(os.Chmod(s.file(Dir+"/toy", toy, 0o644), 0o664)) }, "may be written by others"},
		{"folder writable by others", func(s *stage) { s.file(Dir+"/toy", toy, 0o644); s.must(os.Chmod(s.root+Dir, 0o777)) }, "may be written by others"},
		{"a link", func(s *stage) {
			s.file("/gfs/toy", toy, 0o644)
			s.file(Dir+"/other", toy, 0o644)
			s.must(os.Symlink(s.root+"/gfs/toy", s.root+Dir+"/toy"))
		}, "is a link"},
		{"a folder", func(s *stage) { s.must(os.MkdirAll(s.root+Dir+"/toy", 0o755)) }, "no plain file"},
		{"too long", func(s *stage) { s.file(Dir+"/toy", toy+strings.Repeat("#\n", mostBytes), 0o644) }, "longer than"},
		{"a strange name", func(s *stage) { s.file(Dir+"/toy", toy, 0o644); s.params["type"] = "../toy" }, "not a valid name"},
		{"no type", func(s *stage) { s.file(Dir+"/toy", toy, 0o644); s.params["type"] = "" }, "not a valid name"},
		{"another's", func(s *stage) {
			real.NeedRoot(s.t) // only root can give a file away
			s.must(os.Chown(s.file(Dir+"/toy", toy, 0o644), 12345, 0))
		}, "belongs to user 12345"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, "")
			c.set(s)
			d, ctx := s.driver(), soon(t)
			st, err := d.State(ctx, "web")
			if st != hypervisor.Unknown || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %v; want %q", st, err, c.want)
			}
			_, guest := d.Guest(ctx, "web", nil)
			for i, err := range []error{guest, d.Start(ctx, hypervisor.Guest{Name: "web"}), d.Shutdown(ctx, "web"), d.Destroy(ctx, "web"), d.Restore(ctx, hypervisor.Guest{Name: "web"}, "/i")} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%d: %v", i, err)
				}
			}
			if errors.Is(err, hypervisor.ErrNoProgram) != (c.name == "no folder" || c.name == "no file") {
				t.Errorf("%v", err)
			}
			if _, ok := d.(hypervisor.Saver); ok {
				t.Error("it can save")
			}
		})
	}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// What a technology can do decides which kind of driver it gets: vm asks for no more.
func TestAbilities(t *testing.T) {
	without := func(keys ...string) string {
		var out []string
		for _, l := range strings.Split(toy, "\n") {
			drop := false
			for _, k := range keys {
				drop = drop || strings.HasPrefix(l, k+" ")
			}
			if !drop {
				out = append(out, l)
			}
		}
		return strings.Join(out, "\n")
	}
	for _, c := range []struct {
		text         string
		saves, moves bool
	}{{toy, true, true}, {without(migrate), true, false}, {without(save, restore), false, true}, {without(save, restore, migrate), false, false}} {
		d := newStage(t, c.text).driver()
		_, saves := d.(hypervisor.Saver)
		_, moves := d.(hypervisor.Live)
		if saves != c.saves || moves != c.moves {
			t.Errorf("saves %v, moves %v: %s", saves, moves, c.text)
		}
		if _, ok := d.(hypervisor.Detailer); !ok {
			t.Error("it shows no detail")
		}
	}
	_, s := newGuest(t, "frozen")
	s.file(Dir+"/toy", without(thaw), 0o644)
	if err := s.driver().(hypervisor.Thawer).Thaw(soon(t), "web"); err == nil || len(s.changes()) > 0 {
		t.Errorf("%v, %q", err, s.changes())
	}
}

func TestImages(t *testing.T) {
	g, s := newGuest(t, "up")
	g.image = ""
	image := s.root + "/shared/image"
	if err := s.driver().(hypervisor.Saver).Save(soon(t), "web", image); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty image counts: %v", err)
	}
	x, err := s.driver().Guest(soon(t), "web", nil)
	s.must(err)
	for _, image := range []string{image, s.root + "/shared/nothing"} {
		if err := s.driver().Restore(soon(t), x, image); err == nil {
			t.Errorf("%s was restored", image)
		}
	}
	s.wantChanges("xtool save web /shared/image")
}

func TestNeeds(t *testing.T) {
	_, s := newGuest(t, "down")
	d := s.driver().(hypervisor.Needer)
	n, err := d.Needs(soon(t), "web", map[string]string{"memory": "2G"})
	if err != nil || n.Mem != 2<<30 || len(n.Files) != 9 || n.Files[0] != (hypervisor.Need{What: "disk", Path: s.root + "/disks/web"}) {
		t.Errorf("%+v, %v", n, err)
	}
	for _, params := range []map[string]string{{"memory": "2"}, {"config": "/etc/x/nothing"}} {
		if _, err := d.Needs(soon(t), "web", params); !errors.Is(err, hypervisor.ErrConfig) {
			t.Errorf("%v: %v", params, err)
		}
	}
	s.must(os.Remove(s.root + "/usr/bin/xtool"))
	if _, err := d.Needs(soon(t), "web", nil); !errors.Is(err, hypervisor.ErrNoProgram) {
		t.Error(err)
	}
	if st, err := s.driver().State(soon(t), "web"); st != hypervisor.Unknown || !errors.Is(err, hypervisor.ErrNoProgram) {
		t.Errorf("%s, %v", st, err)
	}
}

func TestNames(t *testing.T) {
	_, s := newGuest(t, "up")
	for _, vm := range []string{"", "-f", "../x", "a b", "a;b"} {
		if _, err := s.driver().State(soon(t), vm); !errors.Is(err, hypervisor.ErrName) {
			t.Errorf("%q: %v", vm, err)
		}
	}
	if err := s.driver().(hypervisor.Live).Migrate(soon(t), "web", "-oProxyCommand=x"); err == nil {
		t.Error("a target that is none")
	}
	s.wantChanges()
}

// A rehearsal changes nothing and goes the way that the changes would.
func TestRehearsal(t *testing.T) {
	g, s := newGuest(t, "up")
	var told []string
	s.tools.Rehearsal = &hypervisor.Rehearsal{VM: "web", Say: func(argv []string) { told = append(told, strings.Join(argv[1:], " ")) }}
	d := s.driver()
	if err := d.Shutdown(soon(t), "web"); err != nil {
		t.Error(err)
	}
	if st, err := d.State(soon(t), "web"); !st.Clean() || err != nil {
		t.Errorf("%s, %v", st, err)
	}
	if err := d.Restore(soon(t), hypervisor.Guest{Name: "web"}, "/nowhere/mem"); err != nil {
		t.Error(err)
	}
	if st, err := d.State(soon(t), "web"); st != hypervisor.Running || err != nil {
		t.Errorf("%s, %v", st, err)
	}
	if g.state != "up" || len(s.changes()) > 0 || strings.Join(told, "; ") != "stop web; restore web /nowhere/mem" {
		t.Errorf("%s, %q, %q", g.state, s.changes(), told)
	}
}

// Real processes: what hangs, dies of a signal or talks without end is unknown.
func TestRealFaults(t *testing.T) {
	s := newStage(t, "")
	s.tools.Query, s.tools.Change = run.System{}, run.System{}
	for name, script := range map[string]string{
		"hangs": "exec /bin/sleep 3600", "dies": "kill -9 $$", "huge": "while :; do echo down; done | /usr/bin/head -c 200000", "says down by 127": "echo down; exit 127",
	} {
		p := s.file("/opt/status", "#!/bin/sh\n"+script+"\n", 0o755)
		s.file(Dir+"/toy", "status { run /opt/status %{name}; timeout 1s; running exit 0 output up; stopped exit 0 output down; }\nstart x %{name};\nstop x %{name};\n", 0o644)
		if st, err := s.driver().State(soon(t), "web"); st != hypervisor.Unknown || err == nil {
			t.Errorf("%s: %s, %v", name, st, err)
		}
		s.must(os.Remove(p))
	}
	s.file("/opt/status", "#!/bin/sh\necho down\n", 0o755)
	if st, err := s.driver().State(soon(t), "web"); st != hypervisor.Stopped || err != nil {
		t.Errorf("%s, %v", st, err)
	}
}

// The shell's form gets names by its environment only.
func TestShell(t *testing.T) {
	s := newStage(t, "status { sh 'echo \"$VM_NAME is up\"'; running exit 0 output \"^%{name} is up$\"; stopped exit 0 output \"^%{name} is down$\"; }\nstart x %{name};\nstop x %{name};\n")
	s.tools.Query = run.System{}
	if st, err := s.driver().State(soon(t), "web"); st != hypervisor.Running || err != nil {
		t.Errorf("%s, %v", st, err)
	}
}
