package adopt

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/internal/run"
)

// cibFile is Pacemaker's configuration in a file, which its own tools edit and look over as they do a cluster's.
type cibFile struct {
	run.Runner
	path string
	at   func(program string, try int) // before a program runs
	runs map[string]int
}

func (c *cibFile) Run(ctx context.Context, x run.Command) (run.Result, error) {
	name := filepath.Base(x.Argv[0])
	if name != "cibadmin" && name != "crm_verify" {
		return c.Runner.Run(ctx, x)
	}
	if name = name + " " + x.Argv[1]; c.at != nil {
		c.runs[name]++
		c.at(name, c.runs[name])
	}
	x.Env = append(x.Env, "CIB_file="+c.path, "HOME=/root")
	return run.System{}.Run(ctx, x)
}

// withCIB makes the bench's cluster one of Pacemaker's.
func (b bench) withCIB(t *testing.T) (Adopter, *cibFile) {
	t.Helper()
	a := b.adopter("node1")
	for _, p := range []string{"cibadmin", "crm_verify"} {
		must(t, os.MkdirAll(a.Host.Path("/usr/sbin"), 0o755))
		must(t, os.Symlink(real.Need(t, p), a.Host.Path("/usr/sbin/"+p)))
	}
	empty, err := exec.Command("cibadmin", "--empty").Output()
	must(t, err)
	text := strings.NewReplacer("<nodes/>", `<nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes>`,
		"<crm_config/>", `<crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>`,
		"<resources/>", `<resources><primitive id="web" class="ocf" provider="pacemaker" type="Dummy"/></resources>`).Replace(string(empty))
	c := &cibFile{Runner: a.Query, path: filepath.Join(b.dir, "cib.xml"), runs: map[string]int{}}
	put(t, c.path, text)
	a.Manager, a.Query = cluster.NamePacemaker, c
	return a, c
}

// sections are the resources and constraints, without the blanks that tools put between elements.
func (c *cibFile) sections(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(c.path)
	must(t, err)
	_, text, ok := strings.Cut(regexp.MustCompile(`>\s+<`).ReplaceAllString(string(b), "><"), "<resources>")
	text, _, ok2 := strings.Cut(text, "</configuration>")
	if !ok || !ok2 {
		t.Fatalf("no resources in %s", b)
	}
	return text
}

func (c *cibFile) valid(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("crm_verify", "--xml-file", c.path, "-V").CombinedOutput(); err != nil {
		t.Errorf("crm_verify: %v: %s", err, out)
	}
}

