package openvz

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// options are what follows the container's number.
type options struct {
	dumpFile                            string
	suspend, dump, kill, resume, undump bool
	fast, skipUmount                    bool
}

type command struct {
	flags []string // those that it knows, with a `=` if a value follows
	do    func(*call, options) int
}

// commands are those that the lab plays; vzctl has more.
func commands() map[string]command {
	cpt := []string{"--dumpfile=", "--flags=", "--context=", "--skip_arpdetect", "--kill", "--resume"}
	chkpnt := command{append(slices.Clone(cpt), "--suspend", "--dump"), (*call).chkpnt}
	restore := command{append(slices.Clone(cpt), "--undump"), (*call).restore}
	return map[string]command{
		"start":  {[]string{"--force", "--wait", "--skip-fsck", "--skip-remount"}, (*call).start},
		"stop":   {[]string{"--fast", "--skip-umount"}, (*call).stop},
		"set":    {nil, nil}, // reads its arguments by itself
		"mount":  {nil, func(c *call, _ options) int { return c.mountCommand() }},
		"umount": {nil, func(c *call, _ options) int { return c.umountCommand() }},
		"chkpnt": chkpnt, "suspend": chkpnt, "restore": restore, "resume": restore,
	}
}

func (k *kernel) vzctl(ctx context.Context, n *lab.Node, r lab.Request) run.Result {
	v, text := versionOf(n)
	c := &call{ctx: ctx, n: n, v: v}
	args, skipLock := r.Argv[1:], false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "--version":
			return run.Result{Stdout: []byte("vzctl version " + text + "\n")}
		case "--quiet":
			c.quiet = true
		case "--skiplock":
			skipLock = true
		case "--verbose":
		default:
			c.fail(badOption, args[0])
			c.fail(usage)
			return c.result(exitUsage)
		}
		args = args[1:]
	}
	if len(args) == 0 {
		c.fail(usage)
		return c.result(exitUsage)
	}
	cmd, known := commands()[args[0]]
	if !known && args[0] != "status" {
		c.fail(usage)
		return c.result(exitUsage)
	}
	if len(args) == 1 {
		c.fail(noID)
		return c.result(exitBadValue)
	}
	id, err := strconv.ParseUint(args[1], 10, 31)
	if err != nil || id == 0 {
		c.fail(badID, args[1])
		return c.result(exitBadValue)
	}
	c.id = strconv.FormatUint(id, 10)
	c.c, c.conf = k.container(c.id), readConfig(n, c.id)
	c.conf.found = c.conf.found && !n.Fault("vzctl", "conf-deleted", c.id)
	switch args[0] {
	case "status":
		c.status()
		return c.result(0)
	case "set":
		return c.result(c.set(args[2:]))
	}
	o, code := c.options(cmd.flags, args[2:], r.Dir)
	if code != 0 {
		return c.result(code)
	}
	if !c.conf.found {
		c.fail(noConfig)
		return c.result(exitNoConfig)
	}
	if !skipLock {
		lock, code := c.lock(r.PID)
		if code != 0 {
			return c.result(code)
		}
		defer func() {
			if ctx.Err() == nil { // a killed vzctl leaves its lock behind
				os.Remove(lock)
			}
		}()
	}
	c.c.doing.Lock()
	defer c.c.doing.Unlock()
	return c.result(cmd.do(c, o))
}

func (c *call) options(known, args []string, dir string) (options, int) {
	var o options
	steps := 0
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(args[i], "=")
		if slices.Contains(known, name+"=") {
			if !given {
				if i++; i == len(args) {
					fmt.Fprintf(&c.errors, "vzctl: option `%s' requires an argument\n", name)
					return o, exitUsage
				}
				value = args[i]
			}
		} else if given || !slices.Contains(known, name) {
			c.fail(badOption, args[i])
			return o, exitUsage
		}
		switch name {
		case "--dumpfile":
			if o.dumpFile = value; !filepath.IsAbs(value) {
				o.dumpFile = filepath.Join(dir, value)
			}
		case "--suspend":
			o.suspend = true
			steps++
		case "--dump":
			o.dump = true
			steps++
		case "--kill":
			o.kill = true
			steps++
		case "--resume":
			o.resume = true
			steps++
		case "--undump":
			o.undump = true
			steps++
		case "--fast":
			o.fast = true
		case "--skip-umount":
			o.skipUmount = true
		}
	}
	if steps > 1 { // one step at a time
		c.fail(usage)
		return o, exitUsage
	}
	return o, 0
}

// lock makes the lock file of the container. Whether its holder lives is asked of this machine's process table.
func (c *call) lock(pid int) (string, int) {
	path := filepath.Join(c.conf.lockDir, c.id+".lck")
	for fault, holder := range map[string]int{"lock-held": 1, "lock-stale": 1<<31 - 1} { // init lives, the other cannot
		if c.n.Fault("vzctl", fault, c.id) {
			if err := errors.Join(os.MkdirAll(c.conf.lockDir, 0o755), os.WriteFile(path, fmt.Appendf(nil, "%d\n\n", holder), 0o644)); err != nil {
				return "", 3
			}
			if fault == "lock-held" {
				defer os.Remove(path) // its holder ends
			}
		}
	}
	if err := os.MkdirAll(c.conf.lockDir, 0o755); err != nil {
		fmt.Fprintf(&c.errors, "Unable to create %s: %v\n", path, err)
		return "", 3
	}
	for {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			_, err = fmt.Fprintf(f, "%d\n\n", pid)
			if err = errors.Join(err, f.Close()); err == nil {
				return path, 0
			}
		}
		if !errors.Is(err, os.ErrExist) {
			fmt.Fprintf(&c.errors, "Unable to create %s: %v\n", path, err)
			return "", 3
		}
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it was removed meanwhile
		}
		holder, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil && holder > 0 {
			if cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", holder)); err == nil {
				c.fail(lockedBy, holder, strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " ")))
				c.fail(locked)
				return "", exitLocked
			}
		}
		c.say(staleLock, path)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			fmt.Fprintf(&c.errors, "Unable to remove %s: %v\n", path, err)
			return "", 3
		}
	}
}

