package protocol

import "fmt"

// Step is one way in which a VM becomes free whose record names a node that is away and not proved gone.
type Step struct {
	Command string // as it is typed; "" is no command
	What    string // when it is the right one, and what comes of it
}

// Freeing are the ways, in the order in which they are to be tried: the one place that says when lbm confirm-down is
// in order. left says that the node has left the cluster in order with the VM on it.
//
// A node that was lost is owed a fencing. The cluster manager waits for that too, so that a word to the agents alone
// starts nothing; what ends the fencing frees both. A node that left is owed none, and no fencing speaks for it.
func Freeing(vm, node string, left bool) []Step {
	confirm := fmt.Sprintf("lbm confirm-down %s %s", vm, node)
	if left {
		return []Step{
			{"service cman start; service lbvm start; service rgmanager start", fmt.Sprintf("on %s, if it is up: it joins again, stops the VM with its memory, and the VM is free", node)},
			{"", fmt.Sprintf("or boot %s: it says itself that it has booted anew. A fencing alone does not free the VM", node)},
			{confirm, fmt.Sprintf("if %s is off for certain (go and look) and stays so; then lbm repair %s", node, vm)},
		}
	}
	return []Step{
		{"fence_node " + node, "has it fenced: that frees the VM, and the cluster manager goes on by itself. To boot it does the same"},
		{"fence_ack_manual " + node, fmt.Sprintf("if fencing fails and %s is off for certain (go and look): tells the fence daemon so, on the node whose daemon tries it; the cluster manager goes on too", node)},
		{confirm, fmt.Sprintf("only where no fencing is tried or affirmed (no fence daemon; it has not been a member since the cluster was started): it tells the agents alone; then lbm repair %s", vm)},
	}
}
