package xen

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/labtest"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

const vm1 = `# the first
name = "vm1"
memory = 64 # MiB
vcpus = 2
disk = [ 'file:/shared/images/vm1.img,xvda,w',   # root
         'phy:vg/cd,xvdb,r', ]
on_crash = 'restart'
`

func newLab(t *testing.T, version string) *labtest.Lab {
	l := labtest.New(t, Tools, "a", "b")
	l.File("shared/xen/vm1", vm1)
	l.File("shared/images/vm1.img", strings.Repeat("x", 200))
	for _, node := range []string{"a", "b"} {
		if err := os.Symlink("../../../shared/xen", filepath.Join(l.Root(node), "etc/xen")); err != nil {
			t.Fatal(err)
		}
		l.File("nodes/"+node+lab.XendLock, "")
		if version != "" {
			l.File("nodes/"+node+"/etc/"+versionFile, version+"\n")
		}
	}
	return l
}

func versions(t *testing.T, test func(t *testing.T, l *labtest.Lab, old bool)) {
	for _, v := range []string{"", "4.4"} {
		t.Run("version "+v, func(t *testing.T) { test(t, newLab(t, v), v == "") })
	}
}

// rows gives name and state of the domains but dom0, as xm lists them.
func rows(l *labtest.Lab, node string) map[string]string {
	l.T.Helper()
	return states(l, node, "xm")
}

func TestLife(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, old bool) {
		config := filepath.Join(l.Root("a"), "etc/xen/vm1")
		absent := map[bool]int{true: 1, false: 3}[old]
		if got := rows(l, "a"); len(got) != 0 {
			t.Errorf("%v", got)
		}
		l.Want(absent, "Error: Domain 'vm1' does not exist.", "a", "xm list vm1")
		out := l.Want(0, "Started domain vm1", "a", "xm create "+config+" on_crash=destroy")
		if !strings.HasPrefix(out, "Using config file \""+config+"\".\n") {
			t.Errorf("create: %q", out)
		}
		if got := rows(l, "a"); got["vm1"] != "-b----" {
			t.Errorf("%v", got)
		}
		l.Want(0, "", "a", "lab load xen:vm1 0.9")
		row := l.Want(0, "vm1", "a", "xm list 1")
		want := map[bool]string{
			true: "Name                                      ID Mem(MiB) VCPUs State   Time(s)\n" +
				"vm1                                        1       64     2 r-----      ",
			false: "Name                                        ID   Mem VCPUs      State   Time(s)\n" +
				"vm1                                          1    64     2     r-----      ",
		}[old]
		if !strings.HasPrefix(row, want) {
			t.Errorf("list:\n%swant\n%s", row, want)
		}
		l.Want(1, "Domain 'vm1' already exists with ID '1'", "a", "xm create vm1")
		l.Want(0, "1\n", "a", "xm domid vm1")
		l.Want(0, "(name vm1)", "a", "xm list --long vm1")
		l.Want(0, "free_memory            : 7616", "a", "xm info")
		l.Want(0, "", "a", "xm pause vm1")
		if got := rows(l, "a"); got["vm1"] != "--p---" {
			t.Errorf("paused: %v", got)
		}
		before := l.Lines("xen", "vm1")
		l.Want(0, "", "a", "xm shutdown vm1") // it does not hear
		time.Sleep(2 * shutdownTakes)
		if l.Lines("xen", "vm1") != before || rows(l, "a")["vm1"] != "--p---" {
			t.Error("a paused domain wrote or shut down")
		}
		l.Want(0, "", "a", "xm unpause vm1")
		l.AwaitLines("xen", "vm1", 2)
		l.Want(0, "", "a", "xm shutdown vm1")
		l.Await(func() bool { return len(rows(l, "a")) == 0 })
		l.Want(0, "", "a", "xm create -q vm1 name=vm1")
		l.Want(0, "Domain vm1 terminated", "a", "xm shutdown -w vm1")
		l.Want(0, "", "a", "xm create vm1")
		l.Want(0, "", "a", "xm destroy vm1")
		l.Want(absent, "does not exist", "a", "xm destroy vm1")
		l.Want(0, "", "a", "xm create vm1")
		l.Want(0, "", "a", "lab crash xen:vm1")
		if got := rows(l, "a"); len(got) != 0 {
			t.Errorf("after a crash: %v", got)
		}
	})
}

