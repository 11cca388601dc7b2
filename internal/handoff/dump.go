package handoff

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A dump is a file, or a folder of files by vzctl 7.

// sizeOf is how many bytes a dump has.
func sizeOf(path string) (int64, error) { return walkDump(path, nil) }

// fsyncDump makes a dump durable and gives its size.
func fsyncDump(path string) (int64, error) {
	return walkDump(path, func(p string, dir bool) (err error) {
		flags := os.O_RDWR
		if dir {
			flags = os.O_RDONLY
		}
		f, err := os.OpenFile(p, flags, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// walkDump goes through a dump and sums up what its files hold. Nothing but files and folders belongs in one.
func walkDump(path string, each func(path string, dir bool) error) (size int64, err error) {
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case fi.Mode().IsRegular():
			size += fi.Size()
		case !fi.IsDir():
			return fmt.Errorf("%w: %s is neither a file nor a folder", ErrBadImage, p)
		}
		if each == nil {
			return nil
		}
		return each(p, fi.IsDir())
	})
	return size, err
}