// A VM comes into Pacemaker's configuration by an edit that crm_verify has nothing against, stopped on purpose, with the
// timeouts of its agent; it leaves it without a trace, and both can be taken back.
func TestPacemaker(t *testing.T) {
	for _, k := range []kind{openvzKind(), xenKind()} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			b := newBench(t, k)
			a, c := b.withCIB(t)
			r := b.request()
			r.Domain = "node1:50,node2"
			before := c.sections(t)
			p, err := a.Look(ctx, r)
			must(t, err)
			text, err := a.Describe(ctx, p)
			must(t, err)
			i := slices.IndexFunc(text, func(d Doing) bool { return d.Step == "cluster" })
			if i < 0 {
				t.Fatalf("no step tells what comes into the configuration: %v", text)
			}
			added := text[i].Text
			if version := regexp.MustCompile(`<source admin_epoch="0" epoch="[0-9]+" num_updates="[0-9]+"/>`); !version.MatchString(added) {
				t.Errorf("no version: %s", added)
			}
			if c.sections(t) != before {
				t.Error("a look has edited it")
			}
			id := map[string]string{"openvz": "openvz-101", "xen": "web1"}[k.name]
			for _, want := range []string{`<primitive id="` + id + `" class="ocf" provider="lbvm" type="` + k.name + `">`, `name="name" value="` + k.vm + `"`,
				`name="start" interval="0" timeout="300s"`, `name="stop" interval="0" timeout="300s"`, `name="monitor" interval="30s" timeout="20s"`,
				`name="target-role" value="Stopped"`, `rsc="` + id + `" node="node1" score="50"`} {
				if !strings.Contains(added, want) {
					t.Errorf("%s is not in %s", want, added)
				}
			}
			if live := k.name != "openvz"; strings.Contains(added, `name="migrate_to" interval="0" timeout="600s"`) != live || strings.Contains(added, `name="allow-migrate" value="true"`) != live {
				t.Errorf("live is %v: %s", live, added)
			}
			// Ended behind the edit, and taken back.
			a.At = func(point string) error {
				if point == "finish" {
					return errKilled
				}
				return nil
			}
			if err := a.Add(ctx, p); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			if !strings.Contains(c.sections(t), `<primitive id="`+id+`"`) {
				t.Error("it is not in")
			}
			c.valid(t)
			a.At = nil
			must(t, a.Undo(ctx, p))
			if now := c.sections(t); now != before && now != strings.Replace(before, "<constraints/>", "<constraints></constraints>", 1) {
				t.Errorf("it was\n%s\nand is\n%s", before, now)
			}
			// Again, beside somebody who edits in each moment between two commands of ours.
			p, err = a.Look(ctx, r)
			must(t, err)
			c.at = func(program string, try int) {
				if program == "cibadmin --patch" && try < 4 {
					out, err := exec.Command("env", "CIB_file="+c.path, "cibadmin", "--modify", "--xml-text", `<primitive id="web"><meta_attributes id="web-m"><nvpair id="web-m-t" name="priority" value="`+strings.Repeat("1", try)+`"/></meta_attributes></primitive>`, "--scope", "resources").CombinedOutput()
					if err != nil {
						t.Errorf("%v: %s", err, out)
					}
				}
			}
			c.runs = map[string]int{}
			must(t, a.Add(ctx, p))
			if now := c.sections(t); !strings.Contains(now, `value="111"`) || !strings.Contains(now, `<primitive id="`+id+`"`) || c.runs["cibadmin --patch"] != 4 {
				t.Errorf("%v: somebody's edit was lost, or ours: %s", c.runs, now)
			}
			c.at = nil
			c.valid(t)
			if _, err := a.Look(ctx, r); !errors.Is(err, ErrRefused) {
				t.Errorf("a second time: %v", err)
			}
			with := c.sections(t)
			gone, err := a.LookRemoval(ctx, k.name, k.vm)
			must(t, err)
			a.At = func(point string) error {
				if point == "finish" {
					return errKilled
				}
				return nil
			}
			if err := a.Remove(ctx, gone); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			if now := c.sections(t); strings.Contains(now, id) {
				t.Errorf("it is still in %s", now)
			}
			c.valid(t)
			a.At = nil
			must(t, a.Undo(ctx, gone))
			if now := c.sections(t); now != with {
				t.Errorf("it was\n%s\nand is\n%s", with, now)
			}
			gone, err = a.LookRemoval(ctx, k.name, k.vm)
			must(t, err)
			must(t, a.Remove(ctx, gone))
			if now := c.sections(t); strings.Contains(now, id) {
				t.Errorf("it is still in %s", now)
			}
		})
	}
}

