package membership

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

func captured(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/captured", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPacemaker(t *testing.T) {
	for _, c := range []struct {
		file    string
		members []Member
		fenced  []string
		err     error
	}{
		{"crm_mon-2.1.5-nodes", []Member{{"node1", true}, {"node2", false}, {"node3", false}, {"node4", true}, {"node5", false}}, []string{"node2"}, nil},
		// Without fencing Pacemaker calls a node clean that it has lost.
		{"crm_mon-2.1.5-nostonith", []Member{{"node1", true}, {"node2", false}, {"node3", false}, {"node4", false}, {"node5", false}}, nil, nil},
		{"crm_mon-2.1.5-maintenance", []Member{{"node1", true}, {"node2", false}, {"node3", false}, {"node4", true}, {"node5", false}}, nil, nil},
		{"crm_mon-2.1.5-noquorum", nil, nil, ErrInquorate},
	} {
		q, _ := newTools(t, []string{"crm_mon"}, map[string][]run.Result{"crm_mon -1 --as-xml": says(captured(t, c.file))})
		h := hostAt(t, q.root)
		m := Of(h, q)
		got, err := m.Members(context.Background())
		if !reflect.DeepEqual(got, c.members) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", c.file, got, err)
		}
		var fenced []string
		for _, n := range []string{"node1", "node2", "node3", "node4", "node5"} {
			yes, err := m.Fenced(context.Background(), n)
			if yes {
				fenced = append(fenced, n)
			}
			if !errors.Is(err, c.err) {
				t.Errorf("%s: %s: %v", c.file, n, err)
			}
		}
		if !reflect.DeepEqual(fenced, c.fenced) {
			t.Errorf("%s: fenced are %q, want %q", c.file, fenced, c.fenced)
		}
		if yes, err := m.Fenced(context.Background(), "node9"); yes || err == nil {
			t.Errorf("%s: an unknown node: %v, %v", c.file, yes, err)
		}
	}
}

// crm_mon that cannot reach the cluster prints a whole document without a word in it, and ends with 102.
func TestPacemakerIsDown(t *testing.T) {
	for name, answer := range map[string]run.Result{
		"not running":    {Code: 102, Stdout: []byte("<crm_mon version=\"2.1.5\"/>\n"), Stderr: []byte("crm_mon: Connection to cluster failed: Connection refused\n")},
		"unknown option": {Code: 64, Stderr: []byte("crm_mon: unrecognized option '--as-xml'\n")},
		"empty":          {},
		"only a root":    {Stdout: []byte("<crm_mon version=\"2.1.5\"/>\n")},
		"cut off":        {Stdout: []byte(strings.TrimSuffix(string(captured(t, "crm_mon-2.1.5-nodes")), "</crm_mon>\n"))},
		"no nodes":       {Stdout: []byte(strings.Replace(string(captured(t, "crm_mon-2.1.5-nodes")), "<nodes>", "<machines>", 1))},
		"no quorum":      {Stdout: []byte(strings.Replace(string(captured(t, "crm_mon-2.1.5-nodes")), "with_quorum", "quorate", 1))},
		"a node twice":   {Stdout: []byte(strings.Replace(string(captured(t, "crm_mon-2.1.5-nodes")), `name="node3"`, `name="node2"`, 1))},
		"another word":   {Stdout: []byte(strings.Replace(string(captured(t, "crm_mon-2.1.5-nodes")), `online="false"`, `online="maybe"`, 1))},
	} {
		q, _ := newTools(t, []string{"crm_mon"}, map[string][]run.Result{"crm_mon -1 --as-xml": {answer}})
		m := Of(hostAt(t, q.root), q)
		if got, err := m.Members(context.Background()); err == nil || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if yes, err := m.Fenced(context.Background(), "node2"); yes || err == nil {
			t.Errorf("%s: %v, %v", name, yes, err)
		}
	}
}

