package libvirt

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/lab/labtest"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

const uuid = "11111111-2222-4333-8444-555555555501"

const vm1 = `<domain type='kvm'>
  <name>vm1</name>
  <uuid>` + uuid + `</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source file='/shared/images/vm1.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><source file='/shared/images/cd.iso'/><target dev='hda'/><readonly/></disk>
    <disk type='file' device='cdrom'><target dev='hdb'/></disk>
  </devices>
</domain>
`

func newLab(t *testing.T, version string) *labtest.Lab {
	l := labtest.New(t, Tools, "a", "b")
	l.File("shared/vm1.xml", vm1)
	l.File("shared/images/vm1.img", strings.Repeat("x", 200))
	l.File("shared/images/cd.iso", "")
	for _, node := range []string{"a", "b"} {
		if version != "" {
			l.File("nodes/"+node+"/etc/"+versionFile, version+"\n")
		}
	}
	return l
}

// is tells a domain's state on a node, "" where libvirtd does not know it.
func is(l *labtest.Lab, node string) string {
	l.T.Helper()
	if !strings.Contains(" "+l.Want(0, "", node, "virsh list --all --name"), "vm1") {
		return ""
	}
	r := l.Run(context.Background(), node, "virsh", "domstate", "vm1", "--reason")
	return strings.TrimSpace(string(r.Stdout))
}

// A transient domain from its making to its end, and what virsh says of it.
func TestTransient(t *testing.T) {
	l := newLab(t, "")
	create := "virsh create " + l.Path("shared/vm1.xml")
	for _, verb := range []string{"domstate", "dominfo", "domid", "destroy", "shutdown", "suspend", "dumpxml", "start", "domjobinfo"} {
		r := l.Run(context.Background(), "a", "virsh", verb, "vm1")
		if r.Code != 1 || string(r.Stdout) != "\n" || string(r.Stderr) != "error: failed to get domain 'vm1'\n" {
			t.Errorf("%s of no domain: %d %q %q", verb, r.Code, r.Stdout, r.Stderr)
		}
	}
	if got, want := l.Want(0, "", "a", create), "Domain 'vm1' created from "+l.Path("shared/vm1.xml")+"\n\n"; got != want {
		t.Errorf("create: %q, want %q", got, want)
	}
	if got, want := l.Want(0, "", "a", "virsh -c qemu:///system list --all"), " Id   Name   State\n----------------------\n 1    vm1    running\n\n"; got != want {
		t.Errorf("list: %q, want %q", got, want)
	}
	l.Want(1, "error: Failed to create domain from "+l.Path("shared/vm1.xml")+"\nerror: Requested operation is not valid: domain 'vm1' is already active", "a", create)
	if got := l.Want(0, "", "a", "virsh domstate --reason vm1"); got != "running (booted)\n\n" {
		t.Errorf("%q", got)
	}
	info := l.Want(0, "", "a", "virsh dominfo "+uuid)
	for _, line := range []string{"Id:             1", "Name:           vm1", "UUID:           " + uuid, "OS Type:        hvm", "State:          running", "CPU(s):         2", "CPU time:       ",
		"Max memory:     65536 KiB", "Used memory:    65536 KiB", "Persistent:     no", "Autostart:      disable", "Managed save:   no"} {
		if !strings.Contains(info, line) {
			t.Errorf("dominfo says nothing of %q:\n%s", line, info)
		}
	}
	l.Want(0, "1\n\n", "a", "virsh domid vm1")
	l.Want(0, uuid+"\n\n", "a", "virsh domuuid 1")
	l.Want(0, "<domain id='1' type='kvm'>", "a", "virsh dumpxml vm1")
	l.Want(0, " vda      /shared/images/vm1.img\n", "a", "virsh domblklist vm1")
	l.Want(0, "running", "b", "virsh -r -c qemu+ssh://root@a/system?no_tty=1 domstate vm1")
	l.Want(1, "Could not resolve hostname nowhere", "b", "virsh -c qemu+ssh://nowhere/system domstate vm1")
	// The other node does not know it, but QEMU's lock of the image does.
	l.Want(1, `Failed to get "write" lock`, "b", create)
	if got := is(l, "b"); got != "" {
		t.Errorf("what could not start is %s", got)
	}

	l.Want(0, "Domain 'vm1' suspended", "a", "virsh suspend vm1")
	before := l.Lines("kvm", "vm1")
	l.Want(1, "error: Failed to shutdown domain 'vm1'\nerror: Requested operation is not valid: domain is not running", "a", "virsh shutdown vm1")
	if got := is(l, "a"); got != "paused (user)" || l.Lines("kvm", "vm1") != before {
		t.Errorf("suspended: %s", got)
	}
	l.Want(0, "Domain 'vm1' resumed", "a", "virsh resume vm1")
	l.Want(1, "error: Failed to resume domain 'vm1'\nerror: Requested operation is not valid: domain is already running", "a", "virsh resume vm1")
	l.AwaitLines("kvm", "vm1", 2)
	l.Want(0, "", "a", "virsh shutdown vm1")
	l.Await(func() bool { return is(l, "a") == "" })
	if _, err := os.Stat(l.Root("a") + pidFile("vm1")); err == nil {
		t.Error("the pid file stays")
	}

	l.Want(0, "", "b", create)
	l.Want(0, "Domain 'vm1' destroyed", "b", "virsh destroy vm1")
	l.Want(0, "", "b", create+" --paused")
	l.Want(0, "paused", "b", "virsh domstate vm1")
	l.Want(0, "", "b", "lab crash kvm:vm1")
	if got := is(l, "b"); got != "" {
		t.Errorf("after a crash: %s", got)
	}
	if got := l.Findings(3); got != "" {
		t.Errorf("the checker: %s", got)
	}
}

