package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func facts() Facts {
	return Facts{
		Member: "node1", Boot: "b1", At: time.Date(2008, 1, 10, 12, 0, 0, 0, time.FixedZone("", 3600)), Cores: 4, MemTotal: 8 << 30, MemFree: 3 << 30,
		Guests: []GuestFact{{Type: "openvz", Name: "101", State: "running", Mem: 512 << 20, CPU: 0.25, Uses: map[string]float64{"io": 0.125, "net": 1e7}}, {Type: "xen", Name: "web1", State: "paused", CPU: -1}},
		Tools:  map[string]string{"vzctl": "4.11.1", "xm": "3.1.0-8.el5 with words"},
		Config: 17, Arch: "x86_64", Kernel: "2.6.32-754.el6.x86_64", CPUFlags: []string{"fpu", "sse2"}, Bridges: []string{"br0", "xenbr0"},
		Lists: []string{"openvz", "xen"}, Restores: []string{"openvz"}, Listens: map[string]string{"xen": ":8002"},
		Technologies: map[string]Technology{"lxc": {Digest: "0123"}, "toy": {"4567", true, true}},
		VMs:          []VMFact{{Type: "openvz", Name: "101"}, {Type: "kvm", Name: "win1", CPU: "SandyBridge disable:avx"}, {Type: "xen", Name: "web1", Mem: 1 << 30, Lacks: []string{"disk /gfs/web1.img: no such file or directory", "there is no bridge xenbr1"}, NotLive: "DRBD: resource r0: its connection is StandAlone, not Connected"}},
	}
}

func shared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, NodesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFactsRoundTrip(t *testing.T) {
	dir := shared(t)
	for _, want := range []Facts{facts(), {Member: "node2", Boot: "b2", Tools: map[string]string{}}} {
		if err := WriteFacts(dir, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFacts(dir, want.Member)
		if !got.At.Equal(want.At) {
			t.Errorf("%v, want %v", got.At, want.At)
		}
		got.At = want.At
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := ReadFacts(dir, "node3"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("never published: %v", err)
	}
	for _, bad := range []string{"", "../x", "a/b"} {
		if _, err := ReadFacts(dir, bad); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
		if err := WriteFacts(dir, Facts{Member: bad, Boot: "b"}); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// A file under another's name is nobody's.
	if err := os.Rename(filepath.Join(dir, NodesDir, "node1"), filepath.Join(dir, NodesDir, "node9")); err != nil {
		t.Fatal(err)
	}
	if f, err := ReadFacts(dir, "node9"); err == nil {
		t.Errorf("%+v", f)
	}
}

// What a driver may say of a guest must not make the whole file unreadable.
func TestFactsHoldAnyState(t *testing.T) {
	f := facts()
	f.Guests = []GuestFact{{Type: "xen", Name: "a", State: "", CPU: -1}, {Type: "xen", Name: "b", State: "in two\nwords", CPU: -1}}
	got, err := parseFacts(f.format())
	if err != nil || got.Guests[0].State != "unknown" || got.Guests[1].State != "in-two-words" {
		t.Errorf("%+v, %v", got.Guests, err)
	}
}

func TestParseFactsRefuses(t *testing.T) {
	good := string(facts().format())
	for name, text := range map[string]string{
		"torn":            strings.TrimSuffix(good, "\n"),
		"another format":  strings.Replace(good, "format=1", "format=2", 1),
		"no member":       strings.Replace(good, "member=node1\n", "", 1),
		"no boot":         strings.Replace(good, "boot=b1", "boot=", 1),
		"cores":           strings.Replace(good, "cores=4", "cores=four", 1),
		"negative":        strings.Replace(good, "cores=4", "cores=-4", 1),
		"memory":          strings.Replace(good, "mem_free_bytes=", "mem_free_bytes=x", 1),
		"time":            strings.Replace(good, "at=2008", "at=last", 1),
		"guest words":     good + "guest=xen:a running 5\n",
		"uses words":      good + "guest=xen:a running 5 0.1\nuses=io\n",
		"uses value":      good + "guest=xen:a running 5 0.1\nuses=io -1\n",
		"guest type":      good + "guest=a running 5 0.1\n",
		"guest name":      good + "guest=xen:../a running 5 0.1\n",
		"guest memory":    good + "guest=xen:a running -5 0.1\n",
		"guest processor": good + "guest=xen:a running 5 NaN\n",
	} {
		if text == good {
			t.Fatalf("%s changes nothing", name)
		}
		if f, err := parseFacts([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestPublishBoot(t *testing.T) {
	dir, n := shared(t), newNode(t)
	if err := n.PublishBoot(dir, "node1"); err == nil {
		t.Error("published without a boot id")
	}
	n.file("/proc/sys/kernel/random/boot_id", "b1\n")
	if err := WriteFacts(dir, facts()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, NodesDir, "node1")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// The same boot: not a byte is written.
	if err := n.PublishBoot(dir, "node1"); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("written again: %v", err)
	}
	n.file("/proc/sys/kernel/random/boot_id", "b2\n")
	if err := n.PublishBoot(dir, "node1"); err != nil {
		t.Fatal(err)
	}
	if f, err := ReadFacts(dir, "node1"); err != nil || f.Boot != "b2" || f.Cores != 0 || len(f.Guests) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	// What cannot be read is replaced.
	if err := os.WriteFile(path, []byte("format=1\nmem"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.PublishBoot(dir, "node1"); err != nil {
		t.Fatal(err)
	}
	if f, err := ReadFacts(dir, "node1"); err != nil || f.Boot != "b2" {
		t.Errorf("%+v, %v", f, err)
	}
}

func FuzzParseFacts(f *testing.F) {
	f.Add(facts().format())
	f.Add([]byte("format=1\nmember=a\nboot=b\nguest=x:y z 1 -1\ntool=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseFacts(b)
		if err != nil {
			return
		}
		if got.Cores < 0 || got.MemTotal < 0 || got.MemFree < 0 || got.Boot == "" {
			t.Errorf("%+v", got)
		}
		again, err := parseFacts(got.format())
		if err != nil || len(again.Guests) != len(got.Guests) || again.Boot != got.Boot {
			t.Errorf("%+v became %+v, %v", got, again, err)
		}
	})
}

// Who wants to know what a node has and runs reads no line of the VMs of cluster.conf, wherever they stand.
func TestReadLoad(t *testing.T) {
	dir := shared(t)
	want := facts()
	if err := WriteFacts(dir, want); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, NodesDir, want.Member)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	vms := strings.Index(text, "vm=")
	guests := strings.Index(text, "guest=")
	if guests < 0 || guests > vms {
		t.Fatalf("the guests do not stand in front of the VMs:\n%s", text)
	}
	older := text[:guests] + text[vms:] + text[guests:vms] // as versions before this one wrote it
	want.VMs = nil
	for name, text := range map[string]string{"new": text, "older": older, "without guests": text[:guests] + text[vms:], "a long line": text[:guests] + "kernel2=" + strings.Repeat("x", 10_000) + "\n" + text[guests:]} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := ReadLoad(dir, want.Member)
		if name == "without guests" {
			got.Guests = want.Guests
		}
		got.At = want.At
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{"torn in front": text[:guests-3], "torn in a guest": text[:vms-3], "torn in a VM, older": older[:len(older)-3]} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadLoad(dir, want.Member); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := ReadLoad(dir, "node9"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("never published: %v", err)
	}
	if _, err := ReadLoad(dir, "../x"); !errors.Is(err, ErrName) {
		t.Errorf("a path: %v", err)
	}
}
