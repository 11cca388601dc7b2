// Package adopt takes an existing VM into the cluster: what `lbm add` does.
//
// Look checks and plans: it changes nothing, and all that is decided stands in the Plan. Add makes the plan durable on
// the shared storage and then goes through the steps below; Resume and Undo go on with what a killed run has left, and
// either ends with the VM whole in its new place, or whole where it was.
//
// Nothing is believed of a step but what is seen on disk: each one tells by its own effect whether it is done, and both
// its way there and its way back may be gone again from any point of either. So it does not matter at which moment a run
// was killed, nor how often, nor whether a resume was broken off and an undo came next. The journal beside the plan is for
// people, and no step waits for it to be read.
//
//	step       what is on disk when it is done                         way back (undo)
//	plan       SHARED/lbvm/adopt/TYPE-VM/plan, whole                   removed last; without it nothing has begun
//	retire     CONFIG and its scripts are named *.lbvm-orig: the       renamed back. From here on the node's own tool, its
//	           node's own tool does not know the VM any more, so       init script and a reboot can start it again
//	           nothing writes to what is copied
//	copy       SHARED/.../NAME.part, and the note `copied` beside      the .part is removed
//	           the plan
//	verify     NAME.part, found equal to the original in tree and      NAME is renamed to NAME.part first, so that no half
//	           content, is named NAME                                  of a tree ever bears the name
//	configs    the new configuration lies on the shared storage        removed; one that a person has edited since is
//	                                                                   renamed to *.lbvm-edited
//	switch     CONFIG is a link to it                                  the link is removed
//	originals  the old tree or image is named *.lbvm-orig              renamed back
//	nodes      every other node that could be asked has the link       its link is removed
//	lbvm.conf  `balance` names the VM                                  it names it no more, other bytes as they are
//	cluster    cluster.conf has its service, the version one higher;   the service is removed, the version one higher;
//	           Pacemaker has its resource, which is stopped on purpose  the resource and its constraints are
//	finish     the folder is SHARED/lbvm/adopted/TYPE-VM               (none: lbm remove gives an adopted VM back)
//
// The old and the new place are never both in use: until `retire` only the old one can be started, from `cluster` on only
// the new one, and in between none. An undo is refused once the hand-off record shows that an agent has started the VM
// from its new place, since what it has written there since would be lost. A failure that is no death is undone at once.
//
// Originals are renamed and never deleted; Purge does that, later and asked for.
//
// A copy is made by rsync or cp (Copier), under a keeper that holds the lock of adoptions until the tool has ended: a run
// that is killed leaves nobody who writes without the lock. What they made is compared with the original by Compare, which
// shares no code with them.
//
// Other nodes are asked through Peer: by ssh in practice. Each looks for itself (Probe, Join, Leave), and says that it sees
// the same shared storage by the same marker. A node that cannot be asked stops the adoption, unless a person vouches for it.
package adopt
