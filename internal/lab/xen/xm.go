package xen

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// call is one run of xm or xl.
type call struct {
	x      *xend
	n      *lab.Node
	dir    string
	tool   string // xm or xl
	v      version
	out    strings.Builder
	errors strings.Builder
}

func (c *call) words(m message, args ...any) string {
	text := texts[m][1]
	if c.tool == "xl" && texts[m][2] != "" {
		text = texts[m][2]
	} else if c.tool == "xm" && c.v.before(3, 1) {
		text = texts[m][0]
	}
	return fmt.Sprintf(text, args...)
}

// version is that of xm or xl.
type version struct{ major, minor int }

func (v version) before(major, minor int) bool {
	return v.major < major || v.major == major && v.minor < minor
}

func versionOf(text string) (v version) {
	fmt.Sscanf(text, "%d.%d", &v.major, &v.minor)
	return v
}

func (c *call) signature() string {
	if c.tool == "xl" {
		return xlSignature
	}
	return signature
}

// failBy is fail where xl tells by its code what libxl said.
func (c *call) failBy(code int, m message, args ...any) int {
	if c.fail(m, args...); c.tool == "xl" {
		return code
	}
	return 1
}

// find looks for a domain by name or number; xl takes digits for a number and nothing else.
func (c *call) find(name string) *domain {
	d := c.x.find(name)
	if d != nil && c.tool == "xl" && strings.Trim(name, "0123456789") == "" && name != strconv.Itoa(d.id) {
		return nil
	}
	return d
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
			d := c.find(w.args[0])
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
		"destroy":  {[]string{"-f"}, nil, 1, 1, "1 argument", one((*call).destroy)},
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
	c := &call{x: x, n: n, dir: r.Dir, tool: "xm", v: versionOf(n.Setting(versionFile, "3.0.3"))}
	if n.Fault("xm", "xend-down", "*") || !exists(n.Path(lab.XendLock)) {
		return c.result(c.fail(xendDown))
	}
	return c.run(ctx, r, verbs())
}

