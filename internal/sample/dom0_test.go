package sample

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
)

// xen is a tool whose answers are given: rows of `xm list` below the head, and the figures of `xm info`.
type xen struct {
	rows  []string
	info  string
	down  string // answers to neither
	calls []string
}

const xmInfo = "nr_cpus                : 4\ntotal_memory           : 16384\nfree_memory            : 8011\nxen_major              : 3\nxen_minor              : 1\nxen_extra              : .0-8.el5\n"

func (x *xen) Run(_ context.Context, c run.Command) (run.Result, error) {
	what := strings.Join(append([]string{filepath.Base(c.Argv[0])}, c.Argv[1:]...), " ")
	x.calls = append(x.calls, what)
	switch {
	case x.down != "":
		return run.Result{Code: 1, Stderr: []byte(x.down)}, nil
	case what == "xm list":
		return run.Result{Stdout: []byte("Name                                      ID   Mem VCPUs      State   Time(s)\n" + strings.Join(x.rows, ""))}, nil
	case what == "xm info":
		return run.Result{Stdout: []byte(x.info)}, nil
	}
	return run.Result{}, errors.New("nobody asks for " + what)
}

// row is one of xm's since 3.0.4 (tools/python/xen/xm/main.py: xm_brief_list).
func row(name string, id int, seconds float64) string {
	return fmt.Sprintf("%-40s %3d %5d %5d %10s %8.1f\n", name, id, 512, 1, "-b----", seconds)
}

