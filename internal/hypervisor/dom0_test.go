package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

// What the kernel and the tools say decides whether this node is a dom0. Nobody who is one may be taken for an ordinary
// node: its /proc would be believed.
func TestFindDom0(t *testing.T) {
	const info = "/usr/sbin/xm"
	for _, c := range []struct {
		name  string
		files map[string]string
		no    []string // tools that are not there
		play  func([]string) run.Result
		is    string // "none", "asked", or a part of the error
	}{
		{name: "an ordinary kernel", is: "none"},
		{name: "dom0", files: map[string]string{"/proc/xen/capabilities": "control_d\n"}, is: "asked"},
		{name: "dom0 whose tool fails", files: map[string]string{"/proc/xen/capabilities": "control_d\n"}, is: "not heard",
			play: func([]string) run.Result { return fails(1, "Error: Unable to connect to xend") }},
		{name: "dom0 without a tool", files: map[string]string{"/proc/xen/capabilities": "control_d\n"}, no: []string{info}, is: "not heard"},
		{name: "domU", files: map[string]string{"/proc/xen/capabilities": "", "/sys/hypervisor/type": "xen\n"}, is: "none"},
		{name: "not mounted, with a tool that answers", files: map[string]string{"/proc/xen/.keep": ""}, is: "asked"},
		{name: "not mounted, with a tool that does not", files: map[string]string{"/sys/hypervisor/type": "xen\n"}, is: "not heard",
			play: func([]string) run.Result { return fails(1, "cannot init xl context") }},
		{name: "not mounted, without a tool: nobody starts a domain here", files: map[string]string{"/sys/hypervisor/type": "xen\n"}, no: []string{info}, is: "none"},
		{name: "another hypervisor", files: map[string]string{"/sys/hypervisor/type": "kvm\n"}, is: "none"},
		{name: "what cannot be read", files: map[string]string{"/proc/xen/capabilities/x": ""}, no: []string{info}, is: "whether this node is a dom0"},
	} {
		play := c.play
		if play == nil {
			play = func([]string) run.Result { return says(string(sample(t, "xm-3.1-info"))) }
		}
		s := newStage(t, play)
		for path, text := range c.files {
			s.file(path, text)
		}
		for _, tool := range c.no {
			if err := os.Remove(filepath.Join(s.root, tool)); err != nil {
				t.Fatal(err)
			}
		}
		got, d := "none", FindDom0(s.tools)
		if d != nil {
			m, err := d.Machine(context.Background())
			switch {
			case err != nil && m == Machine{}:
				got = err.Error()
			case m == Machine{CPUs: 4, Mem: 4095 << 20, Free: 2011 << 20}:
				got = "asked"
			default:
				t.Errorf("%s: %+v, %v", c.name, m, err)
			}
			if _, err := d.Domains(context.Background()); c.is != "asked" && err == nil {
				t.Errorf("%s: and yet the domains are listed", c.name)
			}
		}
		if !strings.Contains(got, c.is) {
			t.Errorf("%s: %s, want %s", c.name, got, c.is)
		}
	}
}