// What is not said affirms nothing: each of the words that a proof needs is left out once.
func TestPacemakerNeedsEveryWord(t *testing.T) {
	text := string(captured(t, "crm_mon-2.1.5-nodes"))
	line := text[strings.Index(text, `<node name="node2"`):]
	line = line[:strings.Index(line, "\n")]
	for _, word := range []string{` pending="false"`, ` unclean="false"`, ` maintenance="false"`} {
		v, err := parseCrmMon([]byte(strings.Replace(text, line, strings.Replace(line, word, "", 1), 1)))
		if err != nil {
			t.Fatal(err)
		}
		q, _ := newTools(t, []string{"crm_mon"}, map[string][]run.Result{"crm_mon -1 --as-xml": says([]byte(strings.Replace(text, line, strings.Replace(line, word, "", 1), 1)))})
		if yes, err := Pacemaker(hostAt(t, q.root), q).Fenced(context.Background(), "node2"); yes || err != nil {
			t.Errorf("without%s: %v, %v (%+v)", word, yes, err, v)
		}
	}
	for _, word := range []string{` stonith-enabled="true"`, ` maintenance-mode="false"`} {
		if v, err := parseCrmMon([]byte(strings.Replace(text, word, "", 1))); err != nil || v.fences {
			t.Errorf("without%s: %+v, %v", word, v, err)
		}
	}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		programs []string
		file     bool // there is a cluster.conf, without which cman cannot run
		cman     bool
	}{{[]string{"cman_tool"}, false, true}, {[]string{"cman_tool", "crm_mon"}, true, true}, {[]string{"cman_tool", "crm_mon"}, false, false}, {[]string{"crm_mon"}, true, false}, {nil, false, true}} {
		q, _ := newTools(t, c.programs, nil)
		if c.file {
			path := hostAt(t, q.root).Path(host.ClusterXML)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("<cluster/>"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := Of(hostAt(t, q.root), q).(later).is().(*cman); ok != c.cman {
			t.Errorf("%q: cman %v", c.programs, ok)
		}
	}
}

// The name that the cluster gives this node is heard through Of too: a copied lbvm.id would speak for another node.
func TestCheckSelfThroughOf(t *testing.T) {
	q, _ := newTools(t, []string{"cman_tool"}, map[string][]run.Result{"cman_tool status": says(sample(t, "cman_tool-el5-status"))})
	m := Of(hostAt(t, q.root), q)
	if err := CheckSelf(context.Background(), m, "node2"); !errors.Is(err, ErrNotMe) {
		t.Errorf("another node: %v", err)
	}
	if err := CheckSelf(context.Background(), m, "NODE1"); err != nil {
		t.Errorf("this node: %v", err)
	}
}

// The same with Pacemaker: the agents of a cloned node would publish its boot under the other's name, who would look gone. What
// is no name contradicts nobody.
func TestCheckSelfWithPacemaker(t *testing.T) {
	nodes := says(captured(t, "crm_mon-2.1.5-nodes"))
	for _, c := range []struct {
		name, member string
		says, nodes  []run.Result
		want         error
	}{
		{"this node", "Node1", says([]byte("node1\n")), nodes, nil},
		{"another node", "node2", says([]byte("node1\n")), nodes, ErrNotMe},
		{"a host's name, of one whose node has another", "node2", says([]byte("alpha\n")), nodes, nil},
		{"a host's name, and Pacemaker does not run", "node2", says([]byte("node1\n")), []run.Result{{Code: 102}}, nil},
		{"Pacemaker does not run", "node2", []run.Result{{Code: 102, Stderr: []byte("crm_node: Connection refused\n")}}, nodes, nil},
		{"no name", "node2", says([]byte("node1 (1)\n")), nodes, nil},
		{"nothing", "node2", says(nil), nodes, nil},
	} {
		q, _ := newTools(t, []string{"crm_mon", "crm_node"}, map[string][]run.Result{"crm_node -n": c.says, "crm_mon -1 --as-xml": c.nodes})
		if err := CheckSelf(context.Background(), Of(hostAt(t, q.root), q), c.member); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	q, _ := newTools(t, []string{"crm_mon"}, nil)
	if err := CheckSelf(context.Background(), Of(hostAt(t, q.root), q), "node2"); err != nil {
		t.Errorf("no crm_node: %v", err)
	}
}

func FuzzParseCrmMon(f *testing.F) {
	names, err := filepath.Glob("testdata/captured/crm_mon-*")
	if err != nil || len(names) == 0 {
		f.Fatal("no samples")
	}
	for _, n := range names {
		f.Add(captured(f, filepath.Base(n)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseCrmMon(b)
		if err != nil {
			return
		}
		if len(v.nodes) == 0 || !strings.Contains(string(b), `with_quorum="true"`) {
			t.Errorf("%+v of %q", v, b)
		}
	})
}

// A node is gone only by a proof.
func TestGone(t *testing.T) {
	shared := t.TempDir()
	publish(t, shared, "node2", "boot-b")
	for _, c := range []struct {
		name       string
		node, boot string
		left       bool
		m          fake
		want, err  bool
	}{
		{"a member", "node2", "boot-b", false, fake{online: true, fenced: true}, false, false},
		{"a member that has booted anew", "node2", "boot-a", false, fake{online: true}, true, false},
		{"away", "node2", "boot-b", false, fake{}, false, false},
		{"away and fenced", "node2", "boot-b", false, fake{fenced: true}, true, false},
		{"left in order, and fenced some time", "node2", "boot-b", true, fake{fenced: true}, false, false},
		{"left in order, and has booted anew", "node2", "boot-a", true, fake{}, true, false},
		{"a target has no boot that counts", "node2", "", false, fake{}, false, false},
		{"never published", "node3", "boot-a", false, fake{}, false, false},
		{"no quorum", "node2", "boot-a", false, fake{err: ErrInquorate}, false, true},
		{"the fence daemon does not answer", "node2", "boot-b", false, fake{fenceErr: ErrAnswer, fenced: true}, false, true},
	} {
		got, err := Gone(context.Background(), c.m, shared, c.node, c.boot, c.left)
		if got != c.want || (err != nil) != c.err {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

type fake struct {
	online, fenced bool
	err, fenceErr  error
}

func (f fake) Members(context.Context) ([]Member, error) {
	return []Member{{"node1", true}, {"node2", f.online}, {"node3", false}}, f.err
}

func (f fake) Fenced(context.Context, string) (bool, error) {
	if f.fenceErr != nil {
		return false, f.fenceErr
	}
	return f.fenced, nil
}

func hostAt(t *testing.T, root string) host.Host {
	t.Helper()
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func publish(t *testing.T, shared, node, boot string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(shared, host.NodesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := host.WriteFacts(shared, host.Facts{Member: node, Boot: boot}); err != nil {
		t.Fatal(err)
	}
}