func (c *call) status() {
	word := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	runs := c.c.running() != nil
	suspended := !runs && !c.v.before(3, 0, 24) && exists(c.conf.defaultDump(c.id))
	exist := c.conf.found && exists(c.n.Path(c.conf.private))
	prefix, state := word(c.v.before(3, 0, 23) || c.v.major >= 7, "VEID", "CTID"), word(runs, "running", "down")
	if c.v.major >= 7 {
		g := c.c.running()
		state, suspended = word(g != nil && g.Frozen(), "paused", word(suspended, "suspended", state)), false
	}
	fmt.Fprintln(&c.out, prefix, c.id, word(exist, "exist", "deleted"), word(c.c.isMounted(), "mounted", "unmounted"), state+word(suspended, " suspended", ""))
}

func (c *call) start(options) int {
	if c.c.running() != nil {
		c.fail(alreadyRunning)
		return exitRunning
	}
	if c.conf.disabled {
		c.fail(disabled)
		return exitDisabled
	}
	if !exists(c.n.Path(c.conf.private)) {
		c.fail(noPrivate, c.conf.private)
		return exitNoPrivate
	}
	dump := c.conf.defaultDump(c.id)
	if !c.v.before(4, 1, 0) && c.v.major < 7 && exists(dump) {
		c.say(dumpExists, dump)
		if c.restore(options{}) == 0 {
			return 0
		}
	}
	c.say(starting)
	if code := c.mount(); code != 0 {
		return code
	}
	if !pause(c.ctx, bootTakes) {
		return exitStart
	}
	g, err := c.n.Boot(c.spec())
	if err != nil {
		c.fail(startFailed)
		fmt.Fprintln(&c.errors, "lab:", err)
		c.umount()
		return exitStart
	}
	c.c.set(true, g)
	c.say(inProgress)
	if !c.v.before(4, 3, 1) {
		if err := os.RemoveAll(dump); err != nil && !errors.Is(err, os.ErrNotExist) {
			fmt.Fprintln(&c.errors, err)
		}
	}
	return 0
}

func (c *call) stop(o options) int {
	g := c.c.running()
	if g == nil {
		c.fail(notRunningStop)
		return 0
	}
	c.say(stopping)
	switch {
	case g.Frozen(): // signals wait until it is thawed
		if pause(c.ctx, c.conf.stopTimeout) {
			c.fail(stopTimedOut)
		}
		return exitStop
	case o.fast:
		g.Kill()
	case c.n.Fault("vzctl", "slow-stop", c.id):
		if !pause(c.ctx, c.conf.stopTimeout) {
			return exitStop
		}
		c.say(killing)
		g.Kill()
	default:
		if !pause(c.ctx, haltTakes) {
			return exitStop
		}
		if err := g.Shutdown(); err != nil {
			c.fail(stopTimedOut)
			return exitStop
		}
	}
	c.say(stopped)
	if o.skipUmount {
		return 0
	}
	if code := c.umount(); !c.v.before(3, 0, 23) { // the old one's network script hides the result
		return code
	}
	return 0
}

// mount mounts the container, with the node's own scripts: vps.premount (from 4.0 on) before, vps.mount after it. One
// that fails makes it undone.
func (c *call) mount() int {
	if !c.v.before(4, 0, 0) && !c.script("vps.premount") {
		return exitScript
	}
	c.c.set(true, c.c.running())
	if !c.script("vps.mount") {
		c.umount()
		return exitScript
	}
	c.say(mounted)
	return 0
}

// script runs one of the node's scripts, if it is there.
func (c *call) script(name string) bool {
	path := c.n.Path("/etc/vz/conf/" + name)
	if fi, err := os.Stat(path); err != nil || fi.Mode()&0o111 == 0 {
		return true
	}
	env := []string{"PATH=/sbin:/bin:/usr/sbin:/usr/bin", host.RootVariable + "=" + c.n.Root, "VEID=" + c.id, "VE_CONFFILE=/etc/vz/conf/" + c.id + ".conf"}
	r, err := run.System{}.Run(c.ctx, run.Command{Argv: []string{path}, Env: env})
	c.errors.Write(r.Stderr)
	if err == nil && r.Code == 0 {
		return true
	}
	c.fail(scriptFailed, path)
	return false
}

func (c *call) umount() int {
	if c.n.Fault("vzctl", "umount-busy", c.id) {
		c.fail(cannotUnmount, c.conf.root)
		return exitUnmount
	}
	c.c.set(false, nil)
	c.say(unmounted)
	return 0
}

func (c *call) mountCommand() int {
	if c.c.isMounted() {
		c.fail(mountedAlready)
		return 0
	}
	if !exists(c.n.Path(c.conf.private)) {
		c.fail(noPrivate, c.conf.private)
		return exitNoPrivate
	}
	return c.mount()
}

func (c *call) umountCommand() int {
	if c.c.running() != nil {
		c.fail(unmountRunning)
		return exitRunning
	}
	if !c.c.isMounted() {
		c.fail(notMounted)
		return exitNotMounted
	}
	return c.umount()
}
