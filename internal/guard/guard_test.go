package guard

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
)

type bench struct {
	t       *testing.T
	g       Guard
	managed bool
}

const me, boot = "node1", "boot-1"

func newBench(t *testing.T, shared string) *bench {
	t.Helper()
	h, err := host.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, managed: true}
	b.g = Guard{Host: h, Managed: func(Door) bool { return b.managed }}
	id := host.Identity{Cluster: "c", UUID: "u", Member: me, Shared: shared, LogDir: "/var/log/lb"}
	b.write(host.IDFile, "")
	b.must(h.WriteIdentity(id))
	b.write("/proc/sys/kernel/random/boot_id", boot+"\n")
	b.write("/proc/mounts", "")
	b.write(host.RunDir+"/keep", "")
	if shared != "" {
		b.write(shared+"/"+host.MarkerFile, string(id.Marker()))
	}
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) write(path, text string) {
	b.t.Helper()
	b.must(os.MkdirAll(filepath.Dir(b.g.Host.Path(path)), 0o755))
	b.must(os.WriteFile(b.g.Host.Path(path), []byte(text), 0o644))
}

var door, arriving = Door{Type: "kvm", VM: "web1"}, Door{Type: "kvm", VM: "web1", Arriving: true}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		phase              handoff.Phase
		node, boot, to     string
		start, come, alien string // "" passes; alien is a start where cluster.conf does not name it
	}{
		{phase: handoff.NoRecord},
		{handoff.Running, me, boot, "", "", "here already", ""},
		{handoff.Starting, me, boot, "", "", "here already", ""},
		{handoff.Resuming, me, boot, "", "", "here already", ""},
		{handoff.Running, me, "boot-0", "", "before this node booted", "before this node booted", "before this node booted"},
		{handoff.Running, "node2", boot, "", "runs on node2", "runs on node2", "runs on node2"},
		{handoff.Starting, "node2", boot, "", "lbm migrate web1 node1", "node2", "node2"},
		{handoff.Resuming, "node2", boot, "", "node2", "node2", "node2"},
		{handoff.Sending, "node2", "boot-2", me, "wait for it", "", "wait for it"},
		{handoff.Sent, "", "", me, "", "", ""},
		{handoff.Sending, me, boot, "node2", "sent to node2", "sent to node2", "sent to node2"},
		{handoff.Sending, "node3", boot, "node2", "sent to node2", "sent to node2", "sent to node2"},
		{handoff.Sent, "", "", "node2", "sent to node2", "sent to node2", "sent to node2"},
		{handoff.Suspending, me, boot, "", "saved here", "saved here", "saved here"},
		{handoff.Held, me, boot, "", "saved here", "saved here", "saved here"},
		{handoff.Held, "node2", boot, "", "on node2", "on node2", "on node2"},
		{handoff.Down, "", "", "", "lbm take web1", "lbm take web1", ""},
		{handoff.Suspended, "", "", "", "image", "image", ""},
		{phase: 0, start: "anywhere", come: "anywhere", alien: "anywhere"},
	} {
		st := handoff.State{Phase: tt.phase, Node: tt.node, Boot: tt.boot, To: tt.to, Seq: 7}
		is := func(what string, err error, want string) {
			t.Helper()
			if want == "" && err != nil || want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(Reason(err), want)) {
				t.Errorf("%s %s>%s, %s: %v, want %q", tt.phase, tt.node, tt.to, what, err, want)
			}
		}
		g := Guard{Managed: func(Door) bool { return true }}
		is("a start", g.judge(door, st, me, boot, false), tt.start)
		is("an arrival", g.judge(arriving, st, me, boot, false), tt.come)
		g.Managed = func(Door) bool { return false }
		is("a start of what is not managed", g.judge(door, st, me, boot, false), tt.alien)
	}
}

