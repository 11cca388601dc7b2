// Package check looks lbvm.conf and lbresources.conf over, before they are put in place
// or after: every error and warning of both files and of each algorithm, in one run.
//
// Run is the whole of it. What it needs of this node comes in by Input, so that files can
// be looked over on a machine that is no node.
package check

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// Input is what is looked over, and against what.
type Input struct {
	Conf      string // path of lbvm.conf
	Resources string // path of lbresources.conf; "" is what lbvm.conf names
	Read      func(path string) ([]byte, error)
	Machines  []cluster.Service // the VMs of the cluster's configuration; nil: nobody knows
	Manager   string            // the manager whose tools are installed here; "" in doubt, or nobody knows
	Where     string            // what names the VMs, for messages; "" is cluster.conf
	// Technology is nil if a technology of that name is defined on this node and its definition can be used; nil: nobody
	// knows.
	Technology func(name string) error
	// Program is nil if a program is at that path on this node and can be executed; nil: nobody knows.
	Program func(path string) error
	LogDir  string // where lbm init has put the logs; "" is not known
	Sight   *Sight // nil: whether other nodes see the logs is not asked
}

// Finding is a diagnostic with what it is about.
type Finding struct {
	conf.Diagnostic
	VM   string // whose block it stands in; "default" of the default's, "" of none
	Code string // W1 to W19 of the rule language's warnings
}

// Run looks over. The error is of reading lbvm.conf; a missing lbresources.conf is a finding. Where Conf is a
// lbresources.conf itself, that is looked over alone.
func Run(in Input) ([]Finding, error) {
	src, err := in.Read(in.Conf)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if isResources(src) {
		r, diags := conf.ParseResources(in.Conf, src)
		return findings(&conf.File{}, append(diags, idleParts(r)...)), nil
	}
	f, diags := conf.Examine(in.Conf, src)
	whole := !conf.HasErrors(diags)
	r, more := in.resources(f)
	diags = append(in.machines(f, diags, whole), balance.Check(f, r)...)
	diags = append(diags, in.logDir(f)...)
	diags = append(diags, in.sight(f, r)...)
	diags = append(diags, in.windows(f, r)...)
	diags = append(diags, in.technologies(f)...)
	diags = append(diags, in.health(f)...)
	diags = append(diags, in.notify(f)...)
	diags = append(diags, in.manager(f)...)
	conf.Sort(diags)
	return findings(f, append(diags, more...)), nil
}

// where is what names the VMs.
func (in Input) where() string { return cmp.Or(in.Where, "cluster.conf") }

// manager looks at the statement cluster, which decides where both managers' tools are installed, and nowhere else.
func (in Input) manager(f *conf.File) []conf.Diagnostic {
	if f.Cluster == "" || in.Manager == "" || f.Cluster == in.Manager {
		return nil
	}
	return []conf.Diagnostic{at(f, "cluster", conf.Warning, "take it out, or install the tools of "+f.Cluster, "this node has the tools of %s only: it is not asked which manager there is", in.Manager)}
}

// isResources tells whether the first statement is a resource or a vmresource, which lbvm.conf has none of.
func isResources(src []byte) bool {
	for _, line := range strings.Split(string(src), "\n") {
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			return words[0] == "resource" || words[0] == "vmresource"
		}
	}
	return false
}

func findings(f *conf.File, diags []conf.Diagnostic) []Finding {
	out := make([]Finding, 0, len(diags))
	for _, d := range diags {
		out = append(out, finding(f, d))
	}
	return out
}

// resources reads lbresources.conf. It is nil where it has errors: then nobody knows what it would define.
func (in Input) resources(f *conf.File) (*conf.Resources, []conf.Diagnostic) {
	path := in.Resources
	if path == "" {
		path = f.Paths.Resources
	}
	if path == "" { // the statement has an error of its own
		return nil, nil
	}
	src, err := in.Read(path)
	if err != nil {
		hint := "name the file that is there: resources " + conf.DefaultResources + ";"
		if !errors.Is(err, fs.ErrNotExist) {
			hint = ""
		}
		return nil, []conf.Diagnostic{at(f, "resources", conf.Error, hint, "the resources cannot be read: %v", err)}
	}
	r, diags := conf.ParseResources(path, src)
	return r, append(diags, idleParts(r)...)
}

