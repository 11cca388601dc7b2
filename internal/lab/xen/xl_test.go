package xen

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/labtest"
)

// newXLLab is a lab whose nodes run no xend.
func newXLLab(t *testing.T, version string) *labtest.Lab {
	l := newLab(t, "")
	for _, node := range []string{"a", "b"} {
		if err := os.Remove(l.Root(node) + lab.XendLock); err != nil {
			t.Fatal(err)
		}
		if version != "" {
			l.File("nodes/"+node+"/etc/"+xlVersionFile, version+"\n")
		}
	}
	return l
}

// states gives name and state of the domains but dom0, as that tool lists them.
func states(l *labtest.Lab, node, tool string) map[string]string {
	l.T.Helper()
	found := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(l.Want(0, "Domain-0", node, tool+" list")), "\n")[2:] {
		f := strings.Fields(line)
		found[f[0]] = f[len(f)-2]
	}
	return found
}

func TestXLLife(t *testing.T) {
	for _, v := range []string{"4.1", "4.6", "4.7", "4.17"} {
		l := newXLLab(t, v)
		absent := map[bool]int{true: 2, false: 1}[v == "4.1" || v == "4.6"]
		l.Want(1, "Is xend running?", "a", "xm list")
		l.Want(absent, "vm1 is an invalid domain identifier (rc=-6)", "a", "xl destroy vm1")
		l.Want(1, "syntax", "a", "xl create vm1 on_crash=destroy")
		l.Want(0, "Parsing config from", "a", `xl create vm1 name="vm1" on_crash="destroy"`)
		l.Want(6, `Domain with name "vm1" already exists.`, "a", "xl create vm1")
		list := l.Want(0, "", "a", "xl list")
		if want := "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"; !strings.HasPrefix(list, want) || !strings.Contains(list, "vm1                                          1    64     2     -b----  ") {
			t.Errorf("%s", list)
		}
		l.Want(0, "xen_minor              : "+strings.TrimPrefix(v, "4."), "a", "xl info")
		image := l.Path("shared/image")
		for range 2 {
			l.AwaitLines("xen", "vm1", 1)
			l.Want(0, "", "a", "xl save vm1 "+image)
			l.Want(0, "", "a", "xl restore "+image)
		}
		l.Want(0, "", "a", "xl shutdown -F vm1")
		l.Await(func() bool { return len(states(l, "a", "xl")) == 0 })
		l.File("shared/xen/7", "name='7'\nmemory=32\n")
		l.File("shared/xen/nameless", "memory=32\n")
		l.Want(0, "", "a", "xl create 7") // digits are a number to xl, and 4 is another's
		l.Want(absent, "", "a", "xl destroy 7")
		l.Want(1, "Domain name must be specified.", "a", "xl create nameless")
		l.Want(1, "command not implemented", "a", "xl new")
		l.File("shared/wrong", signature)
		l.Want(6, "wrong magic", "a", "xl restore "+l.Path("shared/wrong"))
		l.File("nodes/a"+lab.XendLock, "")
		l.Want(1, "xend is running", "a", "xl create vm1")
		l.Want(0, "7 ", "a", "xl list")
		if got := l.Findings(0); got != "" {
			t.Errorf("the checker: %s", got)
		}
	}
}

