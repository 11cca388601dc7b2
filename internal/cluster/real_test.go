package cluster

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
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/internal/run"
)

// apiSchemas is where Pacemaker puts the schemas of what its tools print.
const apiSchemas = "/usr/share/pacemaker/api"

// What the parser is tested on is what Pacemaker promises to print.
func TestCapturedAnswersFitTheSchema(t *testing.T) {
	xmllint := real.Need(t, "xmllint")
	real.NeedFile(t, filepath.Join(apiSchemas, "api-result.rng"))
	fits := func(path string) error {
		cmd := exec.Command(xmllint, "--noout", "--relaxng", "api-result.rng", path)
		cmd.Dir = apiSchemas // whose parts it names without a folder
		out, err := cmd.CombinedOutput()
		if err != nil {
			return errors.New(string(out))
		}
		return nil
	}
	files, err := filepath.Glob("testdata/captured/crm_mon-*.xml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, f := range files {
		path, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := fits(path); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.xml")
	text := strings.Replace(captured(t, "crm_mon-2.1.5-started.xml"), ` online="true"`, ` online="perhaps"`, 1)
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if fits(bad) == nil {
		t.Error("a node that is online perhaps fits, too")
	}
}

// realCIB is a configuration with its state in a file, which Pacemaker's own tools ask and edit as they do a cluster's.
type realCIB struct {
	t    *testing.T
	h    host.Host
	path string
}

func newRealCIB(t *testing.T) *realCIB {
	t.Helper()
	c := &realCIB{t: t, path: filepath.Join(t.TempDir(), "cib.xml")}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "usr/sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"crm_mon", "cibadmin", "crm_simulate", "crm_resource", "crm_verify", "crm_attribute"} {
		if err := os.Symlink(real.Need(t, p), filepath.Join(root, "usr/sbin", p)); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if c.h, err = host.New(root); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.path, []byte(captured(t, "cibadmin-2.1.5-query.xml")), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *realCIB) Run(ctx context.Context, x run.Command) (run.Result, error) {
	x.Env = append(slices.Clone(x.Env), "CIB_file="+c.path)
	return run.System{}.Run(ctx, x)
}

func (c *realCIB) manager() *pacemaker { return &pacemaker{c.h, c, clock.System()} }

// do runs one of Pacemaker's tools, as an administrator does.
func (c *realCIB) do(args ...string) string {
	c.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "CIB_file="+c.path)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%q: %v: %s", args, err, out)
	}
	return string(out)
}

func (c *realCIB) create(section, markup string) {
	c.t.Helper()
	c.do("cibadmin", "--create", "--scope", section, "--xml-text", markup)
}

// inject lets an operation have a result, as crm_simulate can.
func (c *realCIB) inject(op string) {
	c.t.Helper()
	c.do("crm_simulate", "--xml-file", c.path, "--op-inject", op, "--save-output", c.path)
}