// A guest that is received starts like any other, a moment after its arrival was let in.
func TestArrival(t *testing.T) {
	b := newBench(t, "/gfs")
	d, err := handoff.Open(b.g.Host.Path("/gfs"), door.Type, door.VM)
	b.must(err)
	l, err := d.TryLock("test")
	b.must(err)
	defer l.Unlock()
	for _, st := range []handoff.State{{Phase: handoff.Down}, {Phase: handoff.Starting, Node: "node2", Boot: "b"}, {Phase: handoff.Running, Node: "node2", Boot: "b"},
		{Phase: handoff.Sending, Node: "node2", Boot: "b", To: me, Txn: "abababababababababababababababab"}} {
		if _, err := l.Write(st); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		what string
		do   func() error
		want error
	}{
		{"by hand", func() error { return b.g.ByRecord(door) }, ErrRefused},
		{"it comes", func() error { return b.g.ByRecord(arriving) }, nil},
		{"its start", func() error { return b.g.ByRecord(door) }, nil},
		{"it is here, or not", func() error { return b.g.Arrived(door) }, nil},
		{"by hand again", func() error { return b.g.ByRecord(door) }, ErrRefused},
	} {
		if err := step.do(); !errors.Is(err, step.want) {
			t.Errorf("%s: %v", step.what, err)
		}
	}
}

func TestByRecord(t *testing.T) {
	b := newBench(t, "/gfs")
	if err := b.g.ByRecord(door); err != nil {
		t.Errorf("no record: %v", err)
	}
	d, err := handoff.Open(b.g.Host.Path("/gfs"), door.Type, door.VM)
	b.must(err)
	l, err := d.TryLock("test") // the agent that starts it holds the lock
	b.must(err)
	defer l.Unlock()
	for _, tt := range []struct {
		node string
		want error
	}{{"node2", ErrRefused}, {me, nil}} {
		_, err := l.Write(handoff.State{Phase: handoff.Down})
		b.must(err)
		if err := b.g.ByRecord(door); !errors.Is(err, ErrRefused) {
			t.Errorf("down: %v", err)
		}
		_, err = l.Write(handoff.State{Phase: handoff.Starting, Node: tt.node, Boot: boot})
		b.must(err)
		if err := b.g.ByRecord(door); !errors.Is(err, tt.want) {
			t.Errorf("starting %s: %v", tt.node, err)
		}
		_, err = l.Write(handoff.State{Phase: handoff.Running, Node: tt.node, Boot: boot})
		b.must(err)
	}
	if err := b.g.ByRecord(Door{Type: "kvm", VM: "../web1"}); err != nil {
		t.Errorf("a name that is no VM's of ours: %v", err)
	}
	b.must(os.WriteFile(filepath.Join(d.Path(), "state"), []byte("nonsense\n"), 0o644))
	if err := b.g.ByRecord(door); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged record: %v", err)
	}
	b.must(os.Remove(b.g.Host.Path("/gfs/" + host.MarkerFile)))
	if err := b.g.ByRecord(door); !errors.Is(err, ErrAway) {
		t.Errorf("not mounted: %v", err)
	}
	b.must(os.Remove(b.g.Host.Path(host.IDFile)))
	if err := b.g.ByRecord(door); err != nil {
		t.Errorf("no node of a cluster: %v", err)
	}
	if err := newBench(t, "").g.ByRecord(door); !errors.Is(err, ErrAway) || !errors.Is(err, host.ErrNotShared) {
		t.Errorf("no shared storage: %v", err)
	}
}

func TestByNode(t *testing.T) {
	away := errors.Join(ErrAway, host.ErrNoMarker)
	b := newBench(t, "/gfs")
	refused := func(what string, d Door, why error, want bool) {
		t.Helper()
		if err := b.g.ByNode(d, why); errors.Is(err, ErrRefused) != want || err != nil && !want {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("nothing is known", door, away, true)
	refused("an arrival", arriving, away, true)
	lock, err := lockfile.Try(b.g.mark(door, lockMark), "an agent")
	b.must(err)
	refused("a stop is at work, for no start is without the share", door, away, true)
	b.must(lock.Close())
	b.write(host.RunDir+"/kvm-web1.here", "")
	refused("it is here", door, away, false)
	refused("it is here and arrives", arriving, away, true)
	b.must(os.Remove(b.g.mark(door, hereMark)))
	b.managed = false
	refused("not the cluster's", door, away, false)

	b = newBench(t, "")
	none := errors.Join(ErrAway, host.ErrNotShared)
	refused("no shared storage", door, none, true)
	lock, err = lockfile.Try(b.g.mark(door, lockMark), "an agent")
	b.must(err)
	refused("an agent is at work", door, none, false)
	b.must(lock.Close())
	refused("it has ended", door, none, true)
	refused("an arrival", arriving, none, false)
	refused("the start that follows it", door, none, false)
	b.must(b.g.Arrived(door))
	b.must(b.g.Arrived(door))
	refused("and no later one", door, none, true)
}
