package adopt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/real"
)

// before runs an adoption that does something before one of its steps.
func (b bench) before(t *testing.T, step string, do func()) error {
	t.Helper()
	a := b.adopter("node1")
	p, err := a.Look(context.Background(), b.request())
	must(t, err)
	a.Before = func(s string) {
		if s == step {
			do()
		}
	}
	return a.Add(context.Background(), p)
}

// What fails while it is no death is undone at once, and all is as it was.
func TestAFailureIsUndone(t *testing.T) {
	for _, k := range kinds() {
		for _, x := range []struct {
			name, step string
			spoil      func(t *testing.T, b bench) (mend func())
		}{
			{"a folder where the configuration goes", "configs", func(t *testing.T, b bench) func() {
				dir := filepath.Dir(filepath.Join(b.dir, "node1", b.k.conf))
				must(t, os.MkdirAll(filepath.Dir(dir), 0o755))
				must(t, os.WriteFile(dir, nil, 0o600))
				return func() { must(t, os.Remove(dir)) }
			}},
			{"lbvm.conf has errors meanwhile", "lbvm.conf", func(t *testing.T, b bench) func() {
				path := filepath.Join(b.dir, "shared/lbvm.conf")
				must(t, os.WriteFile(path, []byte("balance {"), 0o644))
				return func() { must(t, os.WriteFile(path, []byte(lbvmConf), 0o644)) }
			}},
			{"cluster.conf is not well-formed meanwhile", "cluster", func(t *testing.T, b bench) func() {
				path := filepath.Join(b.dir, "node1/etc/cluster/cluster.conf")
				must(t, os.WriteFile(path, []byte("<cluster"), 0o644))
				return func() { must(t, os.WriteFile(path, []byte(clusterConf), 0o644)) }
			}},
		} {
			t.Run(k.label()+"/"+x.name, func(t *testing.T) {
				b := newBench(t, k)
				start := listing(t, b.dir)
				mend := func() {}
				err := b.before(t, x.step, func() { mend = x.spoil(t, b) })
				if err == nil {
					t.Fatal("it did not fail")
				}
				mend()
				if errors.Is(err, ErrHalf) { // the spoiled file is one that an undo reads, too
					a := b.adopter("node1")
					p, err := a.Find("")
					must(t, err)
					must(t, a.Undo(context.Background(), p))
				} else if !errors.Is(err, ErrUndone) {
					t.Errorf("it says %v", err)
				}
				if wrong := b.wholeOld(t, start); len(wrong) > 0 {
					t.Errorf("%v\n%s", err, strings.Join(wrong, "\n"))
				}
			})
		}
	}
}

// The source is gone when it is to be copied, or between the copy and the comparison.
func TestVanishedSource(t *testing.T) {
	for _, k := range kinds() {
		for _, step := range []string{"copy", "verify"} {
			b := newBench(t, k)
			from := filepath.Join(b.dir, "node1", k.tree+k.image)
			start := listing(t, b.dir)
			err := b.before(t, step, func() { must(t, os.Rename(from, from+".away")) })
			if !errors.Is(err, ErrUndone) || !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %v", step, err)
			}
			must(t, os.Rename(from+".away", from))
			if wrong := b.wholeOld(t, start); len(wrong) > 0 {
				t.Errorf("%s: %s", step, strings.Join(wrong, "\n"))
			}
		}
	}
}

// Somebody writes to the copy's original although it is retired: the copy is not taken for it.
func TestChangedWhileCopied(t *testing.T) {
	b := newBench(t, openvzKind())
	err := b.before(t, "verify", func() { put(t, filepath.Join(b.dir, "node1/vz/private/101/etc/fstab"), "y\n") })
	if !errors.Is(err, ErrUndone) || !errors.Is(err, ErrDiffers) {
		t.Errorf("%v", err)
	}
}