func TestSaveRestore(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, _ bool) {
		image := l.Path("shared/image")
		l.Want(0, "", "a", "xm create vm1")
		from, to := "a", "b"
		for range 3 {
			l.AwaitLines("xen", "vm1", 1)
			l.Want(0, "", from, "xm save vm1 "+image)
			if got := rows(l, from); len(got) != 0 {
				t.Errorf("saved: %v", got)
			}
			l.Want(0, "", to, "xm restore "+image)
			from, to = to, from
		}
		l.AwaitLines("xen", "vm1", 1)
		l.Want(1, "already exists", from, "xm restore "+image)
		b, err := os.ReadFile(image)
		if err != nil || !strings.HasPrefix(string(b), signature) {
			t.Fatalf("%q %v", b, err)
		}
		l.File("shared/torn", string(b[:len(b)-3]))
		l.File("shared/foreign", "Xen saved domain")
		l.Want(1, "fail", to, "xm restore "+l.Path("shared/torn"))
		l.Want(1, "not a valid guest state file", to, "xm restore "+l.Path("shared/foreign"))
		l.Want(1, "Unable to read file", to, "xm restore "+l.Path("shared/none"))
		l.Want(1, "can't write", from, "xm save vm1 /no/where")

		l.Want(0, "", from, "lab fault xm save-fails vm1 1 1")
		l.Want(1, "xc_save", from, "xm save vm1 "+image)
		l.AwaitLines("xen", "vm1", 2)
		if got := rows(l, from); got["vm1"] == "" {
			t.Errorf("after a failed save: %v", got)
		}
		l.Want(0, "", from, "xm save vm1 "+image)
		l.Want(0, "", to, "lab fault xm restore-fails vm1 1 1")
		l.Want(1, "fail", to, "xm restore "+image)
		if got := rows(l, to); len(got) != 0 {
			t.Errorf("after a failed restore: %v", got)
		}
		l.Want(0, "", to, "xm restore "+image)
		l.Want(0, "", to, "lab fault xm slow-stop vm1 1 1")
		l.Want(0, "", to, "xm shutdown vm1")
		l.AwaitLines("xen", "vm1", 4)
		if got := l.Findings(0); got != "" {
			t.Errorf("the checker: %s", got)
		}
	})
}

