package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/lbvm/lbvm/internal/host"
)

const (
	vzctl   = "vzctl"
	vzlist  = "vzlist"
	vzConfs = "/etc/vz/conf"
	vzConf  = "/etc/vz/vz.conf"
)

// Exit codes of vzctl that change what we do.
const (
	vzLocked     = 9
	vzNotMounted = 40
)

// openVZ drives containers by vzctl.
//
// It never passes --skiplock: our own lock keeps our own agents apart, and vzctl's lock is the only thing that
// keeps an administrator's vzctl, vzmigrate and vzeventd off the container meanwhile. A lock that is held only
// for a moment is waited for instead (retryLocked).
type openVZ struct{ tools Tools }

var (
	_ Driver       = (*openVZ)(nil)
	_ Detailer     = (*openVZ)(nil)
	_ Checkpointer = (*openVZ)(nil)
	_ Lister       = (*openVZ)(nil)
)

func checkVZName(vm string) error {
	if err := host.CheckName(vm); err != nil {
		return fmt.Errorf("%w: %w", ErrName, err)
	}
	if vm == "0" {
		return fmt.Errorf("%w: container 0 is the node itself", ErrName)
	}
	return nil
}

// State asks vzctl.
func (o *openVZ) State(ctx context.Context, vm string) (State, error) {
	d, err := o.Detail(ctx, vm)
	return d.State, err
}

// Detail asks vzctl. "running" and "mounted" are this node's own facts; "deleted" is not one: vzctl says it as well
// where the container's files cannot be seen.
func (o *openVZ) Detail(ctx context.Context, vm string) (Detail, error) {
	if err := checkVZName(vm); err != nil {
		return Detail{}, err
	}
	r, err := o.tools.ask(ctx, vzctl, "status", vm)
	if err != nil {
		err = fmt.Errorf("asking what %s is: %w", vm, err)
		if errors.Is(err, ErrNoProgram) {
			return withoutTool(err, noVZ(o.tools.Host, vm))
		}
		return Detail{}, err
	}
	s, err := parseVZStatus(r.Stdout, vm)
	if err != nil {
		return Detail{}, fmt.Errorf("asking what %s is: %w", vm, err)
	}
	d := Detail{State: s.state(), Foreign: s.suspended, Rows: []string{s.line}}
	d.MayReturn = d.State == Remains
	if d.State == Absent {
		if err := o.provedAbsent(vm); err != nil {
			return Detail{Rows: d.Rows}, fmt.Errorf("asking what %s is: %w: %w", vm, ErrDown, err)
		}
	}
	return d, nil
}

// provedAbsent is nil if no configuration of vm is here. vzctl says "deleted" also where the shared storage is not
// mounted: the folder or the file is a link to nothing then, or the private area is away.
func (o *openVZ) provedAbsent(vm string) error {
	h := o.tools.Host
	conf := h.Path(filepath.Join(vzConfs, vm+".conf"))
	if fi, err := os.Stat(filepath.Dir(conf)); err != nil || !fi.IsDir() {
		return fmt.Errorf("vzctl says deleted, but %s cannot be read (is the shared storage mounted?)", filepath.Dir(conf))
	}
	_, err := os.Lstat(conf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("vzctl says deleted, but it is not known whether %s exists: %w", conf, err)
	}
	if _, err := os.Stat(conf); err != nil {
		return fmt.Errorf("vzctl says deleted, but the link %s is there (is the shared storage mounted?): %w", conf, err)
	}
	return fmt.Errorf("vzctl says deleted, but %s is there: the private area cannot be reached", conf)
}

// Start boots the container. vzctl from 4.1 on would first resume a dump that lies at its own place, however old it
// is; we put none there, so one that is there is foreign and moved away.
func (o *openVZ) Start(ctx context.Context, g Guest) error {
	d, err := o.Detail(ctx, g.Name)
	if err != nil {
		return err
	}
	if d.Foreign {
		if err := o.moveForeignDump(g.Name); err != nil {
			return fmt.Errorf("starting %s: %w", g.Name, err)
		}
	}
	o.dropQuota(ctx, g.Name)
	return o.retryLocked(ctx, "start", g.Name)
}

// moveForeignDump renames the default dump of vm, so that vzctl start cannot use it.
func (o *openVZ) moveForeignDump(vm string) error {
	if o.tools.Rehearsal != nil {
		o.tools.note("a dump of %s that is not ours lies at vzctl's own place: it is moved away before the start", vm)
		return nil
	}
	h := o.tools.Host
	dir := ""
	if b, err := os.ReadFile(h.Path(vzConf)); err == nil {
		dir = parseVZConf(b).get("DUMPDIR")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for a foreign dump: %w", err)
	}
	dirs := []string{dir}
	if dir == "" {
		dirs = []string{"/vz/dump", "/var/lib/vz/dump"} // upstream's default and Debian's
	}
	moved := false
	for _, d := range dirs {
		from := h.Path(filepath.Join(d, "Dump."+vm))
		err := os.Rename(from, from+".lbvm-foreign")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("moving a foreign dump away: %w", err)
		}
		moved = true
		o.tools.note("a dump of %s that is not ours lay at %s: moved to %s.lbvm-foreign, not resumed", vm, from, filepath.Base(from))
	}
	if !moved {
		return fmt.Errorf("vzctl knows of a dump of %s that is not ours, and it is not in %q: vzctl start would resume it", vm, dirs)
	}
	return nil
}

// Shutdown asks init of the container to end. vzctl itself kills after STOP_TIMEOUT.
func (o *openVZ) Shutdown(ctx context.Context, vm string) error {
	d, err := o.Detail(ctx, vm)
	if err != nil {
		return err
	}
	if d.State == Running || d.State == Paused { // vzctl 7, by which it can be seen, thaws it first
		if err := o.retryLocked(ctx, "stop", vm); err != nil {
			return err
		}
	}
	return o.Unmount(ctx, vm)
}

// Destroy kills the container's processes, frozen or not, and unmounts it.
func (o *openVZ) Destroy(ctx context.Context, vm string) error {
	var last error
	for before := Unknown; ; {
		d, err := o.Detail(ctx, vm)
		if err == nil && d.State.Clean() {
			return nil
		}
		if d.State == before { // nothing has changed since: do not run in circles
			if wait := o.tools.poll(ctx); wait != nil {
				return errors.Join(fmt.Errorf("destroying %s: it is still %s: %w", vm, d.State, wait), last)
			}
		}
		before = d.State
		switch {
		case err != nil:
			last = err
		case d.State == Running || d.State == Paused:
			// Killing by the checkpoint ends a frozen container at once and refuses one that is not frozen; stop
			// would wait for a frozen one in vain.
			if last = o.Kill(ctx, vm); last != nil {
				last = o.retryLocked(ctx, "stop", vm, "--fast")
			}
		default:
			last = o.umount(ctx, vm)
		}
	}
}

// retryLocked runs vzctl VERB VM and waits a little where another vzctl holds the container's lock.
func (o *openVZ) retryLocked(ctx context.Context, verb, vm string, args ...string) error {
	if err := checkVZName(vm); err != nil {
		return err
	}
	for try := 0; ; try++ {
		err := o.tools.change(ctx, append([]string{vzctl, verb, vm}, args...)...)
		if exitCode(err) != vzLocked || try == 5 {
			return err
		}
		if wait := o.tools.Clock.Sleep(ctx, time.Second); wait != nil {
			return errors.Join(err, wait)
		}
	}
}
