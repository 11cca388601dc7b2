package hypervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

// captured is what virsh of libvirt 9.0.0 printed.
func captured(t testing.TB, what string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/captured", "virsh-9.0.0-"+what))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func capturedAll(t testing.TB, pattern string) [][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata/captured", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples %s: %v", pattern, err)
	}
	var out [][]byte
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func refuses(text []byte) run.Result { return run.Result{Code: 1, Stdout: []byte("\n"), Stderr: text} }

// libvirtd is virsh with one guest: answers by verb, the last of a list again and again.
type libvirtd map[string][]run.Result

func (l libvirtd) play(argv []string) run.Result {
	argv = argv[1:]
	for argv[0] == "-r" || argv[0] == "-c" {
		if argv[0] == "-c" {
			argv = argv[1:]
		}
		argv = argv[1:]
	}
	list := l[argv[0]]
	if len(list) == 0 {
		return refuses([]byte("error: no answer for " + strings.Join(argv, " ")))
	}
	if len(list) > 1 {
		l[argv[0]] = list[1:]
	}
	return list[0]
}

var (
	kvmBooted  = says("running (booted)\n\n")
	kvmPaused  = says("paused (user)\n\n")
	kvmMoving  = says("paused (migrating)\n\n")
	kvmOff     = says("shut off (destroyed)\n\n")
	kvmGone    = refuses([]byte("error: failed to get domain 'vm1'\n"))
	kvmNoJob   = says("Job type:         None        \n\n")
	kvmSending = says("Job type:         Unbounded   \nOperation:        Outgoing migration\n\n")
	kvmNoSaved = says("Id:             1\nManaged save:   no\n\n")
	kvmFine    = says("\n")
)

// processes makes a process table, with a guest per command line.
func (s *stage) processes(lines ...string) {
	s.file("/proc/"+strconv.Itoa(os.Getpid())+"/cmdline", "test\x00")
	for i, l := range lines {
		s.file("/proc/"+strconv.Itoa(90000000+i)+"/cmdline", strings.ReplaceAll(l, " ", "\x00")+"\x00")
	}
}

func TestDomainStates(t *testing.T) {
	for _, c := range []struct {
		out  string
		want State
		sick bool
	}{
		{string(captured(t, "domstate-booted")), Running, false},
		{string(captured(t, "domstate-unpaused")), Running, false},
		{string(captured(t, "domstate-migrated")), Running, false},
		{string(captured(t, "domstate-restored")), Running, false},
		{string(captured(t, "domstate-paused-user")), Paused, false},
		{string(captured(t, "domstate-paused-saving")), Migrating, false},
		{string(captured(t, "domstate-shut-off-saved")), Stopped, false},
		{string(captured(t, "domstate-shut-off-destroyed")), Stopped, false},
		{"in shutdown (unknown)\n\n", Running, false},
		{"in shutdown\n\n", Running, false},
		{"idle\n", Running, false},
		{"running\n\n", Running, false},
		{"running (a reason of tomorrow)\n\n", Running, false},
		{"running (post-copy failed)\n\n", Running, true},
		{"paused (dumping)\n\n", Running, false},
		{"paused (creating snapshot)\n\n", Running, false},
		{"paused (shutting down)\n\n", Running, false},
		{"paused (post-copy)\n\n", Migrating, false},
		{"paused (post-copy failed)\n\n", Migrating, true},
		{"paused (starting up)\n\n", Torso, false},
		{"paused (crashed)\n\n", Remains, true},
		{"paused (I/O error)\n\n", Paused, true},
		{"paused (watchdog)\n\n", Paused, true},
		{"paused (unknown)\n\n", Paused, false},
		{"pmsuspended (disk)\n\n", Paused, false},
		{"crashed (panicked)\n\n", Remains, true},
		{"dying\n\n", Remains, false},
		{"shut off (crashed)\n\n", Stopped, false},
		// What nobody knows.
		{"no state\n\n", Unknown, false},
		{"paused\n\n", Unknown, false}, // it may be half of a migration
		{"paused (a reason of tomorrow)\n\n", Unknown, false},
		{"Paused (user)\n\n", Unknown, false},
		{"running (booted\n\n", Unknown, false},
		{"running (booted)\nerror: end of file\n", Unknown, false},
		{"\n", Unknown, false},
		{"", Unknown, false},
	} {
		s := newStage(t, libvirtd{"domstate": {says(c.out)}}.play)
		d, err := s.driver("kvm").(Detailer).Detail(context.Background(), "vm1")
		if d.State != c.want || (d.Sick != "") != c.sick || (err != nil) != (c.want == Unknown) {
			t.Errorf("%q: %+v, %v; want %s", c.out, d, err, c.want)
		}
		if want := []string{"virsh -r -c qemu:///system domstate vm1 --reason"}; !slices.Equal(s.calls, want) {
			t.Errorf("%q: asked by %q", c.out, s.calls)
		}
	}
}

