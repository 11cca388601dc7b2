package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

// Request is a tool's call, as its process was started.
type Request struct {
	Node  string   // "" for the lab's own commands
	Argv  []string // Argv[0] is the tool's name without folder
	Stdin []byte
	Dir   string
	PID   int `json:"-"` // the calling process, as the kernel says
}

// Handler answers requests. ctx ends when the caller goes away: its process was killed.
type Handler func(ctx context.Context, r Request) run.Result

// Listen opens a lab socket. The path may be longer than a socket address holds.
func Listen(path string) (net.Listener, error) {
	short, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, nil
}

// Serve answers on l until ctx ends. It returns when every handler has.
func Serve(ctx context.Context, l net.Listener, h Handler) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accepting a call: %w", err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer c.Close()
			serveOne(ctx, c, h)
		}()
	}
}

func serveOne(ctx context.Context, c net.Conn, h Handler) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var r Request
	dec := json.NewDecoder(c)
	if err := dec.Decode(&r); err != nil {
		return // a caller that was killed before it had spoken
	}
	r.PID = peer(c)
	go func() { // the caller sends nothing more: the next read ends when it goes
		var b [1]byte
		if _, err := c.Read(b[:]); err != nil {
			cancel()
		}
	}()
	answer := h(ctx, r)
	if err := json.NewEncoder(c).Encode(answer); err != nil {
		return // likewise
	}
}

// peer is the process at the other end, 0 if the kernel does not tell.
func peer(c net.Conn) int {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}

// ErrDown says that nobody listens: the node or the manager is not running.
var ErrDown = errors.New("nobody answers")

// Call sends r and waits for the answer.
func Call(ctx context.Context, socket string, r Request) (run.Result, error) {
	short, done, err := shorten(socket)
	if err != nil {
		return run.Result{}, fmt.Errorf("%w: %w", ErrDown, err)
	}
	defer done()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", short)
	if err != nil {
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
			err = fmt.Errorf("%w: %w", ErrDown, err)
		}
		return run.Result{}, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := json.NewEncoder(c).Encode(r); err != nil {
		return run.Result{}, fmt.Errorf("calling %s: %w", r.Argv[0], err)
	}
	var answer run.Result
	if err := json.NewDecoder(c).Decode(&answer); err != nil {
		return run.Result{}, fmt.Errorf("waiting for %s: %w: %w", r.Argv[0], ErrDown, err)
	}
	return answer, nil
}

// shorten names a socket through a descriptor of its folder, since an address holds 107 bytes only.
func shorten(path string) (string, func(), error) {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), filepath.Base(path)), func() { d.Close() }, nil
}