// A configuration that was edited between the look and the first step is not what was planned for; one that was edited on
// the shared storage later is kept by an undo.
func TestEditedConfig(t *testing.T) {
	for _, k := range kinds() {
		b := newBench(t, k)
		path := filepath.Join(b.dir, "node1", k.config)
		a := b.adopter("node1")
		p, err := a.Look(context.Background(), b.request())
		must(t, err)
		put(t, path, k.files[k.config[1:]]+"#\n")
		start := listing(t, b.dir)
		if err := a.Add(context.Background(), p); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "edited") {
			t.Errorf("%v", err)
		}
		if wrong := b.wholeOld(t, start); len(wrong) > 0 {
			t.Error(strings.Join(wrong, "\n"))
		}

		b = newBench(t, k)
		path = filepath.Join(b.dir, "node1", k.config)
		a = b.adopter("node1")
		p, err = a.Look(context.Background(), b.request())
		must(t, err)
		a.At = func(point string) error {
			if point == "finish" {
				return errKilled
			}
			return nil
		}
		if err := a.Add(context.Background(), p); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		put(t, filepath.Join(b.dir, "node1", k.conf), "edited\n")
		a.At = nil
		must(t, a.Undo(context.Background(), p))
		if text, err := os.ReadFile(filepath.Join(b.dir, "node1", k.conf) + editedSuffix); err != nil || string(text) != "edited\n" {
			t.Errorf("what was edited is %q, %v", text, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != k.files[k.config[1:]] {
			t.Errorf("the original is %q, %v", text, err)
		}
	}
}

// Two at once: the second is refused while the first works, and while its VM is not finished.
func TestSecondAtOnce(t *testing.T) {
	b := newBench(t, openvzKind())
	a := b.adopter("node1")
	p, err := a.Look(context.Background(), b.request())
	must(t, err)
	var second error
	a.Before = func(step string) {
		if step == "copy" {
			second = b.adopter("node1").Add(context.Background(), p)
		}
	}
	must(t, a.Add(context.Background(), p))
	if !errors.Is(second, ErrRefused) || !errors.Is(second, lockfile.ErrHeld) {
		t.Errorf("the second one: %v", second)
	}
	if wrong := b.wholeNew(t); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}

	b = newBench(t, openvzKind())
	a = b.adopter("node1")
	a.At = func(point string) error {
		if point == "copy" {
			return errKilled
		}
		return nil
	}
	if err := a.Add(context.Background(), p); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	a.At = nil
	if err := a.Add(context.Background(), p); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "unfinished") {
		t.Errorf("%v", err)
	}
	if _, err := a.Look(context.Background(), b.request()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "--resume 101") {
		t.Errorf("a look: %v", err)
	}
	other := b.adopter("node2")
	if err := other.Resume(context.Background(), p); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "on node1") {
		t.Errorf("from another node: %v", err)
	}
}

// What an agent has started from its new place is not taken back.
func TestNoUndoOfWhatRan(t *testing.T) {
	b := newBench(t, openvzKind())
	a := b.adopter("node1")
	p, err := a.Look(context.Background(), b.request())
	must(t, err)
	a.At = func(point string) error {
		if point == "finish" {
			return errKilled
		}
		return nil
	}
	if err := a.Add(context.Background(), p); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	a.At = nil
	d, err := handoff.Open(a.Shared, p.Type, p.VM)
	must(t, err)
	l, err := d.TryLock("test")
	must(t, err)
	_, err = l.Write(handoff.State{Phase: handoff.Starting, Node: "node2", Boot: "b"})
	must(t, err)
	must(t, l.Unlock())
	start := listing(t, b.dir)
	if err := a.Undo(context.Background(), p); !errors.Is(err, ErrHalf) || !strings.Contains(err.Error(), "starting") {
		t.Errorf("%v", err)
	}
	if now := listing(t, b.dir); strings.Join(now, "\n") != strings.Join(start, "\n") {
		t.Error("the refused undo has changed something")
	}
	must(t, a.Resume(context.Background(), p))
	if wrong := b.wholeNew(t); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
}

