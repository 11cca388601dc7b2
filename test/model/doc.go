// Package model is an exhaustive model of the hand-off: one VM, three nodes, every interleaving of the agents' steps
// with the faults of a cluster, up to a number of faults. The agents of the model choose their rows in the tables of
// internal/handoff/protocol, which are those of the real agents; what a row's deed does is written here once more, one
// durable step or one tool at a time, so that an agent may be killed between any two.
//
// Modelled: the record, the ticket (and the used one), four images (part, published, claim), boot ids, marks, the lock
// and the keeper that holds it for an orphan tool; guests (running, frozen, being sent, torso, arriving, half a copy,
// mounted and down); rgmanager with -r -R -d -e -M, recovery, starts that land elsewhere, stops on every node that
// joins, inquiries; nodes that are lost, fenced late, boot anew before they are fenced, leave in order, come back;
// tools that fail in every way; relocators, two at once where asked for; an administrator with lbm take, lbm
// confirm-down and boots by hand; by switch: keepers killed (their tool dies with them, and its children may go on), a share that goes away under an action and comes back with
// its locks given to others, agents of lost nodes that go on, a fence daemon that remembers an earlier fencing.
//
// Checked at every step: I1 the guest runs once; I2 no stale or half image is resumed; I3 no start while a living node
// has the VM; I4 a stop that succeeds leaves its node clean; I5 a bystander's stop writes nothing; I6 nobody writes
// without the lock; I7 nothing is left after a start; no memory is lost without a fault, and no image of use is thrown
// away by a boot. And of every state: a way without faults leads from it to a service that runs (else it is a dead end).
//
// Not modelled: several VMs in a service, Pacemaker's migrate_from, unknown answers of tools (they are as an agent
// killed there), times (a wait may be given up whenever its other side hangs), damage inside files, a wrong
// fence_ack_manual, rgmanager itself killed. States that differ by the names of nodes or image slots are one; a state
// is kept as 128 bits, so that two might be taken for one, with a chance of about 1e-22 in the largest run.
//
// go test runs what is done within a minute; make model runs everything (go test ./test/model -args -model.whole).
package model