// run does one of these verbs.
func (c *call) run(ctx context.Context, r lab.Request, verbs map[string]verb) run.Result {
	if len(r.Argv) < 2 {
		return c.result(c.fail(usage))
	}
	name := r.Argv[1]
	v, ok := verbs[name]
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
	if !slices.Contains([]string{"list", "create", "restore", "info"}, name) && c.find(w.args[0]) == nil {
		return c.result(c.noDomain(w.args[0], name))
	}
	answer := make(chan run.Result, 1)
	c.n.Go(func(life context.Context) {
		if c.tool == "xl" {
			life = ctx
		}
		answer <- c.result(v.do(c, life, w))
	})
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
	switch {
	case c.tool == "xl" && c.v.before(4, 7):
		return 2
	case c.tool == "xl" || c.v.before(4, 0):
		return 1
	}
	return 3
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (c *call) list(w words) int {
	chosen := func(name string) bool { return len(w.args) == 0 || slices.Contains(w.args, name) }
	for _, name := range w.args {
		if name != "Domain-0" && name != "0" && c.find(name) == nil {
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
		seconds, mem := c.n.Dom0()
		cpus, _ := lab.Machine()
		row("Domain-0", 0, mem>>20, cpus, "r-----", seconds)
	}
	c.x.mu.Lock()
	defer c.x.mu.Unlock()
	c.x.reboots(c)
	for _, d := range c.x.list() {
		if chosen(d.name) || chosen(fmt.Sprint(d.id)) {
			row(d.name, d.id, d.conf.MemMiB, d.conf.VCPUs, d.state(), d.seconds())
		}
	}
	for name, conf := range c.x.known {
		if chosen(name) && c.x.findLocked(name) == nil && c.n.Fault("xm", "inactive-row", name) {
			fmt.Fprintf(&c.out, "%-40s %5s %5d %5d %10s %8.1f\n", name, "", conf.MemMiB, conf.VCPUs, "", 0.0)
		}
	}
	if c.tool == "xl" && c.n.Fault("xl", "null-row", "*") {
		row(nameless, 99, 0, 1, "--ps-d", 99.9)
	}
	return 0
}

// reboots lets a guest reboot by itself, where that was asked for: its domain goes, and comes anew a moment later.
func (x *xend) reboots(c *call) {
	for _, d := range slices.Clone(x.list()) {
		if d.moves || d.guest == nil || !c.n.Fault(c.tool, "reboot-gap", d.name) {
			continue
		}
		d.guest.Kill()
		c.n.Go(func(life context.Context) {
			if !wait(life, rebootTakes) {
				return
			}
			if again, err := x.add(c.n, d.conf, d.conf.Name); err == nil {
				if err := x.fill(c.n, again, nil, true); err != nil {
					fmt.Fprintln(os.Stderr, "lab:", err)
				}
			}
		})
	}
}

// destroy ends a domain, but for a row that stays.
func (c *call) destroy(d *domain) int {
	if c.n.Fault(c.tool, "dead-row", d.conf.Name) {
		c.x.dies(d)
		return 0
	}
	if !c.losesName(d) {
		c.x.drop(d)
	}
	return 0
}

// losesName: the guest has ended, and its domain still holds its devices, without a name.
func (c *call) losesName(d *domain) bool {
	if !c.n.Fault("xl", "loses-name", d.conf.Name) {
		return false
	}
	c.x.rename(d, nameless)
	c.x.dies(d)
	return true
}

// dies ends the guest and leaves its row.
func (x *xend) dies(d *domain) {
	x.mu.Lock()
	d.dead = true
	g := d.guest
	x.mu.Unlock()
	if g != nil {
		g.Kill()
	}
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
		if c.tool == "xl" {
			c.fail(usingConfig, file)
		} else {
			c.say(usingConfig, file)
		}
	}
	conf, err := parseConfig(c.tool, file, text, overrides)
	if err != nil {
		return c.fail(failed, err)
	}
	d, code := c.add(conf)
	if d == nil {
		return code
	}
	for _, disk := range conf.Disks {
		if _, err := os.Stat(c.n.Path(disk)); err != nil {
			c.x.drop(d)
			return c.failBy(3, noDisk, disk)
		}
	}
	if err := c.x.fill(c.n, d, nil, true); err != nil {
		return c.failBy(3, failed, err)
	}
	if c.tool == "xm" {
		c.say(started, conf.Name, d.id)
	}
	return 0
}

// add is xend.add, with the tool's words if that fails.
func (c *call) add(conf config) (*domain, int) {
	d, err := c.x.add(c.n, conf, conf.Name)
	switch {
	case err == nil:
		return d, 0
	case c.tool == "xl" && c.x.find(conf.Name) != nil:
		return nil, c.failBy(6, failed, fmt.Sprintf("Domain with name %q already exists.", conf.Name))
	}
	return nil, c.failBy(3, failed, err)
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
	d := c.find(w.args[0])
	if d == nil {
		return c.noDomain(w.args[0], "shutdown")
	}
	g := c.x.guestOf(d)
	if c.n.Fault(c.tool, "slow-stop", d.conf.Name) || g == nil || g.Frozen() || c.x.departs(d) {
		return 0
	}
	ended := make(chan struct{})
	c.n.Go(func(life context.Context) {
		defer close(ended)
		if wait(life, shutdownTakes) && !g.Frozen() {
			if c.n.Fault(c.tool, "dead-row", d.conf.Name) {
				c.x.dies(d)
				return
			}
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
	extra := []string{strconv.Itoa(c.v.major), strconv.Itoa(c.v.minor), ".1"}
	if c.v.before(3, 1) {
		extra[2] = ".3-rc3-1.2798.el5"
	}
	cpus, mem := lab.Machine()
	for _, kv := range [][2]string{
		{"host", c.n.Name}, {"release", "2.6.18-8.el5xen"}, {"machine", "x86_64"}, {"nr_cpus", fmt.Sprint(cpus)}, {"nr_nodes", "1"},
		{"cpu_mhz", "2000"}, {"total_memory", fmt.Sprint(mem >> 20)}, {"free_memory", fmt.Sprint(c.n.FreeMemory() >> 20)},
		{"xen_major", extra[0]}, {"xen_minor", extra[1]}, {"xen_extra", extra[2]}, {"xen_caps", "xen-3.0-x86_64"},
	} {
		fmt.Fprintf(&c.out, "%-22s : %s\n", kv[0], kv[1])
	}
	return 0
}