// Both ends list a guest that migrates; neither is taken for the other, and nothing for stopped.
func TestHalvesOfAMigration(t *testing.T) {
	target := refuses(captured(t, "domjobinfo-error-target"))
	for _, c := range []struct {
		name    string
		job     []run.Result
		states  []run.Result
		process string
		want    State
		handed  bool // a copy of it may run on the other side
	}{
		{"the source's last pages", []run.Result{says(string(captured(t, "domjobinfo-outgoing")))}, nil, "", Migrating, false},
		{"the target", []run.Result{target}, nil, "", Torso, false},
		{"it left in between", []run.Result{kvmGone}, nil, "", Absent, false},
		{"no job, by a QEMU that was booted", []run.Result{kvmNoJob}, nil, "/usr/bin/qemu-system-x86_64 -name guest=vm1,debug-threads=on -S", Migrating, true},
		{"no job, by a QEMU that waits", []run.Result{kvmNoJob}, nil, "/usr/bin/qemu-system-x86_64 -name guest=vm1,debug-threads=on -S -incoming defer", Torso, true},
		{"no job, no table", []run.Result{kvmNoJob}, nil, "", Torso, true},
		{"a completed job", []run.Result{says("Job type:         Completed\n\n")}, nil, "/usr/bin/qemu-kvm -name vm1 -S", Migrating, true},
		{"a job of tomorrow", []run.Result{says("Job type:         Sideways\n\n")}, nil, "", Migrating, false},
		{"no answer", []run.Result{refuses([]byte("error: Timed out during operation\n"))}, nil, "", Unknown, false},
		{"another answer", []run.Result{says("hm\n")}, nil, "", Unknown, false},
	} {
		s := newStage(t, libvirtd{"domstate": {kvmMoving}, "domjobinfo": c.job}.play)
		if c.process != "" {
			s.processes(c.process)
		}
		d, err := s.driver("kvm").(Detailer).Detail(context.Background(), "vm1")
		if d.State != c.want || d.Handed != c.handed || (err != nil) != (c.want == Unknown) {
			t.Errorf("%s: %+v, %v; want %s, handed over %v", c.name, d, err, c.want, c.handed)
		}
	}
}