func TestDom0AsksForTheMachineOnce(t *testing.T) {
	broken := true
	s := newStage(t, func([]string) run.Result {
		if broken {
			return fails(1, "Error: Unable to connect to xend")
		}
		return says(string(sample(t, "xl-4.17-info")))
	})
	s.file("/proc/xen/capabilities", "control_d\n")
	d := FindDom0(s.tools)
	if _, err := d.Machine(context.Background()); err == nil {
		t.Fatal("an error was taken for an answer")
	}
	broken = false
	for range 3 {
		if m, err := d.Machine(context.Background()); err != nil || m != (Machine{CPUs: 8, Mem: 16282 << 20, Free: 8011 << 20}) {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if len(s.calls) != 2 {
		t.Errorf("it was asked by %q", s.calls)
	}
}

// An answer that lacks one of the figures is no answer: zero processors would make every share infinite, and dom0's
// figure is not put in.
func TestMachineWithoutAFigure(t *testing.T) {
	for _, key := range []string{"nr_cpus", "total_memory", "free_memory"} {
		for _, bad := range []string{"", "x", "-1", "0"} {
			if key == "free_memory" && bad == "0" { // that may be
				continue
			}
			s := newStage(t, func([]string) run.Result {
				var out []string
				for _, line := range strings.Split(string(sample(t, "xm-3.1-info")), "\n") {
					if strings.HasPrefix(line, key) {
						line = fmt.Sprintf("%-23s: %s", key, bad)
					}
					out = append(out, line)
				}
				return says(strings.Join(out, "\n"))
			})
			s.file("/proc/xen/capabilities", "control_d\n")
			if m, err := FindDom0(s.tools).Machine(context.Background()); !errors.Is(err, ErrAnswer) || m != (Machine{}) {
				t.Errorf("%s %q: %+v, %v", key, bad, m, err)
			}
		}
	}
}

// Every list that was ever composed: dom0 and each domain with a number is in it, whatever it is called and does.
func TestDomainsOfEveryList(t *testing.T) {
	for _, c := range []struct {
		file string
		tool toolstack
		want []float64 // their seconds; nil: the answer is not understood
	}{
		{"xm-3.0.2-list", xm, []float64{37.6, 33.4, 2, 1.5, 0.7}},
		{"xm-3.0.2-list-unclear", xm, nil},
		{"xm-3.1-list", xm, []float64{37.6, 812.3, 9.4, 0, 77.7, 0, 14, 4, 4}},
		{"xm-3.1-list-empty", xm, nil},
		{"xm-4.4-list", xm, []float64{266.2, 33.4, 1833.4, 0, 12.2, 99.9, 99.9, 0}},
		{"xl-4.1-list", xl, []float64{51.2, 4.4, 8.1}},
		{"xl-4.17-list", xl, []float64{412.9, 33.4, 12, 0, 12.2, 5, 5, 5, 4, 0, 99.9, 99.9, 1, 1833.4, 0}},
		{"xl-4.17-error", xl, nil},
	} {
		s := newStage(t, func(argv []string) run.Result {
			if argv[0] != c.tool || argv[1] != "list" {
				return fails(1, "")
			}
			return says(string(sample(t, c.file)))
		})
		if c.tool == xl {
			s.program(s.file("/usr/sbin/xl", "")[len(s.root):])
		}
		s.file("/proc/xen/capabilities", "control_d\n")
		list, err := FindDom0(s.tools).Domains(context.Background())
		if (err != nil) != (c.want == nil) {
			t.Errorf("%s: %+v, %v", c.file, list, err)
			continue
		}
		var got []float64
		for _, b := range list {
			got = append(got, b.Time)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.file, got, c.want)
		}
		if list != nil && (list[0].Name != "Domain-0" || list[0].Run != "0") {
			t.Errorf("%s: dom0 is %+v", c.file, list[0])
		}
	}
}

func TestDomainsOfTwoWithOneNumber(t *testing.T) {
	rows, err := parseXenList(xm, []byte("Name ID Mem VCPUs State Time(s)\nDomain-0 0 1 1 r----- 1.0\na 3 1 1 r----- 1.0\nb 3 1 1 r----- 1.0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := allDomains(rows); !errors.Is(err, ErrAnswer) {
		t.Errorf("%+v, %v", list, err)
	}
}

// What a real Xen says of a machine of one processor and 2000 MiB: its dom0's /proc/meminfo said 769 MiB and 720 of them free.
func TestDom0OfARealXen(t *testing.T) {
	captured := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata/captured", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	s := newStage(t, func(argv []string) run.Result { return says(captured("xl-4.17.7-" + argv[1])) })
	s.program(s.file("/usr/sbin/xl", "")[len(s.root):])
	s.file("/proc/xen/capabilities", captured("proc-xen-capabilities-4.17.7"))
	d := FindDom0(s.tools)
	if m, err := d.Machine(context.Background()); err != nil || m != (Machine{CPUs: 1, Mem: 1999 << 20, Free: 947 << 20}) {
		t.Errorf("%+v, %v", m, err)
	}
	list, err := d.Domains(context.Background())
	if want := []Busy{{Name: "Domain-0", Run: "0", Time: 102.3}, {Name: "vm1", Run: "1", Time: 28.8}}; err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%+v, %v", list, err)
	}
}
