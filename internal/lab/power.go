package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
)

const bootFile = "proc/sys/kernel/random/boot_id"

// NewBoot gives a node a new boot id and an empty var/run. It is called before a node's daemon is started.
func NewBoot(l Layout, node string) error {
	if err := emptyRun(l, node); err != nil {
		return err
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	id := fmt.Sprintf("%x-%x-%x-%x-%x\n", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	return replace(filepath.Join(l.Root(node), bootFile), []byte(id))
}

// ensureBoot is NewBoot for a node that never booted.
func ensureBoot(l Layout, node string) error {
	_, err := os.Stat(filepath.Join(l.Root(node), bootFile))
	if errors.Is(err, fs.ErrNotExist) {
		return NewBoot(l, node)
	}
	return err
}

func emptyRun(l Layout, node string) error {
	dir := filepath.Join(l.Root(node), "var/run")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.MkdirAll(dir, 0o755)
}

// KillNode is a power cut: SIGKILL to the daemon, guests, agents and tools of a node, that is to every process
// whose environment names its root, until none is left. Then var/run is emptied.
func KillNode(l Layout, node string) error {
	mark := []byte(host.RootVariable + "=" + l.Root(node))
	deadline := time.Now().Add(time.Minute)
	// A process between fork and exec can be missed once: none must be found three times.
	for quiet := 0; quiet < 3; {
		found, err := killMarked(mark)
		if err != nil {
			return fmt.Errorf("killing node %s: %w", node, err)
		}
		if found > 0 {
			quiet = 0
		} else {
			quiet++
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("killing node %s: %d processes do not end", node, found)
		}
		if err := clock.System().Sleep(context.Background(), 5*time.Millisecond); err != nil {
			return err
		}
	}
	return emptyRun(l, node)
}

func killMarked(mark []byte) (int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	found := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue // it has ended, or it is another user's and so none of ours
		}
		for _, v := range bytes.Split(environ, []byte{0}) {
			if !bytes.Equal(v, mark) {
				continue
			}
			found++
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return found, err
			}
			break
		}
	}
	return found, nil
}

// replace writes a file so that a reader sees the old text or the new one. It does not sync: a lab's node loses
// no disk.
func replace(path string, data []byte) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	err := os.WriteFile(temp, data, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.WriteFile(temp, data, 0o644)
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(temp, path)
}
