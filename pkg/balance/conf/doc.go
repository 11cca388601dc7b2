// Package conf is the syntax of the balancer's two files: lbvm.conf (Parse) and
// lbresources.conf (ParseResources), as the manual of 2008 prints them, plus a few
// optional keys. Load reads both.
//
// Everything that was read knows its line, column and bytes, so that a message can
// point at it and a tool can edit it. The package understands the algorithms only so
// far as to find their ends; pkg/balance compiles them. It reads no files itself.
package conf

import (
	"slices"
	"time"

	"github.com/lbvm/lbvm/pkg/syntax"
)

// What a file's parts and messages are made of is common to all of our files: see pkg/syntax.
type (
	Span       = syntax.Span
	Value      = syntax.Value
	Severity   = syntax.Severity
	Diagnostic = syntax.Diagnostic
)

// The severities.
const (
	Error   = syntax.Error
	Warning = syntax.Warning
)

// HasErrors tells whether one of them is more than a warning.
func HasErrors(list []Diagnostic) bool { return syntax.HasErrors(list) }

// Sort orders diagnostics by file and place.
func Sort(list []Diagnostic) { syntax.Sort(list) }

// Line is the text of line n (from 1) of src, as Diagnostic.Source holds it.
func Line(src []byte, n int) string { return syntax.Line(src, n) }

// Statement is `key value;`. Its Span reaches from the key to behind the semicolon.
type Statement struct {
	Key, Value Value
	Items      []Value // the members of a list (balance), else nil
	Span
}

// Block is `veid 201 {...}`, `201 {...}` or `default {...}`. Its Span reaches from the first word to behind the brace.
type Block struct {
	VM        string // "" is default
	Head      Value  // the name, or the word default
	Info      Value
	Algorithm Value // what stands between the braces, byte for byte; or the name of a built-in one
	Builtin   bool  // Algorithm names a built-in one: algorithm relief;
	Rails     []RailSwitch
	HasInfo   bool
	Written   bool // there is an algorithm, be it empty
	Span
}

// RailSwitch is `rail NAME on;` or `rail NAME off;`.
type RailSwitch struct {
	Name Value
	On   bool
}

// Paths are where the balancer's files lie, as paths of the node. Metrics is a folder, "" if none is to be written.
type Paths struct{ SharedStorage, Resources, LogDir, Metrics string }

// File is lbvm.conf. Durations that the file does not give hold their defaults.
type File struct {
	Name       string
	Src        []byte
	Statements []Statement // in the order of the file

	Paths          Paths
	Virtualization string
	Cluster        string   // which cluster manager it is, where a node has the tools of both: one of Clusters; "" is not said
	Balance        []string // as written: 201, centos1 or openvz:201
	Interval       time.Duration
	Stale          time.Duration
	Settle         time.Duration
	Cooldown       time.Duration
	CooldownFixed  bool         // cooldown TIME fixed: it does not double
	Rails          []RailSwitch // of all VMs; a block's own come before them
	Apart          [][]string   // VMs that are kept on different nodes
	Together       [][]string   // VMs that are kept on one node
	Notify         []Notify     // who is told of what
	Push           bool         // logs push: lblog sends what it measures to the other members
	Default        *Block
	Blocks         []*Block // of one VM each, in the order of the file
}

// What holds where lbvm.conf says nothing.
const (
	DefaultResources = "/etc/cluster/lbresources.conf"
	DefaultLogDir    = "/var/log/lb"
	DefaultInterval  = time.Minute
	DefaultStale     = 3 // intervals
	DefaultSettle    = 2 // intervals
	DefaultCooldown  = 30 * time.Minute
)

// Clusters are the cluster managers that the statement cluster may name.
func Clusters() []string { return []string{"rgmanager", "pacemaker"} }

// Statement is the statement of that key.
func (f *File) Statement(key string) (Statement, bool) {
	for _, s := range f.Statements {
		if s.Key.Text == key {
			return s, true
		}
	}
	return Statement{}, false
}

// Block is the block that names vm with just these words, or nil.
func (f *File) Block(vm string) *Block {
	for _, b := range f.Blocks {
		if b.VM == vm {
			return b
		}
	}
	return nil
}

// Resources is lbresources.conf.
type Resources struct {
	Name string
	Src  []byte
	List []Resource // in the order of the file
	VMs  []Resource // what is measured of each VM (vmresource), in the order of the file; none of them has a log
}

// Resource is one thing that lblog measures, by a command of the administrator or by a built-in sampler. What is measured of
// each VM bears the name of the node's resource of which it is a part, and has its unit.
type Resource struct {
	Name    string
	Cmd     string        // for sh -c; its line breaks are blanks. "" if built in
	Builtin []string      // the built-in's name and its arguments; nil if Cmd is set
	LogFile string        // "" is Name
	Timeout time.Duration // 0: the file gives none

	Head, CmdAt Value // where the name and the command (or the built-in) stand
	Span
}

// Log is the last part of the log's name, behind the node's.
func (r Resource) Log() string {
	if r.LogFile != "" {
		return r.LogFile
	}
	return r.Name
}

// Part tells of what of a node a vmresource is a part: "cpu" (the share of all processors), "ram" (MiB), or "" of another
// resource.
func (r *Resources) Part(x Resource) string {
	name := x.Name
	if node, ok := r.Find(x.Name); ok && node.Builtin != nil {
		name = node.Builtin[0]
	}
	if x.Builtin != nil {
		name = x.Builtin[0]
	}
	if slices.Contains(VMBuiltins(), name) {
		return name
	}
	return ""
}

// Find is the resource of that name.
func (r *Resources) Find(name string) (Resource, bool) {
	for _, x := range r.List {
		if x.Name == name {
			return x, true
		}
	}
	return Resource{}, false
}

// Notify is `notify EVENTS COMMAND ARGUMENTS;` or `notify EVENTS URL;`.
type Notify struct {
	Events  []string // of NotifyEvents, each once
	Command []string // an absolute path and arguments; nil if URL is set
	URL     string   // http or https; it may hold a secret
	Span             // of the command or the URL
}

// Wants tells whether it is told of events of that name.
func (n Notify) Wants(event string) bool { return slices.Contains(n.Events, event) }

// Algorithms are the built-in algorithms: algorithm relief;
func Algorithms() []string { return []string{"relief"} }

// Rails are the rails that can be switched off, and FixedRails those that cannot: without data, a plain state or a
// quorum nothing moves.
func Rails() []string {
	return []string{"settling", "cool-down", "cycle-guard", "one-in-one-out", "moves-per-pass", "projected-load", "memory-headroom", "keep-apart", "back-off"}
}

// FixedRails are the rails that cannot be switched off.
func FixedRails() []string {
	return []string{"stale-data", "not-started", "preflight", "evacuated", "in-balance", "no-quorum"}
}

// VMBuiltins are the names that `builtin` takes in a vmresource.
func VMBuiltins() []string { return []string{"cpu", "ram"} }

// Builtins are the names that `builtin` takes.
func Builtins() []string { return []string{"cpu", "io", "load", "net", "psi", "ram"} }

// NotifyEvents are the names that `notify` takes beside `all`: a VM was moved, a move did not succeed, a rule reports a
// target, and balancing brings nothing.
func NotifyEvents() []string { return []string{"move", "failed", "report", "nothing"} }
