package doctor

import "slices"

// Fault is one thing that can be wrong with a node.
type Fault struct {
	ID       string // CHECK.WHAT
	Severity Severity
	Means    string // what it is, and what comes of it
	Cure     string // what to do; words in capitals are filled in
}

// Faults are all that a doctor can find, by check.
func Faults() []Fault {
	return slices.Concat(clusterFaults(), pacemakerFaults(), storageFaults(), guestFaults(), logFaults())
}

func clusterFaults() []Fault {
	return []Fault{
		{"members.down", Error, "this node is no member of the cluster, or cman does not answer: nothing that needs the cluster works here", "service cman start (Pacemaker: service pacemaker start), and look into the log why it was down"},
		{"members.inquorate", Error, "the cluster has no quorum here: the manager starts and moves nothing", "bring back enough nodes (cman_tool nodes shows which are away; each joins by service cman start)"},
		{"members.manager", Error, "rgmanager does not run on this node: its VMs are looked after by nobody, and none can come here", "service rgmanager start"},
		{"members.away", Warning, "a node of the cluster's configuration is no member", "if it is meant to be one: boot it, or there: service cman start, then what mounts the share, service lbvm start; service rgmanager start; else lbm ccs delnode NODE (Pacemaker: what mounts the share, service lbvm start; service pacemaker start; else crm_node --remove NODE)"},
		{"identity.none", Error, "lbm init was not run here: the agents start nothing that others may have", "lbm init --shared DIR --join (lbm init --shared DIR on the first node)"},
		{"identity.other", Error, "lbvm.id is another node's: this node would take that one's VMs for its own", "rm /etc/cluster/lbvm.id; lbm init --shared DIR --join"},
		{"version.file", Warning, "cluster.conf of this node is not the one with which the cluster runs", "lbm ccs update publishes a newer one; an older one: scp it from a node that has the running version"},
		{"version.differ", Error, "members run with different versions of cluster.conf: they do not agree on what the cluster is", "copy cluster.conf of the highest version to the others, then cman_tool version -r there (RHEL 5: ccs_tool update on one node)"},
		{"cluster-conf.invalid", Error, "cluster.conf cannot be used as it is", "mend the line that is named; lbm ccs validate looks again"},
		{"cluster-conf.doubtful", Warning, "cluster.conf holds what is hardly meant", "look at the line that is named; lbm ccs validate shows all"},
		{"fencing.none", Error, "a node cannot be fenced: when it dies, nothing that ran there starts elsewhere", "lbm ccs insert its <fence> with a method and a device; test with fence_node NODE while nothing runs there (Pacemaker: a stonith resource that names it in pcmk_host_list; test with stonith_admin --reboot NODE)"},
		{"fencing.manual", Error, "a node has fence_manual (Pacemaker: meatware) alone: when it dies the cluster stands still until somebody types fence_ack_manual (meatclient)", "give the node a real fence device, as fence_ipmilan; fence_manual is for tests"},
		{"fencing.null", Error, "a fence device of a node only says that it fences (null, ssh, fence_dummy): its VMs are started elsewhere while they may still run there", "take it out, and give NODE a real fence device: stonith_admin --list-installed; test with stonith_admin --reboot NODE"},
		{"fencing.last", Warning, "fence_manual stands behind a real method: where that fails, the cluster waits for a person without saying so", "take it out, or make sure that somebody watches for it"},
		{"fencing.owed", Error, "a node that was lost is not fenced yet: the manager starts nothing of it elsewhere", "fence_node NODE; if that fails and it is off for certain: fence_ack_manual NODE (Pacemaker: stonith_admin --reboot NODE, stonith_admin --confirm NODE)"},
		{"names.unknown", Error, "a node's name in cluster.conf cannot be resolved here: live moves, ssh and fencing by name fail", "add it to /etc/hosts on every node, with its address in the cluster's network"},
		{"names.loopback", Error, "a node's name resolves to this machine itself (Debian's installer writes 127.0.1.1): a live move to it ends here, and the cluster may talk on lo", "take the name out of the line of 127.0.0.1 or 127.0.1.1 in /etc/hosts"},
		{"names.network", Warning, "a node's name resolves to another address than the one by which cman talks to it: memory of guests goes over another network", "give the name the address of the cluster's network in /etc/hosts, or map it by migration_mapping"},
		{"agents.twice", Error, "two files in /usr/share/cluster define one type: rgmanager takes whichever it reads first", "remove the one that is not the package's: every executable there is run, also *.bak and *.old"},
		{"agents.missing", Error, "no agent on this node defines a type of the configuration: rgmanager passes it over, and what was started of it is stopped; Pacemaker does not start it here", "install the package of the agent: lbvm-openvz, lbvm-xen, lbvm-kvm, lbvm-vmexec"},
		{"agents.silent", Warning, "an executable in /usr/share/cluster is no agent: rgmanager runs it at each start and each new configuration", "chmod a-x it, or move it away"},
		{"agents.stale", Error, "an agent of ours in /usr/share/cluster is not the one of the package", "run /usr/libexec/lbvm/activate, which tries the agents and puts them in place"},
		{"agents.hang", Error, "an agent does not answer meta-data: rgmanager would wait for it for ever", "see what it does: FILE meta-data"},
		{"across.silent", Unknown, "a node could not be asked", "ssh -oBatchMode=yes NODE lbm doctor, and see what it says; or run lbm doctor there"},
		{"across.version", Error, "the nodes run with different versions of cluster.conf", "copy cluster.conf of the highest version to the others, then cman_tool version -r there (RHEL 5: ccs_tool update on one node)"},
		{"across.text", Error, "cluster.conf differs between nodes that call it by the same version: somebody has edited one by hand", "compare them; copy the right one to the others, then lbm ccs bump --update on one"},
		{"across.agents", Error, "the agents are not the same on all nodes: a VM passes between agents that may not agree", "install the same packages on every node"},
		{"across.lbvm", Warning, "the nodes have different releases of lbvm", "install the same packages on every node; docs/upgrading.md tells the order"},
		{"across.share", Error, "the nodes do not see the same shared storage", "mount the same one everywhere; lbm init --shared DIR --join on a node that joins"},
		{"across.clock", Error, "the clocks of the nodes differ: samples and journals of the one are from the future of the other", "start ntpd or chronyd on every node, with the same servers"},
		{"across.rules", Error, "lbvm.conf differs between the nodes: the balancer decides by that of the node on which it runs", "link /etc/cluster/lbvm.conf to the one on the shared storage on every node"},
	}
}

