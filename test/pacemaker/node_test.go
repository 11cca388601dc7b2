package pacemaker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What a process of the bench is told by its environment: the words of its role.
const roleVariable = "LBVM_TEST_PACEMAKER"

// sharePath is where the nodes have their shared storage.
const sharePath = "/gfs"

// eventsFile is where a node writes down what its libvirt tells.
const eventsFile = "/var/log/libvirt-events"

func address(number string) string { return "10.79.1." + number }

func names() []string { return []string{"node1", "node2", "node3"} }

// first is the first process of a node, between its namespaces and its end.
type first struct {
	number  string // 1
	dir     string // the bench's, on the host
	boot    string // what the kernel would call this boot
	begin   bool   // it is the node's first boot
	seconds string // between two runs of lblog
}

func (f first) name() string { return "node" + f.number }

// beNode is a node's first process. It ends with its standard input, and everything on the node with it.
func beNode(words []string) error {
	if len(words) != 5 {
		return fmt.Errorf("not a node: %q", words)
	}
	f := first{words[0], words[1], words[2], words[3] == "first", words[4]}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"a root of its own", f.root}, {"files of its own", f.files}, {"the first boot", f.firstBoot},
		{"lo", func() error { return command("ip", "link", "set", "lo", "up") }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %s: %w", f.name(), step.what, err)
		}
	}
	fmt.Println("namespaces")
	// Its end of the wire is laid from outside; corosync and libvirtd listen on it.
	if _, err := io.ReadFull(os.Stdin, make([]byte, 1)); err != nil {
		return err
	}
	go f.life()
	go func() { // whatever ends on the node is this process's child
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); errors.Is(err, syscall.ECHILD) {
				time.Sleep(50 * time.Millisecond)
			}
		}
	}()
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// root makes the node's root: the machine's programs below those of the stage, what the node writes in folders of its own
// that outlive it, and nothing of the machine's /run, /tmp and /home.
func (f first) root() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	own := filepath.Join(f.dir, f.name())
	root := filepath.Join(own, "root")
	if err := errors.Join(os.MkdirAll(root, 0o755), syscall.Mount("tmpfs", root, "tmpfs", 0, "mode=755")); err != nil {
		return err
	}
	list, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range list {
		at, name := filepath.Join(root, e.Name()), e.Name()
		switch {
		case e.Type()&os.ModeSymlink != 0:
			to, err := os.Readlink("/" + name)
			if err := errors.Join(err, os.Symlink(to, at)); err != nil {
				return err
			}
			continue
		case !e.IsDir() || !slices.Contains([]string{"usr", "etc", "var", "dev", "sys", "bin", "sbin", "lib", "lib32", "lib64", "libx32"}, name):
			continue
		}
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		switch name {
		case "usr", "etc", "var":
			up, work := filepath.Join(own, name), filepath.Join(own, name+".work")
			below := "/" + name
			if stage := filepath.Join(f.dir, "stage", name); exists(stage) {
				below = stage + ":" + below
			}
			if err := errors.Join(os.MkdirAll(up, 0o755), os.MkdirAll(work, 0o755),
				syscall.Mount("overlay", at, "overlay", 0, "lowerdir="+below+",upperdir="+up+",workdir="+work)); err != nil {
				return fmt.Errorf("/%s: %w", name, err)
			}
		default:
			if err := syscall.Mount("/"+name, at, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
				return fmt.Errorf("/%s: %w", name, err)
			}
		}
	}
	for _, m := range []struct{ at, kind, options string }{
		{"proc", "proc", ""}, {"run", "tmpfs", "mode=755"}, {"tmp", "tmpfs", "mode=1777"}, {"root", "tmpfs", "mode=700"}, {"dev/shm", "tmpfs", "mode=1777"},
	} {
		at := filepath.Join(root, m.at)
		if err := errors.Join(os.MkdirAll(at, 0o755), syscall.Mount(m.kind, at, m.kind, 0, m.options)); err != nil {
			return fmt.Errorf("/%s: %w", m.at, err)
		}
	}
	for from, to := range map[string]string{"shared": sharePath, "fence": fencePath} {
		at := filepath.Join(root, to)
		if err := errors.Join(os.MkdirAll(at, 0o755), syscall.Mount(filepath.Join(f.dir, from), at, "", syscall.MS_BIND, "")); err != nil {
			return fmt.Errorf("%s: %w", to, err)
		}
	}
	old := filepath.Join(root, "run/old")
	return errors.Join(os.Mkdir(old, 0o700), syscall.PivotRoot(root, old), os.Chdir("/"), syscall.Unmount("/run/old", syscall.MNT_DETACH), os.Remove("/run/old"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// files writes what tells this node from the others.
func (f first) files() error {
	me := address(f.number)
	hosts, list := "127.0.0.1 localhost\n", ""
	for i, n := range names() {
		hosts += address(fmt.Sprint(i+1)) + " " + n + "\n"
		list += fmt.Sprintf("  node {\n    ring0_addr: %s\n    name: %s\n    nodeid: %d\n  }\n", address(fmt.Sprint(i+1)), n, i+1)
	}
	all := map[string]string{
		"/run/boot_id":               f.boot + "\n",
		"/etc/hostname":              f.name() + "\n",
		"/etc/hosts":                 hosts,
		"/run/resource-agents/.keep": "", "/run/lock/.keep": "", "/run/libvirt/.keep": "", "/run/dbus/.keep": "",
		"/etc/corosync/corosync.conf": strings.ReplaceAll(corosyncConf, "NODES", list),
		"/etc/libvirt/libvirtd.conf":  strings.NewReplacer("ADDRESS", me, "NUMBER", f.number).Replace(libvirtdConf),
		"/etc/libvirt/qemu.conf":      strings.ReplaceAll(qemuConf, "ADDRESS", me),
	}
	for path, text := range all {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	return errors.Join(syscall.Sethostname([]byte(f.name())), syscall.Mount("/run/boot_id", "/proc/sys/kernel/random/boot_id", "", syscall.MS_BIND, ""))
}

// The token is long for a cluster, and short for a machine on which thirty others want to run.
const corosyncConf = `totem {
  version: 2
  cluster_name: bench
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: 5000
}
nodelist {
NODES}
quorum {
  provider: corosync_votequorum
  expected_votes: 3
}
system {
  sched_rr: no
}
logging {
  to_stderr: no
  to_syslog: no
  to_logfile: yes
  logfile: /var/log/corosync/corosync.log
}
`

const libvirtdConf = `listen_tls = 0
listen_tcp = 1
listen_addr = "ADDRESS"
auth_tcp = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_level = 4
host_uuid = "00000000-0000-4000-8000-00000000000NUMBER"
`

const qemuConf = `user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
migration_host = "ADDRESS"
migration_address = "ADDRESS"
`

// firstBoot takes away what the machine's own cluster and hypervisor may have left in /var and /etc.
func (f first) firstBoot() error {
	if !f.begin {
		return nil
	}
	for _, pattern := range []string{"/var/lib/pacemaker/*/*", "/var/lib/corosync/*", "/var/log/pacemaker/*", "/var/log/corosync/*", "/var/log/libvirt/qemu/*",
		"/var/lib/libvirt/qemu/*", "/etc/libvirt/qemu/*", "/etc/libvirt/hooks/*", "/etc/cluster/lbvm.id", "/etc/cluster/lbvm.conf", "/var/lib/lbvm/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll("/var/log/corosync", 0o755); err != nil {
		return err
	}
	// Who waits for nobody else elects a DC at once: it saves twenty seconds, and changes nothing after them.
	const cib = "/var/lib/pacemaker/cib/cib.xml"
	return command("sh", "-ec", `cibadmin --empty >`+cib+`
sed -i 's|<crm_config/>|<crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="o-dc" name="dc-deadtime" value="2s"/></cluster_property_set></crm_config>|' `+cib+`
chown hacluster:haclient `+cib+`; chmod 600 `+cib)
}

func command(argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(nodeEnv(), "CIB_file=/var/lib/pacemaker/cib/cib.xml")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", argv, err, out)
	}
	return nil
}

func nodeEnv() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"}
}

// life starts what init would, and lblog as cron would. What ends is not started again: a node whose daemons die is one
// that the cluster has to deal with.
func (f first) life() {
	start := func(nice int, argv ...string) {
		pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Dir: "/", Env: nodeEnv(), Files: []uintptr{2, 2, 2}})
		if err != nil {
			fmt.Fprintln(os.Stderr, f.name(), argv, err)
			return
		}
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, pid, nice); err != nil {
			fmt.Fprintln(os.Stderr, f.name(), argv, err)
		}
	}
	// The nodes are before whatever else the machine does, as if they had processors of their own; and corosync, which elsewhere
	// is a real-time process, is before all.
	const ahead = -10
	start(-19, "/usr/sbin/corosync", "-f")
	start(ahead, "/usr/sbin/virtlogd", "-d")
	start(ahead, "/usr/sbin/libvirtd", "--listen")
	// What libvirt tells of its guests, among it that one was reset, for who has to find out why a guest came up anew.
	start(ahead, "/bin/sh", "-c", "until virsh -c qemu:///system list >/dev/null 2>&1; do sleep 0.2; done; exec virsh -c qemu:///system event --all --loop --timestamp >>"+eventsFile+" 2>&1")
	start(ahead, "/bin/sh", "-c", "until corosync-cfgtool -s >/dev/null 2>&1; do sleep 0.1; done; exec /usr/sbin/pacemakerd")
	start(ahead, "/bin/sh", "-c", "while sleep "+f.seconds+"; do [ ! -e /etc/cluster/lbvm.id ] || /usr/share/lbvm/lblog & done")
}
