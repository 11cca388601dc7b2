package membership

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/from-source", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tools answers each command line by a list of answers; the last one stays.
type tools struct {
	t       *testing.T
	root    string
	answers map[string][]run.Result
	asked   []string
}

func (q *tools) Run(ctx context.Context, c run.Command) (run.Result, error) {
	if _, ok := ctx.Deadline(); !ok {
		q.t.Errorf("%q has no deadline", c.Argv)
	}
	if err := ctx.Err(); err != nil {
		return run.Result{}, run.ErrDeadline
	}
	line := filepath.Base(c.Argv[0]) + " " + strings.Join(c.Argv[1:], " ")
	q.asked = append(q.asked, line)
	list := q.answers[line]
	if len(list) == 0 {
		return run.Result{Code: 1, Stderr: []byte("invalid option\n")}, nil
	}
	if len(list) > 1 {
		q.answers[line] = list[1:]
	}
	return list[0], nil
}

func says(texts ...[]byte) []run.Result {
	var out []run.Result
	for _, b := range texts {
		out = append(out, run.Result{Stdout: b})
	}
	return out
}

func newTools(t *testing.T, programs []string, answers map[string][]run.Result) (*tools, Membership) {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "usr/sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		if err := os.WriteFile(filepath.Join(root, "usr/sbin", p), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	q := &tools{t: t, root: root, answers: answers}
	return q, CMAN(h, q)
}

