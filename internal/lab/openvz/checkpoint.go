package openvz

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lbvm/lbvm/internal/lab"
)

// chkpnt is `vzctl chkpnt`, whole or one step of it.
func (c *call) chkpnt(o options) int {
	if o.kill || o.resume {
		return c.frozenStep(o, "kill-fails", exitCheckpoint)
	}
	g := c.c.running()
	if g == nil {
		c.fail(notRunningDump)
		return exitNotRunning
	}
	c.say(settingUp)
	if c.n.Fault("vzctl", "cpt-missing", c.id) {
		c.fail(noSupport)
		return exitCheckpoint
	}
	whole := !o.suspend && !o.dump
	file := o.dumpFile
	if o.dump && file == "" {
		c.fail(noDumpFile)
		c.fail(dumpFailed)
		return exitCheckpoint
	}
	if whole && file == "" {
		file = c.conf.defaultDump(c.id)
	}
	var f *os.File
	if o.dump || whole {
		var err error
		if f, err = c.create(file); err != nil {
			c.fail(cannotCreate, file, reason(err))
			c.fail(dumpFailed)
			return exitCheckpoint
		}
		defer f.Close()
	}
	if !c.steps(g, o, whole, f) {
		if c.ctx.Err() != nil { // killed: everything stays as it is
			return exitCheckpoint
		}
		c.fail(dumpFailed)
		if f != nil && !c.v.before(3, 0, 24) {
			if err := os.RemoveAll(file); err != nil {
				c.fail(cannotCreate, file, reason(err))
			}
		}
		return exitCheckpoint
	}
	if whole {
		c.c.set(true, nil)
		c.umount() // and nobody looks at its result
	}
	c.say(dumpDone)
	return 0
}

func (c *call) steps(g *lab.Guest, o options, whole bool, f *os.File) bool {
	if o.suspend || whole {
		c.say(suspending)
		if g.Frozen() {
			c.fail(cannotSuspend, "Device or resource busy")
			return false
		}
		if err := g.Freeze(); err != nil {
			c.fail(cannotSuspend, err)
			return false
		}
		if o.suspend {
			c.say(gettingContext)
		}
	}
	if o.dump || whole {
		if o.dump {
			c.say(joiningContext)
			if !g.Frozen() {
				c.fail(cannotJoin, 0)
				return false
			}
		}
		c.say(dumping)
		if err := c.dump(g, f); err != nil {
			if c.ctx.Err() != nil {
				return false
			}
			c.fail(cannotDump, reason(err))
			if whole {
				if err := g.Thaw(); err != nil {
					c.fail(cannotSuspend, err)
				}
			}
			return false
		}
	}
	if whole {
		c.say(killStep)
		if c.n.Fault("vzctl", "kill-fails", c.id) {
			c.fail(cannotKill, "Device or resource busy")
			return false
		}
		g.Kill()
	}
	return true
}

// dump writes the memory in two parts: who is killed between them leaves a torso.
func (c *call) dump(g *lab.Guest, f *os.File) error {
	m, err := g.Memory()
	if err != nil {
		return err
	}
	b, err := m.Format()
	if err != nil {
		return err
	}
	if _, err := f.Write(b[:len(b)/2]); err != nil {
		return err
	}
	if !pause(c.ctx, copyTakes(m.MemBytes)) {
		return c.ctx.Err()
	}
	if c.n.Fault("vzctl", "dump-fails", c.id) {
		return syscall.EINVAL
	}
	if c.n.Fault("vzctl", "disk-full", c.id) {
		return syscall.ENOSPC
	}
	_, err = f.Write(b[len(b)/2:])
	return err
}

// memoryFile is where a dump's memory lies: vzctl 7 makes a folder.
func (c *call) memoryFile(dump string) string {
	if c.v.major >= 7 {
		return filepath.Join(dump, "pages-1.img")
	}
	return dump
}

// create opens a dump, emptied if it was there.
func (c *call) create(dump string) (*os.File, error) {
	if c.v.major >= 7 {
		if err := os.MkdirAll(dump, 0o700); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(c.memoryFile(dump), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// frozenStep is --kill and --resume, of chkpnt and of restore alike.
func (c *call) frozenStep(o options, fault string, code int) int {
	g := c.c.running()
	if g == nil {
		c.say(notRunningAny)
		return exitNotRunning
	}
	if !g.Frozen() {
		c.fail(cannotJoin, 0)
		return code
	}
	if o.resume {
		c.say(resumingNow)
		if err := g.Thaw(); err != nil {
			c.fail(cannotSuspend, err)
			return code
		}
		return 0
	}
	c.say(killingNow)
	if c.n.Fault("vzctl", fault, c.id) {
		c.fail(cannotKill, "Device or resource busy")
		return code
	}
	g.Kill()
	return 0
}

// restore is `vzctl restore`, whole or one step of it.
func (c *call) restore(o options) int {
	if o.kill || o.resume {
		return c.frozenStep(o, "kill-fails", exitRestore)
	}
	if c.c.running() != nil {
		c.fail(restoreRunning)
		if c.v.before(3, 1, 0) {
			return exitNotRunning // sic
		}
		return exitRunning
	}
	c.say(restoring)
	file := o.dumpFile
	if file == "" {
		if o.undump {
			c.fail(noDumpFile)
			return exitRestore
		}
		file = c.conf.defaultDump(c.id)
	}
	if c.n.Fault("vzctl", "rst-missing", c.id) {
		c.fail(noSupportBack)
		return exitRestore
	}
	b, err := os.ReadFile(c.memoryFile(file))
	if err != nil {
		c.fail(cannotOpen, file, reason(err))
		return exitRestore
	}
	c.say(starting)
	if !exists(c.n.Path(c.conf.private)) {
		c.fail(noPrivate, c.conf.private)
		return exitNoPrivate
	}
	if code := c.mount(); code != 0 {
		return code
	}
	c.say(undumping)
	g, err := c.undump(b)
	if err != nil {
		if c.ctx.Err() != nil {
			return exitRestore
		}
		c.fail(undumpFailed, reason(err))
		c.fail(restoreFailed)
		c.umount()
		return exitRestore
	}
	c.c.set(true, g)
	if o.undump {
		c.say(gettingContext)
	} else {
		c.say(resumeStep)
		if err := g.Thaw(); err != nil {
			c.fail(restoreFailed)
			g.Kill()
			c.umount()
			return exitRestore
		}
	}
	c.say(inProgress)
	c.say(restoreDone)
	if !c.v.before(3, 1, 0) && !o.undump { // the old one keeps it
		if err := os.RemoveAll(file); err != nil {
			c.fail(cannotOpen, file, reason(err))
		}
	}
	return 0
}

// undump builds the frozen guest from a dump. What is torn or another container's is refused.
func (c *call) undump(b []byte) (*lab.Guest, error) {
	m, err := lab.ParseMemory(b)
	switch {
	case !pause(c.ctx, copyTakes(m.MemBytes)):
		return nil, c.ctx.Err()
	case err != nil, m.Type != "openvz", m.VM != c.id:
		return nil, syscall.EINVAL
	case c.n.Fault("vzctl", "undump-fails", c.id):
		return nil, syscall.ENOMEM
	}
	s := c.spec()
	s.Memory = &m
	return c.n.Boot(s)
}

// reason is an error as strerror words it.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	var no syscall.Errno
	if errors.As(err, &no) {
		s := no.Error()
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return err.Error()
}
