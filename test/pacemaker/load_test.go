package pacemaker

import (
	"context"
	"fmt"
	"strings"
)

// A node's load is how many of its tasks wait for a disk, as vmstat tells it: what its processors do the other nodes of the
// bench do with the same processors, and the machine's own figures in /proc are of all nodes together.
const resourcesConf = `resource blocked {
    cmd ps -eLo stat= | awk '/^D/ { n++ } END { print n + 0 }';
}

vmresource blocked {
    cmd /usr/local/sbin/vm-blocked;
}
`

// vmBlocked tells the same of each guest.
const vmBlocked = `#!/bin/sh
for f in /run/libvirt/qemu/*.pid; do
	[ -e "$f" ] || continue
	vm=${f##*/}
	echo "${vm%.pid} $(ps -L -o stat= -p "$(cat "$f")" | awk '/^D/ { n++ } END { print n + 0 }')"
done
`

// hot is above what a node has by itself; heat makes far more.
const (
	hot  = 7
	cool = 5
	heat = 12
)

// load makes a node hot until it is ended: tasks that wait as for a slow disk, which costs the other nodes nothing. Each is
// a process that has begun another by CLONE_VFORK and waits until that one ends.
func (n *node) load() (end func()) {
	n.b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	// 56 is clone on x86_64, 0x4011 CLONE_VFORK|SIGCHLD.
	cmd, err := n.command(ctx, "perl", "-e", fmt.Sprintf("for (1..%d) { next if fork; sleep if syscall(56, 0x4011, 0, 0, 0, 0) == 0; exit } sleep", heat))
	n.b.must(err)
	n.b.must(cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	end = func() { cancel(); <-done }
	n.b.t.Cleanup(end)
	n.b.until(n.name+" is hot", func() bool { return strings.Count("\n"+n.does("ps", "-eo", "stat="), "\nD") >= heat })
	return end
}
