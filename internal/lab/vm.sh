#!/bin/sh
# The lab's <vm>: what the cluster suite's own agent for virtual machines (vm.sh) says of itself, and what it does with
# virsh and QEMU, with its exit codes and its traps. It stands for a stock <vm> only: no Xen, no snapshot, no status_program.
name=$OCF_RESKEY_name

virsh() { "$LBVM_ROOT/usr/sbin/virsh" -c qemu:///system "$@"; }

metadata() {
	echo '<?xml version="1.0"?>
<resource-agent name="vm" version="rgmanager 2.0">
  <version>1.0</version>
  <longdesc lang="en">A virtual machine.</longdesc>
  <shortdesc lang="en">Virtual machine</shortdesc>
  <parameters>
    <parameter name="name" primary="1"><longdesc lang="en">Name.</longdesc><shortdesc lang="en">Name</shortdesc><content type="string"/></parameter>
    <parameter name="domain" reconfig="1"><longdesc lang="en">Failover domain.</longdesc><shortdesc lang="en">Failover domain</shortdesc><content type="string"/></parameter>
    <parameter name="autostart" reconfig="1"><longdesc lang="en">Start by itself.</longdesc><shortdesc lang="en">Start by itself</shortdesc><content type="boolean" default="1"/></parameter>
    <parameter name="exclusive" reconfig="1"><longdesc lang="en">Alone on its node.</longdesc><shortdesc lang="en">Alone on its node</shortdesc><content type="boolean" default="0"/></parameter>
    <parameter name="recovery" reconfig="1"><longdesc lang="en">What to do when it fails.</longdesc><shortdesc lang="en">What to do when it fails</shortdesc><content type="string"/></parameter>
    <parameter name="migration_mapping" reconfig="1"><longdesc lang="en">Other names of members for a migration.</longdesc><shortdesc lang="en">Other names of members for a migration</shortdesc><content type="string"/></parameter>
    <parameter name="use_virsh"><longdesc lang="en">virsh or xm.</longdesc><shortdesc lang="en">virsh or xm</shortdesc><content type="string" default=""/></parameter>
    <parameter name="xmlfile"><longdesc lang="en">XML of the domain.</longdesc><shortdesc lang="en">XML of the domain</shortdesc><content type="string"/></parameter>
    <parameter name="migrate"><longdesc lang="en">live or pause.</longdesc><shortdesc lang="en">live or pause</shortdesc><content type="string" default="live"/></parameter>
    <parameter name="migrate_options"><longdesc lang="en">More options of a migration.</longdesc><shortdesc lang="en">More options of a migration</shortdesc><content type="string"/></parameter>
    <parameter name="tunnelled"><longdesc lang="en">Through libvirtd.</longdesc><shortdesc lang="en">Through libvirtd</shortdesc><content type="string" default=""/></parameter>
    <parameter name="path"><longdesc lang="en">Folders of configurations.</longdesc><shortdesc lang="en">Folders of configurations</shortdesc><content type="string"/></parameter>
    <parameter name="snapshot"><longdesc lang="en">Folder of a saved memory.</longdesc><shortdesc lang="en">Folder of a saved memory</shortdesc><content type="string" default=""/></parameter>
    <parameter name="depend"><longdesc lang="en">The service that it needs.</longdesc><shortdesc lang="en">The service that it needs</shortdesc><content type="string"/></parameter>
    <parameter name="depend_mode"><longdesc lang="en">hard or soft.</longdesc><shortdesc lang="en">hard or soft</shortdesc><content type="string" default="hard"/></parameter>
    <parameter name="max_restarts" reconfig="1"><longdesc lang="en">Restarts before it is relocated.</longdesc><shortdesc lang="en">Restarts before it is relocated</shortdesc><content type="string" default="0"/></parameter>
    <parameter name="restart_expire_time" reconfig="1"><longdesc lang="en">How long a restart counts.</longdesc><shortdesc lang="en">How long a restart counts</shortdesc><content type="string" default="0"/></parameter>
    <parameter name="status_program" reconfig="1"><longdesc lang="en">What asks the guest.</longdesc><shortdesc lang="en">What asks the guest</shortdesc><content type="string" default=""/></parameter>
    <parameter name="hypervisor"><longdesc lang="en">auto, qemu or xen.</longdesc><shortdesc lang="en">auto, qemu or xen</shortdesc><content type="string" default="auto"/></parameter>
    <parameter name="hypervisor_uri"><longdesc lang="en">Connection.</longdesc><shortdesc lang="en">Connection</shortdesc><content type="string" default="auto"/></parameter>
    <parameter name="migration_uri"><longdesc lang="en">Connection of a migration.</longdesc><shortdesc lang="en">Connection of a migration</shortdesc><content type="string" default="auto"/></parameter>
    <parameter name="no_kill"><longdesc lang="en">Shut down only.</longdesc><shortdesc lang="en">Shut down only</shortdesc><content type="boolean" default="false"/></parameter>
  </parameters>
  <actions>
    <action name="start" timeout="300"/>
    <action name="stop" timeout="120"/>
    <action name="status" timeout="10" interval="30"/>
    <action name="monitor" timeout="10" interval="30"/>
    <action name="status" depth="10" timeout="20" interval="60"/>
    <action name="monitor" depth="10" timeout="20" interval="60"/>
    <action name="reconfig" timeout="10"/>
    <action name="migrate" timeout="10m"/>
    <action name="meta-data" timeout="5"/>
    <action name="validate-all" timeout="5"/>
  </actions>
  <special tag="rgmanager">
    <attributes maxinstances="1" destroy_on_delete="0" init_on_add="0"/>
  </special>
</resource-agent>'
}

# Paused counts as running, on the target of a migration too.
status() {
	case "$(virsh domstate "$name" 2>/dev/null)" in
	running|paused|idle|"no state") return 0 ;;
	"shut off") return 7 ;;
	esac
	return 1
}