func TestMigrate(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, _ bool) {
		l.File("shared/xen/vm1", strings.Replace(vm1, "64", "1024", 1)) // takes long enough to look at
		l.Want(0, "", "a", "xm create vm1")
		l.Want(0, "", "a", "lab load xen:vm1 0.3")
		from, to := "a", "b"
		for range 3 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				l.Want(0, "", from, "xm migrate --live vm1 "+to)
			}()
			l.Await(func() bool { return rows(l, from)["migrating-vm1"] != "" && rows(l, to)["vm1"] != "" })
			if list := l.Want(0, "", to, "xm list vm1"); !strings.Contains(list, "--p---      0.0") {
				t.Errorf("what arrives: %s", list)
			}
			if _, there := rows(l, from)["vm1"]; there {
				t.Error("the plain name is still at the source")
			}
			before := l.Lines("xen", "vm1")
			l.Await(func() bool { return l.Lines("xen", "vm1") > before }) // it runs on meanwhile
			<-done
			if len(rows(l, from)) != 0 || rows(l, to)["vm1"] != "-b----" {
				t.Errorf("after: %v, %v", rows(l, from), rows(l, to))
			}
			l.AwaitLines("xen", "vm1", 2)
			from, to = to, from
		}
		l.Want(0, `"load":0.3`, from, "lab guests")

		stays := func(line, text string) {
			t.Helper()
			l.Want(1, text, from, line)
			l.AwaitLines("xen", "vm1", 2)
			l.Await(func() bool { return len(rows(l, to)) == 0 })
			if rows(l, from)["vm1"] == "" {
				t.Errorf("%s: it is called %v", line, rows(l, from))
			}
		}
		stays("xm migrate vm1 nowhere --live", "can't connect")
		stays("xm migrate vm1 ../nodes/b", "can't connect")
		l.Want(0, "", from, "lab fault xm migrate-fails vm1 1 1")
		stays("xm migrate -l vm1 "+to, "xc_save")
		if got := l.Findings(0); got != "" {
			t.Errorf("the checker: %s", got)
		}
		l.File("shared/images/vm2.img", "")
		l.File("shared/xen/vm2", "memory=64\ndisk=['tap:aio:/shared/images/vm2.img,xvda,w']\n")
		l.Want(0, "", to, "xm create vm2 name=vm1")
		l.Want(1, "xc_save", from, "xm migrate --live vm1 "+to)
		l.Want(0, "", to, "xm destroy vm1")
		l.Want(0, "", from, "lab fault xm migrate-lost vm1 1 1")
		l.Want(0, "", from, "xm migrate --live vm1 "+to)
		l.Await(func() bool { return len(rows(l, from))+len(rows(l, to)) == 0 })
	})
}

// Who kills xm does not stop xend; a node that dies takes its half of a migration with it, and no more.
func TestMigrateInterrupted(t *testing.T) {
	l := newLab(t, "")
	l.File("shared/xen/vm1", strings.Replace(vm1, "64", "1024", 1))
	l.Want(0, "", "a", "xm create vm1")
	killed(l, "xm", func() bool { return rows(l, "a")["migrating-vm1"] != "" })
	l.Await(func() bool { return rows(l, "b")["vm1"] == "-b----" && len(rows(l, "a")) == 0 })
	l.AwaitLines("xen", "vm1", 2)

	// The torso is destroyed by hand: the source keeps its guest.
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		l.Want(1, "xc_save", "b", "xm migrate --live vm1 a")
	}()
	l.Await(func() bool { return rows(l, "a")["vm1"] != "" })
	l.Want(0, "", "a", "xm destroy vm1")
	<-failed
	l.AwaitLines("xen", "vm1", 2)

	// The source dies in the middle: what had begun to arrive goes away.
	stop := l.Start("c", Tools())
	l.File("nodes/c"+lab.XendLock, "")
	if err := os.Symlink("../../../shared/xen", filepath.Join(l.Root("c"), "etc/xen")); err != nil {
		t.Fatal(err)
	}
	l.Want(0, "", "b", "xm migrate vm1 c")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		// It cannot say what came of it.
		if r, err := lab.Call(context.Background(), l.NodeSocket("c"), lab.Request{Argv: []string{"xm", "migrate", "vm1", "a"}}); err == nil && r.Code == 0 {
			t.Error("it arrived")
		}
	}()
	l.Await(func() bool { return rows(l, "a")["vm1"] != "" })
	stop()
	<-gone
	l.Await(func() bool { return len(rows(l, "a")) == 0 })
	if got := l.Findings(0); got != "" {
		t.Errorf("the checker: %s", got)
	}
}

