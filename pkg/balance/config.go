package balance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// Config is lbvm.conf and lbresources.conf as Decide needs them.
type Config struct {
	Paths     conf.Paths
	Balance   []string         // the VMs, as written; who stands first is decided first
	Rules     map[string]*Rule // by the name of their block
	Default   *Rule            // of VMs that have none of their own; may be nil
	Resources []Resource
	Rails     RailSettings
	Apart     [][]string // VMs, as written, that are kept on different nodes
	Together  [][]string // VMs that are kept on one node
	Digest    string     // of the two files: tells which configuration a pass ran under

	texts [2][]byte // the two files
}

// Resource is something that is measured on every node.
type Resource struct {
	Name string
	Log  string // the last part of its log's name
	Load bool   // less is better: known of some built-in samplers, and of the manual's cpu
	CPU  bool   // the busy share of all processors: a VM's part of it is known by VM.Cores
}

// Program is a compiled algorithm. *perl.Program is one.
type Program interface {
	Run(context.Context, perl.Options) (perl.Value, error)
	Deterministic() bool
}

var _ Program = (*perl.Program)(nil)

// Rule is the algorithm of a VM or of many. A broken one has no Program and says why in Err; the others go on.
type Rule struct {
	Name    string // "201", or "default"
	Info    string
	Program Program
	Err     error
	At      perl.Position
	Text    string
	Rails   map[string]bool // the rails that the block switches: false is off

	late func() // compiles it, when it is first asked for
}

// RailSettings are the measures of the rails. Zero fields have their defaults.
type RailSettings struct {
	Interval     time.Duration // between two samples: 1m
	Stale        time.Duration // so old may the newest sample be: 3 intervals
	Settle       time.Duration // so long a node rests after an arrival or a departure: 2 intervals
	Cooldown     time.Duration // so long a VM rests after its move: 30m
	Fixed        bool          // the cool-down does not double
	MovesPerPass int           // 1: each move is measured before the next is chosen
	InFlight     time.Duration // so long a move without an end counts as under way: 1h
	Off          []string      // the rails that are switched off for all VMs
}

func (s RailSettings) withDefaults() RailSettings {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&s.Interval, conf.DefaultInterval)
	set(&s.Stale, conf.DefaultStale*s.Interval)
	set(&s.Settle, conf.DefaultSettle*s.Interval)
	set(&s.Cooldown, conf.DefaultCooldown)
	set(&s.InFlight, time.Hour)
	if s.MovesPerPass <= 0 {
		s.MovesPerPass = 1
	}
	return s
}

// Horizon is how far back Input.Recent must reach for the rails to see all that they ask for.
func (s RailSettings) Horizon() time.Duration {
	s = s.withDefaults()
	return max(repeatSpan, maxCooldown*s.Cooldown, s.InFlight, s.Settle) + time.Hour
}

// LateConfig is NewConfig that compiles an algorithm when Decide first asks for it: for who decides on one VM of thousands.
// What is wrong with an algorithm is then in the Decision only. Such a Config is not for several goroutines.
func LateConfig(f *conf.File, r *conf.Resources) *Config {
	c, _ := newConfig(f, r, true)
	return c
}

// NewConfig compiles the algorithms. Diagnostics hold what is wrong with them; a VM whose algorithm is broken is
// decided upon as "stay", with the reason, and stops no other. f and r are what conf.Load gave and must not be nil.
func NewConfig(f *conf.File, r *conf.Resources) (*Config, []conf.Diagnostic) {
	return newConfig(f, r, false)
}