# xmlfile prints the domain's XML, or nothing where libvirt is to know the domain itself.
xmlfile() {
	if [ -n "$OCF_RESKEY_xmlfile" ]; then
		echo "$LBVM_ROOT$OCF_RESKEY_xmlfile"
		return
	fi
	IFS=:
	for dir in $OCF_RESKEY_path; do
		for file in "$LBVM_ROOT$dir/$name" "$LBVM_ROOT$dir/$name.xml"; do
			if [ -f "$file" ]; then
				echo "$file"
				return
			fi
		done
	done
}

start() {
	status && return 0
	file=$(xmlfile)
	if [ -n "$file" ]; then
		virsh create "$file" || return 1
	else
		virsh start "$name" || return 1
	fi
}

# ended: a domain on its way out is no running one, and five seconds, the suite's step, mostly see it gone.
ended() {
	case "$(virsh domstate "$name" 2>/dev/null)" in
	""|"shut off") return 0 ;;
	esac
	return 1
}

stop() {
	virsh list >/dev/null 2>&1 || return 1
	status || return 0
	virsh shutdown "$name"
	looks=0
	while ! ended && [ $looks -lt $((${OCF_RESKEY_RGMANAGER_meta_timeout:-60} * 5)) ]; do
		/bin/sleep 0.1
		looks=$((looks + 1))
	done
	ended && return 0
	[ "$OCF_RESKEY_no_kill" != true ] || return 1
	virsh destroy "$name"
	ended
}

migrate() {
	target=$1
	case ",$OCF_RESKEY_migration_mapping" in
	*",$target:"*)
		target=${OCF_RESKEY_migration_mapping#*"$target:"}
		target=${target%%,*}
		;;
	esac
	said=$(virsh migrate --live $OCF_RESKEY_migrate_options "$name" "qemu+ssh://$target/system" "tcp:$target" 2>&1) && return 0
	case "$said" in
	*"omain not found"*|*"does not exist"*) return 6 ;;
	esac
	status && return 150
	return 1
}

case "$1" in
meta-data) metadata; exit 0 ;;
start|stop|status|monitor|migrate|reconfig|validate-all)
	[ -n "$name" ] || exit 2
	;;
esac
case "$1" in
start|stop) "$1" ;;
status|monitor) status ;;
migrate) migrate "$2" ;;
reconfig|validate-all|kill|recover|restart|reload) ;;
*) echo "usage: $0 {start|stop|status|monitor|migrate|reconfig|meta-data|validate-all}"; exit 1 ;;
esac