// What Pacemaker would not take, or what is not ours, is refused before anything is done.
func TestPacemakerRefuses(t *testing.T) {
	for name, x := range map[string]struct {
		edit   [2]string
		domain string
		says   string
	}{
		"a node that is none":          {domain: "node1,node9", says: `Pacemaker has no node "node9"`},
		"a score that is none":         {domain: "node1:much", says: "no NODE or NODE:SCORE"},
		"the id is taken":              {edit: [2]string{`id="web"`, `id="web1"`}, says: "crm_verify"},
		"the VM is there":              {edit: [2]string{"<resources>", `<resources><group id="g"><primitive id="x" class="ocf" provider="lbvm" type="xen"><instance_attributes id="x-p"><nvpair id="x-n" name="name" value="web1"/></instance_attributes></primitive></group>`}, says: "group:g of the cluster has xen:web1 already"},
		"the VM is in a clone":         {edit: [2]string{"<resources>", `<resources><clone id="c">` + webOf("xen") + `</clone>`}, says: "clone:c of the cluster has xen:web1 already"},
		"in a group in a clone":        {edit: [2]string{"<resources>", `<resources><clone id="c"><group id="g">` + webOf("xen") + `</group></clone>`}, says: "clone:c of the cluster has xen:web1 already"},
		"in a bundle":                  {edit: [2]string{"<resources>", `<resources><bundle id="bu"><docker image="x" replicas="1"/><network control-port="3121"/>` + webOf("xen") + `</bundle>`}, says: "bundle:bu of the cluster has xen:web1 already"},
		"by a template":                {edit: [2]string{"<resources>", `<resources><template id="t" class="ocf" provider="lbvm" type="xen"/><primitive id="x" template="t"><instance_attributes id="x-p"><nvpair id="x-n" name="name" value="web1"/></instance_attributes></primitive>`}, says: "primitive:x of the cluster has xen:web1 already"},
		"by a set of another resource": {edit: [2]string{"<resources>", `<resources><clone id="c"><primitive id="y" class="ocf" provider="pacemaker" type="Dummy"><instance_attributes id="y-p"><nvpair id="y-n" name="name" value="web1"/></instance_attributes></primitive></clone><primitive id="x" class="ocf" provider="lbvm" type="xen"><instance_attributes id-ref="y-p"/></primitive>`}, says: "primitive:x of the cluster has xen:web1 already"},
		"a stock agent in a clone":     {edit: [2]string{"<resources>", `<resources><clone id="c"><primitive id="x" class="ocf" provider="heartbeat" type="Xen"><instance_attributes id="x-p"><nvpair id="x-n" name="xmfile" value="/etc/xen/web1-domU"/></instance_attributes></primitive></clone>`}, says: "clone:c of the cluster has it by an agent that is not LBVM's"},
		"a stock agent has its file":   {edit: [2]string{"<resources>", `<resources><primitive id="x" class="ocf" provider="heartbeat" type="Xen"><instance_attributes id="x-p"><nvpair id="x-n" name="xmfile" value="/etc/xen/web1-domU"/></instance_attributes></primitive>`}, says: "primitive:x of the cluster has it by an agent that is not LBVM's"},
		"a stock agent has its name":   {edit: [2]string{`id="web" class="ocf" provider="pacemaker" type="Dummy"`, `id="web1" class="ocf" provider="heartbeat" type="Xen"`}, says: "primitive:web1 of the cluster has it by"},
		"a cluster that is no CIB":     {edit: [2]string{"<cib ", "<xib "}, says: "not understood"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, xenKind())
			a, c := b.withCIB(t)
			text, err := os.ReadFile(c.path)
			must(t, err)
			if x.edit[0] != "" {
				put(t, c.path, strings.Replace(string(text), x.edit[0], x.edit[1], 1))
			}
			if name == "a cluster that is no CIB" {
				a.Query = answering{c.Runner, strings.Replace(string(text), x.edit[0], x.edit[1], 1)}
			}
			r := b.request()
			r.Domain = x.domain
			if _, err := a.Look(context.Background(), r); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), x.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func webOf(typ string) string {
	return `<primitive id="x" class="ocf" provider="lbvm" type="` + typ + `"><instance_attributes id="x-p"><nvpair id="x-n" name="name" value="web1"/></instance_attributes></primitive>`
}

// resource-agents' agent for OpenVZ knows no record either.
func TestPacemakerRefusesManageVE(t *testing.T) {
	b := newBench(t, openvzKind())
	a, c := b.withCIB(t)
	text, err := os.ReadFile(c.path)
	must(t, err)
	put(t, c.path, strings.Replace(string(text), "<resources>", `<resources><group id="g"><primitive id="x" class="ocf" provider="heartbeat" type="ManageVE"><instance_attributes id="x-p"><nvpair id="x-n" name="veid" value="101"/></instance_attributes></primitive></group>`, 1))
	if _, err := a.Look(context.Background(), b.request()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "group:g of the cluster has it by an agent that is not LBVM's") {
		t.Errorf("%v", err)
	}
}

// A resource of that VM that somebody has added since it was looked at is neither taken for ours nor taken out.
func TestPacemakerAddedByAnotherHand(t *testing.T) {
	for name, with := range map[string]string{"of another id": webOf("xen"), "of the same id": strings.ReplaceAll(webOf("xen"), `id="x`, `id="web1`), "in a clone": `<clone id="c">` + webOf("xen") + `</clone>`} {
		for _, when := range []string{"before its step", "in its step"} {
			t.Run(name+" "+when, func(t *testing.T) {
				b := newBench(t, xenKind())
				a, c := b.withCIB(t)
				p, err := a.Look(context.Background(), b.request())
				must(t, err)
				var there string
				a.At = func(point string) error {
					if there == "" && (point == "cluster" && when == "before its step" || point == "cluster/update" && when == "in its step") {
						if out, err := exec.Command("env", "CIB_file="+c.path, "cibadmin", "--create", "--scope", "resources", "--xml-text", with).CombinedOutput(); err != nil {
							t.Errorf("%v: %s", err, out)
						}
						there = c.sections(t)
					}
					return nil
				}
				if err := a.Add(context.Background(), p); !errors.Is(err, ErrUndone) || !strings.Contains(err.Error(), "lbm add has not put it there") {
					t.Errorf("%v", err)
				}
				if now := c.sections(t); there == "" || now != there {
					t.Errorf("it was\n%s\nand is\n%s", there, now)
				}
			})
		}
	}
}

// losing is a cluster that does not answer a patch: it makes it, or does not; or it answers nothing at all from then on.
type losing struct {
	run.Runner
	makes, dead bool
	lost        int // so many
	calls       map[string]int
}

func (l *losing) Run(ctx context.Context, x run.Command) (run.Result, error) {
	if filepath.Base(x.Argv[0]) != "cibadmin" {
		return l.Runner.Run(ctx, x)
	}
	l.calls[x.Argv[1]]++
	if l.dead && l.calls["--patch"] > 0 && x.Argv[1] != "--patch" {
		return run.Result{Code: 102}, nil
	}
	if x.Argv[1] != "--patch" || l.lost == 0 {
		return l.Runner.Run(ctx, x)
	}
	l.lost--
	if l.makes {
		if out, err := l.Runner.Run(ctx, x); err != nil || out.Code != 0 {
			return out, err
		}
	}
	return run.Result{}, run.ErrDeadline
}

// Where no answer came it is found out what the cluster has; where even that cannot be, nothing is taken back under a VM that the
// cluster may have.
func TestPacemakerDoesNotAnswer(t *testing.T) {
	ctx := context.Background()
	for name, x := range map[string]struct {
		lose losing
		err  error
		in   bool // afterwards
		then string
	}{
		"it was made":                {lose: losing{makes: true, lost: 1}, in: true},
		"it was not made":            {lose: losing{lost: 1}, in: true},
		"never an answer":            {lose: losing{lost: 99}, err: ErrUndone},
		"made, and nobody knows":     {lose: losing{makes: true, lost: 1, dead: true}, err: ErrHalf, in: true, then: "undo"},
		"made, and then resumed":     {lose: losing{makes: true, lost: 1, dead: true}, err: ErrHalf, in: true, then: "resume"},
		"not made, and nobody knows": {lose: losing{lost: 1, dead: true}, err: ErrHalf, then: "undo"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, xenKind())
			a, c := b.withCIB(t)
			before := c.sections(t)
			p, err := a.Look(ctx, b.request())
			must(t, err)
			l := x.lose
			l.Runner, l.calls = c, map[string]int{}
			a.Query = &l
			err = a.Add(ctx, p)
			if !errors.Is(err, x.err) || (err == nil) != (x.err == nil) || x.err == ErrHalf && !strings.Contains(err.Error(), "everything was left as it is") {
				t.Errorf("%v", err)
			}
			if in := strings.Contains(c.sections(t), `<primitive id="web1"`); in != x.in {
				t.Errorf("it is in: %v", in)
			}
			a.Query = c
			switch x.then {
			case "undo":
				must(t, a.Undo(ctx, p))
				if now := c.sections(t); strings.Replace(now, "<constraints></constraints>", "<constraints/>", 1) != before {
					t.Errorf("it was\n%s\nand is\n%s", before, now)
				}
			case "resume":
				must(t, a.Resume(ctx, p))
			}
			c.valid(t)
		})
	}
}

