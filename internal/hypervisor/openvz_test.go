package hypervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func TestParseVZStatus(t *testing.T) {
	const uuid = "2f1c5a6e-2d0b-4d2b-8a52-9c3a3b0b1f5e"
	for _, c := range []struct {
		file, vm string
		want     State
		foreign  bool
	}{
		{"vzctl-3.0.22-status-running", "101", Running, false},
		{"vzctl-3.0.22-status-stopped", "101", Stopped, false},
		{"vzctl-3.0.22-status-deleted", "101", Absent, false},
		{"vzctl-4.11-status-running", "101", Running, false},
		{"vzctl-4.11-status-mounted", "101", Remains, false},
		{"vzctl-4.11-status-stopped", "101", Stopped, false},
		{"vzctl-4.11-status-suspended", "101", Stopped, true},
		{"vzctl-4.11-status-mounted-suspended", "101", Remains, true},
		{"vzctl-4.11-status-deleted", "101", Absent, false},
		{"vzctl-4.11-status-deleted-running", "101", Running, false},
		{"vzctl-7.0-status-running", uuid, Running, false},
		{"vzctl-7.0-status-paused", "101", Paused, false},
		{"vzctl-7.0-status-suspended", "101", Stopped, true},
		{"vzctl-7.0-status-down", "101", Stopped, false},
	} {
		s, err := parseVZStatus(sample(t, c.file), c.vm)
		if err != nil || s.state() != c.want || s.suspended != c.foreign {
			t.Errorf("%s: %v, suspended %v, %v", c.file, s.state(), s.suspended, err)
		}
	}
}

func TestParseVZStatusRefuses(t *testing.T) {
	for _, text := range []string{
		"", "\n", "CTID 101 exist mounted", "CTID 102 exist mounted running\n", "CTID 0101 exist mounted running\n",
		"CTID 101 exists mounted running\n", "CTID 101 exist mounted paused\n", "CTID 101 exist mounted running frozen\n",
		"CTID 101 exist mounted running\nCTID 101 exist unmounted down\n", "101 exist unmounted down\n", "CTID 101 deleted unmounted down  now\n",
		"Error: no such container\n", "CTID 101 exist unmounted dow", "ctid 101 exist unmounted down\n",
	} {
		if s, err := parseVZStatus([]byte(text), "101"); !errors.Is(err, ErrAnswer) {
			t.Errorf("%q gave %+v, %v", text, s, err)
		}
	}
}

func TestParseVZList(t *testing.T) {
	got, err := parseVZList(sample(t, "vzlist-4.11-guests"))
	want := []host.GuestFact{
		{Type: "openvz", Name: "101", State: "running", Mem: 13107 * 4096, CPU: -1},
		{Type: "openvz", Name: "102", State: "running", Mem: 8421376 * 4096, CPU: -1},
		{Type: "openvz", Name: "205", State: "mounted", CPU: -1},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"101 running\n", "101 running 5 6\n", "101 flying 5\n", "101 running x\n", "101 running -5\n", "101 running 99999999999999999999\n", "../x running 5\n"} {
		if got, err := parseVZList([]byte(text)); !errors.Is(err, ErrAnswer) {
			t.Errorf("%q gave %+v, %v", text, got, err)
		}
	}
}

