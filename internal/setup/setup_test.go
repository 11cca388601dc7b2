package setup

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/balance/conf"
	"github.com/lbvm/lbvm/pkg/ccs"
)

const clusterConf = `<?xml version="1.0"?>
<!-- edited by hand -->
<cluster  name='gfs' config_version="7">
	<clusternodes>
		<clusternode name="node1.example.com" nodeid="1"/>
		<clusternode name="node2.example.com" nodeid="2"/>
	</clusternodes>
	<rm>
		<service name="centos"><openvz name="100"/></service>
	</rm>
</cluster>
`

// twoNodes makes two nodes with one shared folder.
func twoNodes(t *testing.T) (nodes [2]host.Host, dir string) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "shared"), 0o755))
	for i, name := range []string{"node1", "node2.example.com"} {
		root := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Join(root, "etc/cluster"), 0o755))
		must(t, os.WriteFile(filepath.Join(root, "etc/hostname"), []byte(name+"\n"), 0o644))
		must(t, os.WriteFile(filepath.Join(root, "etc/cluster/cluster.conf"), []byte(clusterConf), 0o640))
		must(t, os.Symlink("../shared", filepath.Join(root, "gfs")))
		h, err := host.New(root)
		must(t, err)
		nodes[i] = h
	}
	return nodes, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestInitAndJoin(t *testing.T) {
	nodes, dir := twoNodes(t)
	ctx := context.Background()
	if _, err := Join(ctx, nodes[1], Options{Shared: "/gfs"}); !errors.Is(err, ErrNotInit) {
		t.Errorf("joining before init: %v", err)
	}
	if _, err := Init(ctx, nodes[0], Options{Shared: "/gfs", Service: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := Join(ctx, nodes[1], Options{Shared: "/gfs"}); err != nil {
		t.Fatal(err)
	}
	var ids [2]host.Identity
	for i, h := range nodes {
		id, err := h.Identity()
		must(t, err)
		ids[i] = id
		shared, err := h.SharedDir(id)
		if err != nil {
			t.Fatalf("node %d does not see the marker: %v", i, err)
		}
		if fi, err := os.Stat(filepath.Join(shared, "lbvm/handoff")); err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("the hand-off folder: %v, %v", fi, err)
		}
	}
	if ids[0].UUID != ids[1].UUID || ids[0].Member != "node1.example.com" || ids[1].Member != "node2.example.com" || ids[0].LogDir != "/gfs/lbvm/log" {
		t.Errorf("identities are %+v", ids)
	}
	doc, err := ccs.Load(filepath.Join(dir, "node1/etc/cluster/cluster.conf"))
	must(t, err)
	if v, err := doc.Version(); err != nil || v != 8 {
		t.Errorf("version is %d, %v", v, err)
	}
	if svc, ok := doc.Service("service:monitoring"); !ok || len(svc.VMs("lbvm")) != 1 {
		t.Errorf("no monitoring service in\n%s", doc.Bytes())
	}
	if text := string(doc.Bytes()); !strings.Contains(text, "<cluster  name='gfs' config_version=\"8\">") || !strings.Contains(text, "<!-- edited by hand -->") {
		t.Errorf("other bytes changed:\n%s", text)
	}
}

func TestInitTwiceChangesNothing(t *testing.T) {
	nodes, dir := twoNodes(t)
	ctx := context.Background()
	o := Options{Shared: "/gfs", Service: true}
	_, err := Init(ctx, nodes[0], o)
	must(t, err)
	before := tree(t, dir)
	steps, err := Init(ctx, nodes[0], Options{Service: true}) // finds the storage in lbvm.id
	must(t, err)
	for _, s := range steps {
		if s.Done {
			t.Errorf("%s %s was done again", s.What, s.Path)
		}
	}
	if after := tree(t, dir); after != before {
		t.Errorf("files changed:\n%s\n%s", before, after)
	}
}

// Rule 10: where the storage was made ready before and shows nothing now, it is not mounted.
func TestInitOfAStorageThatIsNotMounted(t *testing.T) {
	nodes, dir := twoNodes(t)
	ctx := context.Background()
	_, err := Init(ctx, nodes[0], Options{Shared: "/gfs"})
	must(t, err)
	must(t, os.Rename(filepath.Join(dir, "shared"), filepath.Join(dir, "away")))
	must(t, os.Mkdir(filepath.Join(dir, "shared"), 0o755)) // the mount point
	before := tree(t, dir)
	for _, o := range []Options{{}, {Shared: "/gfs"}, {Shared: "/gfs", DryRun: true}} {
		if _, err := Init(ctx, nodes[0], o); !errors.Is(err, host.ErrNoMarker) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if after := tree(t, dir); after != before {
		t.Errorf("files changed:\n%s\n%s", before, after)
	}
	must(t, os.Remove(filepath.Join(dir, "node1/etc/cluster/lbvm.id"))) // as the message says
	if _, err := Init(ctx, nodes[0], Options{Shared: "/gfs"}); err != nil {
		t.Error(err)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	nodes, dir := twoNodes(t)
	before := tree(t, dir)
	steps, err := Init(context.Background(), nodes[0], Options{Shared: "/gfs", Service: true, DryRun: true})
	must(t, err)
	if len(steps) < 8 {
		t.Errorf("only %d steps: %v", len(steps), steps)
	}
	for _, s := range steps {
		if s.Done {
			t.Errorf("%s %s was done", s.What, s.Path)
		}
	}
	if after := tree(t, dir); after != before {
		t.Errorf("files changed:\n%s\n%s", before, after)
	}
}

func TestInitRefuses(t *testing.T) {
	ctx := context.Background()
	t.Run("another cluster's storage", func(t *testing.T) {
		nodes, dir := twoNodes(t)
		must(t, os.MkdirAll(filepath.Join(dir, "shared/lbvm"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "shared/lbvm/cluster"), host.Identity{Cluster: "other", UUID: "x"}.Marker(), 0o644))
		if _, err := Init(ctx, nodes[0], Options{Shared: "/gfs"}); !errors.Is(err, ErrOtherCluster) {
			t.Error(err)
		}
	})
	t.Run("no such folder", func(t *testing.T) {
		nodes, _ := twoNodes(t)
		if _, err := Init(ctx, nodes[0], Options{Shared: "/nowhere"}); err == nil || !strings.Contains(err.Error(), "--shared") {
			t.Error(err)
		}
	})
	t.Run("a node that cluster.conf does not name", func(t *testing.T) {
		nodes, dir := twoNodes(t)
		must(t, os.WriteFile(filepath.Join(dir, "node1/etc/hostname"), []byte("elsewhere\n"), 0o644))
		if _, err := Init(ctx, nodes[0], Options{Shared: "/gfs"}); err == nil || !strings.Contains(err.Error(), "--member") {
			t.Error(err)
		}
	})
	t.Run("relative or root", func(t *testing.T) {
		nodes, _ := twoNodes(t)
		for _, dir := range []string{"gfs", "/", "/gfs/.."} {
			if _, err := Init(ctx, nodes[0], Options{Shared: dir}); err == nil {
				t.Errorf("%q was taken", dir)
			}
		}
	})
}

func TestSamplesAreValid(t *testing.T) {
	nodes, dir := twoNodes(t)
	_, err := Init(context.Background(), nodes[0], Options{Shared: "/gfs"})
	must(t, err)
	read := func(p string) ([]byte, error) { return os.ReadFile(nodes[0].Path(p)) }
	f, r, diags, err := conf.Load(read, host.ConfFile)
	must(t, err)
	for _, d := range diags {
		t.Error(d.Format())
	}
	if f == nil || r == nil || len(r.List) != 3 || f.Paths.LogDir != "/gfs/lbvm/log" || f.Default == nil {
		t.Errorf("read as %+v, %+v", f, r)
	}
	if to, err := os.Readlink(filepath.Join(dir, "node1/etc/cluster/lbvm.conf")); err != nil || filepath.IsAbs(to) {
		t.Errorf("lbvm.conf is a link to %q, %v: it should be a relative one", to, err)
	}
}

// tree lists every file with its text.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		b.WriteString(p + "\n")
		if d.Type().IsRegular() {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			b.Write(text)
		}
		return nil
	}))
	return b.String()
}