// A live move by xl: the names on both sides, then each way that it may end.
func TestXLMigrate(t *testing.T) {
	for _, v := range []string{"4.4", "4.17"} {
		l := newXLLab(t, v)
		old := v == "4.4"
		failed, undefined := map[bool]int{true: 3, false: 1}[old], map[bool]int{true: 7, false: 1}[old]
		l.File("shared/xen/vm1", strings.Replace(vm1, "64", "1024", 1))
		l.Want(0, "", "a", "xl create vm1")
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Want(0, "Migration successful.", "a", "xl migrate vm1 b")
		}()
		l.Await(func() bool {
			return states(l, "b", "xl")["vm1--incoming"] == "--p---" && states(l, "a", "xl")["vm1"] == "-b----"
		})
		<-done
		if len(states(l, "a", "xl")) != 0 || states(l, "b", "xl")["vm1"] != "-b----" {
			t.Errorf("%v, %v", states(l, "a", "xl"), states(l, "b", "xl"))
		}
		l.AwaitLines("xen", "vm1", 2)
		l.Want(failed, "Could not resolve hostname", "b", "xl migrate vm1 nowhere")
		for fault, text := range map[string]string{"migrate-fails": "Migration failed, resuming at sender.", "migrate-target": "Migration failed due to problems at target."} {
			l.Want(0, "", "b", "lab fault xl "+fault+" vm1 1 1")
			l.Want(failed, text, "b", "xl migrate vm1 a")
			l.Await(func() bool { return states(l, "b", "xl")["vm1"] == "-b----" && len(states(l, "a", "xl")) == 0 })
			l.AwaitLines("xen", "vm1", 2)
		}
		l.Want(0, "", "b", "lab fault xl incoming-stays vm1 1 1")
		l.Want(failed, "resuming at sender", "b", "xl migrate vm1 a")
		if states(l, "b", "xl")["vm1"] != "-b----" || states(l, "a", "xl")["vm1--incoming"] != "--p---" {
			t.Errorf("incoming-stays: %v, %v", states(l, "b", "xl"), states(l, "a", "xl"))
		}
		l.Want(0, "", "a", "xl destroy vm1--incoming")
		l.Want(0, "", "b", "lab fault xl handshake-torso vm1 1 1")
		l.Want(undefined, "Domain state is now undefined !", "b", "xl migrate vm1 a")
		if states(l, "b", "xl")["vm1--migratedaway"] != "---ss-" || states(l, "a", "xl")["vm1--incoming"] != "--p---" {
			t.Errorf("handshake-torso: %v, %v", states(l, "b", "xl"), states(l, "a", "xl"))
		}
		l.Want(0, "", "a", "xl destroy vm1--incoming")
		l.Want(0, "", "b", "xl destroy vm1--migratedaway")
		l.Want(0, "", "b", "xl create vm1")
		l.Want(0, "", "b", "lab fault xl handshake-undefined vm1 1 1")
		l.Want(undefined, "Please CHECK AT BOTH ENDS", "b", "xl migrate vm1 a")
		if states(l, "b", "xl")["vm1--migratedaway"] != "---ss-" || states(l, "a", "xl")["vm1"] != "-b----" {
			t.Errorf("handshake-undefined: %v, %v", states(l, "b", "xl"), states(l, "a", "xl"))
		}
		l.AwaitLines("xen", "vm1", 2)
		// The name is taken there.
		l.Want(0, "", "b", "xl destroy vm1--migratedaway")
		l.File("shared/images/vm2.img", "")
		l.File("shared/xen/vm2", "name='vm1'\nmemory=64\ndisk=['/shared/images/vm2.img,raw,xvda,rw']\n")
		l.Want(0, "", "b", "xl create vm2")
		l.Want(failed, "problems at target", "a", "xl migrate vm1 b")
		if got := states(l, "a", "xl")["vm1"]; got != "-b----" {
			t.Errorf("after a target that had the name: %q", got)
		}
	}
}

// killed begins a move of vm1 from a to b by a tool, and kills the tool as soon as its work is seen.
func killed(l *labtest.Lab, tool string, seen func() bool) {
	l.T.Helper()
	ctx, kill := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := lab.Call(ctx, l.NodeSocket("a"), lab.Request{Argv: []string{tool, "migrate", "vm1", "b"}})
		ended <- err
	}()
	l.Await(seen)
	kill()
	if err := <-ended; err == nil {
		l.T.Fatalf("%s was not killed in time", tool)
	}
}

// Who kills xl ends its work: the domain goes on, and what had arrived goes away.
func TestXLKilled(t *testing.T) {
	l := newXLLab(t, "")
	l.File("shared/xen/vm1", strings.Replace(vm1, "64", "1024", 1))
	l.Want(0, "", "a", "xl create vm1")
	killed(l, "xl", func() bool { return states(l, "b", "xl")["vm1--incoming"] != "" })
	l.Await(func() bool { return len(states(l, "b", "xl")) == 0 && states(l, "a", "xl")["vm1"] == "-b----" })
	l.AwaitLines("xen", "vm1", 2)
	l.Want(0, "Migration successful.", "a", "xl migrate vm1 b")
}