func TestLibvirtIsNotBelievedAlone(t *testing.T) {
	const (
		mine   = "/usr/bin/qemu-system-x86_64 -name guest=vm1,debug-threads=on -S"
		old    = "/usr/libexec/qemu-kvm -S -name vm1 -m 64"
		other  = "/usr/bin/qemu-system-x86_64 -name guest=vm11,debug-threads=on"
		find   = "find / -name vm1 -print"
		waits  = mine + " -incoming defer"
		absent = "error: failed to get domain 'vm1'\n"
	)
	down := string(captured(t, "error-no-libvirtd"))
	for _, c := range []struct {
		name, err string
		table     bool
		processes []string
		want      State
	}{
		{"gone", absent, true, nil, Absent},
		{"gone, two lines", absent + "error: Domain not found: no domain with matching name 'vm1'\n", true, nil, Absent},
		{"gone, by libvirt of RHEL 6", "error: failed to get domain 'vm1'\nerror: Domain not found: no domain with matching name 'vm1'\n", false, nil, Absent},
		{"only others", absent, true, []string{other, find}, Absent},
		{"libvirt lost it", absent, true, []string{mine}, Unknown},
		{"libvirt lost it, an old one", absent, true, []string{other, old}, Unknown},
		{"the connection broke", absent + "error: Disconnected from qemu:///system due to end of file\n", true, nil, Unknown},
		{"another error beside it", absent + "error: Cannot recv data: Connection reset by peer\n", true, nil, Unknown},
		{"libvirtd down, it runs", down, true, []string{mine}, Running},
		{"libvirtd down, nothing runs", down, true, []string{other}, Absent},
		{"libvirtd down, it may be arriving", down, true, []string{waits}, Unknown},
		{"libvirtd down, and no table", down, false, nil, Unknown},
		{"not for us", "error: failed to connect to the hypervisor\nerror: authentication unavailable: no polkit agent\n", true, nil, Unknown},
		{"not allowed", "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock-ro': Permission denied\n", true, nil, Unknown},
		{"ssh", "error: Cannot recv data: ssh: Could not resolve hostname b: Connection reset by peer\n", true, nil, Unknown},
		{"nothing", "", true, nil, Unknown},
		{"anything", "error: Timed out during operation: cannot acquire state change lock\n", true, nil, Unknown},
	} {
		s := newStage(t, libvirtd{"domstate": {refuses([]byte(c.err))}}.play)
		if c.table {
			s.processes(c.processes...)
		}
		got, err := s.driver("kvm").State(context.Background(), "vm1")
		if got != c.want || (err != nil) != (c.want == Unknown) {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
	// What came from elsewhere runs, if libvirtd has seen it run before it went down.
	for _, c := range []struct {
		status string
		want   State
	}{
		{"<!-- ours -->\n<domstatus state='running' reason='migrated' pid='PID'>\n  <monitor path='/x'/>\n  <domain type='kvm' id='3'><name>vm1</name></domain>\n</domstatus>\n", Running},
		{"<domstatus state='running' reason='restored' pid='PID'/>", Running},
		{"<domstatus state='paused' reason='migration' pid='PID'/>", Unknown},
		{"<domstatus state='running' reason='booted' pid='1PID'/>", Unknown}, // of an earlier one
		{"<domstatus state='running' reason='migrated'", Unknown},
		{"<domain state='running' pid='PID'/>", Unknown},
	} {
		s := newStage(t, libvirtd{"domstate": {refuses([]byte(down))}}.play)
		s.processes(waits)
		p, _, err := s.tools.qemuOf(context.Background(), "vm1")
		if err != nil || p.pid == 0 {
			t.Fatal(err)
		}
		s.file("/var/run/libvirt/qemu/vm1.xml", strings.ReplaceAll(c.status, "PID", strconv.Itoa(p.pid)))
		if got, err := s.driver("kvm").State(context.Background(), "vm1"); got != c.want || (err != nil) != (c.want == Unknown) {
			t.Errorf("%s: %s, %v; want %s", c.status, got, err, c.want)
		}
	}
	// virsh is not there: the table alone says whether the guest is.
	for want, process := range map[State]string{Absent: other, Unknown: mine} {
		s := newStage(t, nil)
		s.processes(process)
		if err := os.Remove(filepath.Join(s.root, "usr/sbin/virsh")); err != nil {
			t.Fatal(err)
		}
		d, err := s.driver("kvm").(Detailer).Detail(context.Background(), "vm1")
		if d.State != want || d.NoProgram != (want == Absent) || (err != nil) != (want == Unknown) {
			t.Errorf("without virsh: %+v, %v; want %s", d, err, want)
		}
	}
	// A definition is nothing that runs, but what it says is checked as well.
	s := newStage(t, libvirtd{"domstate": {kvmOff}}.play)
	s.processes(mine)
	if got, err := s.driver("kvm").State(context.Background(), "vm1"); got != Unknown || err == nil {
		t.Errorf("shut off, and it runs: %s", got)
	}
}

func TestOldVirshHasNoReasons(t *testing.T) {
	for out, want := range map[string]State{"running\n\n": Running, "shut off\n\n": Stopped, "paused\n\n": Unknown} {
		s := newStage(t, libvirtd{"domstate": {refuses([]byte("error: command 'domstate' doesn't support option --reason\n")), says(out)}}.play)
		if got, _ := s.driver("kvm").State(context.Background(), "vm1"); got != want || len(s.calls) != 2 || s.calls[1] != "virsh -r -c qemu:///system domstate vm1" {
			t.Errorf("%q: %s by %q", out, got, s.calls)
		}
	}
}

func TestKVMNames(t *testing.T) {
	s := newStage(t, nil)
	d := s.driver("kvm").(*kvm)
	ctx := context.Background()
	for _, vm := range []string{"", "7", "007", "-a", "a b", "a/b", "11111111-2222-4333-8444-555555555501", "11111111222243338444555555555501"} {
		g := Guest{Name: vm}
		_, err1 := d.Guest(ctx, vm, nil)
		_, err2 := d.State(ctx, vm)
		for i, err := range []error{err1, err2, d.Start(ctx, g), d.Shutdown(ctx, vm), d.Save(ctx, vm, "/x"), d.Restore(ctx, g, "/x"), d.Migrate(ctx, vm, "b"), d.Thaw(ctx, vm)} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%q: %d: %v", vm, i, err)
			}
		}
	}
	if len(s.calls) > 0 {
		t.Errorf("ran %q", s.calls)
	}
}

