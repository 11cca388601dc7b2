package xen

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// call is one run of xm.
type call struct {
	x      *xend
	n      *lab.Node
	dir    string
	old    bool // 3.0.3
	out    strings.Builder
	errors strings.Builder
}

func (c *call) words(m message, args ...any) string {
	text := texts[m][1]
	if c.old {
		text = texts[m][0]
	}
	return fmt.Sprintf(text, args...)
}

func (c *call) say(m message, args ...any) { fmt.Fprintln(&c.out, c.words(m, args...)) }

// fail prints an error and gives the code that goes with most.
func (c *call) fail(m message, args ...any) int {
	fmt.Fprintln(&c.errors, c.words(m, args...))
	return 1
}

func (c *call) result(code int) run.Result {
	return run.Result{Stdout: []byte(c.out.String()), Stderr: []byte(c.errors.String()), Code: code}
}

// verb is one sub-command: its options without a value, with one, how many words it takes, what it does.
type verb struct {
	flags, valued []string
	least, most   int
	needs         string
	do            func(*call, context.Context, words) int
}

type words struct {
	flags map[string]string
	args  []string
}

const many = 1 << 20

// verbs are those that the lab plays; xm has more.
func verbs() map[string]verb {
	one := func(do func(*call, *domain) int) func(*call, context.Context, words) int {
		return func(c *call, _ context.Context, w words) int {
			d := c.x.find(w.args[0])
			if d == nil { // just now
				return c.noDomain(w.args[0], "list")
			}
			return do(c, d)
		}
	}
	return map[string]verb{
		"list":   {[]string{"-l", "--long", "--label"}, nil, 0, many, "", func(c *call, _ context.Context, w words) int { return c.list(w) }},
		"create": {[]string{"-q", "--quiet", "-c"}, []string{"-f", "--defconfig", "--path"}, 1, many, "at least 1 argument", (*call).create},
		"domid": {nil, nil, 1, 1, "1 argument", one(func(c *call, d *domain) int {
			fmt.Fprintln(&c.out, d.id)
			return 0
		})},
		"destroy": {nil, nil, 1, 1, "1 argument", one(func(c *call, d *domain) int {
			c.x.drop(d)
			return 0
		})},
		"pause":    {nil, nil, 1, 1, "1 argument", one((*call).pause)},
		"unpause":  {nil, nil, 1, 1, "1 argument", one((*call).unpause)},
		"info":     {nil, nil, 0, 0, "0 arguments", func(c *call, _ context.Context, _ words) int { return c.info() }},
		"shutdown": {[]string{"-w", "--wait", "-H", "-R"}, nil, 1, 1, "1 argument", (*call).shutdown},
		"save":     {nil, nil, 2, 2, "2 arguments", (*call).save},
		"restore":  {nil, nil, 1, 1, "1 argument", (*call).restore},
		"migrate":  {[]string{"-l", "--live"}, []string{"-p", "--port", "-r", "--resource"}, 2, 2, "2 arguments", (*call).migrate},
	}
}

// xm hands the command to xend and waits for it. xend does not notice if xm is killed.
func (x *xend) xm(ctx context.Context, n *lab.Node, r lab.Request) run.Result {
	c := &call{x: x, n: n, dir: r.Dir, old: strings.HasPrefix(n.Setting(versionFile, "3.0.3"), "3.")}
	if len(r.Argv) < 2 {
		return c.result(c.fail(usage))
	}
	name := r.Argv[1]
	v, ok := verbs()[name]
	if !ok {
		c.fail(badCommand, name)
		return c.result(c.fail(usage))
	}
	w, err := split(v, r.Argv[2:])
	if err != nil {
		c.fail(failed, err)
		return c.result(c.fail(usage))
	}
	if len(w.args) < v.least || len(w.args) > v.most {
		c.fail(needs, name, v.needs)
		return c.result(c.fail(usage))
	}
	if !slices.Contains([]string{"list", "create", "restore", "info"}, name) && x.find(w.args[0]) == nil {
		return c.result(c.noDomain(w.args[0], name))
	}
	answer := make(chan run.Result, 1)
	n.Go(func(life context.Context) { answer <- c.result(v.do(c, life, w)) })
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
		return run.Result{Code: 1} // nobody reads it
	}
}

// split tells options from arguments, wherever they stand.
func split(v verb, args []string) (words, error) {
	w := words{flags: map[string]string{}}
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(args[i], "=")
		switch {
		case !strings.HasPrefix(args[i], "-"):
			w.args = append(w.args, args[i])
		case slices.Contains(v.flags, args[i]):
			w.flags[args[i]] = "yes"
		case slices.Contains(v.valued, name) && given:
			w.flags[name] = value
		case slices.Contains(v.valued, name) && i+1 < len(args):
			i++
			w.flags[name] = args[i]
		default:
			return w, fmt.Errorf("option %s not recognized", args[i])
		}
	}
	return w, nil
}

func (c *call) noDomain(name, verb string) int {
	c.fail(noDomain, name, verb)
	if c.old {
		return 1
	}
	return 3
}

