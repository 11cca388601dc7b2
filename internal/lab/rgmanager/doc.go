// Package rgmanager is the lab's cluster manager: membership, quorum and fencing of all
// nodes, and on each of them what rgmanager does there. One process plays it all.
//
// It discovers agents by running them with meta-data, runs their actions with the
// arguments, the environment and the descriptors that rgmanager gives, and answers as
// clustat, clusvcadm, cman_tool and ccs_tool do, with their texts, exit codes and traps.
// What it was asked and what it did stands in the lab's log/manager.log.
//
// Start at Run (manager.go). A group (what clusvcadm calls a service) is in group.go, the
// operations on it in start.go, stop.go, relocate.go, recover.go; how an action becomes a
// process in exec.go; nodes that come and go in members.go; what can
// be switched while it runs (fencing, releases, storage that stands still) in switches.go.
//
// Not played: depend, central_processing, __independent_subtree and __max_failures.
package rgmanager