func storageFaults() []Fault {
	return []Fault{
		{"share.absent", Error, "the shared storage does not show this cluster's marker: it is not mounted, and no agent starts anything on it", "mount it (service gfs start, service gfs2 start, mount DIR), then lbm doctor again"},
		{"share.hangs", Error, "the shared storage does not answer: the cluster file system waits for a fencing, or its network is away", "cman_tool services and group_tool show who waits; see to the fencing first"},
		{"share.full", Error, "the shared storage is full: no record, no ticket and no image can be written, so nothing moves, and a VM that is stopped loses its memory", "df -h DIR; make room there: lbm purge on each node, disk images and copies that nobody needs, old logs; docs/recovery.md says what never to delete"},
		{"share.local", Error, "what is mounted there is a file system of this node alone: two nodes on it destroy it", "umount it at once; mount the cluster file system"},
		{"share.locks", Error, "locks on the shared storage stay on this node: two nodes would write one record", "mount it without the option that is named (GFS: lock_dlm, NFS: without nolock)"},
		{"share.fstab", Error, "a cluster file system of /etc/fstab is not mounted: what is written below its mount point is this node's own", "mount DIR; chkconfig gfs on (gfs2: chkconfig gfs2 on)"},
		{"share.flock", Error, "a lock that one node holds on the shared storage can be taken by another: two nodes would start one VM", "GFS: mkfs and mount with lock_dlm; NFS: without nolock and with a lock service; then ask again"},
		{"clvm.locking", Error, "LVM does not lock in the cluster: a change of a volume on one node is not seen on the others", "lvmconf --enable-cluster (locking_type = 3 in /etc/lvm/lvm.conf)"},
		{"clvm.daemon", Error, "clvmd does not run: clustered volumes are not there, or change without the others", "service clvmd start; chkconfig clvmd on"},
		{"iscsi.session", Error, "a target that this node knows has no session: its disks are not here", "iscsiadm -m node -T TARGET -l; chkconfig iscsi on"},
		{"iscsi.name", Error, "this node has no iSCSI initiator name: iscsid does not start", "echo InitiatorName=$(iscsi-iname) > /etc/iscsi/initiatorname.iscsi"},
		{"iscsi.twin", Error, "two nodes have the same iSCSI initiator name: the target takes one for the other and throws sessions out", "for one of them, in this order, since a restart of iscsi takes the disks from under what runs: make a name with iscsi-iname and allow it on the target; lbm evacuate NODE; there service rgmanager stop, umount the share (service gfs stop, service gfs2 stop), service clvmd stop where it runs, service cman stop; then echo InitiatorName=NAME > /etc/iscsi/initiatorname.iscsi; service iscsi restart; bring the node up again, lbm failback NODE"},
		{"multipath.daemon", Error, "multipathd does not run: a path that fails takes its disk along", "service multipathd start; chkconfig multipathd on"},
		{"multipath.path", Warning, "a path to a disk is out of order", "multipath -ll shows it; look at its cable, its switch and its iSCSI session"},
	}
}