// The shared storage runs full in the middle of a copy, after the look has seen room.
func TestDiskFull(t *testing.T) {
	real.NeedRoot(t)
	for _, k := range kinds() {
		b := newBench(t, k)
		shared := filepath.Join(b.dir, "shared")
		full := shared
		must(t, os.Rename(shared, shared+".away"))
		must(t, os.Mkdir(full, 0o755))
		if err := unix.Mount("tmpfs", full, "tmpfs", 0, "size=2m"); err != nil {
			t.Skipf("skipped: this test mounts a small file system, which is not allowed here: %v", err)
		}
		defer func() { must(t, unix.Unmount(full, 0)) }()
		must(t, os.CopyFS(full, os.DirFS(shared+".away")))
		start := listing(t, b.dir)
		err := b.before(t, "copy", func() {
			free, err := room(full)
			must(t, err)
			must(t, os.WriteFile(filepath.Join(full, "other"), make([]byte, free-16<<10), 0o600))
		})
		if !errors.Is(err, ErrUndone) || !strings.Contains(err.Error(), "No space left") {
			t.Errorf("%v", err)
		}
		must(t, os.Remove(filepath.Join(full, "other")))
		if wrong := b.wholeOld(t, start); len(wrong) > 0 {
			t.Error(strings.Join(wrong, "\n"))
		}
		a := b.adopter("node1")
		put(t, filepath.Join(full, "other"), strings.Repeat("x", 1950<<10))
		if _, err := a.Look(context.Background(), b.request()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "MiB free") {
			t.Errorf("a look at a full storage: %v", err)
		}
	}
}

func TestLookRefuses(t *testing.T) {
	k := openvzKind()
	for _, x := range []struct {
		name, want string
		spoil      func(t *testing.T, b bench)
	}{
		{"it runs", "is running", func(t *testing.T, b bench) { put(t, filepath.Join(b.dir, "node1/run.101"), "") }},
		{"it runs on another node", "which is running", func(t *testing.T, b bench) {
			put(t, filepath.Join(b.dir, "node2/etc/vz/conf/101.conf"), "VE_PRIVATE=/vz/private/101\n")
			put(t, filepath.Join(b.dir, "node2/vz/private/101/x"), "")
			put(t, filepath.Join(b.dir, "node2/run.101"), "")
		}},
		{"another node has one of that number", "a openvz:101 of its own", func(t *testing.T, b bench) {
			put(t, filepath.Join(b.dir, "node2/etc/vz/conf/101.conf"), "VE_PRIVATE=/vz/private/101\n")
			put(t, filepath.Join(b.dir, "node2/vz/private/101/x"), "")
		}},
		{"a bridge is not everywhere", "no bridge br7", func(t *testing.T, b bench) {
			put(t, filepath.Join(b.dir, "node1/etc/vz/conf/101.conf"), k.files["etc/vz/conf/101.conf"]+"NETIF=\"ifname=eth0,bridge=br7\"\n")
		}},
		{"the cluster has it", "has openvz:101 already", func(t *testing.T, b bench) {
			put(t, filepath.Join(b.dir, "node1/etc/cluster/cluster.conf"), strings.Replace(clusterConf, `"900"`, `"101"`, 1))
		}},
		{"a service has its name", "has a service:101 already", func(t *testing.T, b bench) {
			put(t, filepath.Join(b.dir, "node1/etc/cluster/cluster.conf"), strings.Replace(clusterConf, `"web"`, `"101"`, 1))
		}},
		{"it is a service, and all of it on the shared storage", "openvz:101 is in service:web already: there is nothing to add", func(t *testing.T, b bench) {
			must(t, os.Rename(filepath.Join(b.dir, "node1/etc/vz/conf"), filepath.Join(b.dir, "shared/vzconf")))
			must(t, os.Symlink("../../gfs/vzconf", filepath.Join(b.dir, "node1/etc/vz/conf")))
			put(t, filepath.Join(b.dir, "node1/etc/cluster/cluster.conf"), strings.Replace(clusterConf, `"900"`, `"101"`, 1))
		}},
		{"it is all on the shared storage, and no service", "add its service with lbm ccs insert", func(t *testing.T, b bench) {
			must(t, os.Rename(filepath.Join(b.dir, "node1/etc/vz/conf"), filepath.Join(b.dir, "shared/vzconf")))
			must(t, os.Symlink("../../gfs/vzconf", filepath.Join(b.dir, "node1/etc/vz/conf")))
		}},
		{"lbvm.conf lists it", "lists 101 already", func(t *testing.T, b bench) {
			put(t, filepath.Join(b.dir, "shared/lbvm.conf"), "balance 900, 101;\n")
		}},
		{"something is in its new place", "/gfs/openvz/private/101 is there already", func(t *testing.T, b bench) { put(t, filepath.Join(b.dir, "shared/openvz/private/101"), "") }},
		{"an original is in the way", "101.conf.lbvm-orig is there already", func(t *testing.T, b bench) {
			put(t, filepath.Join(b.dir, "node1/etc/vz/conf/101.conf.lbvm-orig"), "")
		}},
		{"the private area is gone", "no such file", func(t *testing.T, b bench) { must(t, os.RemoveAll(filepath.Join(b.dir, "node1/vz/private/101"))) }},
		{"no tool copies", "neither rsync nor cp", func(t *testing.T, b bench) { must(t, os.Remove(filepath.Join(b.dir, "node1/bin/cp"))) }},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t, k)
			x.spoil(t, b)
			start := listing(t, b.dir)
			_, err := b.adopter("node1").Look(context.Background(), b.request())
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want %q", err, x.want)
			}
			if now := listing(t, b.dir); strings.Join(now, "\n") != strings.Join(start, "\n") {
				t.Error("it has changed something")
			}
		})
	}
}