// A node that shares nothing keeps its identity when it is made ready again, and one that shares something does not
// forget that.
func TestNotShared(t *testing.T) {
	nodes, dir := twoNodes(t)
	ctx := context.Background()
	o := Options{NotShared: true}
	if steps, err := Init(ctx, nodes[0], Options{NotShared: true, DryRun: true}); err != nil || len(steps) == 0 {
		t.Fatalf("a dry run: %+v, %v", steps, err)
	}
	if id, err := nodes[0].Identity(); !errors.Is(err, host.ErrNoIdentity) {
		t.Errorf("a dry run wrote %+v, %v", id, err)
	}
	if fi, err := os.Stat(nodes[0].Path(logDir)); err == nil {
		t.Errorf("a dry run made %s", fi.Name())
	}
	var first host.Identity
	for i, do := range []func(context.Context, host.Host, Options) ([]Step, error){Init, Init, Join} {
		if _, err := do(ctx, nodes[0], o); err != nil {
			t.Fatal(err)
		}
		id, err := nodes[0].Identity()
		must(t, err)
		if i == 0 {
			first = id
		}
		if id != first || id.UUID == "" || id.Shared != "" || id.Cluster != "gfs" || id.Member != "node1.example.com" || id.LogDir != logDir {
			t.Errorf("%d: %+v, and first %+v", i, id, first)
		}
	}
	if fi, err := os.Stat(nodes[0].Path(logDir)); err != nil || fi.Mode().Perm() != 0o750 {
		t.Errorf("where it logs: %v, %v", fi, err)
	}
	other := first
	other.Cluster = "other"
	must(t, os.Remove(nodes[0].Path(host.IDFile)))
	must(t, nodes[0].WriteIdentity(other))
	if _, err := Init(ctx, nodes[0], o); err != nil {
		t.Fatal(err)
	}
	if id, err := nodes[0].Identity(); err != nil || id.UUID == first.UUID || id.Cluster != "gfs" {
		t.Errorf("another cluster's mark was taken over: %+v, %v", id, err)
	}

	if _, err := Init(ctx, nodes[1], Options{Shared: "/gfs"}); err != nil {
		t.Fatal(err)
	}
	before, err := nodes[1].Identity()
	must(t, err)
	must(t, os.Rename(filepath.Join(dir, "shared"), filepath.Join(dir, "away"))) // it is not mounted, say
	for name, do := range map[string]func(context.Context, host.Host, Options) ([]Step, error){"init": Init, "join": Join} {
		if _, err := do(ctx, nodes[1], o); err == nil || !strings.Contains(err.Error(), "keeps a VM from running twice") {
			t.Errorf("%s over a shared storage: %v", name, err)
		}
		if id, err := nodes[1].Identity(); err != nil || id != before {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
		if _, err := do(ctx, nodes[0], Options{NotShared: true, Shared: "/gfs"}); err == nil {
			t.Errorf("%s: both at once", name)
		}
	}
}

// pacemaker answers as a real one did, and takes what is added.
type pacemaker struct{ calls []string }

func (p *pacemaker) Run(_ context.Context, c run.Command) (run.Result, error) {
	p.calls = append(p.calls, strings.Join(append([]string{filepath.Base(c.Argv[0])}, c.Argv[1:]...), " "))
	if slices.Contains(c.Argv, "--query") {
		out, err := os.ReadFile("../cluster/testdata/captured/cibadmin-2.1.5-query.xml")
		return run.Result{Stdout: out}, err
	}
	return run.Result{}, nil
}

// A node with Pacemaker has no cluster.conf: name and members stand in the CIB, and the balancer becomes a resource there.
func TestInitUnderPacemaker(t *testing.T) {
	nodes, dir := twoNodes(t)
	root := filepath.Join(dir, "node1")
	must(t, os.Remove(filepath.Join(root, "etc/cluster/cluster.conf")))
	must(t, os.WriteFile(filepath.Join(root, "etc/hostname"), []byte("n2.example.com\n"), 0o644))
	must(t, os.MkdirAll(filepath.Join(root, "usr/sbin"), 0o755))
	for _, name := range []string{"crm_mon", "cibadmin"} {
		must(t, os.WriteFile(filepath.Join(root, "usr/sbin", name), nil, 0o755))
	}
	p := &pacemaker{}
	dry, err := Init(context.Background(), nodes[0], Options{Shared: "/gfs", Service: true, Run: p, DryRun: true})
	must(t, err)
	if last := dry[len(dry)-1]; last.What != "CIB" || last.Done || !strings.Contains(last.Note, `type="lbvm"`) || len(p.calls) != 1 {
		t.Errorf("%+v, %v", last, p.calls)
	}
	_, err = Init(context.Background(), nodes[0], Options{Shared: "/gfs", Service: true, Run: p})
	must(t, err)
	id, err := nodes[0].Identity()
	must(t, err)
	if id.Cluster != "lbvm" || id.Member != "n2" || id.Shared != "/gfs" {
		t.Errorf("%+v", id)
	}
	last := p.calls[len(p.calls)-1]
	if !strings.HasPrefix(last, `cibadmin --create --scope resources --xml-text <primitive id="lbvm1" class="ocf" provider="lbvm" type="lbvm">`) {
		t.Error(last)
	}
	_, primitive, _ := strings.Cut(last, "--xml-text ")
	if out, err := verified(t, primitive); err != nil {
		t.Errorf("crm_verify: %v: %s", err, out)
	}
	if _, err := verified(t, strings.Replace(primitive, `interval="60s"`, `interval="60s" every="60s"`, 1)); err == nil {
		t.Error("crm_verify finds nothing in an attribute that there is not")
	}
}

// verified has Pacemaker's own crm_verify look over a real configuration with a resource more.
func verified(t *testing.T, primitive string) (string, error) {
	t.Helper()
	text, err := os.ReadFile("../cluster/testdata/captured/cibadmin-2.1.5-query.xml")
	must(t, err)
	file := filepath.Join(t.TempDir(), "cib.xml")
	must(t, os.WriteFile(file, []byte(strings.Replace(string(text), "</resources>", primitive+"</resources>", 1)), 0o600))
	out, err := exec.Command(real.Need(t, "crm_verify"), "--xml-file", file, "--verbose").CombinedOutput()
	return string(out), err
}