func (c *realCIB) service(vm string) Service {
	c.t.Helper()
	st, err := c.manager().Status(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range st.Services {
		if s.VM == vm {
			return s
		}
	}
	return Service{}
}

func (s Service) nodes() string {
	var out []string
	for _, p := range s.MayRun {
		out = append(out, p.Node)
	}
	return strings.Join(out, " ")
}

// constraints are those of the configuration, one in a line.
func (c *realCIB) constraints() string {
	return regexp.MustCompile(`>\s+<`).ReplaceAllString(strings.TrimSpace(c.do("cibadmin", "--query", "--scope", "constraints")), ">\n<")
}

// What Pacemaker's own scheduler makes of constraints, states and faults, and what of that becomes MayRun.
func TestRealLimits(t *testing.T) {
	const vm2 = `<primitive id="vm2" class="ocf" provider="lbvm" type="kvm"><instance_attributes id="vm2-p"><nvpair id="vm2-n" name="name" value="vm2"/></instance_attributes></primitive>`
	for name, x := range map[string]struct {
		do     func(c *realCIB)
		vm     string
		nodes  string
		state  State
		frozen bool
		absent bool
	}{
		"as it is":                    {vm: "win1", nodes: "n1 n2 n3", state: Started},
		"a ban of an administrator's": {func(c *realCIB) { c.do("crm_resource", "--resource", "win1", "--ban", "--node", "n2") }, "win1", "n1 n3", Started, false, false},
		"a move of an administrator's, without an end": {func(c *realCIB) {
			c.create("constraints", `<rsc_location id="cli-prefer-win1" rsc="win1" node="n1" score="INFINITY"/>`)
		}, "win1", "n1", Started, false, false},
		"a move of ours, with its end": {func(c *realCIB) {
			c.do("crm_resource", "--resource", "win1", "--move", "--node", "n2", "--lifetime", "PT30M")
		}, "win1", "n1 n2 n3", Started, false, false},
		"a rule": {func(c *realCIB) {
			c.create("constraints", `<rsc_location id="r" rsc="win1"><rule id="r-r" score="-INFINITY"><expression id="r-e" attribute="#uname" operation="eq" value="n3"/></rule></rsc_location>`)
		}, "win1", "n1 n2", Started, false, false},
		"with another": {func(c *realCIB) {
			c.create("constraints", `<rsc_colocation id="k" rsc="win1" with-rsc="win4" score="INFINITY"/>`)
		}, "win1", "n1", Started, false, false}, // win4 is to come to it
		"apart from another": {func(c *realCIB) {
			c.create("constraints", `<rsc_colocation id="k" rsc="win1" with-rsc="win4" score="-INFINITY"/>`)
		}, "win1", "n1 n2", Started, false, false},
		"a node in standby": {func(c *realCIB) {
			c.do("crm_attribute", "--node", "n2", "--name", "standby", "--update", "on")
		}, "win1", "n1 n3", Started, false, false},
		"a node in maintenance": {func(c *realCIB) {
			c.do("crm_attribute", "--node", "n2", "--name", "maintenance", "--update", "true")
		}, "win1", "n1 n3", Started, false, false},
		"its node in maintenance": {func(c *realCIB) {
			c.do("crm_attribute", "--node", "n1", "--name", "maintenance", "--update", "true")
		}, "win1", "n1", Started, true, false},
		"the cluster in maintenance": {func(c *realCIB) {
			c.do("crm_attribute", "--type", "crm_config", "--name", "maintenance-mode", "--update", "true")
		}, "win1", "n1", Started, true, false},
		"not managed": {vm: "win3", nodes: "n1 n2 n3", state: Stopped, frozen: true},
		"it failed on its node, and is to be recovered": {func(c *realCIB) { c.inject("win1_monitor_10000@n1=1") }, "win1", "n1 n2 n3", Recovering, false, false},
		"it could not start on a node": {func(c *realCIB) {
			c.inject("win1_start_0@n2=1")
			c.do("crm_attribute", "--node", "n2", "--name", "fail-count-win1#start_0", "--lifetime", "reboot", "--update", "INFINITY")
		}, "win1", "n1 n3", Unknown, false, false},
		"a stop failed: nobody knows, and nobody touches it": {func(c *realCIB) { c.inject("win1_stop_0@n1=1") }, "win1", "n2 n3", Failed, false, false},
		"in a clone": {func(c *realCIB) { c.create("resources", `<clone id="c">`+vm2+`</clone>`) }, "vm2", "", Unknown, false, true},
		"in a bundle": {func(c *realCIB) {
			c.create("resources", `<bundle id="bu"><docker image="x" replicas="1"/><network control-port="3121"/>`+vm2+`</bundle>`)
		}, "vm2", "", Unknown, false, true},
		"beside a clone": {func(c *realCIB) {
			c.create("resources", `<clone id="c"><primitive id="d" class="ocf" provider="pacemaker" type="Dummy"/></clone>`)
		}, "win1", "n1 n2 n3", Started, false, false},
		"beside a bundle": {func(c *realCIB) {
			c.create("resources", `<bundle id="bu"><docker image="x" replicas="1"/><network control-port="3121"/><primitive id="d" class="ocf" provider="pacemaker" type="Dummy"/></bundle>`)
		}, "win1", "n1 n2 n3", Started, false, false},
		"in a group": {vm: "101", nodes: "n1 n2", state: Started},
	} {
		t.Run(name, func(t *testing.T) {
			c := newRealCIB(t)
			if x.do != nil {
				x.do(c)
			}
			s := c.service(x.vm)
			if x.absent {
				if s.ID != "" {
					t.Errorf("%+v", s)
				}
				if err := c.manager().Move(context.Background(), "primitive:"+x.vm, "n2", false); !errors.Is(err, ErrNoService) {
					t.Errorf("%v", err)
				}
				return
			}
			if got := s.nodes(); got != x.nodes || s.State != x.state || s.Frozen != x.frozen {
				t.Errorf("%s %v, frozen %v; want %s %v, %v", got, s.State, s.Frozen, x.nodes, x.state, x.frozen)
			}
			if x.frozen || x.state != Started { // not even asked
				before := c.constraints()
				target := "n2"
				if err := c.manager().Move(context.Background(), s.ID, target, false); err == nil || !strings.Contains(err.Error(), "nothing was changed") || c.constraints() != before {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// What a move lays goes again, and nothing else: an administrator's ban and preferences stay. Pacemaker then wants to do
// nothing that it did not want before.
func TestRealMoveLeavesNothing(t *testing.T) {
	c := newRealCIB(t)
	c.do("crm_resource", "--resource", "win1", "--ban", "--node", "n3")
	before, plan := c.constraints(), c.plan()
	m := c.manager()
	ctx := context.Background()
	w := newWish("win1", "n2", m.clock.Now())
	lay := func() {
		t.Helper()
		if err := m.edit(ctx, "test", func(c CIB) (Edit, error) { return w.lay(c, m.clock.Now()) }); err != nil {
			t.Fatal(err)
		}
	}
	lay()
	laid := c.constraints()
	if laid == before || !strings.Contains(c.plan(), "Migrate    win1") {
		t.Errorf("Pacemaker does not want to move it:\n%s\n%s", laid, c.plan())
	}
	end := regexp.MustCompile(`end="([^"]*)"`).FindStringSubmatch(laid)
	if end == nil {
		t.Fatalf("it has no end: %s", laid)
	}
	at, err := time.Parse("2006-01-02 15:04:05Z07:00", end[1])
	if left := at.Sub(clock.System().Now()); err != nil || left < 28*time.Minute || left > lifetimeMinutes*time.Minute {
		t.Errorf("it ends in %s, %v", left, err)
	}
	m.forget(ctx, "test", w)
	if after := c.constraints(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	// In the place of one that a killed mover has left, and once only.
	c.do("crm_resource", "--resource", "win1", "--move", "--node", "n2", "--lifetime", "PT20M")
	lay()
	lay()
	if now := c.constraints(); now != laid {
		t.Errorf("laid:\n%s\nnow:\n%s", laid, now)
	}
	// What crm_resource lays is in the same words, but for the role, and goes by its --clear.
	words := regexp.MustCompile(` role="Started"|end="[^"]*"`)
	c.do("crm_resource", "--resource", "win1", "--move", "--node", "n2", "--lifetime", "PT30M")
	if theirs := words.ReplaceAllString(c.constraints(), ""); theirs != words.ReplaceAllString(laid, "") {
		t.Errorf("crm_resource:\n%s\nlaid:\n%s", theirs, laid)
	}
	m.forget(ctx, "test", w) // another one now
	if !strings.Contains(c.constraints(), "cli-prefer-win1") {
		t.Error("the constraint of an administrator's move was taken away")
	}
	lay()
	c.do("crm_resource", "--resource", "win1", "--clear")
	c.do("crm_resource", "--resource", "win1", "--ban", "--node", "n3")
	if after := c.constraints(); after != before {
		t.Errorf("before:\n%s\nafter --clear:\n%s", before, after)
	}
	if after := c.plan(); after != plan {
		t.Errorf("Pacemaker wanted\n%s\nand wants\n%s", plan, after)
	}
	if s := c.service("win1"); s.nodes() != "n1 n2" {
		t.Errorf("%+v", s)
	}
}

// What an administrator lays between two steps of a move stays as he has laid it: a ban of the target, which crm_resource's own
// --move and --clear take away, and a move of his own.
func TestRealMoveBesideAnAdministrator(t *testing.T) {
	for name, x := range map[string]struct {
		args []string
		laid bool // before ours would be
		want string
	}{
		"a ban of the target, before":      {[]string{"--ban", "--node", "n2"}, true, `id="cli-ban-win1-on-n2"`},
		"a ban of the target, behind":      {[]string{"--ban", "--node", "n2"}, false, `id="cli-ban-win1-on-n2"`},
		"a move elsewhere, before":         {[]string{"--move", "--node", "n3"}, true, `id="cli-prefer-win1" rsc="win1" role="Started" node="n3"`},
		"a move elsewhere, behind":         {[]string{"--move", "--node", "n3"}, false, `id="cli-prefer-win1" rsc="win1" role="Started" node="n3"`},
		"a move there for an hour, behind": {[]string{"--move", "--node", "n2", "--lifetime", "PT1H"}, false, `id="cli-prefer-lifetime-end-win1"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newRealCIB(t)
			m := c.manager()
			ctx := context.Background()
			his := func() string {
				c.do(append([]string{"crm_resource", "--resource", "win1"}, x.args...)...)
				return c.constraints()
			}
			w := newWish("win1", "n2", m.clock.Now())
			lay := func() error {
				return m.edit(ctx, "test", func(c CIB) (Edit, error) { return w.lay(c, m.clock.Now()) })
			}
			var before string
			if x.laid {
				before = his()
				var r *Refusal
				if err := lay(); !errors.As(err, &r) || !r.Unchanged || !errors.Is(err, ErrDependency) || !strings.Contains(err.Error(), "administrator") {
					t.Errorf("%v", err)
				}
			} else {
				if err := lay(); err != nil {
					t.Fatal(err)
				}
				before = his()
				m.forget(ctx, "test", w)
				before = strings.Replace(before, strings.ReplaceAll(w.markup(), "><", ">\n<")+"\n", "", 1)
			}
			if now := c.constraints(); now != before || !strings.Contains(now, x.want) {
				t.Errorf("before:\n%s\nand now:\n%s", before, now)
			}
		})
	}
}

// crm_mon counts whatever likes a node less among the bans. It forbids nothing.
func TestRealFactsOfADislike(t *testing.T) {
	c := newRealCIB(t)
	c.create("constraints", `<rsc_location id="l8" rsc="win1" node="n2" score="-50"/>`)
	c.create("constraints", `<rsc_location id="l9" rsc="win1" node="n3" score="-INFINITY"/>`)
	if mon := c.do("crm_mon", "--one-shot", "--output-as=xml", "--inactive"); !strings.Contains(mon, `<ban id="l8"`) {
		t.Fatal(mon)
	}
	f, err := PacemakerFacts(context.Background(), c.h, c, "primitive:win1")
	if want := []Ban{{"l9", "n3"}}; err != nil || !slices.Equal(f.Bans, want) {
		t.Errorf("%v, %v", f.Bans, err)
	}
}

// A ban whose lifetime is over stands in the configuration until somebody clears it, and is none any more.
func TestRealMoveBehindABanThatIsOver(t *testing.T) {
	c := newRealCIB(t)
	m := c.manager()
	c.do("crm_resource", "--resource", "win1", "--ban", "--node", "n2", "--lifetime", "PT1H")
	lay := func(now time.Time) error {
		return m.edit(context.Background(), "test", func(c CIB) (Edit, error) { return newWish("win1", "n2", now).lay(c, now) })
	}
	if err := lay(m.clock.Now()); !errors.Is(err, ErrDependency) {
		t.Errorf("while it lasts: %v", err)
	}
	if err := lay(m.clock.Now().Add(2 * time.Hour)); err != nil || !strings.Contains(c.constraints(), "cli-ban-win1-on-n2") {
		t.Errorf("%v\n%s", err, c.constraints())
	}
}

// The target-role of a restart is Stopped to Pacemaker, is told from an administrator's, and leaves a configuration that is valid,
// wherever the role stands.
func TestRealRoles(t *testing.T) {
	for name, id := range map[string]string{"a set and no role": "win1", "a role": "win2", "no set": "win4", "a group": "web", "an empty set": "win4"} {
		t.Run(name, func(t *testing.T) {
			c := newRealCIB(t)
			if name == "an empty set" { // as crm_resource leaves one
				c.do("crm_resource", "--resource", id, "--meta", "--set-parameter", "target-role", "--parameter-value", "Stopped")
				c.do("crm_resource", "--resource", id, "--meta", "--delete-parameter", "target-role")
				if text := c.do("cibadmin", "--query", "--scope", "resources"); !strings.Contains(text, `<meta_attributes id="win4-meta_attributes"/>`) {
					t.Fatal(text)
				}
			}
			if id == "win2" {
				c.do("crm_resource", "--resource", id, "--meta", "--set-parameter", "target-role", "--parameter-value", "Started")
			}
			ctx, m := context.Background(), c.manager()
			role := func(to, from string) error {
				return m.edit(ctx, "test", func(x CIB) (Edit, error) {
					return x.setRole(id, to, func(is string) bool { return from == "" || is == from })
				})
			}
			is := func() string {
				return strings.TrimSpace(c.do("crm_resource", "--resource", id, "--meta", "--get-parameter", "target-role"))
			}
			if err := role(restarting, ""); err != nil || is() != restarting {
				t.Fatalf("%v, %q", err, is())
			}
			if c.do("crm_verify", "--xml-file", c.path); id != "win2" && !strings.Contains(c.plan(), "Stop") {
				t.Errorf("Pacemaker does not want to stop it:\n%s", c.plan())
			}
			if err := role("Started", restarting); err != nil || is() != "Started" {
				t.Errorf("%v, %q", err, is())
			}
			if err := role(restarting, ""); err != nil {
				t.Error(err)
			}
			c.do("crm_resource", "--resource", id, "--meta", "--set-parameter", "target-role", "--parameter-value", "Stopped")
			if err := role("Started", restarting); !errors.Is(err, errRole) || is() != "Stopped" {
				t.Errorf("%v, %q", err, is())
			}
		})
	}
	c := newRealCIB(t)
	if err := c.manager().edit(context.Background(), "test", func(x CIB) (Edit, error) { return x.setRole("nosuch", "Started", nil) }); !errors.Is(err, ErrNoService) {
		t.Errorf("%v", err)
	}
}

// A patch for another version is not made, whatever the exit code says of it; and one for this version that leads nowhere is not
// tried for again.
func TestRealPatches(t *testing.T) {
	c := newRealCIB(t)
	ctx := context.Background()
	read, err := ReadCIB(ctx, c.h, c)
	if err != nil {
		t.Fatal(err)
	}
	good, err := read.Add(Added{Constraints: []string{`<rsc_location id="x" rsc="win1" node="n2" score="5"/>`}, Resource: `<primitive id="p" class="ocf" provider="pacemaker" type="Dummy"/>`})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range [][3]uint64{{0, 9, 0}, {0, 10, 43}, {0, 10, 45}, {0, 11, 0}, {1, 10, 44}} {
		e := good
		e.from = v
		if err := apply(ctx, c.h, c, e); err == nil || !errors.Is(err, ErrCIB) {
			t.Errorf("%d: %v", i, err)
		}
	}
	bad := good
	bad.changes = []string{`<change operation="create" path="/cib/configuration/nosuch" position="0"><rsc_location id="x" rsc="win1" node="n2" score="5"/></change>`}
	tries := 0
	if _, err := EditCIB(ctx, c.h, c, false, func(CIB) (Edit, error) { tries++; return bad, nil }); tries != 1 || !errors.Is(err, ErrCIB) {
		t.Errorf("%d tries: %v", tries, err)
	}
	tries = 0
	_, err = EditCIB(ctx, c.h, c, false, func(now CIB) (Edit, error) {
		if tries++; tries == 1 {
			c.do("crm_resource", "--resource", "win1", "--ban", "--node", "n3")
		}
		return now.Add(Added{Resource: `<primitive id="p" class="ocf" provider="pacemaker" type="Dummy"/>`})
	})
	if err != nil || tries != 2 || !strings.Contains(c.constraints(), "cli-ban-win1-on-n3") {
		t.Errorf("%d tries: %v", tries, err)
	}
	if again := c.do("cibadmin", "--bump"); again != "" {
		t.Error(again)
	}
	if err := apply(ctx, c.h, c, good); !errors.Is(err, ErrCIB) {
		t.Errorf("behind --bump a patch of before is made: %v", err)
	}
}

// Where an administrator has sent a VM without an end it is not moved, also while that node cannot take it: the constraint of
// a move would take the place of his.
func TestRealMoveOfAnAdministrators(t *testing.T) {
	c := newRealCIB(t)
	c.create("constraints", `<rsc_location id="cli-prefer-win1" rsc="win1" node="n2" score="INFINITY"/>`)
	c.do("crm_attribute", "--node", "n2", "--name", "standby", "--update", "on")
	before := c.constraints()
	if s := c.service("win1"); s.nodes() != "n1" {
		t.Errorf("%+v", s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	for _, ask := range []func() error{
		func() error { return c.manager().Move(ctx, "primitive:win1", "n3", false) },
		func() error { return c.manager().Enable(ctx, "primitive:win1", "n3") },
	} {
		if err := ask(); !errors.Is(err, ErrDependency) || !strings.Contains(err.Error(), "crm_resource --resource win1 --clear") || c.constraints() != before {
			t.Errorf("%v\n%s", err, c.constraints())
		}
	}
	// One that ends soon holds nothing, and is overwritten: it may be one of ours.
	c.do("crm_resource", "--resource", "win1", "--clear")
	c.do("crm_resource", "--resource", "win1", "--move", "--node", "n2", "--lifetime", "PT30M")
	if s := c.service("win1"); s.nodes() != "n1 n3" {
		t.Errorf("%+v", s)
	}
}

// plan is what Pacemaker would do now.
func (c *realCIB) plan() string {
	out := c.do("crm_simulate", "--xml-file", c.path, "--simulate")
	_, plan, _ := strings.Cut(out, "Transition Summary:")
	plan, _, _ = strings.Cut(plan, "Executing Cluster Transition:")
	return strings.TrimSpace(plan)
}
