package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Suspend freezes the container. vzctl writes no file.
func (o *openVZ) Suspend(ctx context.Context, vm string) error {
	return o.retryLocked(ctx, "chkpnt", vm, "--suspend")
}

// Dump writes the frozen container's memory. vzctl opens the file with O_TRUNC before it looks at anything else, so
// a good image of that name would be lost: it is refused here.
func (o *openVZ) Dump(ctx context.Context, vm, image string) error {
	if _, err := os.Lstat(image); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("dumping %s: %s exists", vm, image), err)
	}
	return o.retryLocked(ctx, "chkpnt", vm, "--dump", "--dumpfile", image)
}

// Thaw lets the container go on. One that was never frozen has no context to join, which is as good, but only in
// these words: another refusal may leave it frozen.
func (o *openVZ) Thaw(ctx context.Context, vm string) error {
	err := o.retryLocked(ctx, "chkpnt", vm, "--resume")
	if err != nil && !notFrozen(err) {
		return err
	}
	s, look := o.State(ctx, vm)
	if look != nil {
		return errors.Join(err, look)
	}
	if s != Running {
		return errors.Join(fmt.Errorf("thawing %s: it is %s", vm, s), err)
	}
	return nil
}

// notFrozen: the kernel knows no checkpoint of that container.
func notFrozen(err error) bool {
	return said(err, "can not join cpt context") && said(err, "no such file or directory")
}

// Kill ends the frozen container.
func (o *openVZ) Kill(ctx context.Context, vm string) error {
	return o.retryLocked(ctx, "chkpnt", vm, "--kill")
}

// Unmount unmounts the container and looks whether it did: vzctl ends with 0 also where the mount was busy.
func (o *openVZ) Unmount(ctx context.Context, vm string) error {
	s, err := o.State(ctx, vm)
	if err != nil {
		return err
	}
	if s.Clean() {
		return nil
	}
	if s == Running || s == Paused {
		return fmt.Errorf("unmounting %s: it runs", vm)
	}
	tool := o.umount(ctx, vm)
	s, err = o.State(ctx, vm)
	if err != nil {
		return errors.Join(err, tool)
	}
	if !s.Clean() {
		return errors.Join(fmt.Errorf("unmounting %s: it is still mounted", vm), tool)
	}
	return nil
}

func (o *openVZ) umount(ctx context.Context, vm string) error {
	err := o.retryLocked(ctx, "umount", vm)
	if exitCode(err) == vzNotMounted {
		return nil
	}
	return err
}

// Restore mounts the container and lets it go on from image. vzctl from 3.1 on deletes the image then, older ones
// keep it: the caller sees to it that it is never used again.
func (o *openVZ) Restore(ctx context.Context, g Guest, image string) error {
	if err := o.tools.imageThere(image); err != nil {
		return fmt.Errorf("restoring %s: %w", g.Name, err)
	}
	o.dropQuota(ctx, g.Name)
	return o.retryLocked(ctx, "restore", g.Name, "--dumpfile", image)
}
