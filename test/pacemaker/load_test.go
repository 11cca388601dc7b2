package pacemaker

import (
	"context"
	"fmt"
	"strings"
)

// A node's load is how many of its tasks run, want to, or wait for a disk: what makes up the load average, at this moment.
// The machine's own figures in /proc are of all nodes together.
const resourcesConf = `resource tasks {
    cmd ps -eLo stat= | grep -c '^[RD]';
}

vmresource tasks {
    cmd /usr/local/sbin/vm-tasks;
}
`

// vmTasks tells the same of each guest.
const vmTasks = `#!/bin/sh
for f in /run/libvirt/qemu/*.pid; do
	[ -e "$f" ] || continue
	vm=${f##*/}
	echo "${vm%.pid} $(ps -L -o stat= -p "$(cat "$f")" | grep -c '^[RD]')"
done
`

// hot is above what a node has by itself, also on a busy machine; heat makes far more.
const (
	hot  = 12
	cool = 8
	heat = 30
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