// What a VM's cards hang on has another name on another node: there is one configuration for all, and it is refused, whatever
// the technology.
func TestNodesDiffer(t *testing.T) {
	for _, k := range kinds() {
		old, card, lacks := "vdb,w'] # two\n", "vdb,w'] # two\nvif = ['mac=1,bridge=br7']\n", "no bridge br7"
		switch k.name {
		case "openvz":
			old, card = "KMEMSIZE", "NETIF=\"ifname=eth0,bridge=br7\"\nNETDEV=\"eth7\"\nKMEMSIZE"
		case "kvm":
			old, card = "  </devices>", "<interface type='bridge'><source bridge='br7'/></interface><interface type='network'><source network='lan7'/></interface>  </devices>"
		}
		b := newBench(t, k)
		text := strings.Replace(k.files[k.config[1:]], old, card, 1)
		if text == k.files[k.config[1:]] {
			t.Fatal("the card is not in the configuration")
		}
		put(t, filepath.Join(b.dir, "node1", k.config), text)
		look := func() error {
			_, err := b.adopter("node1").Look(context.Background(), b.request())
			return err
		}
		if err := look(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "node2 says: it has "+lacks+oneText) {
			t.Errorf("%s: %v", k.label(), err)
		}
		must(t, os.MkdirAll(filepath.Join(b.dir, "node2/sys/class/net/br7/bridge"), 0o755))
		for kind, want := range map[string]string{"openvz": "no interface eth7" + oneText, "kvm": "no network lan7" + oneText} {
			if err := look(); kind == k.name && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %v", k.label(), err)
			}
		}
		put(t, filepath.Join(b.dir, "node2/etc/libvirt/qemu/networks/lan7.xml"), "<network/>")
		must(t, os.MkdirAll(filepath.Join(b.dir, "node2/sys/class/net/eth7"), 0o755))
		if err := look(); err != nil {
			t.Errorf("%s: %v", k.label(), err)
		}
	}
}

