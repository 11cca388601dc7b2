package top

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/term"
)

func now() time.Time { return time.Date(2007, 11, 21, 12, 0, 0, 0, time.UTC) }

func ptr[T any](v T) *T { return &v }

func ago(d time.Duration) *time.Time { return ptr(now().Add(-d)) }

// cluster is a cluster of three nodes in trouble.
func cluster() *Snapshot {
	means := func(values ...float64) []*float64 {
		out := make([]*float64, Points)
		for i, v := range values {
			out[Points-len(values)+i] = &v
		}
		return out
	}
	cpu := func(v float64, means []*float64) Series {
		return Series{Newest: &v, At: ago(20 * time.Second), Fresh: true, Means: means}
	}
	return &Snapshot{At: now().Add(-2 * time.Second), Cluster: "xen",
		Pass:      &Pass{At: now().Add(-12 * time.Second), Quorate: true, Balanced: 4, Wanting: 3, Rails: map[string]int{"cool-down": 1}},
		Resources: []Resource{{Name: "cpu", Full: 1}, {Name: "ram", Free: true}, {Name: "queue"}},
		Nodes: []Node{
			{Name: "node1", Online: ptr(true), Guests: 3, Cores: ptr(4.0), MemTotal: ptr(int64(8) << 30), MemFree: ptr(int64(1) << 30), Seen: ago(20 * time.Second),
				Values: map[string]Series{"cpu": cpu(0.93, means(0.1, 0.2, 0.4, 0.6, 0.8, 0.93, 0.99)), "ram": cpu(1024, means(2048, 1024)), "queue": cpu(12000, nil)}},
			{Name: "node2", Online: ptr(true), Guests: 1, MemTotal: ptr(int64(64) << 30), MemFree: ptr(int64(60) << 30),
				Values: map[string]Series{"cpu": cpu(0.05, means(0, 0.05)), "ram": cpu(61440, nil), "queue": cpu(0, nil)}},
			{Name: "node3", Online: ptr(false), Values: map[string]Series{"cpu": {Newest: ptr(0.5), At: ago(20 * time.Minute), Means: means(0.5)}}},
		},
		VMs: []VM{
			{VM: "openvz:101", Node: ptr("node1"), State: "started", Cores: ptr(2.5), Mem: ptr(int64(2) << 30), Verdict: ptr("migrate"), Target: ptr("node2"), Held: []string{}, Why: "lbvm.conf:9 said migrate as average(res('cpu', 5)) > 0.70"},
			{VM: "openvz:102", Node: ptr("node1"), State: "started", Frozen: true, Verdict: ptr("stay"), Held: []string{"cool-down", "settling"}, Why: "held back"},
			{VM: "xen:web", Node: ptr("node2"), State: "started", Mem: ptr(int64(12) << 30), Verdict: ptr("report"), Target: ptr("node1"), Held: []string{}, Why: "\x1b[31mevil\x1b[0m \x07 ünïcode 日本"},
			{VM: "xen:db", State: "stopped", Held: []string{}},
			{VM: "kvm:mail", Node: ptr("node1"), State: "started", Cores: ptr(0.25), Verdict: ptr("stay"), Held: []string{}, Why: "its rule said nothing"},
		},
		Moves: []Move{
			{VM: "openvz:101", Source: "node1", Target: "node2", Begin: now().Add(-8 * time.Second), Outcome: "in flight", By: "lbmonitor", Why: "hot"},
			{VM: "xen:web", Source: "node1", Target: "node2", Begin: now().Add(-time.Hour), End: ago(59 * time.Minute), Outcome: "moved", By: "lbm", Why: "asked for"},
			{VM: "xen:db", Source: "node1", Target: "node3", Begin: now().Add(-3 * time.Hour), End: ago(150 * time.Minute), Outcome: "failed", By: "lbmonitor", Why: "no room"},
		},
		Warnings: []string{"lblog has not run on node node3 yet"}}
}