func (c *call) list(w words) int {
	chosen := func(name string) bool { return len(w.args) == 0 || slices.Contains(w.args, name) }
	for _, name := range w.args {
		if name != "Domain-0" && name != "0" && c.x.find(name) == nil {
			return c.noDomain(name, "list")
		}
	}
	long := w.flags["-l"]+w.flags["--long"] != ""
	row := func(name string, id int, mem int64, cpus int, state string, seconds float64) {
		if long {
			fmt.Fprintf(&c.out, "(domain\n    (domid %d)\n    (name %s)\n    (memory %d)\n    (vcpus %d)\n    (state %s)\n    (cpu_time %.1f)\n)\n",
				id, name, mem, cpus, state, seconds)
			return
		}
		c.say(listRow, name, id, mem, cpus, state, seconds)
	}
	if !long {
		c.say(listHead)
	}
	if chosen("Domain-0") || chosen("0") {
		row("Domain-0", 0, 512, 2, "r-----", 100)
	}
	c.x.mu.Lock()
	defer c.x.mu.Unlock()
	for _, d := range c.x.list() {
		if chosen(d.name) || chosen(fmt.Sprint(d.id)) {
			row(d.name, d.id, d.conf.MemMiB, d.conf.VCPUs, d.state(), d.seconds())
		}
	}
	return 0
}

func (c *call) create(_ context.Context, w words) int {
	var path string
	var overrides []string
	for _, a := range w.args {
		if strings.Contains(a, "=") {
			overrides = append(overrides, a)
		} else {
			path = a
		}
	}
	for _, option := range []string{"-f", "--defconfig"} {
		if w.flags[option] != "" {
			path = w.flags[option]
		}
	}
	file := path
	if !filepath.IsAbs(path) {
		dirs := c.n.Path("/etc/xen")
		if w.flags["--path"] != "" {
			dirs = w.flags["--path"]
		}
		for _, dir := range strings.Split(dirs, ":") {
			file = filepath.Join(dir, path)
			if _, err := os.Stat(file); err == nil {
				break
			}
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return c.fail(noConfig, path)
	}
	if w.flags["-q"]+w.flags["--quiet"] == "" {
		c.say(usingConfig, file)
	}
	conf, err := parseConfig(file, text, overrides)
	if err != nil {
		return c.fail(failed, err)
	}
	d, err := c.x.add(c.n, conf)
	if err != nil {
		return c.fail(failed, err)
	}
	for _, disk := range conf.Disks {
		if _, err := os.Stat(c.n.Path(disk)); err != nil {
			c.x.drop(d)
			return c.fail(noDisk, disk)
		}
	}
	if err := c.x.fill(c.n, d, nil); err != nil {
		return c.fail(failed, err)
	}
	c.say(started, conf.Name, d.id)
	return 0
}

func (c *call) pause(d *domain) int {
	if g := c.x.guestOf(d); g != nil {
		if err := g.Freeze(); err != nil {
			return c.fail(failed, err)
		}
	}
	return 0
}

func (c *call) unpause(d *domain) int {
	if g := c.x.guestOf(d); g != nil && !c.x.departs(d) {
		if err := g.Thaw(); err != nil {
			return c.fail(failed, err)
		}
	}
	return 0
}

// shutdown only asks. A domain that is paused, or busy with something else, does not hear.
func (c *call) shutdown(life context.Context, w words) int {
	d := c.x.find(w.args[0])
	if d == nil {
		return c.noDomain(w.args[0], "shutdown")
	}
	g := c.x.guestOf(d)
	if c.n.Fault("xm", "slow-stop", d.conf.Name) || g == nil || g.Frozen() || c.x.departs(d) {
		return 0
	}
	ended := make(chan struct{})
	c.n.Go(func(life context.Context) {
		defer close(ended)
		if wait(life, shutdownTakes) && !g.Frozen() {
			if err := g.Shutdown(); err != nil {
				fmt.Fprintln(os.Stderr, "lab:", err)
			}
		}
	})
	if w.flags["-w"]+w.flags["--wait"] != "" {
		select {
		case <-ended:
			c.say(terminated, d.conf.Name)
		case <-life.Done():
		}
	}
	return 0
}

func (c *call) info() int {
	extra := []string{"4", "4", ".1"}
	if c.old {
		extra = []string{"3", "0", ".3-rc3-1.2798.el5"}
	}
	for _, kv := range [][2]string{
		{"host", c.n.Name}, {"release", "2.6.18-8.el5xen"}, {"machine", "x86_64"}, {"nr_cpus", "2"}, {"nr_nodes", "1"},
		{"cpu_mhz", "2000"}, {"total_memory", "8192"}, {"free_memory", fmt.Sprint(c.n.FreeMemory() >> 20)},
		{"xen_major", extra[0]}, {"xen_minor", extra[1]}, {"xen_extra", extra[2]}, {"xen_caps", "xen-3.0-x86_64"},
	} {
		fmt.Fprintf(&c.out, "%-22s : %s\n", kv[0], kv[1])
	}
	return 0
}