// Every fault that xm and xl share or have alone, but for the moves.
func TestFaultsOfBoth(t *testing.T) {
	for _, tool := range []string{"xm", "xl"} {
		l := newXLLab(t, "")
		if tool == "xm" {
			l.File("nodes/a"+lab.XendLock, "")
		}
		fault := func(name, vm string, times string) {
			t.Helper()
			l.Want(0, "", "a", "lab fault "+tool+" "+name+" "+vm+" 1 "+times)
		}
		create := tool + " create vm1"
		l.Want(0, "", "a", create)
		fault("slow-stop", "vm1", "1")
		l.Want(0, "", "a", tool+" shutdown vm1")
		l.AwaitLines("xen", "vm1", 3)
		image := l.Path("shared/image")
		fault("save-fails", "vm1", "1")
		l.Want(1, "", "a", tool+" save vm1 "+image)
		l.AwaitLines("xen", "vm1", 2)
		l.Want(0, "", "a", tool+" save vm1 "+image)
		fault("restore-fails", "vm1", "1")
		l.Want(map[string]int{"xm": 1, "xl": 3}[tool], "", "a", tool+" restore "+image)
		if got := states(l, "a", tool); len(got) != 0 {
			t.Errorf("after a failed restore: %v", got)
		}
		l.Want(0, "", "a", tool+" restore "+image)

		fault("dead-row", "vm1", "3")
		l.Want(0, "", "a", tool+" shutdown vm1")
		l.Await(func() bool { return states(l, "a", tool)["vm1"] == "---s--" })
		before := l.Lines("xen", "vm1")
		for range 2 {
			l.Want(0, "", "a", tool+" destroy vm1")
			if states(l, "a", tool)["vm1"] != "---s--" || l.Lines("xen", "vm1") != before {
				t.Errorf("%s: dead-row: %v", tool, states(l, "a", tool))
			}
		}
		l.Want(0, "", "a", tool+" destroy vm1")
		if got := states(l, "a", tool); len(got) != 0 {
			t.Errorf("%s: %v", tool, got)
		}

		l.Want(0, "", "a", create)
		was := strings.Fields(l.Want(0, "", "a", tool+" domid vm1"))[0]
		fault("reboot-gap", "vm1", "1")
		if got := states(l, "a", tool); len(got) != 0 {
			t.Errorf("%s: a guest that reboots is not away: %v", tool, got)
		}
		l.Await(func() bool { return states(l, "a", tool)["vm1"] != "" })
		if is := strings.Fields(l.Want(0, "", "a", tool+" domid vm1"))[0]; is == was {
			t.Errorf("%s: it has not rebooted", tool)
		}
		switch tool {
		case "xm":
			fault("xend-down", "*", "2")
			l.Want(1, "Error: Unable to connect to xend: Connection refused. Is xend running?", "a", "xm list")
			l.Want(1, "Is xend running?", "a", "xm destroy vm1")
			fault("migrate-rc3", "vm1", "1")
			l.Want(3, "Error: Domain 'vm1' does not exist.", "a", "xm migrate --live vm1 b")
			l.AwaitLines("xen", "vm1", 2)
			l.Want(0, "", "a", "xm destroy vm1")
			fault("inactive-row", "vm1", "2")
			for _, line := range []string{"xm list", "xm list"} {
				out := strings.Split(strings.TrimSpace(l.Want(0, "", "a", line)), "\n")
				if f := strings.Fields(out[len(out)-1]); len(f) != 4 || f[0] != "vm1" {
					t.Errorf("inactive-row: %q", f)
				}
			}
			if got := states(l, "a", "xm"); len(got) != 0 {
				t.Errorf("%v", got)
			}
		case "xl":
			fault("libxl-down", "*", "1")
			l.Want(1, "cannot init xl context", "a", "xl list")
			fault("null-row", "*", "1")
			if got := states(l, "a", "xl"); got["(null)"] != "--ps-d" {
				t.Errorf("null-row: %v", got)
			}
		}
	}
}

// A domain that is saved or destroyed loses its name, until it is destroyed by its number; and one of which the saving xl was
// killed stands suspended.
func TestXLLeavesBehind(t *testing.T) {
	l := newXLLab(t, "4.17")
	for _, end := range []string{"xl destroy vm1", "xl save vm1 " + l.Path("shared/image")} {
		l.Want(0, "", "a", `xl create vm1 name="vm1"`)
		l.AwaitLines("xen", "vm1", 1)
		l.Want(0, "", "a", "lab fault xl loses-name vm1 1 1")
		l.Want(0, "", "a", end)
		if got := states(l, "a", "xl"); got["(null)"] != "--ps-d" || got["vm1"] != "" {
			t.Errorf("%s: %v", end, got)
		}
		id := strings.Fields(l.Want(0, "(null)", "a", "xl list"))
		l.Want(0, "", "a", "xl destroy "+id[slices.Index(id, "(null)")+1])
		if got := states(l, "a", "xl"); len(got) > 0 {
			t.Errorf("%s: %v", end, got)
		}
	}
	l.Want(0, "", "a", `xl create vm1 name="vm1"`)
	l.AwaitLines("xen", "vm1", 1)
	l.Want(0, "", "a", "lab fault xl save-killed vm1 1 1")
	l.Want(137, "", "a", "xl save vm1 "+l.Path("shared/image"))
	if got := states(l, "a", "xl"); got["vm1"] != "---ss-" {
		t.Errorf("%v", got)
	}
	l.Want(0, "", "a", "xl destroy vm1")
}

// Which fault is shown by which test; whoever adds one adds it here.
func TestEveryFaultIsShown(t *testing.T) {
	shown := map[string]string{}
	for _, file := range []string{"xl_test.go", "xen_test.go", filepath.Join("..", "libvirt", "faults_test.go"), filepath.Join("..", "openvz", "openvz_test.go"), filepath.Join("..", "openvz", "versions_test.go")} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown["all"] += string(text)
	}
	page, err := os.ReadFile("../../../docs/lab-tools.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"vzctl", "xm", "xl", "virsh"} {
		for _, name := range lab.FaultNames(tool) {
			if row := "| " + tool + " | " + name + " | " + lab.FaultMeaning(tool, name) + " |"; !strings.Contains(string(page), row) {
				t.Errorf("docs/lab-tools.md does not say %q", row)
			}
			if lab.FaultMeaning(tool, name) == "" {
				t.Errorf("%s %s: nobody says what it does", tool, name)
			}
			if !strings.Contains(shown["all"], `"`+name+`"`) && !strings.Contains(shown["all"], tool+" "+name+" ") {
				t.Errorf("%s %s: no test shows it", tool, name)
			}
		}
	}
}