// answering is a cibadmin that prints a text.
type answering struct {
	run.Runner
	text string
}

func (a answering) Run(ctx context.Context, x run.Command) (run.Result, error) {
	if filepath.Base(x.Argv[0]) == "cibadmin" {
		return run.Result{Stdout: []byte(a.text)}, nil
	}
	return a.Runner.Run(ctx, x)
}

// A constraint of an administrator's that names the VM is not ours to remove; what a move by hand has left is.
func TestPacemakerRemovalAndConstraints(t *testing.T) {
	for constraint, ok := range map[string]bool{
		`<rsc_location id="mine" rsc="web1" node="node1" score="1"/>`:                   false,
		`<rsc_order id="first" first="web" then="web1"/>`:                               false,
		`<rsc_location id="cli-prefer-web1" rsc="web1" node="node1" score="INFINITY"/>`: true,
		`<rsc_location id="cli-prefer-web" rsc="web" node="node1" score="INFINITY"/>`:   true,
	} {
		b := newBench(t, xenKind())
		a, c := b.withCIB(t)
		p, err := a.Look(context.Background(), b.request())
		must(t, err)
		must(t, a.Add(context.Background(), p))
		if out, err := exec.Command("env", "CIB_file="+c.path, "cibadmin", "--create", "--scope", "constraints", "--xml-text", constraint).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		gone, err := a.LookRemoval(context.Background(), "xen", "web1")
		if (err == nil) != ok {
			t.Errorf("%s: %v", constraint, err)
			continue
		}
		if ok {
			must(t, a.Remove(context.Background(), gone))
			c.valid(t)
			if now := c.sections(t); strings.Contains(now, "cli-prefer-web\"") != strings.Contains(constraint, "cli-prefer-web\"") || strings.Contains(now, "web1") {
				t.Error(now)
			}
		}
	}
}

