package libvirt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
)

// magic begins every whole save file, part one that is being written.
const (
	magic = "LibvirtQemudSave"
	part  = "LibvirtQemudPart"
)

// managed is where libvirtd keeps a domain's managed save: on the node alone.
func (c *call) managed(name string) string {
	return c.n.Path("/var/lib/libvirt/qemu/save/" + name + ".save")
}

func copyTakes(mem int64) time.Duration {
	return 30*time.Millisecond + time.Duration(mem>>20)*200*time.Microsecond
}

// pack is a frozen guest's memory with its configuration.
func pack(g *lab.Guest, conf config) ([]byte, error) {
	if err := g.Freeze(); err != nil {
		return nil, err
	}
	m, err := g.Memory()
	if err != nil {
		return nil, err
	}
	m.Config = conf.json()
	return m.Format()
}

func unpack(b []byte) (lab.Memory, config, error) {
	m, err := lab.ParseMemory(b)
	if err != nil {
		return m, config{}, err
	}
	var c config
	if err := json.Unmarshal(m.Config, &c); err != nil || m.Type != "kvm" {
		return m, config{}, refusal("no configuration")
	}
	m.Config = nil
	return m, c, nil
}

func (c *call) save(life context.Context, x *domain, w words) int {
	if err := c.write(life, x, w["file"]); err != nil {
		return c.fail("Failed to save domain "+c.q(x.conf.Name)+" to "+w["file"], err.Error())
	}
	c.extra("\nDomain %s saved to %s", c.q(x.conf.Name), w["file"])
	return 0
}

func (c *call) managedSave(life context.Context, x *domain, _ words) int {
	refuse := func(text string) int { return c.fail("Failed to save domain '"+x.conf.Name+"' state", text) }
	if s := c.look(x); !s.persistent {
		return refuse("Requested operation is not valid: cannot do managed save for transient domain")
	}
	file := c.managed(x.conf.Name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return refuse(err.Error())
	}
	if err := c.write(life, x, file); err != nil {
		return refuse(err.Error())
	}
	c.extra("\nDomain %s state saved by libvirt", c.q(x.conf.Name))
	return 0
}

func (c *call) managedSaveRemove(_ context.Context, x *domain, _ words) int {
	file := c.managed(x.conf.Name)
	if !exists(file) {
		c.extra("Domain %s has no manage save image; removal skipped", c.q(x.conf.Name))
		return 0
	}
	if err := os.Remove(file); err != nil {
		return c.fail("Failed to remove managed save image for domain '"+x.conf.Name+"'", err.Error())
	}
	c.extra("Removed managedsave image for domain %s", c.q(x.conf.Name))
	return 0
}

// write saves a domain and shuts it off. Where that fails the domain goes on, and no file is left.
func (c *call) write(life context.Context, x *domain, to string) (err error) {
	r, g, err := c.idle(life, x)
	if err != nil {
		return err
	}
	if g == nil {
		return refusal(notRunning)
	}
	j, ctx, err := c.d.beginJob(life, x, r, "domain save", "Save")
	if err != nil {
		return err
	}
	before, frozen := c.stateOf(r), g.Frozen()
	file := c.absolute(to)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		c.d.endJob(r, j)
		return refuse("Failed to create file '%s': %s", to, why(err))
	}
	c.d.set(x, r, isPaused, "saving")
	b, err := pack(g, x.conf)
	if err == nil {
		_, err = f.WriteString(part)
	}
	if err == nil {
		_, err = f.Write(b[:len(b)/2])
	}
	if err == nil && !c.copies(ctx, r, j, copyTakes(x.conf.bytes())) {
		err = refusal("operation aborted: job 'domain save' canceled by client")
		if !g.Alive() {
			err = refusal("operation failed: domain is not running")
		}
	}
	if err == nil && c.n.Fault("virsh", "save-fails", x.conf.Name) {
		err = refusal("operation failed: /usr/libexec/libvirt_iohelper: failure with " + to + ": No space left on device")
	}
	if err == nil {
		_, err = f.Write(b[len(b)/2:])
	}
	if err == nil {
		_, err = f.WriteAt([]byte(magic), 0)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		c.d.kill(x, r, "saved")
		c.d.endJob(r, j)
		return nil
	}
	err = errors.Join(err, os.Remove(file))
	c.d.endJob(r, j)
	c.d.stay(x, r, before, frozen)
	return err
}

// read is a save file. libvirt looks at its magic first.
func (c *call) read(file string) (m lab.Memory, conf config, err error) {
	b, err := os.ReadFile(c.absolute(file))
	if err != nil {
		return m, conf, refuse("Failed to open file '%s': %s", file, why(err))
	}
	rest, whole := bytes.CutPrefix(b, []byte(magic))
	switch {
	case bytes.HasPrefix(b, []byte(part)):
		return m, conf, refusal("operation failed: save image is incomplete")
	case !whole:
		return m, conf, refusal("operation failed: image magic is incorrect")
	}
	if m, conf, err = unpack(rest); err != nil {
		return m, conf, refusal("operation failed: failed to read qemu header")
	}
	return m, conf, nil
}

func (c *call) dumpImage(_ context.Context, w words) int {
	_, conf, err := c.read(w["file"])
	if err != nil {
		return c.fail(err.Error())
	}
	c.say("%s", conf.XML)
	return 0
}

// restore starts a domain from a file, which it leaves where it is.
func (c *call) restore(life context.Context, w words) int {
	refuse := func(err error) int { return c.fail("Failed to restore domain from "+w["file"], err.Error()) }
	_, conf, err := c.read(w["file"])
	if err != nil {
		return refuse(err)
	}
	x, r, err := c.d.place(c.n, conf, false, state{isPaused, "starting up"})
	if err == nil {
		err = c.resurrect(life, x, r, c.absolute(w["file"]), w.has("paused"))
	}
	if err != nil {
		return refuse(err)
	}
	c.extra("Domain restored from %s", w["file"])
	return 0
}

// resurrect gives a domain the memory of a file, or takes it away.
func (c *call) resurrect(life context.Context, x *domain, r *running, file string, paused bool) error {
	m, _, err := c.read(file)
	if err == nil {
		err = c.d.fits(c.n, x)
	}
	if err == nil {
		err = c.d.claim(x, r)
	}
	if err == nil && !wait(life, copyTakes(x.conf.bytes())) {
		err = lab.ErrGone
	}
	if err == nil && c.n.Fault("virsh", "restore-fails", x.conf.Name) {
		err = refusal("internal error: process exited while connecting to monitor: qemu-system-x86_64: load of migration failed: Input/output error")
	}
	if err == nil {
		err = c.d.fill(c.n, x, r, &m)
	}
	if err == nil && !paused {
		err = c.d.goOn(x, r, "restored")
	}
	if err != nil {
		c.d.kill(x, r, "failed")
		return err
	}
	if paused {
		c.d.set(x, r, isPaused, userPaused)
	}
	return nil
}
