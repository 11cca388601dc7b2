package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/run"
)

// undefined tells whether libvirt on this node knows the guest no more, and what it knew is kept.
func (w *work) undefined() (bool, error) {
	if w.p.Defined == nil {
		return true, nil
	}
	kept, err := exists(w.Host.Path(w.p.Defined.to()))
	if err != nil || !kept {
		return false, err
	}
	there, err := exists(w.Host.Path(w.p.Defined.Path))
	return err == nil && !there, err
}

// undefine keeps libvirt's file and takes the guest from it, so that nothing starts it here behind the cluster's back.
func (w *work) undefine(ctx context.Context) error {
	if done, err := w.undefined(); err != nil || done {
		return err
	}
	path, to := w.Host.Path(w.p.Defined.Path), w.Host.Path(w.p.Defined.to())
	if err := w.asPlanned(*w.p.Defined); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := removeTemps(to); err != nil {
		return err
	}
	if err := atomicfile.Write(to, text, atomicfile.Options{Like: path, At: func(x atomicfile.Point) error { return w.at("retire/keep/" + string(x)) }}); err != nil {
		return err
	}
	if err := w.at("retire/undefine"); err != nil {
		return err
	}
	return w.virsh(ctx, "undefine", w.p.VM)
}

// define gives the guest back to libvirt, if it was taken from it.
func (w *work) define(ctx context.Context) error {
	if w.p.Defined == nil {
		return nil
	}
	path, kept := w.Host.Path(w.p.Defined.Path), w.Host.Path(w.p.Defined.to())
	if err := removeTemps(kept); err != nil {
		return err
	}
	if there, err := exists(kept); err != nil || !there {
		return err
	}
	if there, err := exists(path); err != nil {
		return err
	} else if !there {
		if err := w.at("undo:retire/define"); err != nil {
			return err
		}
		if err := w.virsh(ctx, "define", kept); err != nil {
			return err
		}
		if there, err := exists(path); err != nil || !there {
			return errors.Join(fmt.Errorf("virsh define has made no %s", w.p.Defined.Path), err)
		}
	}
	if w.p.Autostart {
		if err := w.at("undo:retire/autostart"); err != nil {
			return err
		}
		if err := w.virsh(ctx, "autostart", w.p.VM); err != nil {
			return err
		}
	}
	if err := w.at("undo:retire/forget"); err != nil {
		return err
	}
	if err := os.Remove(kept); err != nil && !errors.Is(err, fs.ErrNotExist) { // libvirt has it in its own place again
		return err
	}
	return nil
}

// virsh changes what libvirt knows. It starts and ends no guest, and is done in a moment.
func (w *work) virsh(ctx context.Context, args ...string) error {
	program, err := w.Host.Lookup("virsh")
	if err != nil {
		return err
	}
	r, err := w.Keep(w.lock.File()).Run(ctx, run.Command{Argv: append([]string{program, "-c", "qemu:///system"}, args...), Env: w.Host.Environ()})
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("virsh %s: exit %d: %s", args[0], r.Code, lastLines(r.Stderr))
	}
	return nil
}