func TestRefusals(t *testing.T) {
	versions(t, func(t *testing.T, l *labtest.Lab, old bool) {
		l.File("shared/xen/big", "memory=9000\n")
		l.File("shared/xen/nodisk", "disk=['file:/shared/none,xvda,w']\n")
		l.File("shared/xen/python", "import os\n")
		l.File("shared/xen/list", "disk=['file:/x,xvda,w'\n")
		for line, text := range map[string]string{
			"xm":                "Usage: xm",
			"xm dance":          "Error: Sub Command dance not found!",
			"xm create":         "requires",
			"xm create none":    "Error: Unable to open config file: none",
			"xm create big":     "KiB",
			"xm create nodisk":  "does not exist",
			"xm create python":  "invalid syntax",
			"xm create list":    "invalid syntax",
			"xm list --dance":   "not recognized",
			"xm domid":          "requires",
			"xm save vm1":       "requires",
			"xm migrate --port": "not recognized",
			"xm migrate vm1":    "requires",
			"xend":              "",
			"xend receive x":    "",
		} {
			l.Want(1, text, "a", line)
			if got := rows(l, "a"); len(got) != 0 {
				t.Fatalf("%s: %v", line, got)
			}
		}
		l.Want(notExpected, "", "a", "xend deliver x")
	})
}

func TestParseConfig(t *testing.T) {
	got, err := parseConfig("xm", "/etc/xen/file", []byte(vm1), nil)
	want := config{"vm1", 64, 2, []string{"/shared/images/vm1.img"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	got, err = parseConfig("xm", "/etc/xen/file", []byte("disk=[\"phy:vg/x,sda,w!\",'tap:aio:/y,sdb,w']"), []string{"memory=32"})
	want = config{"file", 32, 1, []string{"/dev/vg/x", "/y"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"memory='x'", "memory=0", "vcpus=0", "disk=['x']", "disk=[x,y,w]", "no"} {
		if _, err := parseConfig("xm", "f", []byte(bad), nil); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(vm1))
	f.Add([]byte("disk=['a,b,w\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := parseConfig("xm", "f", text, nil); err == nil && (c.MemMiB < 1 || c.VCPUs < 1) {
			t.Errorf("%+v", c)
		}
	})
}

// What is delivered waits for the call that announces it: on a loaded machine calls of one migration overtake each other, and
// a migration that nothing is wrong with failed.
func TestDeliveryWaitsForItsAnnouncement(t *testing.T) {
	l := newLab(t, "")
	file := filepath.Join(l.Root("a"), "saved")
	l.Want(0, "", "a", "xm create "+filepath.Join(l.Root("a"), "etc/xen/vm1"))
	l.Want(0, "", "a", "xm save vm1 "+file)
	memory, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, conf, err := unpack(memory, signature)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context, word, token string, stdin []byte) (int, error) {
		r, err := lab.Call(ctx, l.NodeSocket("b"), lab.Request{Node: "a", Argv: []string{"xend", word, token}, Stdin: stdin})
		return r.Code, err
	}
	brief, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if code, err := ask(brief, "deliver", "one", memory); err == nil {
		t.Errorf("what nothing has announced yet is answered: %d", code)
	}
	type answer struct {
		code int
		err  error
	}
	delivered := make(chan answer, 1)
	go func() {
		code, err := ask(context.Background(), "deliver", "two", memory)
		delivered <- answer{code, err}
	}()
	if code, err := ask(context.Background(), "receive", "two", conf.json()); code != 0 || err != nil {
		t.Errorf("receive: %d, %v", code, err)
	}
	if a := <-delivered; a.code != 0 || a.err != nil {
		t.Errorf("deliver: %+v", a)
	}
	if got := rows(l, "b"); got["vm1"] == "" {
		t.Errorf("%v", got)
	}
	// One that is over, or was refused, is waited for no more.
	for _, token := range []string{"two", "three"} {
		if token == "three" {
			if code, err := ask(context.Background(), "receive", token, conf.json()); code == 0 || err != nil {
				t.Errorf("a second vm1: %d, %v", code, err)
			}
		}
		if code, err := ask(context.Background(), "deliver", token, memory); code != notExpected || err != nil {
			t.Errorf("%s: %d, %v", token, code, err)
		}
	}
}