func TestMembers(t *testing.T) {
	quorate := says(sample(t, "cman_tool-el5-status"))
	for _, c := range []struct {
		name          string
		nodes, status []run.Result
		want          []Member
		err           error
	}{
		{"usual", says(sample(t, "cman_tool-el5-nodes")), quorate, []Member{{"node1", true}, {"Node2.example.com", true}, {"node3", false}}, nil},
		{"quorum disk", says(sample(t, "cman_tool-el5-nodes-qdisk")), quorate, []Member{{"node1", true}, {"node2", false}}, nil},
		{"addresses", says(sample(t, "cman_tool-el6-nodes-addresses")), quorate, []Member{{"node1", true}, {"node2", false}}, nil},
		{"note without a node", says(sample(t, "cman_tool-el5-nodes-note")), quorate, []Member{{"node1", true}}, nil},
		{"disallowed", says(sample(t, "cman_tool-el5-nodes-disallowed")), quorate, nil, ErrAnswer},
		{"inquorate", says(sample(t, "cman_tool-el5-nodes")), says(sample(t, "cman_tool-el5-status-blocked")), nil, ErrInquorate},
		{"joining", says(sample(t, "cman_tool-el5-nodes")), says(sample(t, "cman_tool-el5-status-joining")), nil, ErrInquorate},
		{"silent", says(nil), quorate, nil, ErrAnswer},
		{"silent status", says(sample(t, "cman_tool-el5-nodes")), says(nil), nil, ErrAnswer},
	} {
		_, m := newTools(t, []string{"cman_tool"}, map[string][]run.Result{"cman_tool nodes": c.nodes, "cman_tool status": c.status})
		got, err := m.Members(context.Background())
		if !reflect.DeepEqual(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	_, m := newTools(t, []string{"cman_tool"}, map[string][]run.Result{"cman_tool nodes": {{Code: 1, Stderr: sample(t, "cman_tool-el5-down")}}})
	if got, err := m.Members(context.Background()); got != nil || err == nil || !strings.Contains(err.Error(), "is it running") {
		t.Errorf("cman down: %v, %v", got, err)
	}
	_, m = newTools(t, nil, nil)
	if got, err := m.Members(context.Background()); got != nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no cman_tool: %v, %v", got, err)
	}
}

func TestFind(t *testing.T) {
	all := []Member{{"node1", true}, {"Node2.example.com", false}}
	if m, ok := Find(all, "NODE2.example.com"); !ok || m.Online {
		t.Errorf("%v, %v", m, ok)
	}
	if m, ok := Find(all, "node2"); ok {
		t.Errorf("a short name found %v", m)
	}
}

// nodesWhere is `cman_tool nodes` of eight nodes, of which those with an id in away are away.
func nodesWhere(incarnation string, away ...int) []byte {
	out := "Node  Sts   Inc   Joined               Name\n"
	for id := 1; id <= 8; id++ {
		name := "node" + string(rune('0'+id))
		if slices.Contains(away, id) {
			out += "   " + name[4:] + "   X     " + incarnation + "                        " + name + "\n"
		} else {
			out += "   " + name[4:] + "   M     16   2008-01-10 12:00:01  " + name + "\n"
		}
	}
	return []byte(out)
}

// RHEL 6: fence_tool lists who was fenced, and how.
func TestFencedByFenceTool(t *testing.T) {
	for _, c := range []struct {
		node string
		away []int
		ls   string
		want bool
	}{
		{"node2", []int{2}, "fence_tool-el6-ls", true},
		{"NODE2", []int{2}, "fence_tool-el6-ls", true},
		{"node2", nil, "fence_tool-el6-ls", false},           // a member
		{"node3", []int{3}, "fence_tool-el6-ls", false},      // the fence domain has it as a member still
		{"node4", []int{4}, "fence_tool-el6-ls", true},       // the administrator said so
		{"node5", []int{5}, "fence_tool-el6-ls", true},       // another program
		{"node6", []int{6}, "fence_tool-el6-ls", false},      // left cleanly, never fenced
		{"node7", []int{7}, "fence_tool-el6-ls", false},      // came back by itself once
		{"node8", []int{8}, "fence_tool-el6-ls", false},      // unknown
		{"node2", []int{2}, "fence_tool-el6-ls-owed", false}, // still to be fenced
		{"node4", []int{4}, "fence_tool-el6-ls-owed", false}, // the fence domain does not know it
	} {
		q, m := newTools(t, []string{"cman_tool", "fence_tool"}, map[string][]run.Result{
			"cman_tool nodes":  says(nodesWhere("16", c.away...)),
			"cman_tool status": says(sample(t, "cman_tool-el5-status")),
			"fence_tool ls -n": says(sample(t, c.ls)),
			// What -f would say must not count where fence_tool has answered.
			"cman_tool nodes -f": says([]byte("Node  Sts   Inc   Joined               Name\n   6   X     16                        node6\n       Last fenced:   2008-01-10 13:00:00 by fence_apc\n")),
		})
		if got, err := m.Fenced(context.Background(), c.node); got != c.want || err != nil {
			t.Errorf("%s away %v, %s: %v, %v", c.node, c.away, c.ls, got, err)
		}
		if slices.Contains(q.asked, "cman_tool nodes -f") {
			t.Errorf("asked %q", q.asked)
		}
	}
}

// RHEL 5: cman_tool nodes -f says it; fence_tool is not there, or cannot list.
func TestFencedByCmanTool(t *testing.T) {
	for _, programs := range [][]string{{"cman_tool"}, {"cman_tool", "fence_tool"}} {
		for node, want := range map[string]bool{
			"node1": false, // a member
			"node2": true,
			"node3": false, // not fenced yet
			"node4": false, // fenced once, but not since it went down
			"node5": false, // nothing said
			"node6": false, // came back after a fencing
			"node7": false, // fenced once, and never a member since cman started here: cman_tool cannot say more
		} {
			_, m := newTools(t, programs, map[string][]run.Result{
				"cman_tool nodes":    says(nodesWhere("16", 2, 3, 4, 5, 7)),
				"cman_tool status":   says(sample(t, "cman_tool-el5-status")),
				"cman_tool nodes -f": says(sample(t, "cman_tool-el5-nodes-fenced")),
			})
			if got, err := m.Fenced(context.Background(), node); got != want || err != nil {
				t.Errorf("%v %s: %v, %v", programs, node, got, err)
			}
		}
	}
}

func TestFencedDoubts(t *testing.T) {
	away := nodesWhere("16", 2)
	base := func() map[string][]run.Result {
		return map[string][]run.Result{
			"cman_tool nodes":  says(away),
			"cman_tool status": says(sample(t, "cman_tool-el5-status")),
			"fence_tool ls -n": says(sample(t, "fence_tool-el6-ls")),
		}
	}
	for _, c := range []struct {
		name string
		set  func(a map[string][]run.Result)
		node string
		err  bool
	}{
		{"inquorate", func(a map[string][]run.Result) {
			a["cman_tool status"] = says(sample(t, "cman_tool-el5-status-blocked"))
		}, "node2", true},
		{"inquorate while asked", func(a map[string][]run.Result) {
			a["cman_tool status"] = says(sample(t, "cman_tool-el5-status"), sample(t, "cman_tool-el5-status-blocked"))
		}, "node2", true},
		{"came back while asked", func(a map[string][]run.Result) { a["cman_tool nodes"] = says(away, nodesWhere("16")) }, "node2", false},
		{"came back and went while asked", func(a map[string][]run.Result) { a["cman_tool nodes"] = says(away, nodesWhere("24", 2)) }, "node2", false},
		{"unknown node", func(map[string][]run.Result) {}, "node9", true},
		{"garbage", func(a map[string][]run.Result) { a["fence_tool ls -n"] = says([]byte("nodeid 2 fenced\n")) }, "node2", true},
		{"cut off", func(a map[string][]run.Result) {
			a["fence_tool ls -n"] = []run.Result{{Stdout: sample(t, "fence_tool-el6-ls"), Truncated: true}}
		}, "node2", true},
		{"nobody answers", func(a map[string][]run.Result) { delete(a, "fence_tool ls -n") }, "node2", true},
		// RHEL 6 takes -f and prints nothing more: that affirms nothing.
		{"-f without effect", func(a map[string][]run.Result) {
			delete(a, "fence_tool ls -n")
			a["cman_tool nodes -f"] = says(away)
		}, "node2", false},
	} {
		a := base()
		c.set(a)
		_, m := newTools(t, []string{"cman_tool", "fence_tool"}, a)
		if got, err := m.Fenced(context.Background(), c.node); got || (err != nil) != c.err {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, m := newTools(t, []string{"cman_tool", "fence_tool"}, base())
	if got, err := m.Fenced(ctx, "node2"); got || err == nil {
		t.Errorf("no time: %v, %v", got, err)
	}
}

func TestParseNodesRefuses(t *testing.T) {
	good := string(sample(t, "cman_tool-el5-nodes-fenced"))
	for name, text := range map[string]string{
		"no header":       "   1   M     12   2008-01-10 12:00:01  node1\n",
		"header only":     "Node  Sts   Inc   Joined               Name\n",
		"cut in a line":   good[:len(good)-3],
		"another state":   strings.Replace(good, "X", "?", 1),
		"five fields":     strings.Replace(good, "2008-01-10 12:00:01  node1", "2008-01-10  node1", 1),
		"id":              strings.Replace(good, "   3   X", "   c   X", 1),
		"incarnation":     strings.Replace(good, "     20  ", "     xx  ", 1),
		"another trouble": strings.Replace(good, "Last fenced:", "Never fenced:", 1),
	} {
		if nodes, err := parseNodes([]byte(text)); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %+v, %v", name, nodes, err)
		}
	}
}

func TestCheckStatus(t *testing.T) {
	const in = "Membership state: Cluster-Member\n"
	for text, want := range map[string]error{
		in + "Quorum: 2\n":                   nil,
		in + "Quorum: 2  \n":                 nil,
		"Quorum: 2\n":                        ErrAnswer, // no word of membership
		in:                                   ErrAnswer,
		"Quorum: 2 Activity blocked\n":       ErrInquorate,
		"Quorum: 2 Activity  blocked\n":      ErrAnswer,
		"Quorum: two\n":                      ErrAnswer,
		"Quorum:\n":                          ErrAnswer,
		"Nodes: 3\n":                         ErrAnswer,
		"Quorum: 0\n":                        ErrAnswer,
		"Quorum: 2\nCluster Member: No\n":    ErrInquorate,
		"Membership state: Joining\nQuorum:": ErrInquorate,
	} {
		if err := checkStatus([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseFenceLsRefuses(t *testing.T) {
	good := string(sample(t, "fence_tool-el6-ls"))
	for name, text := range map[string]string{
		"empty":         "",
		"no list":       good[:strings.Index(good, "all nodes")],
		"cut in a line": good[:len(good)-4],
		"flag":          strings.Replace(good, "nodeid 2 member 0", "nodeid 2 member 2", 1),
		"twice":         good + "nodeid 2 member 0 victim 0 last fence master 1 how none\n",
		"other words":   good + "nodeid 9 member 0 victim 0 last fenced by node1 at noon\n",
	} {
		if all, err := parseFenceLs([]byte(text)); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}

func FuzzParseNodes(f *testing.F) {
	names, err := filepath.Glob("testdata/from-source/cman_tool-*-nodes*")
	if err != nil || len(names) == 0 {
		f.Fatal("no samples")
	}
	for _, n := range names {
		f.Add(sample(f, filepath.Base(n)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		nodes, err := parseNodes(b)
		if err != nil {
			return
		}
		for _, n := range nodes {
			if n.id <= 0 || n.name == "" || n.fenced && !strings.Contains(string(b), "fenced:") {
				t.Errorf("%+v of %q", n, b)
			}
		}
	})
}

func FuzzCheckStatus(f *testing.F) {
	for _, n := range []string{"cman_tool-el5-status", "cman_tool-el5-status-blocked", "cman_tool-el5-status-joining"} {
		f.Add(sample(f, n))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkStatus(b) == nil && !strings.Contains(string(b), "Quorum") {
			t.Errorf("%q is quorate", b)
		}
	})
}

func FuzzParseFenceLs(f *testing.F) {
	f.Add(sample(f, "fence_tool-el6-ls"))
	f.Add(sample(f, "fence_tool-el6-ls-owed"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parseFenceLs(b)
		if err != nil {
			return
		}
		for _, x := range all {
			if x.affirms() && (x.victim || x.member) {
				t.Errorf("%+v", x)
			}
		}
	})
}

func TestSelf(t *testing.T) {
	for _, c := range []struct {
		name   string
		status []run.Result
		want   string
		err    error
	}{
		{"usual", says(sample(t, "cman_tool-el5-status")), "node1", nil},
		{"silent", says([]byte("Nodes: 2\n")), "", ErrAnswer},
		{"no name", says([]byte("Node name: \n")), "", ErrAnswer},
	} {
		_, m := newTools(t, []string{"cman_tool"}, map[string][]run.Result{"cman_tool status": c.status})
		got, err := m.(*cman).Self(context.Background())
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}