// A resource that somebody enables while it is to be removed may be starting: it stays, and so does all else.
func TestPacemakerRemovalOfWhatIsEnabled(t *testing.T) {
	for name, start := range map[string]func(Adopter, Plan) (func() error, error){
		"removed": func(a Adopter, p Plan) (func() error, error) {
			if err := a.Add(context.Background(), p); err != nil {
				return nil, err
			}
			gone, err := a.LookRemoval(context.Background(), p.Type, p.VM)
			return func() error { return a.Remove(context.Background(), gone) }, err
		},
		"undone": func(a Adopter, p Plan) (func() error, error) {
			cut := a
			cut.At = func(point string) error {
				if point == "finish" {
					return errKilled
				}
				return nil
			}
			if err := cut.Add(context.Background(), p); !errors.Is(err, errKilled) {
				return nil, err
			}
			return func() error { return a.Undo(context.Background(), p) }, nil
		},
	} {
		b := newBench(t, xenKind())
		a, c := b.withCIB(t)
		p, err := a.Look(context.Background(), b.request())
		must(t, err)
		remove, err := start(a, p)
		must(t, err)
		c.runs = map[string]int{}
		c.at = func(program string, try int) {
			if program != "cibadmin --patch" || try > 1 {
				return
			}
			text, err := os.ReadFile(c.path)
			must(t, err)
			id := regexp.MustCompile(`id="([^"]*)" name="target-role"`).FindSubmatch(text)
			if out, err := exec.Command("env", "CIB_file="+c.path, "cibadmin", "--modify", "--xml-text", `<nvpair id="`+string(id[1])+`" name="target-role" value="Started"/>`, "--scope", "resources").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
		if err := remove(); err == nil || !strings.Contains(err.Error(), "not stopped on purpose any more") || c.runs["cibadmin --patch"] != 1 {
			t.Errorf("%s: %v after %v", name, err, c.runs)
		}
		if now := c.sections(t); !strings.Contains(now, `<primitive id="web1"`) || !strings.Contains(now, `name="target-role" value="Started"`) {
			t.Errorf("%s: %s", name, now)
		}
	}
}

// Both pages show the operations of the agent's metadata.
func TestPagesShowTheOperations(t *testing.T) {
	ops, _, err := operations("kvm")
	must(t, err)
	want := map[string]operation{}
	for _, o := range ops {
		want[o.Name] = o
	}
	for _, page := range []string{"pacemaker.md", "install-pacemaker.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		must(t, err)
		_, xml, ok := strings.Cut(string(text), `provider="lbvm" type="kvm">`)
		xml, _, ok2 := strings.Cut(xml, "</primitive>")
		found := regexp.MustCompile(`name="([a-z_]+)" interval="([0-9a-z]+)" timeout="([0-9a-z]+)"`).FindAllStringSubmatch(xml, -1)
		if !ok || !ok2 || len(found) < 5 {
			t.Fatalf("%s: %q", page, found)
		}
		for _, m := range found {
			if o := want[m[1]]; o.Timeout != m[3] || o.Interval != m[2] {
				t.Errorf("%s: %q, and the metadata says %+v", page, m[0], o)
			}
		}
	}
}
