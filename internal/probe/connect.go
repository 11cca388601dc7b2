package probe

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// lookEvery is how long poll(2) waits before it is asked whether the time is over, in milliseconds.
const lookEvery = 50

// connect opens a connection and closes it. A guest that refuses it has not answered: the service behind it is down.
func (c Check) connect(ctx context.Context, w World) error {
	a, err := w.resolve(c.Host)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(a.family(), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%w: opening a socket: %w", ErrUnmade, err)
	}
	err = dial(ctx, fd, a.sockaddr(c.Port))
	if cerr := unix.Close(fd); cerr != nil && err == nil {
		err = fmt.Errorf("%w: closing the connection: %w", ErrUnmade, cerr)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	return nil
}

func dial(ctx context.Context, fd int, to unix.Sockaddr) error {
	err := unix.Connect(fd, to)
	for errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.EINTR) || errors.Is(err, unix.EALREADY) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, perr := unix.Poll(fds, lookEvery)
		switch {
		case perr != nil && !errors.Is(perr, unix.EINTR):
			return fmt.Errorf("%w: %w", ErrUnmade, perr)
		case n > 0:
			code, gerr := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if gerr != nil {
				return fmt.Errorf("%w: %w", ErrUnmade, gerr)
			}
			err = nil
			if code != 0 {
				err = unix.Errno(code)
			}
		case ctx.Err() != nil:
			return fmt.Errorf("%w: no connection in time", ErrNoAnswer)
		}
	}
	switch {
	case err == nil:
		return nil
	case ofThisNode(err):
		return fmt.Errorf("%w: %w", ErrUnmade, err)
	}
	return fmt.Errorf("%w: %w", ErrNoAnswer, err)
}

// ofThisNode tells an error that is this node's own, not the guest's: it has no descriptor, no port or no memory left, may
// not open connections, or has no address of that family or no way there.
func ofThisNode(err error) bool {
	for _, own := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS, unix.EACCES, unix.EPERM, unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT, unix.EAGAIN, unix.EINVAL, unix.ENETDOWN, unix.ENETUNREACH} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}