func guestFaults() []Fault {
	return []Fault{
		{"guests.starts", Error, "something may start a VM behind the manager's back, or keep it from running", "do what is said; lbm doctor looks again"},
		{"guests.odd", Warning, "the set-up of a VM works against the cluster", "do what is said; lbm doctor looks again"},
		{"guests.tool", Error, "a VM may be placed on this node by its failover domain, and its technology is not installed here", "install it, or restrict the VM's failover domain to the nodes that have it"},
		{"openvz.kernel", Error, "this kernel runs no containers: /proc/vz is not there, and vzlist does not answer", "boot the OpenVZ kernel; service vz start"},
		{"openvz.checkpoint", Error, "this kernel cannot save or restore the memory of containers", "modprobe vzcpt vzrst, and have it done at boot (service vz start does; a restart of iptables may unload them)"},
		{"xen.kernel", Error, "this node is no dom0: /proc/xen and /dev/xen are not there, and its tool does not answer", "boot the Xen hypervisor; service xend start where xm is used"},
		{"xen.relocation", Error, "xend takes no running domains: live moves to this node fail", "(xend-relocation-server yes) in /etc/xen/xend-config.sxp; restart xend, running domains stay"},
		{"xen.refused", Error, "xend's list of hosts shuts a node of the cluster out: live moves from there fail", "add it to xend-relocation-hosts-allow in /etc/xen/xend-config.sxp; restart xend"},
		{"xen.open", Warning, "xend takes running domains from everybody who reaches its port: they see no password and no encryption", "name the nodes in xend-relocation-hosts-allow, as '^node1$ ^node2$', and keep the port inside the cluster's network"},
		{"kvm.kernel", Error, "/dev/kvm is not there: guests do not start, or are emulated", "modprobe kvm_intel or kvm_amd; switch virtualization on in the firmware"},
		{"kvm.libvirt", Error, "libvirtd does not answer: the agents can do nothing with their guests", "service libvirtd start"},
		{"kvm.away", Error, "the libvirtd of another node is not reached by the way that guests are moved there (migration_transport tcp or tls): live moves to it fail", "on NODE: see that libvirtd listens (--listen, or its socket unit), that auth_tcp or the certificates fit, and that port 16509 (tls: 16514) and 49152 to 49215 are open to the cluster's nodes"},
		{"ssh.key", Error, "root does not reach another node by ssh without a password: live moves to it fail (xl, and virsh with migration_transport ssh)", "ssh-copy-id root@NODE; ssh root@NODE once, to accept its key; no passphrase"},
		{"bridges.differ", Warning, "a network bridge is not on all nodes: a VM that names it starts on some of them only", "make the bridge on every node: a VM has one configuration for all of them"},
		{"cpu.differ", Warning, "the processors of the nodes cannot do the same: a running guest may not move to the weaker ones", "mask what not all have (Xen: cpuid or cpuid_mask; KVM: a <cpu> model by name), or restrict by failover domains"},
		{"adopt.unfinished", Warning, "an adoption or a removal was begun on this node and has no end: it is at work, or was cut off, and then nobody starts its VM", "unless it is at work: lbm add --resume TYPE:VM goes on, lbm add --undo TYPE:VM takes it back"},
	}
}

func logFaults() []Fault {
	return []Fault{
		{"boot.xendomains", Error, "the xendomains service is on: it starts what is in /etc/xen/auto and saves domains when the node goes down", "chkconfig xendomains off (Debian: update-rc.d -f xendomains remove)"},
		{"boot.order", Error, "the hypervisor's init script starts after the cluster manager, or stops before it: it stops or starts VMs that are the manager's", "chkconfig --override, or renumber the links: the hypervisor before rgmanager at boot, behind it at shutdown"},
		{"boot.off", Warning, "a service that the cluster needs is not started at boot", "chkconfig SERVICE on"},
		{"lbvm-conf.invalid", Error, "lbvm.conf or lbresources.conf has an error: a rule, or the whole balancer, does not work", "lbm check shows the line and what to write instead"},
		{"lbvm-conf.doubtful", Warning, "lbvm.conf holds what is hardly meant", "lbm check shows the line and what to write instead"},
		{"samples.cron", Error, "nothing runs lblog on this node: the balancer knows nothing of it, and moves nothing here", "echo '* * * * * root /usr/share/lbvm/lblog' > /etc/cron.d/lbvm"},
		{"samples.program", Error, "lblog is not on this node, or cannot be run: nothing measures it, and nothing moves here", "rpm -V lbvm tells what is missing; install the package lbvm again"},
		{"samples.old", Error, "lblog has not measured this node lately, though cron names it", "in the first minute after lbm init wait; else service crond status; lblog --dry-run says what fails"},
		{"samples.others", Warning, "another member's samples are old: the balancer does not move anything from or to it", "lbm doctor on NODE"},
		{"clock.ahead", Error, "another node's clock is ahead: its samples are from the future", "start ntpd or chronyd on every node, with the same servers"},
		{"clock.daemon", Warning, "nothing keeps the clock of this node right", "service ntpd start; chkconfig ntpd on (or chronyd)"},
	}
}

// faultOf finds a fault. That each one that is said is in the table is for a test to see.
func faultOf(id string) Fault {
	for _, f := range Faults() {
		if f.ID == id {
			return f
		}
	}
	return Fault{ID: id, Severity: Error}
}