// What a driver's verbs run, what they wait for, and what they refuse.
func TestKVMVerbs(t *testing.T) {
	var ctx context.Context // of the case
	start := func(k *kvm, _ string) error { return k.Start(ctx, Guest{Name: "vm1", Config: "/shared/vm1.xml"}) }
	shutdown := func(k *kvm, _ string) error { return k.Shutdown(ctx, "vm1") }
	destroy := func(k *kvm, _ string) error { return k.Destroy(ctx, "vm1") }
	thaw := func(k *kvm, _ string) error { return k.Thaw(ctx, "vm1") }
	restore := func(k *kvm, image string) error { return k.Restore(ctx, Guest{Name: "vm1"}, image) }
	saved := says(string(captured(t, "dominfo-managed-save")))
	type results = []run.Result
	for _, c := range []struct {
		name    string
		l       libvirtd
		do      func(k *kvm, image string) error
		changes string // separated by ;
		err     string // a part of it
	}{
		{"start", libvirtd{"dominfo": {kvmGone}, "create": {kvmFine}}, start, "create /shared/vm1.xml", ""},
		{"start where it is defined", libvirtd{"dominfo": {kvmNoSaved}, "create": {kvmFine}}, start, "create /shared/vm1.xml", ""},
		{"start beside a managed save", libvirtd{"dominfo": {saved}, "create": {kvmFine}}, start, "", "virsh managedsave-remove vm1"},
		{"start where nobody knows", libvirtd{"dominfo": {refuses([]byte("error: failed to connect\n"))}}, start, "", "failed to connect"},
		{"start of what runs", libvirtd{"dominfo": {kvmNoSaved}, "create": {refuses(captured(t, "create-error-active"))}}, start, "create /shared/vm1.xml", "already active"},
		{"restore", libvirtd{"dominfo": {kvmGone}, "restore": {kvmFine}}, restore, "restore IMAGE", ""},
		{"restore beside a managed save", libvirtd{"dominfo": {saved}, "restore": {kvmFine}}, restore, "", "managed save"},
		{"shutdown", libvirtd{"domstate": results{kvmBooted, says("in shutdown (unknown)\n\n"), kvmGone}, "domjobinfo": {kvmNoJob}, "shutdown": {kvmFine}}, shutdown, "shutdown vm1", ""},
		{"shutdown of what is off", libvirtd{"domstate": {kvmGone}}, shutdown, "", ""},
		{"shutdown of what just went", libvirtd{"domstate": results{kvmBooted, kvmGone}, "domjobinfo": {kvmNoJob}, "shutdown": {kvmGone}}, shutdown, "shutdown vm1", ""},
		{"shutdown, it cannot hear", libvirtd{"domstate": {kvmPaused}}, shutdown, "", "cannot hear"},
		// virsh shutdown would wait for the end of the migration.
		{"shutdown in a migration", libvirtd{"domstate": results{kvmBooted, kvmGone}, "domjobinfo": {kvmSending}, "domjobabort": {kvmFine}, "shutdown": {kvmFine}}, shutdown, "domjobabort vm1; shutdown vm1", ""},
		{"shutdown in the last pages", libvirtd{"domstate": results{kvmMoving, kvmBooted, kvmGone}, "domjobinfo": results{kvmSending, kvmSending, kvmNoJob}, "domjobabort": {kvmFine}, "shutdown": {kvmFine}}, shutdown, "domjobabort vm1; shutdown vm1", ""},
		{"destroy", libvirtd{"domstate": results{kvmBooted, kvmGone}, "destroy": {kvmFine}}, destroy, "destroy vm1", ""},
		{"destroy of nothing", libvirtd{"domstate": {kvmOff}}, destroy, "", ""},
		{"destroy of what just ended", libvirtd{"domstate": results{kvmBooted, kvmOff}, "destroy": {refuses(captured(t, "destroy-error-off"))}}, destroy, "destroy vm1", ""},
		{"destroy of what arrives", libvirtd{"domstate": results{kvmMoving, kvmGone}, "domjobinfo": {refuses(captured(t, "domjobinfo-error-target"))}, "destroy": {kvmFine}}, destroy, "destroy vm1", ""},
		{"destroy, twice", libvirtd{"domstate": results{says("crashed (panicked)\n\n"), says("crashed (panicked)\n\n"), kvmGone}, "destroy": {kvmFine}}, destroy, "destroy vm1; destroy vm1", ""},
		{"destroy after no state", libvirtd{"domstate": results{says("no state\n\n"), says("no state\n\n"), kvmBooted, kvmGone}, "destroy": {kvmFine}}, destroy, "destroy vm1", ""},
		{"thaw", libvirtd{"domstate": results{kvmPaused, kvmBooted}, "domjobinfo": {kvmNoJob}, "resume": {kvmFine}}, thaw, "resume vm1", ""},
		{"thaw of what runs", libvirtd{"domstate": {kvmBooted}}, thaw, "", ""},
		{"thaw of what sleeps", libvirtd{"domstate": results{says("pmsuspended (unknown)\n\n"), kvmBooted}, "domjobinfo": {kvmNoJob}, "dompmwakeup": {kvmFine}}, thaw, "dompmwakeup vm1", ""},
		{"thaw in a save", libvirtd{"domstate": results{says("paused (saving)\n\n"), kvmBooted}, "domjobinfo": {says(string(captured(t, "domjobinfo-save")))}, "domjobabort": {kvmFine}, "resume": {refuses(captured(t, "resume-error-running"))}}, thaw, "domjobabort vm1; resume vm1", ""},
		{"thaw of half a copy", libvirtd{"domstate": {kvmMoving}, "domjobinfo": {kvmSending}}, thaw, "", "it is migrating"},
		{"thaw of what arrives", libvirtd{"domstate": {kvmMoving}, "domjobinfo": {refuses(captured(t, "domjobinfo-error-target"))}}, thaw, "", "it is torso"},
		{"save", libvirtd{"domjobinfo": {kvmNoJob}, "save": {kvmFine}}, func(k *kvm, image string) error { return k.Save(ctx, "vm1", image+".new") }, "save vm1 IMAGE.new", ""},
		{"save over an image", libvirtd{"domjobinfo": {kvmNoJob}, "save": {kvmFine}}, func(k *kvm, image string) error { return k.Save(ctx, "vm1", image) }, "", "exists"},
		{"save in a migration", libvirtd{"domjobinfo": {kvmSending}, "domjobabort": {refuses(captured(t, "domjobabort-error-none"))}, "save": {kvmFine}}, func(k *kvm, image string) error { return k.Save(ctx, "vm1", image+".new") }, "domjobabort vm1; save vm1 IMAGE.new", ""},
	} {
		s := newStage(t, c.l.play)
		image := s.file("/shared/image", "x")
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(context.Background())
		s.clock.after = func(waits int) {
			if waits > 9 {
				cancel()
				t.Errorf("%s: waits for ever", c.name)
			}
		}
		err := c.do(s.driver("kvm").(*kvm), image)
		cancel()
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", c.name, err, c.err)
		}
		got := strings.Join(s.changes(), "; ")
		got = strings.ReplaceAll(strings.ReplaceAll(got, "virsh -c qemu:///system ", ""), "/shared/image", "IMAGE")
		if got != c.changes {
			t.Errorf("%s: changed by %q, want %q", c.name, got, c.changes)
		}
	}
}

