package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// System is what changes on disk. A test puts another one in Options: it records every call, lets one fail, or
// ends the process there.
type System interface {
	CreateTemp(dir, prefix string) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error
}

// File is an open temporary file.
type File interface {
	Name() string
	Write(data []byte) (int, error)
	Chown(uid, gid int) error
	Chmod(mode fs.FileMode) error
	SetAttribute(name string, value []byte) error // an extended attribute; a nil value removes it
	Sync() error
	Close() error
}

// Real is the operating system.
func Real() System { return realSystem{} }

type realSystem struct{}

func (realSystem) CreateTemp(dir, prefix string) (File, error) {
	f, err := os.CreateTemp(dir, prefix)
	if err != nil {
		return nil, err
	}
	return realFile{f}, nil
}

func (realSystem) Rename(from, to string) error { return os.Rename(from, to) }
func (realSystem) Remove(path string) error     { return os.Remove(path) }
func (realSystem) SyncDir(dir string) error     { return FsyncDir(dir) }

type realFile struct{ *os.File }

func (f realFile) SetAttribute(name string, value []byte) error {
	if value == nil {
		return unix.Fremovexattr(int(f.Fd()), name)
	}
	return unix.Fsetxattr(int(f.Fd()), name, value, 0)
}

// The extended attributes that say who may read a file.
const (
	securityLabel = "security.selinux"
	accessList    = "system.posix_acl_access"
)

// copyAttribute gives a new file the attribute of an old one. An access list that the old one does not have, but the
// folder gave the new one, is taken away.
func copyAttribute(name, from string, to File) error {
	value := make([]byte, 1<<16)
	n, err := unix.Getxattr(from, name, value)
	switch {
	case err == nil:
		if err := to.SetAttribute(name, value[:n]); err != nil {
			return fmt.Errorf("keeping the attribute %s: %w", name, err)
		}
	case errors.Is(err, unix.ENODATA) && name == accessList:
		if err := to.SetAttribute(name, nil); err != nil && !absent(err) {
			return fmt.Errorf("removing the attribute %s: %w", name, err)
		}
	case !absent(err):
		return fmt.Errorf("reading the attribute %s: %w", name, err)
	}
	return nil
}

// absent tells whether the file has no such attribute or its file system has none at all.
func absent(err error) bool {
	return errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS)
}