func newConfig(f *conf.File, r *conf.Resources, late bool) (*Config, []conf.Diagnostic) {
	c := &Config{
		Paths: f.Paths, Balance: slices.Clone(f.Balance), Rules: map[string]*Rule{},
		Rails: RailSettings{Interval: f.Interval, Stale: f.Stale, Settle: f.Settle, Cooldown: f.Cooldown, Fixed: f.CooldownFixed},
	}
	for _, x := range f.Rails {
		c.Rails.Off = slices.DeleteFunc(c.Rails.Off, func(name string) bool { return name == x.Name.Text }) // the last counts
		if !x.On {
			c.Rails.Off = append(c.Rails.Off, x.Name.Text)
		}
	}
	c.Apart, c.Together = f.Apart, f.Together
	c.Digest, c.texts = digestOf(f, r), [2][]byte{f.Src, r.Src}
	for _, x := range r.List {
		load, cpu := x.Name == "cpu", x.Name == "cpu"
		if x.Builtin != nil {
			load, cpu = x.Builtin[0] != "ram", x.Builtin[0] == "cpu"
		}
		c.Resources = append(c.Resources, Resource{Name: x.Name, Log: x.Log(), Load: load, CPU: cpu})
	}
	funcs := hostFuncs(c)
	var diags []conf.Diagnostic
	compile := func(b *conf.Block, name string) *Rule {
		rule := newRule(f, b, name)
		if rule.Program != nil {
			return rule
		}
		rule.late = func() { diags = append(diags, rule.compile(f, funcs)...) }
		if !late {
			rule.ready()
		}
		return rule
	}
	if f.Default != nil {
		c.Default = compile(f.Default, "default")
	}
	for _, b := range f.Blocks {
		c.Rules[b.VM] = compile(b, b.VM)
	}
	conf.Sort(diags)
	return c, diags
}

func digestOf(f *conf.File, r *conf.Resources) string {
	sum := sha256.Sum256(slices.Concat(f.Src, []byte{0}, r.Src))
	return hex.EncodeToString(sum[:8])
}

func newRule(f *conf.File, b *conf.Block, name string) *Rule {
	at := perl.Position{File: f.Name, Line: b.Algorithm.Line, Col: b.Algorithm.Col, VM: b.VM}
	rule := &Rule{Name: name, Info: b.Info.Text, At: at, Text: b.Algorithm.Text, Rails: map[string]bool{}}
	for _, x := range b.Rails {
		rule.Rails[x.Name.Text] = x.On
	}
	if b.Builtin {
		rule.Program = Relief{}
	}
	return rule
}

// ready compiles a rule that is not compiled yet.
func (rule *Rule) ready() {
	if late := rule.late; late != nil {
		rule.late = nil
		late()
	}
}

func (rule *Rule) compile(f *conf.File, funcs []perl.Func) []conf.Diagnostic {
	program, found := perl.Compile([]byte(rule.Text), rule.At, funcs)
	var diags []conf.Diagnostic
	for _, d := range found {
		text := d.Text
		if d.Code != "" {
			text += " [" + d.Code + "]"
		}
		x := conf.Diagnostic{Severity: conf.Warning, File: f.Name, Line: d.Pos.Line, Col: d.Pos.Col, Text: text, Hint: d.Hint, Source: conf.Line(f.Src, d.Pos.Line)}
		if d.Severity == perl.Error {
			x.Severity = conf.Error
			if rule.Err == nil {
				rule.Err = x
			}
		}
		diags = append(diags, x)
	}
	if program != nil {
		rule.Program = program // a nil *perl.Program would not be a nil Program
	} else if rule.Err == nil {
		rule.Err = errors.New("the algorithm does not compile")
	}
	if rule.Err != nil {
		rule.Program = nil
	}
	return diags
}

// rule is the rule of a VM: the block that names it most closely, else the default, else nil.
func (c *Config) rule(vm *VM, written string) *Rule {
	rule := c.uncompiled(vm, written)
	if rule != nil {
		rule.ready()
	}
	return rule
}

func (c *Config) uncompiled(vm *VM, written string) *Rule {
	_, service, _ := strings.Cut(vm.Service, ":")
	for _, name := range []string{vm.ID(), vm.Name, written, vm.Service, service} {
		if r, ok := c.Rules[name]; ok && name != "" {
			return r
		}
	}
	return c.Default
}

// IsCPU tells whether a resource is the busy share of all processors.
func (c *Config) IsCPU(name string) bool {
	r, ok := c.resource(name)
	return ok && r.CPU
}

func (c *Config) resource(name string) (Resource, bool) {
	for _, r := range c.Resources {
		if r.Name == name {
			return r, true
		}
	}
	return Resource{}, false
}

// Logs reads the samples of this configuration's resources from the folder dir, which is joined with the node's root.
// It keeps what it read: make a new one for each pass.
func (c *Config) Logs(dir string) *Logs {
	names := map[string]string{}
	for _, r := range c.Resources {
		names[r.Name] = r.Log
	}
	return NewLogs(dir, names, c.Rails.withDefaults().Stale)
}