// A domain that was defined stays in the table when it is off.
func TestPersistent(t *testing.T) {
	l := newLab(t, "")
	file := l.Path("shared/vm1.xml")
	l.Want(0, "Domain 'vm1' defined from "+file, "a", "virsh define "+file)
	if got := l.Want(0, "", "a", "virsh list --all"); got != " Id   Name   State\n-----------------------\n -    vm1    shut off\n\n" {
		t.Errorf("%q", got)
	}
	l.Want(1, "error: Failed to shutdown domain 'vm1'\nerror: Requested operation is not valid: domain is not running", "a", "virsh shutdown vm1")
	l.Want(1, "error: Failed to destroy domain 'vm1'\nerror: Requested operation is not valid: domain is not running", "a", "virsh destroy vm1")
	l.Want(0, "-\n", "a", "virsh domid vm1")
	l.Want(0, "Domain 'vm1' started", "a", "virsh start vm1")
	l.Want(1, "error: Domain is already active", "a", "virsh start vm1")
	l.Want(0, "Persistent:     yes", "a", "virsh dominfo vm1")
	l.Want(0, "", "a", "lab crash kvm:vm1")
	for _, end := range []struct{ by, is string }{{"", "shut off (crashed)"}, {"virsh destroy vm1", "shut off (destroyed)"}, {"virsh shutdown vm1", "shut off (shutdown)"}} {
		if end.by != "" {
			l.Want(0, "", "a", "virsh start vm1")
			l.Want(0, "", "a", end.by)
		}
		l.Await(func() bool { return strings.HasPrefix(is(l, "a"), "shut off") })
		if got := is(l, "a"); got != end.is {
			t.Errorf("%s: %s, want %s", end.by, got, end.is)
		}
	}
	l.Want(0, "marked as autostarted", "a", "virsh autostart vm1")
	l.Want(0, "Autostart:      enable", "a", "virsh dominfo vm1")
	l.File("shared/other.xml", strings.Replace(vm1, uuid, "11111111-2222-4333-8444-555555555502", 1))
	l.Want(1, "operation failed: domain 'vm1' already exists with uuid "+uuid, "a", "virsh create "+l.Path("shared/other.xml"))
	// A managed save is the node's own.
	l.Want(0, "", "a", "virsh start vm1")
	l.AwaitLines("kvm", "vm1", 2)
	l.Want(0, "Domain 'vm1' state saved by libvirt", "a", "virsh managedsave vm1")
	l.Want(0, "shut off (saved)", "a", "virsh domstate vm1 --reason")
	l.Want(0, "vm1    saved", "a", "virsh list --all --managed-save")
	l.Want(1, "Refusing to undefine while domain managed save image exists", "a", "virsh undefine vm1")
	l.Want(0, "", "a", "virsh start vm1")
	l.Want(0, "running (restored)", "a", "virsh domstate vm1 --reason")
	l.Want(0, "Managed save:   no", "a", "virsh dominfo vm1")
	l.Want(0, "has been undefined", "a", "virsh undefine vm1") // it runs on, and is transient
	l.Want(1, "cannot do managed save for transient domain", "a", "virsh managedsave vm1")
	l.Want(0, "", "a", "virsh destroy vm1")
	if got := is(l, "a"); got != "" {
		t.Errorf("%s", got)
	}
}