func TestParseVZVersion(t *testing.T) {
	for file, want := range map[string]string{"vzctl-3.0.22-version": "3.0.22", "vzctl-4.11-version": "4.11.1", "vzctl-7.0-version": "7.0.194"} {
		if got, err := parseVZVersion(sample(t, file)); got != want || err != nil {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	for _, text := range []string{"", "vzctl", "vzctl version", "vzctl version unknown", "version 3"} {
		if got, err := parseVZVersion([]byte(text)); err == nil {
			t.Errorf("%q gave %q", text, got)
		}
	}
}

// "deleted" is believed only where the configuration is away for certain.
func TestVZDeletedHasToBeProved(t *testing.T) {
	deleted := func([]string) run.Result { return says("CTID 101 deleted unmounted down\n") }
	for _, c := range []struct {
		name string
		set  func(s *stage)
		want State
	}{
		{"no configuration", func(*stage) {}, Absent},
		{"link to a share that is away", func(s *stage) { s.link("/shared/conf/101.conf", "/etc/vz/conf/101.conf") }, Unknown},
		{"configuration there, private area away", func(s *stage) { s.file("/etc/vz/conf/101.conf", "VE_PRIVATE=/shared/private/101\n") }, Unknown},
		{"folder is a link to a share that is away", func(s *stage) {
			if err := os.RemoveAll(filepath.Join(s.root, "etc/vz/conf")); err != nil {
				t.Fatal(err)
			}
			s.link("/shared/conf", "/etc/vz/conf")
		}, Unknown},
		{"folder away", func(s *stage) {
			if err := os.RemoveAll(filepath.Join(s.root, "etc/vz/conf")); err != nil {
				t.Fatal(err)
			}
		}, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, deleted)
			c.set(s)
			got, err := s.driver("openvz").State(context.Background(), "101")
			if got != c.want || (err == nil) != (c.want != Unknown) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func (s *stage) link(to, at string) {
	s.t.Helper()
	if err := os.Symlink(filepath.Join(s.root, to), filepath.Join(s.root, at)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) driver(name string) Driver {
	s.t.Helper()
	d, err := New(name, s.tools)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func TestVZStateUnknown(t *testing.T) {
	for name, r := range map[string]run.Result{
		"exit code":     {Code: 10, Stdout: []byte("CTID 101 exist unmounted down\n"), Stderr: []byte("Global configuration file is missing")},
		"silence":       {},
		"another words": says("Container 101 is stopped\n"),
		"cut off":       {Stdout: []byte("CTID 101 exist unmounted down\n"), Truncated: true},
	} {
		s := newStage(t, func([]string) run.Result { return r })
		if got, err := s.driver("openvz").State(context.Background(), "101"); got != Unknown || err == nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	s := newStage(t, nil)
	if err := os.Remove(filepath.Join(s.root, "usr/sbin/vzctl")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.driver("openvz").State(context.Background(), "101"); got != Unknown || !errors.Is(err, ErrNoProgram) {
		t.Errorf("no vzctl: %v, %v", got, err)
	}
	s = newStage(t, nil)
	for _, vm := range []string{"0", "", "-1", "a/b", "--verbose"} {
		if got, err := s.driver("openvz").State(context.Background(), vm); got != Unknown || !errors.Is(err, ErrName) {
			t.Errorf("%q: %v, %v", vm, got, err)
		}
	}
}

// container is vzctl for one container, as far as a test of ours needs it.
type container struct {
	mounted, running, frozen, foreign bool
	busy                              bool // umount does nothing and ends with 0, as after a checkpoint
	stubborn                          bool // stop does not stop
	locked                            int  // so many commands find the lock held
}

func (c *container) play(argv []string) run.Result {
	if argv[0] == "vzlist" {
		return fails(0, "Container(s) not found\n")
	}
	verb := argv[1]
	if verb != "status" && c.locked > 0 {
		c.locked--
		return fails(vzLocked, "Container already locked\n")
	}
	has := func(opt string) bool { return strings.Contains(strings.Join(argv, " "), opt) }
	switch {
	case verb == "status":
		line := "CTID " + argv[2] + " exist"
		for _, w := range []struct {
			is      bool
			yes, no string
		}{{c.mounted, " mounted", " unmounted"}, {c.running, " running", " down"}, {c.foreign && !c.running, " suspended", ""}} {
			if w.is {
				line += w.yes
			} else {
				line += w.no
			}
		}
		return says(line + "\n")
	case verb == "start":
		c.mounted, c.running = true, true
	case verb == "stop":
		if c.frozen || c.stubborn && !has("--fast") {
			return fails(33, "Unable to stop container: operation timed out\n")
		}
		c.running = false
		if !c.busy {
			c.mounted = false
		}
	case verb == "umount":
		if !c.mounted {
			return fails(vzNotMounted, "CT is not mounted\n")
		}
		if !c.busy {
			c.mounted = false
		}
	case has("--suspend"):
		c.frozen = true
	case has("--dump "):
	case has("--resume"), has("--kill"):
		if !c.frozen {
			return fails(16, "Can not join cpt context 101: No such file or directory\n")
		}
		c.frozen = false
		if has("--kill") {
			c.running = false
		}
	case verb == "restore":
		c.mounted, c.running = true, true
	default:
		return fails(20, "Invalid command\n")
	}
	return run.Result{}
}

func TestVZLife(t *testing.T) {
	ctx := context.Background()
	c := &container{}
	s := newStage(t, c.play)
	d := s.driver("openvz")
	cp := d.(Checkpointer)
	image := filepath.Join(s.root, "mem")
	state := func(want State) {
		t.Helper()
		if got, err := d.State(ctx, "101"); got != want || err != nil {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	must(d.Start(ctx, Guest{Name: "101"}))
	state(Running)
	must(cp.Suspend(ctx, "101"))
	state(Running) // a frozen container cannot be told from a running one
	must(cp.Dump(ctx, "101", image))
	must(cp.Thaw(ctx, "101"))
	must(cp.Thaw(ctx, "101")) // not frozen: as good
	must(cp.Suspend(ctx, "101"))
	must(cp.Kill(ctx, "101"))
	state(Remains)
	must(cp.Unmount(ctx, "101"))
	must(cp.Unmount(ctx, "101"))
	state(Stopped)
	s.file("mem", "dump")
	if err := cp.Dump(ctx, "101", image); err == nil {
		t.Error("dumped over an image that exists")
	}
	must(d.Restore(ctx, Guest{Name: "101"}, image))
	if err := cp.Unmount(ctx, "101"); err == nil {
		t.Error("unmounted a running container")
	}
	must(d.Shutdown(ctx, "101"))
	state(Stopped)
	must(d.Shutdown(ctx, "101"))
	must(d.Destroy(ctx, "101"))
	s.wantChanges("vzctl start 101", "vzctl chkpnt 101 --suspend", "vzctl chkpnt 101 --dump --dumpfile /mem", "vzctl chkpnt 101 --resume",
		"vzctl chkpnt 101 --resume", "vzctl chkpnt 101 --suspend", "vzctl chkpnt 101 --kill", "vzctl umount 101",
		"vzctl restore 101 --dumpfile /mem", "vzctl stop 101")
	if err := d.Restore(ctx, Guest{Name: "101"}, image+"-gone"); err == nil {
		t.Error("restored from an image that is away")
	}
}

// vzctl 3.0.22 ends a stop with 0 while the container is still mounted.
func TestVZShutdownDemandsUnmounted(t *testing.T) {
	c := &container{mounted: true, running: true, busy: true}
	s := newStage(t, c.play)
	if err := s.driver("openvz").Shutdown(context.Background(), "101"); err == nil || !strings.Contains(err.Error(), "still mounted") {
		t.Errorf("busy: %v", err)
	}
	c = &container{mounted: true, running: true, stubborn: true}
	s = newStage(t, c.play)
	if err := s.driver("openvz").Shutdown(context.Background(), "101"); err == nil || c.running == false {
		t.Errorf("stubborn: %v", err)
	}
}

func TestVZThawMustWork(t *testing.T) {
	s := newStage(t, func(argv []string) run.Result {
		if argv[1] == "status" {
			return says("CTID 101 exist mounted running\n")
		}
		return fails(16, "Can not resume container: Device or resource busy\nCheckpointing failed\n")
	})
	if err := s.driver("openvz").(Thawer).Thaw(context.Background(), "101"); err == nil {
		t.Error("a refused thaw passed for a guest that was not frozen")
	}
}

func TestVZDestroy(t *testing.T) {
	for name, c := range map[string]*container{
		"running":  {mounted: true, running: true},
		"frozen":   {mounted: true, running: true, frozen: true},
		"stubborn": {mounted: true, running: true, stubborn: true},
		"mounted":  {mounted: true},
		"locked":   {mounted: true, running: true, locked: 3},
		"nothing":  {},
	} {
		s := newStage(t, c.play)
		if err := s.driver("openvz").Destroy(context.Background(), "101"); err != nil || c.running || c.mounted {
			t.Errorf("%s: %v, %+v", name, err, c)
		}
	}
	// A busy mount is tried again until the time is over, and no faster than once a second.
	c := &container{mounted: true, busy: true}
	s := newStage(t, c.play)
	ctx, cancel := context.WithCancel(context.Background())
	s.clock.after = func(waits int) {
		if waits == 4 {
			cancel()
		}
	}
	if err := s.driver("openvz").Destroy(ctx, "101"); !errors.Is(err, context.Canceled) || len(s.changes()) != 4 {
		t.Errorf("busy: %v after %q", err, s.changes())
	}
}

func TestVZLockIsWaitedForAWhile(t *testing.T) {
	c := &container{locked: 100}
	s := newStage(t, c.play)
	err := s.driver("openvz").Start(context.Background(), Guest{Name: "101"})
	if exitCode(err) != vzLocked || s.clock.waits != 5 {
		t.Errorf("%v after %d waits", err, s.clock.waits)
	}
	for _, call := range s.calls {
		if strings.Contains(call, "skiplock") {
			t.Errorf("%s breaks the lock of others", call)
		}
	}
}

// vzctl 4.1 and later would resume a dump at its default place instead of booting.
func TestVZStartMovesAForeignDumpAway(t *testing.T) {
	for _, c := range []struct{ conf, at string }{
		{"", "/vz/dump/Dump.101"}, {"", "/var/lib/vz/dump/Dump.101"}, {"DUMPDIR=/srv/dump\n", "/srv/dump/Dump.101"},
	} {
		ct := &container{foreign: true}
		s := newStage(t, ct.play)
		if c.conf != "" {
			s.file("/etc/vz/vz.conf", c.conf)
		}
		dump := s.file(c.at, "old memory")
		if err := s.driver("openvz").Start(context.Background(), Guest{Name: "101"}); err != nil {
			t.Errorf("%s: %v", c.at, err)
		}
		if _, err := os.Stat(dump); !os.IsNotExist(err) {
			t.Errorf("%s is still there", c.at)
		}
		if _, err := os.Stat(dump + ".lbvm-foreign"); err != nil || len(s.notes) != 1 {
			t.Errorf("%s was not kept, or nobody told: %v, %q", c.at, err, s.notes)
		}
	}
	s := newStage(t, (&container{foreign: true}).play)
	if err := s.driver("openvz").Start(context.Background(), Guest{Name: "101"}); err == nil || len(s.changes()) > 0 {
		t.Errorf("a dump that cannot be found: %v, %q", err, s.changes())
	}
}

func TestVZGuest(t *testing.T) {
	s := newStage(t, nil)
	d := s.driver("openvz")
	s.file("/etc/vz/conf/101.conf", "# a comment\nONBOOT=\"no\"\nPHYSPAGES=\"0:9223372036854775807\"\nPRIVVMPAGES=\"65536:69632\" # more\nVE_ROOT=\"/vz/root/$VEID\"\nVE_PRIVATE=\"/shared/private/${VEID}\"\n")
	g, err := d.Guest(context.Background(), "101", nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.Name != "101" || g.Config != filepath.Join(s.root, "etc/vz/conf/101.conf") || g.Mem != 69632*4096 {
		t.Errorf("%+v", g)
	}
	private := filepath.Join(s.root, "shared/private/101")
	seen := map[string]bool{}
	for _, w := range g.Witnesses {
		if w.Block || !strings.HasPrefix(w.Path, private+"/") {
			t.Errorf("%+v", w)
		}
		seen[strings.TrimPrefix(w.Path, private+"/")] = true
	}
	for _, must := range []string{"etc/mtab", "var/run/utmp", "var/log/wtmp", "etc/resolv.conf"} {
		if !seen[must] {
			t.Errorf("%s is no witness", must)
		}
	}
	s.file("/etc/vz/vz.conf", "VE_PRIVATE=/vz/private/$VEID\n")
	s.file("/etc/vz/conf/102.conf", "RAM=512M\n")
	if g, err = d.Guest(context.Background(), "102", nil); err != nil || g.Mem != 512<<20 || !strings.HasPrefix(g.Witnesses[0].Path, filepath.Join(s.root, "vz/private/102")) {
		t.Errorf("%+v, %v", g, err)
	}
	for vm, text := range map[string]string{"103": "VE_PRIVATE=private\n", "104": "VE_PRIVATE=/vz/$HOME\n", "105": "VE_PRIVATE=`pwd`\n"} {
		s.file("/etc/vz/conf/"+vm+".conf", text)
		if g, err := d.Guest(context.Background(), vm, nil); !errors.Is(err, ErrConfig) {
			t.Errorf("%q gave %+v, %v", text, g, err)
		}
	}
	if _, err := d.Guest(context.Background(), "106", nil); !errors.Is(err, ErrConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no configuration: %v", err)
	}
}

func TestVZMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"":                                 0,
		"PHYSPAGES=\"0:131072\"":           131072 * 4096,
		"PHYSPAGES=\"0:512M\"":             512 << 20,
		"PHYSPAGES=131072":                 131072 * 4096,
		"PHYSPAGES=unlimited":              0,
		"PHYSPAGES=\"0:unlimited\"":        0,
		"PHYSPAGES=0:2147483647\nRAM=1G":   1 << 30,
		"PRIVVMPAGES=49152:53575":          53575 * 4096,
		"PRIVVMPAGES=a:b":                  0,
		"PHYSPAGES=0:9223372036854775807G": 0,
		"RAM=1048576":                      1 << 20,
		"RAM=-5":                           0,
	} {
		if got := parseVZConf([]byte(text)).memory(); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestVZLister(t *testing.T) {
	s := newStage(t, func(argv []string) run.Result {
		switch line := strings.Join(argv, " "); line {
		case "vzctl --version":
			return says("vzctl version 3.0.22\n")
		case "vzlist -H -o ctid,status,physpages":
			return fails(1, "Unknown field: ctid\n")
		case "vzlist -H -o veid,status,physpages":
			return says("       101 running        500\n")
		}
		return fails(20, "")
	})
	l := s.driver("openvz").(Lister)
	if tool, v, err := l.Version(context.Background()); tool != "vzctl" || v != "3.0.22" || err != nil {
		t.Errorf("%s %s, %v", tool, v, err)
	}
	if g, err := l.Guests(context.Background()); len(g) != 1 || g[0].Name != "101" || err != nil {
		t.Errorf("%+v, %v", g, err)
	}
	s = newStage(t, func([]string) run.Result { return fails(1, "VE(s) not found\n") })
	if g, err := s.driver("openvz").(Lister).Guests(context.Background()); len(g) != 0 || err != nil {
		t.Errorf("none: %+v, %v", g, err)
	}
	s = newStage(t, func([]string) run.Result { return fails(1, "Unable to open /dev/vzctl\n") })
	if g, err := s.driver("openvz").(Lister).Guests(context.Background()); err == nil {
		t.Errorf("no kernel: %+v", g)
	}
}
