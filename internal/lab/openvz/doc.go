// Package openvz emulates vzctl and vzlist on a lab node. Start at Tools.
//
// Which containers run and which are mounted is the node's own, as in a kernel; private areas, dumps and
// configurations are wherever the node's tree has them, that is on the shared file system. The lab's file
// etc/lab-vzctl-version chooses the version that is played: 3.0.22 (2007, the default), 3.0.30, 4.11 or 7. They differ
// in words, in codes, in what becomes of dump files, in what `start` does with a dump, in what `set --save` does with a
// link, and in what the init script (`vz start`, `vz stop`) starts and leaves behind; see version.
package openvz

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// Tools gives the programs of one node, by name. Their tables of mounts and guests are this node's own.
func Tools() map[string]lab.Tool {
	k := &kernel{containers: map[string]*container{}}
	return map[string]lab.Tool{"vzctl": k.vzctl, "vzlist": k.vzlist, "vz": k.init}
}

// versionFile holds the version to play, below the node's etc.
const versionFile = "lab-vzctl-version"

// kernel is what only this node knows.
type kernel struct {
	mu         sync.Mutex
	containers map[string]*container
}

// container is one container's part of the kernel's tables.
type container struct {
	doing sync.Mutex // one command at a time touches the container

	mu      sync.Mutex
	mounted bool
	guest   *lab.Guest
}

func (k *kernel) container(id string) *container {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.containers[id]
	if !ok {
		c = &container{}
		k.containers[id] = c
	}
	return c
}

// running gives the guest if it runs, frozen or not.
func (c *container) running() *lab.Guest {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.guest == nil || !c.guest.Alive() {
		return nil
	}
	return c.guest
}

func (c *container) isMounted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mounted
}

func (c *container) set(mounted bool, g *lab.Guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mounted, c.guest = mounted, g
}

// How long things take; nothing depends on it.
const (
	bootTakes = 50 * time.Millisecond
	haltTakes = 100 * time.Millisecond
)

// copyTakes is how long a memory is written or read.
func copyTakes(mem int64) time.Duration {
	return 20*time.Millisecond + time.Duration(mem>>20)*100*time.Microsecond
}

// pause waits d; it is false if the caller was killed meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// call is one run of vzctl.
type call struct {
	ctx    context.Context
	n      *lab.Node
	id     string
	c      *container
	conf   config
	v      version
	quiet  bool
	out    strings.Builder
	errors strings.Builder
}

// say prints progress, fail an error.
func (c *call) say(m message, args ...any) {
	if !c.quiet {
		fmt.Fprintln(&c.out, c.words(m, args...))
	}
}

func (c *call) fail(m message, args ...any) {
	if !c.quiet {
		fmt.Fprintln(&c.errors, c.words(m, args...))
	}
}

func (c *call) words(m message, args ...any) string {
	text := texts[m][1]
	if c.v.before(3, 0, 23) {
		text = texts[m][0]
	}
	if c.v.before(4, 0, 0) {
		text = strings.Replace(text, "successfully", "succesfully", 1)
	}
	return fmt.Sprintf(text, args...)
}

func (c *call) result(code int) run.Result {
	return run.Result{Stdout: []byte(c.out.String()), Stderr: []byte(c.errors.String()), Code: code}
}
