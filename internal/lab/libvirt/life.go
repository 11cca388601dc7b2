package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// shutdownTakes is how long a guest takes to shut down, stateTakes for how long of it libvirt says so.
const (
	shutdownTakes = 150 * time.Millisecond
	stateTakes    = 50 * time.Millisecond
)

// absolute is a file on this machine.
func (c *call) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// fromFile reads a domain's XML.
func (c *call) fromFile(file string) (config, error) {
	text, err := os.ReadFile(c.absolute(file))
	if err != nil {
		return config{}, refuse("Failed to open file '%s': %s", file, why(err))
	}
	conf, err := parse(text)
	if err != nil {
		return config{}, refuse("Failed to create domain from %s\nerror: %v", file, err)
	}
	return conf, nil
}

// why is an error as strerror says it.
func why(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

// place finds or makes the row of a domain that shall run: a row that is there must be shut off, and the same domain.
func (d *daemon) place(n *lab.Node, conf config, persistent bool, s state) (*domain, *running, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.list() {
		switch {
		case x.conf.Name == conf.Name && x.conf.UUID != conf.UUID:
			return nil, nil, refuse("operation failed: domain '%s' already exists with uuid %s", conf.Name, x.conf.UUID)
		case x.conf.Name != conf.Name && x.conf.UUID == conf.UUID:
			return nil, nil, refuse("operation failed: domain '%s' is already defined with uuid %s", x.conf.Name, conf.UUID)
		case x.conf.Name == conf.Name && x.run != nil:
			return nil, nil, active(conf.Name)
		case x.conf.Name == conf.Name:
			x.conf, x.persistent = conf, x.persistent || persistent
			return x, d.begin(n, x, s), nil
		}
	}
	x := &domain{conf: conf, persistent: persistent}
	d.domains = append(d.domains, x)
	return x, d.begin(n, x, s), nil
}

func active(name string) error {
	return refuse("Requested operation is not valid: domain '%s' is already active", name)
}

func (c *call) create(_ context.Context, w words) int {
	conf, err := c.fromFile(w["file"])
	if err != nil {
		return c.fail(err.Error())
	}
	x, r, err := c.d.place(c.n, conf, false, state{isPaused, "starting up"})
	if err == nil {
		err = c.boot(x, r, w.has("paused"), "booted")
	}
	if err != nil {
		return c.fail("Failed to create domain from "+w["file"], err.Error())
	}
	c.extra("Domain %s created from %s", c.q(conf.Name), w["file"])
	return 0
}

// boot starts what stands in the table, or takes it away again.
func (c *call) boot(x *domain, r *running, paused bool, reason string) error {
	err := c.d.start(c.n, x, r)
	if err == nil && paused {
		err = r.guest.Freeze()
	}
	if err != nil {
		c.d.kill(x, r, "failed")
		return err
	}
	if paused {
		c.d.set(x, r, isPaused, userPaused)
	} else {
		c.d.set(x, r, isRunning, reason)
	}
	return nil
}

func (c *call) define(_ context.Context, w words) int {
	conf, err := c.fromFile(w["file"])
	if err != nil {
		return c.fail(strings.Replace(err.Error(), "Failed to create", "Failed to define", 1))
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	at := -1
	for i, x := range c.d.list() {
		if (x.conf.Name == conf.Name) != (x.conf.UUID == conf.UUID) {
			return c.fail("Failed to define domain from "+w["file"], fmt.Sprintf("operation failed: domain '%s' already exists with uuid %s", x.conf.Name, x.conf.UUID))
		}
		if x.conf.Name == conf.Name {
			at = i
		}
	}
	if at < 0 {
		c.d.domains = append(c.d.domains, &domain{conf: conf, persistent: true, why: "unknown"})
	} else {
		x := c.d.domains[at]
		x.persistent = true
		if x.run == nil {
			x.conf = conf
		}
	}
	c.extra("Domain %s defined from %s", c.q(conf.Name), w["file"])
	return 0
}

// undefine forgets a persistent domain; one that runs becomes transient.
func (c *call) undefine(_ context.Context, x *domain, w words) int {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	name, saved := x.conf.Name, c.managed(x.conf.Name)
	switch {
	case !x.persistent:
		return c.fail("Failed to undefine domain '"+name+"'", "Requested operation is not valid: cannot undefine transient domain")
	case exists(saved) && !w.has("managed-save"):
		return c.fail("Refusing to undefine while domain managed save image exists")
	}
	if err := os.Remove(saved); err != nil && !errors.Is(err, os.ErrNotExist) {
		return c.fail(err.Error())
	}
	x.persistent = false
	if x.run == nil {
		c.d.domains = slices.DeleteFunc(c.d.domains, func(o *domain) bool { return o == x })
	}
	c.extra("Domain %s has been undefined", c.q(name))
	return 0
}

// start runs a domain that is defined, from its managed save if there is one.
func (c *call) start(life context.Context, x *domain, w words) int {
	saved := c.managed(x.conf.Name)
	c.d.mu.Lock()
	if c.d.list(); x.run != nil {
		c.d.mu.Unlock()
		return c.fail("Domain is already active")
	}
	r := c.d.begin(c.n, x, state{isPaused, "starting up"})
	c.d.mu.Unlock()
	var err error
	if exists(saved) && !w.has("force-boot") {
		err = c.resurrect(life, x, r, saved, w.has("paused"))
		if err == nil {
			err = os.Remove(saved)
		}
	} else {
		err = c.boot(x, r, w.has("paused"), "booted")
	}
	if err != nil {
		return c.fail("Failed to start domain "+c.q(x.conf.Name), err.Error())
	}
	c.extra("Domain %s started", c.q(x.conf.Name))
	return 0
}

func (c *call) setAutostart(_ context.Context, x *domain, w words) int {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	verb := "marked as"
	if w.has("disable") {
		verb = "unmarked as"
	}
	if !x.persistent {
		return c.fail("Failed to "+strings.TrimSuffix(verb, "ed as")+" domain '"+x.conf.Name+"' as autostarted", "Requested operation is not valid: cannot set autostart for transient domain")
	}
	x.autostart = !w.has("disable")
	c.extra("Domain %s %s autostarted", c.q(x.conf.Name), verb)
	return 0
}

// runningOf is what runs of a domain, nil where nothing does.
func (c *call) runningOf(x *domain) (r *running, g *lab.Guest, j *job) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if c.d.list(); x.run == nil {
		return nil, nil, nil
	}
	return x.run, x.run.guest, x.run.job
}

const notRunning = "Requested operation is not valid: domain is not running"

// shutdown only asks. It waits for a job that is under way, at most as long as libvirt does.
func (c *call) shutdown(life context.Context, x *domain, _ words) int {
	name := x.conf.Name
	refuse := func(text string) int { return c.fail("Failed to shutdown domain "+c.q(name), text) }
	r, g, err := c.idle(life, x)
	if err != nil {
		return refuse(err.Error())
	}
	if g == nil || g.Frozen() {
		return refuse(notRunning)
	}
	if !c.n.Fault("virsh", "slow-stop", name) {
		c.n.Go(func(life context.Context) { c.ends(life, x, r, g) })
	}
	c.extra("Domain %s is being shutdown", c.q(name))
	return 0
}

// ends is the guest's own end, of which libvirt hears a moment before QEMU is gone.
func (c *call) ends(life context.Context, x *domain, r *running, g *lab.Guest) {
	if !wait(life, shutdownTakes-stateTakes) || g.Frozen() || c.jobOf(x) != nil {
		return
	}
	c.d.set(x, r, isLeaving, "unknown")
	d := stateTakes
	if c.n.Fault("virsh", "long-shutdown", x.conf.Name) {
		d = longShutdown
	}
	if !wait(life, d) || g.Frozen() {
		return
	}
	c.d.mu.Lock()
	r.ending = "shutdown"
	c.d.mu.Unlock()
	if err := g.Shutdown(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
}

// longShutdown is the fault of that name.
const longShutdown = 3 * time.Second

func (c *call) destroy(_ context.Context, x *domain, _ words) int {
	name := x.conf.Name
	r, _, _ := c.runningOf(x)
	if r == nil {
		return c.fail("Failed to destroy domain "+c.q(name), notRunning)
	}
	if c.n.Fault("virsh", "destroy-fails", name) {
		return c.fail("Failed to destroy domain "+c.q(name), "Failed to terminate process "+fmt.Sprint(r.id)+" with SIGKILL: Device or resource busy")
	}
	c.d.kill(x, r, "destroyed")
	c.extra("Domain %s destroyed", c.q(name))
	return 0
}

// suspend stops the guest; a migration of it has nothing to copy again then, and ends.
func (c *call) suspend(_ context.Context, x *domain, _ words) int {
	r, g, j := c.runningOf(x)
	if r == nil || g == nil {
		return c.fail("Failed to suspend domain "+c.q(x.conf.Name), notRunning)
	}
	if err := g.Freeze(); err != nil {
		return c.fail("Failed to suspend domain "+c.q(x.conf.Name), err.Error())
	}
	c.d.set(x, r, isPaused, userPaused)
	if j != nil {
		j.hurry(c.d)
	}
	c.extra("Domain %s suspended", c.q(x.conf.Name))
	return 0
}

func (c *call) resume(_ context.Context, x *domain, _ words) int {
	refuse := func(text string) int { return c.fail("Failed to resume domain "+c.q(x.conf.Name), text) }
	r, g, j := c.runningOf(x)
	switch {
	case r == nil:
		return refuse(notRunning)
	case g == nil || j != nil:
		return refuse(jobTimeout)
	case !g.Frozen():
		return refuse("Requested operation is not valid: domain is already running")
	}
	if err := c.d.goOn(x, r, "unpaused"); err != nil {
		return refuse(err.Error())
	}
	c.extra("Domain %s resumed", c.q(x.conf.Name))
	return 0
}