func TestKVMMigrate(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]string
		target string
		want   string
		err    bool
	}{
		{"as it comes", nil, "node2", "migrate --live vm1 qemu+ssh://node2/system?no_tty=1 tcp:node2", false},
		{"unsafe", map[string]string{kvmUnsafe: "1"}, "node2", "migrate --live --unsafe vm1 qemu+ssh://node2/system?no_tty=1 tcp:node2", false},
		{"safe", map[string]string{kvmUnsafe: "0", kvmTransport: "tls"}, "node2", "migrate --live vm1 qemu+tls://node2/system tcp:node2", false},
		{"tcp, IPv6", map[string]string{kvmTransport: "tcp"}, "fd00::2", "migrate --live vm1 qemu+tcp://[fd00::2]/system tcp:[fd00::2]", false},
		{"no such transport", map[string]string{kvmTransport: "pigeon"}, "node2", "", true},
		{"no such word", map[string]string{kvmUnsafe: "maybe"}, "node2", "", true},
		{"no such node", nil, "node2/x", "", true},
		{"an option", nil, "-x", "", true},
	} {
		s := newStage(t, libvirtd{"domjobinfo": {kvmNoJob}, "migrate": {kvmFine}}.play)
		s.tools.Param = func(name string) string { return c.params[name] }
		err := s.driver("kvm").(Live).Migrate(context.Background(), "vm1", c.target)
		if got := strings.TrimPrefix(strings.Join(s.changes(), "; "), "virsh -c qemu:///system "); got != c.want || (err != nil) != c.err {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	// What a migration's end says.
	for what, text := range map[string]string{"unsafe": "migrate_unsafe", "same-host": "same host", "no-host": "No route to host", "canceled": "canceled by client"} {
		s := newStage(t, libvirtd{"domjobinfo": {kvmNoJob}, "domstate": {kvmBooted, kvmGone}, "migrate": {refuses(captured(t, "migrate-error-"+what))}}.play)
		err := s.driver("kvm").(Live).Migrate(context.Background(), "vm1", "node2")
		if err == nil || !strings.Contains(err.Error(), text) || errors.Is(err, ErrTwice) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A job that an agent left behind is ended first.
	s := newStage(t, libvirtd{"domjobinfo": {kvmSending}, "domjobabort": {kvmFine}, "migrate": {kvmFine}}.play)
	if err := s.driver("kvm").(Live).Migrate(context.Background(), "vm1", "node2"); err != nil {
		t.Error(err)
	}
	if got := s.changes(); len(got) != 2 || !strings.HasSuffix(got[0], "domjobabort vm1") {
		t.Errorf("%q", got)
	}
}

// Where the last message was lost libvirt lets both copies run: that is no move that merely failed.
func TestKVMRunsTwice(t *testing.T) {
	broke := refuses([]byte("error: Cannot recv data: Connection reset by peer\n"))
	for _, c := range []struct {
		name   string
		here   run.Result
		there  run.Result
		double bool
	}{
		{"on both", kvmBooted, says("running (migrated)\n\n"), true},
		{"here only", kvmBooted, kvmGone, false},
		{"there only", kvmGone, says("running (migrated)\n\n"), false},
		{"the target is being cleaned", kvmBooted, kvmMoving, false},
		{"the target does not answer", kvmBooted, broke, false},
	} {
		l := libvirtd{"domjobinfo": {kvmNoJob}, "domstate": {c.here, c.there}, "migrate": {broke}}
		s := newStage(t, l.play)
		if err := s.driver("kvm").(Live).Migrate(context.Background(), "vm1", "node2"); err == nil || errors.Is(err, ErrTwice) != c.double {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestKVMFacts(t *testing.T) {
	ctx := context.Background()
	l := libvirtd{"list": {says(string(captured(t, "list-running")))}, "domstate": {kvmBooted}, "dominfo": {says(string(captured(t, "dominfo-running")))}, "version": {says(string(captured(t, "version")))}}
	s := newStage(t, l.play)
	k := s.driver("kvm").(Lister)
	guests, err := k.Guests(ctx)
	if err != nil || len(guests) != 1 || guests[0].Name != "vm1" || guests[0].Type != "kvm" || guests[0].Mem != 128<<20 || guests[0].State != "running" {
		t.Errorf("%+v, %v", guests, err)
	}
	if tool, version, err := k.Version(ctx); tool != "virsh" || version != "7.2.22" || err != nil {
		t.Errorf("%q %q %v", tool, version, err)
	}
	for what, want := range map[string][]string{"list-running": {"vm1"}, "list-paused": {"vm1"}, "list-shut-off": nil} {
		if got, err := parseVirshList(captured(t, what)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for _, bad := range []string{"", "\n", "error: x\n", " Id   Name   State\n", " Id   Name   State\n-----\n 1 vm1\n", " Id   Name   State\n-----\n x vm1 running\n"} {
		if got, err := parseVirshList([]byte(bad)); !errors.Is(err, ErrAnswer) {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
	for text, want := range map[string]int64{"131072 KiB": 128 << 20, "1024 kB": 1 << 20, "0 KiB": 0} {
		if got, err := kibibytes(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "x KiB", "-1 KiB", "1 MiB", "1"} {
		if _, err := kibibytes(bad); err == nil {
			t.Errorf("%q is an amount", bad)
		}
	}
	s = newStage(t, libvirtd{"version": {says("Using library: libvirt 9.0.0\n")}}.play)
	if _, v, err := s.driver("kvm").(Lister).Version(ctx); err == nil {
		t.Errorf("version %q", v)
	}
}

// An image is whole when libvirt has written its last word over the first.
func TestKVMWhole(t *testing.T) {
	s := newStage(t, nil)
	p := s.driver("kvm").(Prover)
	for text, want := range map[string]bool{"LibvirtQemudSave\x02\x00": true, "LibvirtQemudPart\x02\x00": false, "LibvirtQ": false, "": false} {
		if got, err := p.Whole(s.file("/image", text)); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if got, err := p.Whole(filepath.Join(s.root, "none")); got || err != nil {
		t.Errorf("none: %v, %v", got, err)
	}
	if _, err := p.Whole(s.root); err == nil {
		t.Error("a folder is an image")
	}
}
