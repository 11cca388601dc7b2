package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/cluster"
)

// addAsInTheManual is `lbm -c CONFIG`. It prints what the manual of 2008 shows, and nothing else on standard output:
// section 1.4.1 for a Xen domain, 2.5.3 for a container.
func (w world) addAsInTheManual(c *cli.Context, config string) error {
	a, err := w.adopter(c)
	if err != nil {
		return err
	}
	p, err := a.Look(c.Context, adopt.Request{Config: config})
	if err != nil {
		return refused(err)
	}
	w.notes(p)
	m := manual{w: w}
	m.begin(p.Type)
	a.Before, a.After = m.before, m.after
	err = a.Add(c.Context, p)
	late := m.end(err)
	if late != nil {
		return late
	}
	if a.Manager == cluster.NamePacemaker {
		return w.addedToPacemaker(nil, p, false, strings.TrimPrefix(errText(err), adopt.ErrPeers.Error()+": "))
	}
	fmt.Fprintf(w.stdout, "\n%srun 'ccs_tool update' to upgrade to new cluster config file!\n", m.indent)
	if err != nil { // only other nodes are left
		return adoptFailure(err)
	}
	return nil
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// manual prints the lines of the manual: each is begun before the first of its steps and ended after the last.
type manual struct {
	w      world
	indent string
	lines  []manualLine
	open   bool
}

type manualLine struct{ text, first, last string }

// begin chooses the lines.
func (m *manual) begin(typ string) {
	m.lines = []manualLine{{"update " + typ + " config file", "retire", "retire"}, {"copy image and " + typ + " config file", "copy", "nodes"}}
	if typ == "openvz" {
		m.indent = "\t" // as section 2.5.3 has it
		m.lines = []manualLine{{"copy config file + link", "retire", "nodes"}}
		fmt.Fprintln(m.w.stdout, m.indent)
	}
	m.lines = append(m.lines, manualLine{"update lbvm.conf", "lbvm.conf", "lbvm.conf"}, manualLine{"update cluster.conf", "cluster", "finish"})
}

func (m *manual) before(step string) {
	for _, l := range m.lines {
		if l.first == step {
			const width = 35
			fmt.Fprintf(m.w.stdout, "%s%s %s ", m.indent, l.text, strings.Repeat(".", width-1-len(l.text)))
			m.open = true
		}
	}
}

func (m *manual) after(step string) {
	for _, l := range m.lines {
		if l.last == step {
			fmt.Fprintln(m.w.stdout, "done")
			m.open = false
		}
	}
}

// end says how it ended; nil where all is done on this node.
func (m *manual) end(err error) error {
	if m.open {
		fmt.Fprintln(m.w.stdout, "failed")
	}
	if err == nil || errors.Is(err, adopt.ErrPeers) {
		return nil
	}
	return adoptFailure(err)
}