// idleParts warns of what is measured of VMs and of no node: nobody compares it with anything.
func idleParts(r *conf.Resources) (out []conf.Diagnostic) {
	if r == nil {
		return nil
	}
	for _, x := range r.VMs {
		if _, ok := r.Find(x.Name); ok || r.Part(x) != "" {
			continue
		}
		s := x.Head.Span
		out = append(out, conf.Diagnostic{Severity: conf.Warning, File: r.Name, Line: s.Line, Col: s.Col, Source: conf.Line(r.Src, s.Line),
			Text: fmt.Sprintf("vmresource %q has no effect: there is no resource %q of which it would be a part", x.Name, x.Name),
			Hint: "add resource " + x.Name + " { ... }, or give it the name of a resource"})
	}
	return out
}

// at is a diagnostic at the value of a statement. Where there is none it points at no line.
func at(f *conf.File, key string, sev conf.Severity, hint, format string, args ...any) conf.Diagnostic {
	s, ok := f.Statement(key)
	if !ok {
		s.Value.Span = conf.Span{Line: 1, Col: 1}
	}
	d := diagnostic(f, s.Value.Span, sev, hint, format, args...)
	if !ok {
		d.Source = ""
	}
	return d
}

func diagnostic(f *conf.File, span conf.Span, sev conf.Severity, hint, format string, args ...any) conf.Diagnostic {
	return conf.Diagnostic{Severity: sev, File: f.Name, Line: span.Line, Col: span.Col, Text: fmt.Sprintf(format, args...), Hint: hint, Source: conf.Line(f.Src, span.Line)}
}

// logDir compares the folder of the samples with the one that lbm init has made on the shared storage.
func (in Input) logDir(f *conf.File) []conf.Diagnostic {
	if in.LogDir == "" || f.Paths.LogDir == "" || strings.TrimRight(in.LogDir, "/") == strings.TrimRight(f.Paths.LogDir, "/") {
		return nil
	}
	return []conf.Diagnostic{at(f, "logdir", conf.Warning, "write logdir "+in.LogDir+"; unless all nodes see the other folder as well",
		"logdir is %s, and lbm init has made %s", f.Paths.LogDir, in.LogDir)}
}

// finding takes the warning's code out of its text, and tells whose it is.
func finding(f *conf.File, d conf.Diagnostic) Finding {
	x := Finding{Diagnostic: d}
	if text, code, ok := cutLast(d.Text, " [W"); ok && strings.HasSuffix(code, "]") {
		if number := strings.TrimSuffix(code, "]"); number != "" && strings.Trim(number, "0123456789") == "" {
			x.Text, x.Code = text, "W"+number
		}
	}
	if d.File != f.Name {
		return x
	}
	blocks := slices.Clone(f.Blocks)
	if f.Default != nil {
		blocks = append(blocks, f.Default)
	}
	for _, b := range blocks {
		last := b.Line + strings.Count(string(f.Src[b.Start:b.End]), "\n")
		if d.Line < b.Line || d.Line > last || d.Line == b.Line && d.Col < b.Col {
			continue
		}
		x.VM = b.VM
		if b == f.Default {
			x.VM = "default"
		}
	}
	return x
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// notify looks whether the programs that are told of moves are there: that one is missing would be found on the night when
// it is needed.
func (in Input) notify(f *conf.File) []conf.Diagnostic {
	var out []conf.Diagnostic
	for _, n := range f.Notify {
		if n.Command == nil || in.Program == nil {
			continue
		}
		if err := in.Program(n.Command[0]); err != nil {
			out = append(out, diagnostic(f, n.Span, conf.Warning, "put it there, on every node: lbmonitor may run on any of them", "notify cannot run it here: %v", err))
		}
	}
	return out
}