// An image by save and restore, which leaves the file where it is.
func TestSaveRestore(t *testing.T) {
	l := newLab(t, "")
	image := l.Path("shared/image")
	l.Want(0, "", "a", "virsh create "+l.Path("shared/vm1.xml"))
	from, to := "a", "b"
	for range 3 {
		l.AwaitLines("kvm", "vm1", 1)
		if got, want := l.Want(0, "", from, "virsh save vm1 "+image), "\nDomain 'vm1' saved to "+image+"\n\n"; got != want {
			t.Errorf("save: %q, want %q", got, want)
		}
		if got := is(l, from); got != "" {
			t.Errorf("saved: %s", got)
		}
		if got, want := l.Want(0, "", to, "virsh restore "+image), "Domain restored from "+image+"\n\n"; got != want {
			t.Errorf("restore: %q, want %q", got, want)
		}
		if got := is(l, to); got != "running (restored)" {
			t.Errorf("restored: %s", got)
		}
		from, to = to, from
	}
	fi, err := os.Stat(image)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the image: %v %v", fi, err)
	}
	// The file can be used a second time, and only the lock of the disk is between.
	l.Want(1, `Failed to get "write" lock`, to, "virsh restore "+image)
	l.Want(1, "domain 'vm1' is already active", from, "virsh restore "+image)
	text, err := os.ReadFile(image)
	if err != nil || !strings.HasPrefix(string(text), magic) {
		t.Fatalf("%.40q %v", text, err)
	}
	l.File("shared/part", part+string(text[len(part):]))
	l.File("shared/torn", string(text[:len(text)-3]))
	l.File("shared/foreign", "Xen saved domain")
	for file, says := range map[string]string{"part": "save image is incomplete", "torn": "failed to read qemu header", "foreign": "image magic is incorrect", "none": "Failed to open file '" + l.Path("shared/none") + "': No such file or directory"} {
		l.Want(1, says, to, "virsh restore "+l.Path("shared/"+file))
	}
	l.Want(0, "<name>vm1</name>", to, "virsh save-image-dumpxml "+image)
	l.Want(1, "Failed to create file '/no/where': No such file or directory", from, "virsh save vm1 /no/where")
	l.AwaitLines("kvm", "vm1", 1)
	if got := l.Findings(0); got != "" {
		t.Errorf("the checker: %s", got)
	}
}