func text(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestFrames(t *testing.T) {
	large := cluster()
	for i := range 40 {
		large.Nodes = append(large.Nodes, Node{Name: "blade" + string(rune('A'+i/10)) + string(rune('0'+i%10)), Online: ptr(true)})
	}
	for i := range 400 {
		large.VMs = append(large.VMs, VM{VM: "openvz:" + string(rune('2'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10)), State: "started", Verdict: ptr("stay"), Held: []string{}})
	}
	old := cluster()
	old.At, old.Pass.At, old.Pass.Quorate = now().Add(-10*time.Minute), now().Add(-11*time.Minute), false
	for name, c := range map[string]struct {
		s *Snapshot
		v View
	}{
		"piped":      {cluster(), View{Width: 160, Order: ByDecision}},
		"utf8":       {cluster(), View{Width: 160, Order: ByCPU, UTF8: true}},
		"terminal":   {cluster(), View{Width: 100, Height: 30, Order: ByName, Keys: true, ByLoad: true, Selected: "xen:web", UTF8: true}},
		"small":      {cluster(), View{Width: 80, Height: 24, Order: ByMemory, Keys: true, First: 1}},
		"large":      {large, View{Width: 120, Height: 40, Order: ByName, Keys: true, Selected: "openvz:350"}},
		"no-answer":  {old, View{Width: 120, Order: ByNode, Trouble: "the shared storage has not answered for 9m58s"}},
		"not-yet":    {nil, View{Width: 80, Height: 24, Trouble: "the shared storage has not answered for 20s"}},
		"empty":      {&Snapshot{At: now(), Cluster: "xen", Warnings: []string{"a", "b", "c", "d"}}, View{Width: 100, Order: ByName}},
		"very-small": {cluster(), View{Width: 12, Height: 5, Order: ByName, Keys: true}},
	} {
		c.v.Now = now()
		lines := Frame(c.s, c.v)
		golden(t, name+".txt", text(lines))
		for _, l := range lines {
			plain := ""
			for _, s := range l {
				plain += s.Text
			}
			if n := utf8.RuneCountInString(plain); n > c.v.Width || strings.ContainsAny(plain, "\x1b\x07\n") {
				t.Errorf("%s: %d characters in a line of %d: %q", name, n, c.v.Width, plain)
			}
		}
		if c.v.Height > 10 && len(lines) > c.v.Height {
			t.Errorf("%s: %d lines on a screen of %d", name, len(lines), c.v.Height)
		}
	}
}

// What needs a person stands out.
func TestStyles(t *testing.T) {
	styles := map[string]term.Style{}
	for _, l := range Frame(cluster(), View{Width: 160, Order: ByName, Now: now()}) {
		for _, s := range l {
			styles[strings.TrimSpace(s.Text)] = s.Style
		}
	}
	for text, want := range map[string]term.Style{"node3": term.Bad, "node1": term.Plain, "#########.": term.Bad, "migrate to node2": term.Good, "held: cool-down, settling": term.Warn, "failed": term.Bad, "in flight": term.Good} {
		if got, ok := styles[text]; !ok || got != want {
			t.Errorf("%q: style %v (%v), want %v", text, got, ok, want)
		}
	}
}

func TestOrders(t *testing.T) {
	for o, want := range map[Order]string{ByName: "kvm:mail openvz:101 openvz:102 xen:db xen:web", ByNode: "xen:db kvm:mail openvz:101 openvz:102 xen:web", ByCPU: "openvz:101 kvm:mail openvz:102 xen:db xen:web",
		ByMemory: "xen:web openvz:101 kvm:mail openvz:102 xen:db", ByDecision: "openvz:101 xen:web openvz:102 kvm:mail xen:db"} {
		var got []string
		for _, vm := range Sorted(cluster(), o) {
			got = append(got, vm.VM)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", o, got)
		}
	}
}

// A snapshot goes through JSON from the process that reads.
func TestSnapshotAsJSON(t *testing.T) {
	b, err := json.Marshal(Update{Snapshot: cluster()})
	if err != nil {
		t.Fatal(err)
	}
	var u Update
	if err := json.Unmarshal(b, &u); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cluster(), u.Snapshot); diff != "" {
		t.Error(diff)
	}
}
