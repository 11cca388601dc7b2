package lab

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is a trick of an emulated program: from the NTH time on that it could happen, it happens TIMES times.
type Fault struct {
	Tool, Name string
	VM         string // * is any
	Nth, Times int
}

// FaultNames lists the faults that a tool knows.
func FaultNames(tool string) []string {
	switch tool {
	case "vzctl":
		return []string{"dump-fails", "kill-fails", "umount-busy", "undump-fails", "slow-stop"}
	case "xm":
		return []string{"restore-fails", "save-fails", "migrate-fails", "migrate-lost", "slow-stop"}
	}
	return nil
}

// SetFault switches a fault on.
func (n *Node) SetFault(f Fault) error {
	names := FaultNames(f.Tool)
	if !slices.Contains(names, f.Name) {
		return fmt.Errorf("%s knows no fault %q, only: %s", f.Tool, f.Name, strings.Join(names, " "))
	}
	if f.Nth < 1 || f.Times < 1 {
		return fmt.Errorf("fault %s %s: NTH and TIMES begin with 1", f.Tool, f.Name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, &f)
	return nil
}

// Fault is asked where a fault could happen, and tells whether it does.
func (n *Node) Fault(tool, name, vm string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	happens := false
	for _, f := range n.faults {
		if f.Tool != tool || f.Name != name || f.VM != "*" && f.VM != vm || f.Times == 0 {
			continue
		}
		if f.Nth--; f.Nth <= 0 {
			f.Times--
			happens = true
		}
	}
	return happens
}