// What virsh says of calls that it does not take.
func TestRefusals(t *testing.T) {
	l := newLab(t, "")
	l.File("shared/big.xml", strings.Replace(vm1, "64<", "9000<", 1))
	l.File("shared/nodisk.xml", strings.Replace(vm1, "vm1.img", "none.img", 1))
	l.File("shared/noname.xml", strings.Replace(vm1, "<name>vm1</name>", "", 1))
	l.File("shared/xen.xml", strings.Replace(vm1, "'kvm'", "'xen'", 1))
	l.File("shared/half.xml", vm1[:100])
	for line, text := range map[string]string{
		"virsh dance":                          "error: unknown command: 'dance'",
		"virsh list --dance":                   "error: command 'list' doesn't support option --dance",
		"virsh domstate":                       "error: command 'domstate' requires <domain> option",
		"virsh migrate vm1":                    "error: command 'migrate' requires <desturi> option",
		"virsh list now":                       "error: unexpected data 'now'",
		"virsh -c xen:/// list":                "error: failed to connect to the hypervisor",
		"virsh create none":                    "error: Failed to open file 'none': No such file or directory",
		"virsh create ../../shared/big.xml":    "Cannot allocate memory",
		"virsh create ../../shared/nodisk.xml": "Cannot access storage file '/shared/images/none.img': No such file or directory",
		"virsh create ../../shared/noname.xml": "missing name element",
		"virsh create ../../shared/xen.xml":    "does not support virt type 'xen'",
		"virsh create ../../shared/half.xml":   "(domain_definition)",
	} {
		l.Want(1, text, "a", line)
		if got := l.Want(0, "", "a", "virsh list --all --name"); got != "\n" {
			t.Fatalf("%s: %q", line, got)
		}
	}
	l.Want(0, "9.0.0\n", "a", "virsh --version")
	l.Want(0, "Running hypervisor: QEMU 7.2.22", "a", "virsh version")
	l.Want(0, hostUUID("a"), "a", "virsh capabilities")
}

// The words of RHEL 6.
func TestOldVersion(t *testing.T) {
	l := newLab(t, "0.10")
	l.Want(1, "error: failed to get domain 'vm1'\nerror: Domain not found: no domain with matching name 'vm1'\n", "a", "virsh domstate vm1")
	l.Want(0, "Domain vm1 created from ", "a", "virsh create "+l.Path("shared/vm1.xml"))
	if got, want := l.Want(0, "", "a", "virsh list"), " Id    Name                           State\n"+strings.Repeat("-", 52)+"\n 1     vm1                            running\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	l.Want(0, "Domain vm1 is being shutdown", "a", "virsh shutdown vm1")
}

func TestParse(t *testing.T) {
	c, err := parse([]byte(vm1))
	if err != nil || c.Name != "vm1" || c.UUID != uuid || c.KiB != 65536 || c.VCPUs != 2 || len(c.Disks) != 2 || strings.Join(c.written(), " ") != "/shared/images/vm1.img" {
		t.Errorf("%+v %v", c, err)
	}
	bare := strings.Replace(vm1, "  <uuid>"+uuid+"</uuid>\n", "", 1)
	one, err1 := parse([]byte(bare))
	two, err2 := parse([]byte(bare))
	if err1 != nil || err2 != nil || one.UUID == two.UUID || !isUUID(one.UUID) || !strings.Contains(one.XML, one.UUID) {
		t.Errorf("without a uuid: %q %q %v %v", one.UUID, two.UUID, err1, err2)
	}
	if !isUUID(hostUUID("node1")) || hostUUID("a") == hostUUID("b") {
		t.Errorf("host uuid %q", hostUUID("node1"))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(vm1))
	f.Add([]byte("<domain type='kvm'><name>x</name><memory unit='GiB'>99999999999999999999</memory><os><type>hvm</type></os></domain>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := parse(text); err == nil && (c.KiB < 1 || c.VCPUs < 1 || c.Name == "" || !isUUID(c.UUID)) {
			t.Errorf("%+v", c)
		}
	})
}

// The configuration that a lab is made with is one that virsh takes.
func TestLabsOwn(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Create(t.TempDir()+"/lab", lab.Options{Lab: self, Bare: true, Nodes: []string{"a"}, VMs: []lab.VM{{Type: "kvm", Name: "k1", Memory: 96}}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.Root("a") + "/etc/kvm/k1.xml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := parse(text)
	if err != nil || c.Name != "k1" || c.KiB != 96<<10 || strings.Join(c.written(), " ") != "/shared/images/k1.img" || c.Disks[0].Cache != "none" {
		t.Errorf("%+v %v", c, err)
	}
	if !exists(l.Path("shared/images/k1.img")) {
		t.Error("it has no disk")
	}
}
