package ccs

import (
	"strings"
	"time"
)

// DefaultRules are the types that come with the cluster suite, and ours, for a machine that has no agents. They
// serve the checks. For a Delta that is to be believed take LoadRules of the cluster's own agents: they
// differ from one release to the next. Where they may, the types here are Partial.
//
// Facts: the metadata of the agents of 2011, of ip, script, service and vm as rg_test rules printed it; and our own.
func DefaultRules() Rules {
	r := Rules{}
	for _, d := range defaults() {
		t := d.typ
		for _, text := range strings.Fields(d.params) {
			t.Params = append(t.Params, defaultParam(text))
		}
		t.Actions = defaultActions(d.actions)
		r[t.Name] = &t
	}
	return r
}

// defaultType holds params as NAME[:FLAGS][=DEFAULT] or NAME<INHERIT; flags are p(rimary), u(nique), r(equired), c(hanged by
// reconfig). Actions are NAME/TIMEOUT[/INTERVAL[/DEPTH]] in seconds.
type defaultType struct {
	typ             Type
	params, actions string
}

const (
	policy = " domain:c autostart:c=1 exclusive:c=0 recovery:c=restart depend:c depend_mode:c=hard max_restarts:c=0 restart_expire_time:c=0"

	health = " check:c check_limit:c=2 check_action:c=restart wait_ready:c=0"

	suite = "start/20 stop/20 status/10/30 meta-data/5 validate-all/5"
)

func defaults() []defaultType {
	inService := []Child{{"lvm", 1, 9, false}, {"fs", 2, 8, false}, {"clusterfs", 3, 7, false}, {"netfs", 4, 6, false}, {"nfsexport", 5, 5, false},
		{"nfsclient", 6, 4, false}, {"ip", 7, 2, false}, {"smb", 8, 3, false}, {"script", 9, 1, false}}
	// of takes what metadata says by saying nothing, and that it may say more.
	of := func(name, params string) defaultType {
		return defaultType{Type{Name: name, Partial: true, InitOnAdd: true, DestroyOnDelete: true}, params, suite}
	}
	service := of("service", "name:pur domain:c autostart:c=1 exclusive:c=0 nfslock=0 nfs_client_cache=0 recovery:c=restart depend depend_mode=hard "+
		"max_restarts=0 restart_expire_time=0 priority=0")
	service.typ.Children, service.typ.MaxInstances = inService, 1
	service.actions = "start/5 stop/5 reconfig/5 recover/5 reload/5 meta-data/5 validate-all/5" // no status: it is never asked for one
	ip := of("ip", "address:pu family monitor_link=1 nfslock<service%nfslock sleeptime disable_rdisc prefer_interface")
	ip.typ.Children, ip.typ.MaxInstances = []Child{{Type: "nfsclient", Forbid: true}, {Type: "nfsexport", Forbid: true}}, 1
	ip.actions = "start/20 stop/20 status/10/20 monitor/10/20 status/20/60/10 monitor/20/60/10 meta-data/20 validate-all/20"
	script := of("script", "name:pu file:ur service_name<service%name")
	script.actions = "start/0 stop/0 status/0/30 monitor/0/30 meta-data/0 validate-all/0"
	vm := of("vm", "name:p domain:c autostart:c=1 exclusive:c=0 recovery:c migration_mapping:c use_virsh= xmlfile migrate=live migrate_options tunnelled= path "+
		"snapshot= depend depend_mode=hard max_restarts:c=0 restart_expire_time:c=0 status_program:c= hypervisor=auto hypervisor_uri=auto migration_uri=auto no_kill=false")
	vm.typ.MaxInstances, vm.typ.InitOnAdd, vm.typ.DestroyOnDelete = 1, false, false
	vm.actions = "start/300 stop/120 status/10/30 monitor/10/30 status/20/60/10 monitor/20/60/10 reconfig/10 migrate/600 meta-data/5 validate-all/5"
	fs := of("fs", "name:p mountpoint:ur device:ur fstype force_unmount quick_status self_fence nfslock<nfslock fsid force_fsck options")
	fs.typ.MaxInstances = 1
	clusterfs := of("clusterfs", "name:p mountpoint:ur device:ur fstype force_unmount self_fence fsid nfslock<service%nfslock options")
	fs.typ.Children = []Child{{"fs", 1, 3, false}, {"clusterfs", 1, 3, false}, {"nfsexport", 3, 1, false}}
	clusterfs.typ.Children = fs.typ.Children
	netfs := of("netfs", "name:p mountpoint:ur host:r export:r fstype=nfs force_unmount options")
	netfs.typ.Children = []Child{{Type: "nfsexport", Forbid: true}, {Type: "nfsclient", Forbid: true}}
	nfsexport := of("nfsexport", "name:p device<device path<mountpoint fsid<fsid")
	nfsexport.typ.Children = []Child{{Type: "nfsexport", Forbid: true}, {Type: "nfsclient"}}
	nfsclient := of("nfsclient", "name:pu target:r path<path svcname<service%name fsid<fsid options allow_recover service_name<service%name use_cache<service%nfs_client_cache")
	lvm := of("lvm", "name:p vg_name:r lv_name self_fence nfslock<service%nfslock")
	lvm.typ.MaxInstances = 1
	smb := of("smb", "name:pu workgroup=LINUXCLUSTER service_name<service%name")
	samba := of("samba", "name:pu config_file=/etc/samba/smb.conf smbd_options nmbd_options shutdown_wait service_name<service%name")
	apache := of("apache", "name:p server_root=/etc/httpd config_file=conf/httpd.conf httpd_options shutdown_wait service_name<service%name")
	out := []defaultType{service, ip, script, vm, fs, clusterfs, netfs, nfsexport, nfsclient, lvm, smb, samba, apache}
	return append(out, own()...)
}

