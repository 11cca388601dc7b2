package ocf

import (
	"errors"
	"io"
	"syscall"
)

// rawFile is an open file by its number. os.File would begin the runtime's poller, which every check of a few
// milliseconds pays for, and no file of ours waits for anything. Who opened it closes it: nothing else does.
type rawFile int

// noAtime opens a file without noting that it was read: to write that down costs as much as the reading. The kernel
// allows it to the owner and to root.
const noAtime = syscall.O_NOATIME

func openRaw(path string, how int, mode uint32) (rawFile, error) {
	for {
		fd, err := syscall.Open(path, how|syscall.O_CLOEXEC, mode)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EPERM) && how&noAtime != 0:
			how &^= noAtime
		default:
			return rawFile(fd), err
		}
	}
}

// ReadAt fills b, or says why it could not.
func (f rawFile) ReadAt(b []byte, at int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := syscall.Pread(int(f), b[done:], at+int64(done))
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return done, err
		case n == 0:
			return done, io.EOF
		default:
			done += n
		}
	}
	return done, nil
}

// WriteAt writes all of b, or says why it could not.
func (f rawFile) WriteAt(b []byte, at int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := syscall.Pwrite(int(f), b[done:], at+int64(done))
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return done, err
		case n == 0:
			return done, io.ErrUnexpectedEOF
		default:
			done += n
		}
	}
	return done, nil
}

// size is the file's size; regular tells whether it is a file that has one.
func (f rawFile) size() (size int64, regular bool, err error) {
	var st syscall.Stat_t
	err = again(func() error { return syscall.Fstat(int(f), &st) })
	return st.Size, st.Mode&syscall.S_IFMT == syscall.S_IFREG, err
}

func (f rawFile) chmod(mode uint32) error {
	return again(func() error { return syscall.Fchmod(int(f), mode) })
}

func (f rawFile) truncate(size int64) error {
	return again(func() error { return syscall.Ftruncate(int(f), size) })
}

func (f rawFile) lock(how int) error {
	return again(func() error { return syscall.Flock(int(f), how) })
}

// close is not tried again: whatever it says, the number is free.
func (f rawFile) close() error { return syscall.Close(int(f)) }

// again does something until no signal interrupts it.
func again(do func() error) error {
	for {
		if err := do(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