// dom0 is a node whose own kernel says what nobody may believe: idle, one processor, 3 MiB free.
func dom0(t *testing.T) (Sampler, *xen, *stepping) {
	t.Helper()
	s, root, c := node(t)
	write(t, root, "proc/xen/capabilities", "control_d\n")
	write(t, root, "proc/pressure/cpu", "some avg10=1.00 avg60=25.00 avg300=1.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
	write(t, root, "usr/sbin/xm", "")
	if err := os.Chmod(filepath.Join(root, "usr/sbin/xm"), 0o755); err != nil {
		t.Fatal(err)
	}
	x := &xen{info: xmInfo, rows: []string{row("Domain-0", 0, 100), row("a", 3, 50), row("b", 4, 7.5)}}
	s.Dom0 = hypervisor.FindDom0(hypervisor.Tools{Host: s.Host, Clock: c, Query: x, Change: x})
	return s, x, c
}

// all measures the samplers that a dom0's kernel would answer wrongly.
func all(s Sampler) map[string]Reading {
	out := map[string]Reading{}
	for _, r := range s.Measure(context.Background(), []Resource{{Name: "cpu", Builtin: "cpu"}, {Name: "load", Builtin: "load"}, {Name: "ram", Builtin: "ram"}, {Name: "psi", Builtin: "psi"}}) {
		out[r.Resource.Name] = r
	}
	return out
}

func TestDom0CountsAllDomains(t *testing.T) {
	s, x, c := dom0(t)
	want := func(what, cpu, load string) {
		t.Helper()
		got := all(s)
		if got["cpu"].Value != cpu || got["load"].Value != load {
			t.Errorf("%s: cpu %q, load %q (%v), want %q and %q", what, got["cpu"].Value, got["load"].Value, got["cpu"].Err, cpu, load)
		}
		if got["ram"].Value != "8011" || got["ram"].Err != nil {
			t.Errorf("%s: ram %q, %v", what, got["ram"].Value, got["ram"].Err)
		}
		if r := got["psi"]; !errors.Is(r.Err, errDom0) || r.Value != "" {
			t.Errorf("%s: psi %q, %v", what, r.Value, r.Err)
		}
	}
	var slept time.Duration
	began := c.now
	c.slept = func() {
		slept = c.now.Sub(began)
		x.rows = []string{row("Domain-0", 0, 100.2), row("a", 3, 51.6), row("b", 4, 7.7)}
	}
	want("the first look", "0.5000", "2.00") // two of four processor seconds
	if slept != time.Second {
		t.Errorf("the two looks are %s apart", slept)
	}
	c.slept = func() { t.Error("a second run has no need to wait") }

	for _, l := range []struct {
		what      string
		rows      []string
		cpu, load string
	}{
		{"all grew, dom0 too", []string{row("Domain-0", 0, 112.2), row("a", 3, 111.6), row("b", 4, 55.7)}, "0.5000", "2.00"},
		{"nothing happens", []string{row("Domain-0", 0, 112.2), row("a", 3, 111.6), row("b", 4, 55.7)}, "0.0000", "0.00"},
		{"a is sent away under another name", []string{row("Domain-0", 0, 112.2), row("migrating-a", 3, 135.6), row("b", 4, 55.7)}, "0.1000", "0.40"},
		{"a has gone, c and a domain of nobody's have come", []string{row("Domain-0", 0, 112.2), row("b", 4, 55.7), row("c", 5, 30), row("b--incoming", 6, 0), row("other", 7, 18)}, "0.2000", "0.80"},
		{"c was started anew", []string{row("Domain-0", 0, 112.2), row("b", 4, 55.7), row("c", 8, 60), row("other", 7, 18)}, "0.2500", "1.00"},
		{"only known to xend", []string{row("Domain-0", 0, 118.2), row("b", 4, 73.7), row("c", 8, 60), row("other", 7, 18), fmt.Sprintf("%-40s %3s %5d %5d %10s %8.1f\n", "d", "", 512, 1, "", 0.0)}, "0.1000", "0.40"},
		{"a little more than there is: two looks are no instants", []string{row("Domain-0", 0, 118.2+250), row("b", 4, 73.7)}, "1.0000", "4.00"},
	} {
		c.now, x.rows = c.now.Add(time.Minute), l.rows
		want(l.what, l.cpu, l.load)
	}
	if n := strings.Count(strings.Join(x.calls, "\n"), "xm list"); n != 2+7 {
		t.Errorf("xm list was called %d times", n)
	}
	if n := strings.Count(strings.Join(x.calls, "\n"), "xm info"); n != 1 { // s.Dom0 lives for one run of lblog
		t.Errorf("xm info was called %d times", n)
	}
}

// What the hypervisor does not tell is missing. dom0's own figures are never put in.
func TestDom0MissesWhatIsNotTold(t *testing.T) {
	for what, spoil := range map[string]func(*xen, *stepping){
		"xend is down": func(x *xen, _ *stepping) {
			x.down = "Error: Unable to connect to xend: Connection refused. Is xend running?"
		},
		"a domain's number":    func(x *xen, _ *stepping) { x.rows = append(x.rows, "c   -1   512   1   ??   0.0\n") },
		"dom0 is not listed":   func(x *xen, _ *stepping) { x.rows = x.rows[1:] },
		"cut off":              func(x *xen, _ *stepping) { x.rows[2] = "b   4   512" },
		"a count went back":    func(x *xen, _ *stepping) { x.rows[1] = row("a", 3, 49) },
		"more than there is":   func(x *xen, _ *stepping) { x.rows[1] = row("a", 3, 50+1000) },
		"no processors":        func(x *xen, _ *stepping) { x.info = strings.Replace(x.info, "nr_cpus", "nr_cpu", 1) },
		"no memory is told of": func(x *xen, _ *stepping) { x.info = strings.Replace(x.info, "free_memory", "free", 1) },
	} {
		s, x, c := dom0(t)
		all(s)
		c.now = c.now.Add(time.Minute)
		spoil(x, c)
		s.Dom0 = hypervisor.FindDom0(hypervisor.Tools{Host: s.Host, Clock: c, Query: x, Change: x}) // the next run
		got := all(s)
		info := what == "no processors" || what == "no memory is told of" || what == "xend is down"
		for _, name := range []string{"cpu", "load", "psi"} {
			if r := got[name]; r.Err == nil || r.Value != "" {
				t.Errorf("%s: %s is %q", what, name, r.Value)
			}
		}
		if r := got["ram"]; (r.Err != nil) != info || (r.Value == "") != info {
			t.Errorf("%s: ram is %q, %v", what, r.Value, r.Err)
		}
		f, err := s.Facts(context.Background(), "node1", nil)
		if (err != nil) != info || (f.Cores == 0) != info || (f.MemTotal == 0) != info || (f.MemFree == 0) != info {
			t.Errorf("%s: the facts have %d processors, %d bytes, %d free; %v", what, f.Cores, f.MemTotal, f.MemFree, err)
		}
	}
}

func TestFactsOfADom0(t *testing.T) {
	s, x, _ := dom0(t)
	f, err := s.Facts(context.Background(), "node1", nil)
	if err != nil || f.Cores != 4 || f.MemTotal != 16384<<20 || f.MemFree != 8011<<20 {
		t.Errorf("%+v, %v", f, err)
	}
	// Where nothing is left that is known, and not unknown.
	x.info = strings.Replace(x.info, "8011", "0", 1)
	s.Dom0 = hypervisor.FindDom0(hypervisor.Tools{Host: s.Host, Clock: s.Clock, Query: x, Change: x})
	if f, err = s.Facts(context.Background(), "node1", nil); err != nil || f.MemFree == 0 || f.MemFree > 1<<20 {
		t.Errorf("%d bytes free, %v", f.MemFree, err)
	}
}

// A run so soon after the last does not divide tenths of a second by a second.
func TestDom0LooksAgainWhenTheLastLookIsYoung(t *testing.T) {
	s, x, c := dom0(t)
	all(s)
	c.now = c.now.Add(time.Second / 10)
	waited := false
	c.slept = func() { waited = true; x.rows[1] = row("a", 3, 50.4) }
	if r := all(s)["cpu"]; r.Value != "0.1000" || !waited {
		t.Errorf("cpu %q, %v; it looked twice: %v", r.Value, r.Err, waited)
	}
}