// own are our agents.
func own() []defaultType {
	of := func(name, params, actions string) defaultType {
		return defaultType{Type{Name: name, MaxInstances: 1}, "name:pur" + policy + params, actions}
	}
	openvz := of("openvz", " on_stop:c=suspend unknown_limit:c=3"+health, "start/300 stop/300 status/20/30 status/20/60/10 meta-data/5 validate-all/5")
	xen := of("xen", " path=/etc/xen on_stop:c=suspend migration_mapping:c unknown_limit:c=3"+health, "start/300 stop/300 status/20/30 status/20/60/10 migrate/600 meta-data/5 validate-all/5")
	lbvm := of("lbvm", "", "start/20 stop/20 status/10/60 meta-data/5 validate-all/5")
	lbvm.typ.InitOnAdd, lbvm.typ.DestroyOnDelete = true, true
	vmexec := of("vmexec", " config memory:c on_stop:c=suspend migration_mapping:c unknown_limit:c=3"+health, xen.actions)
	vmexec.params = strings.Replace(vmexec.params, "name:pur", "name:pur type:r", 1)
	kvm := of("kvm", " path=/etc/kvm on_stop:c=suspend migration_mapping:c migration_transport:c=ssh migrate_unsafe:c=0 unknown_limit:c=3"+health, xen.actions)
	return []defaultType{openvz, xen, lbvm, kvm, vmexec}
}

func defaultParam(text string) Param {
	var p Param
	if name, from, ok := strings.Cut(text, "<"); ok {
		p.Name, p.Inherit = name, from
		return p
	}
	text, p.Default, p.HasDefault = strings.Cut(text, "=")
	name, flags, _ := strings.Cut(text, ":")
	p.Name = name
	p.Primary, p.Unique = strings.Contains(flags, "p"), strings.Contains(flags, "u")
	p.Required, p.Reconfig = strings.Contains(flags, "r"), strings.Contains(flags, "c")
	return p
}

func defaultActions(text string) []Action {
	var out []Action
	for _, f := range strings.Fields(text) {
		p := append(strings.Split(f, "/"), "", "", "")
		second := func(s string) time.Duration { return time.Duration(atoi(s)) * time.Second }
		out = append(out, Action{Name: p[0], Timeout: second(p[1]), Interval: second(p[2]), Depth: atoi(p[3])})
	}
	return out
}

// primaryOf is the attribute that names a resource. Of the types in common use only one differs.
func primaryOf(tag string) string {
	if tag == "ip" {
		return "address"
	}
	return "name"
}