// A disk that another VM has, too, adopted or not, on this node or another, is nobody's to move.
func TestDiskOfTwo(t *testing.T) {
	other := func(k kind) string { // another VM's configuration, with the same disk
		return strings.NewReplacer("name = 'web1'", "name = 'old'", "<name>web2<", "<name>old<", "$VEID", "101").Replace(k.files[k.config[1:]])
	}
	for _, k := range kinds() {
		local, adopted, named := "/etc/xen/old", "/gfs/xen/conf/old", "xen:old"
		switch k.name {
		case "openvz":
			local, adopted, named = "/etc/vz/conf/102.conf", "/gfs/openvz/conf/102.conf", "openvz:102"
		case "kvm":
			local, adopted, named = "/etc/libvirt/qemu/old.xml", "/gfs/kvm/conf/old.xml", "kvm:old"
		}
		disk := k.tree + k.image
		for _, x := range []struct {
			name, want string
			spoil      func(b bench)
		}{
			{"of this node", disk + " is used by " + named + ", too (" + local + ")", func(b bench) { put(t, filepath.Join(b.dir, "node1", local), other(k)) }},
			{"of the cluster", disk + " is used by " + named + ", too (" + adopted + ")", func(b bench) { put(t, filepath.Join(b.dir, "node1", adopted), other(k)) }},
			{"by another name of the disk", "is used by " + named, func(b bench) {
				must(t, os.Symlink(filepath.Base(disk), filepath.Join(b.dir, "node1", filepath.Dir(disk), "alias")))
				put(t, filepath.Join(b.dir, "node1", local), strings.ReplaceAll(other(k), disk, filepath.Dir(disk)+"/alias"))
			}},
			{"of another node, on the shared storage", "/gfs/here is used by " + named, func(b bench) {
				must(t, os.Rename(filepath.Join(b.dir, "node1", disk), filepath.Join(b.dir, "shared/here")))
				if k.tree != "" { // where vzctl would look for it
					put(t, filepath.Join(b.dir, "node2/vz/private/keep"), "")
				}
				for node, path := range map[string]string{"node1": k.config, "node2": local} {
					text := strings.NewReplacer("/vz/private/$VEID", "/gfs/here", "$VEID", "101", disk, "/gfs/here").Replace(k.files[k.config[1:]])
					if node == "node2" {
						text = strings.NewReplacer("name = 'web1'", "name = 'old'", "<name>web2<", "<name>old<").Replace(text)
					}
					put(t, filepath.Join(b.dir, node, path), text)
				}
			}},
		} {
			b := newBench(t, k)
			x.spoil(b)
			start := listing(t, b.dir)
			_, err := b.adopter("node1").Look(context.Background(), b.request())
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%s, %s: %v, want %q", k.label(), x.name, err, x.want)
			}
			if now := listing(t, b.dir); strings.Join(now, "\n") != strings.Join(start, "\n") {
				t.Errorf("%s, %s: it has changed something", k.label(), x.name)
			}
		}
	}
	// It comes to have it while the first is asked for.
	k := xenKind()
	b := newBench(t, k)
	a := b.adopter("node1")
	p, err := a.Look(context.Background(), b.request())
	must(t, err)
	put(t, filepath.Join(b.dir, "node1/etc/xen/old"), other(k))
	if err := a.Add(context.Background(), p); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "used by xen:old") {
		t.Errorf("%v", err)
	}
	// One that is only read, and stays where it is, may be read by all.
	b = newBench(t, k)
	put(t, filepath.Join(b.dir, "shared/cd.iso"), "x")
	put(t, filepath.Join(b.dir, "node1", k.config), strings.Replace(k.files[k.config[1:]], "'drbd:r0,xvdb,w'", "'file:/gfs/cd.iso,xvdb:cdrom,r'", 1))
	put(t, filepath.Join(b.dir, "node1/etc/xen/old"), "name = 'old'\nmemory = 64\ndisk = ['file:/gfs/cd.iso,xvdb:cdrom,r']\n")
	if _, err := b.adopter("node1").Look(context.Background(), b.request()); err != nil {
		t.Errorf("a disk that is only read: %v", err)
	}
	// A file that is not understood and names the disk.
	put(t, filepath.Join(b.dir, "node1/etc/xen/clever"), "import os\ndisk = ['file:/srv/web1.img' + x]\n")
	if _, err := b.adopter("node1").Look(context.Background(), b.request()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "clever") {
		t.Errorf("%v", err)
	}
}

// A guest that vm.sh has already would get a second service, and a cluster that comes up starts each of them.
func TestLookRefusesAStockVM(t *testing.T) {
	for _, k := range []kind{xenKind(), kvmKind()} {
		for _, name := range []string{k.vm, filepath.Base(k.config)} {
			b := newBench(t, k)
			put(t, filepath.Join(b.dir, "node1/etc/cluster/cluster.conf"), strings.Replace(clusterConf, "  </rm>", `    <vm name="`+name+`" autostart="0"/>`+"\n  </rm>", 1))
			_, err := b.adopter("node1").Look(context.Background(), b.request())
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "vm:"+name+" of the cluster has it by an agent that is not LBVM's") {
				t.Errorf("%s, <vm name=%q>: %v", k.name, name, err)
			}
		}
	}
}
