package campaign

import (
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/run"
)

// query answers what only asks.
func (n *node) query(argv []string) (run.Result, bool) {
	w := n.w
	words := strings.Join(argv, " ")
	guestTool := argv[0] == "vzctl" || argv[0] == "xm"
	if until, ok := w.silent[n.name]; ok && w.now.Before(until) && guestTool && (strings.HasPrefix(words, "vzctl status") || words == "xm list") {
		return said(1, "Error: Unable to connect to xend: Connection refused. Is xend running?"), true
	}
	switch {
	case argv[0] == ownTool && argv[1] == "status":
		until, ok := w.silent[n.name]
		return n.ownAnswers(ok && w.now.Before(until)), true
	case argv[0] == "virsh":
		return n.virshAsks(argv)
	case strings.HasPrefix(words, "vzctl status"):
		mounted, running := "unmounted", "down"
		if n.mounted {
			mounted = "mounted"
		}
		if n.has.alive() {
			running = "running"
		}
		exist := "exist"
		if n.away {
			exist = "exist" // the old copy below the mount point
		}
		return said(0, "VEID %s %s %s %s", w.vm, exist, mounted, running), true
	case words == "vzctl --version":
		return said(0, "vzctl version 3.0.22"), true
	case words == "xm info":
		return said(0, "xen_major : 3\nxen_minor : 0\nxen_extra : .3\nfree_memory : 4096"), true
	case words == "xm list":
		rows := "Name                                      ID Mem(MiB) VCPUs State   Time(s)\nDomain-0                                   0      512     2 r-----   100.0"
		row := func(name, letters, seconds string) {
			rows += fmt.Sprintf("\n%-40s %4d %8d %5d %s %6s", name, 4+n.joined, 16, 1, letters, seconds)
		}
		switch n.has {
		case runs:
			row(w.vm, "-b----", "4.2")
		case frozen:
			row(w.vm, "--p---", "4.2")
		case leaving:
			row("migrating-"+w.vm, "-b----", "4.2")
		case half:
			row("migrating-"+w.vm, "---s--", "4.2")
		case torso:
			row(w.vm, "--p---", "0.0")
		case arriving: // it may run, and was on no processor yet
			row(w.vm, "------", "0.0")
		}
		return said(0, "%s", rows), true
	case argv[0] == "cman_tool" || argv[0] == "fence_tool":
		return n.cman(words), true
	}
	return run.Result{}, false
}

// cman answers for the membership.
func (n *node) cman(words string) run.Result {
	w := n.w
	if !n.member {
		return said(1, "cman_tool: Cannot open connection to cman, is it running ?")
	}
	var b strings.Builder
	switch words {
	case "cman_tool nodes":
		b.WriteString("Node  Sts   Inc   Joined               Name\n")
		for _, o := range w.nodes {
			sts, at := "X", ""
			if o.member {
				sts, at = "M", "2008-01-10 12:00:00"
			}
			fmt.Fprintf(&b, "%4d   %s  %5d   %19s  %s\n", o.id, sts, o.joined, at, o.name)
		}
	case "cman_tool status":
		up := 0
		for _, o := range w.nodes {
			if o.member {
				up++
			}
		}
		blocked := ""
		if up < 2 {
			blocked = " Activity blocked"
		}
		fmt.Fprintf(&b, "Cluster Member: Yes\nMembership state: Cluster-Member\nQuorum: 2 %s\nNode name: %s\n", blocked, n.name)
	case "fence_tool ls -n":
		b.WriteString("fence domain\nmember count  3\nvictim count  0\n\nall nodes\n")
		for _, o := range w.nodes {
			is := func(b bool) int { return map[bool]int{true: 1}[b] }
			late := o.victim && w.now.Before(o.noticed)
			fmt.Fprintf(&b, "nodeid %d member %d victim %d last fence master 1 how %s\n", o.id, is(o.member || late), is(o.victim && !late), o.how)
		}
	default:
		return said(1, "unknown: %s", words)
	}
	return run.Result{Stdout: []byte(b.String())}
}
