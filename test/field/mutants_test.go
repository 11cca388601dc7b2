package field

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// plantedVariable makes all guards be taken out one after the other; `make fuzz` sets it.
const plantedVariable = "LBVM_PLANTED"

// guard is what keeps us from a failure of the field: a text that stands exactly once in a file of the module, what stands
// there instead when it is taken out, and the test that must fail then.
type guard struct {
	test, file, text, instead string
	always                    bool // also without plantedVariable
}

func guards() []guard {
	const (
		parse, tool, driver, vz = "internal/hypervisor/xen_parse.go", "internal/hypervisor/xen_tool.go", "internal/hypervisor/xen.go", "internal/hypervisor/openvz.go"
		kvm, states, process    = "internal/hypervisor/kvm.go", "internal/hypervisor/kvm_parse.go", "internal/hypervisor/kvm_process.go"
		look, status, cold      = "internal/vm/look.go", "internal/vm/status.go", "internal/vm/cold.go"
	)
	return []guard{
		{"TestFieldXen_e2fb96064", parse, "it is suspended for the last pages\n\t\treturn Migrating", "\n\t\treturn Stopped", false},
		{"TestFieldXen_46fe716eb", parse, "_, name := r.role()\n\treturn name == vm", "return r.name == vm", true},
		{"TestFieldXen_43c5b1237", look, "case now.Before(patient) && reboots(d):", "case now.Before(patient) && reboots(d) && false:", false},
		{"TestFieldXen_022fd8075", cold, `if l.waits("for it to become something else") || l.left(2, 3) <= 0 {`, `if true {`, false},
		{"TestFieldXen_d594056de", cold, "if err := l.destroy(ctx); err != nil {\n\t\treturn err\n\t}\n\treturn l.clean(ctx, 0)", "return err", false},
		{"TestFieldXen_14d6af01b", "pkg/ocf/pacemaker.go", "return time.Duration(n) * time.Millisecond", "return time.Duration(n) * time.Microsecond", false},
		{"TestFieldXen_a11d8b98c", parse, "case l.ended():\n\t\treturn Remains", "case l.ended():\n\t\treturn Stopped", true},
		{"TestFieldXen_9bc38eddf", tool, "if absentText(err) {", "if false {", false},
		{"TestFieldXen_fdc330216", driver, `x.tools.ask(ctx, x.tool(), "list")`, `x.tools.ask(ctx, x.tool(), "list", "--long")`, false},
		{"TestFieldXen_a8fec4d6f", tool, "form = `%s=\"%s\"`", "form = `%s=%s`", false},
		{"TestFieldXen_1cc35ef2c", "internal/vm/image.go", "txn, err = l.newTxn()\n\t}\n\tif err != nil {\n\t\treturn false, l.coldOr(ctx, v, \"no image\", err)",
			"txn, err = l.newTxn()\n\t}\n\tif err != nil {\n\t\treturn false, err", false},
		{"TestFieldXen_268e42541", status, "err := l.healthy(ctx, d); err != nil {\n\t\t\treturn err", "err := l.healthy(ctx, d); err != nil {\n\t\t\treturn ocf.ErrNotRunning", false},
		{"TestFieldVM_68c3c5c4b", "internal/vm/marks.go", "if n > limit {", "if n > 0 {", true},
		{"TestFieldVM_15d53e132", "internal/vm/validate.go", "address = to\n", "_ = to\n", false},
		{"TestFieldVM_0d20d797c", "internal/vm/live.go", "if end == stayed {\n\t\treturn errors.Join(ocf.ErrStillHere, err)", "if end == stayed {\n\t\treturn errors.New(\"it stayed\")", false},
		{"TestFieldVM_193ff0620", status, "return l.inquire(ctx, v.guest)", "return ocf.ErrNotRunning", false},
		{"TestFailedMoveFallsBackToTheImage", "internal/vm/live.go", `return stayed, l.writeRunning(txn, "it could not be pushed and runs as before")`, `return lost, tool`, false},
		{"TestHalfACopyThatNoRecordKnows", "internal/handoff/protocol/view.go", "return v.Guest == Leaving && v.Handed && (v.Is", "return v.Guest == Leaving && v.Handed && v.Sick && (v.Is", false},
		{"TestDomainThatXLLeftSuspended", status, "v.still && l.idle()", "v.still && l.call.Probe && l.idle()", false},
		{"TestDomainThatLostItsName", driver, "case r.name == nameless && x.was(vm, r.id):", "case r.name == nameless && x.was(vm, 0):", false},
		{"TestFieldVD_73f39bc8f", process, "case ok:\n\t\treturn Detail{State: Running, Presumed: true, Rows", "case ok && vm == \"\":\n\t\treturn Detail{State: Running, Rows", true},
		{"TestFieldVDRestartWhileItStops", "internal/vm/stop_table.go", "if v.presumed {\n\t\tif l.awaitDaemon(", "if v.presumed {\n\t\tif v.sick && l.awaitDaemon(", false},
		{"TestFieldVD_b116377d4", states, `"in shutdown": // on its way out`, `"in  shutdown": // on its way out`, false},
		{"TestFieldVD_ffc832351", look, "case err != nil && !l.final(err) && now.Before(end):", "case err != nil && !l.final(err) && now.Before(end) && false:", false},
		{"TestFieldVD_955b79e18", kvm, "err != nil && !notThere(err) && !notRunning(err)", "err != nil", false},
		{"TestFieldVD_897c03a3f", "internal/hypervisor/kvm_config.go", "if below(h.Path(dir), h.Path(libvirtConf)) {", "if below(h.Path(dir), h.Path(libvirtConf)) && vm == \"\" {", false},
		{"TestFieldVD_719ffaa4d", "internal/vm/validate.go", "address = to\n", "_ = to\n", false},
		{"TestFieldVD_51b41a4b5", "internal/hypervisor/kvm_migrate.go", `there = "qemu+ssh://" + target + "/system?no_tty=1"`, `there = "xenmigr://" + target + "/"`, false},
		{"TestFieldVD_dd9f8d47e", kvm, `["managed save"] == "yes"`, `["managed save"] == "never"`, true},
		{"TestFieldVDIssue137", "internal/vm/image.go", "txn, err = l.newTxn()\n\t}\n\tif err != nil {\n\t\treturn false, l.coldOr(ctx, v, \"no image\", err)",
			"txn, err = l.newTxn()\n\t}\n\tif err != nil {\n\t\treturn false, err", false},
		{"TestFieldVDIssue1231", "internal/hypervisor/kvm_config.go", "g, root, err := k.domain(ctx, vm, params)\n\tif err != nil {\n\t\treturn Needs{}, err", "g, root, err := k.domain(ctx, vm, params)\n\tif err != nil {\n\t\treturn Needs{}, nil", false},
		{"TestFieldVDPacemaker2739", kvm, `case said(err, "only on the source host"):`, `case said(err, "only on the source host") && vm == "":`, false},
		{"TestFieldVDHalfACopyThatNoRecordKnows", kvm, "d.State, d.Handed = Torso, true", "d.State, d.Handed = Torso, vm == \"\"", false},
		{"TestFieldVDHalfACopyOfOurs", kvm, "d.State, d.Handed = Torso, true", "d.State, d.Handed = Torso, vm == \"\"", false},
		{"TestFieldVDTwice", "internal/vm/live.go", "if end == stayed && errors.Is(tool, hypervisor.ErrTwice) {", "if end == stayed && errors.Is(tool, hypervisor.ErrTwice) && l.vm == \"\" {", false},
		{"TestFieldPacemaker2739", parse, "return strings.CutSuffix(s, incomingSuffix)", "return s, false", false},
		{"TestFieldIssue1293", look, "v.doubt = fmt.Errorf(\"the cluster's members are not known: %w\", err)", "v.nodeGone = true", false},
		{"TestFieldIssue137", vz, "_, err := os.Lstat(conf)\n\tif errors.Is(err, fs.ErrNotExist) {\n\t\treturn nil", "_, err := os.Lstat(conf)\n\tif errors.Is(err, fs.ErrNotExist) {\n\t\treturn err", false},
		{"TestFieldIssue1087", vz, "if d.Foreign {", "if d.Foreign && false {", true},
		{"TestFieldIssue1231", vz, "if d.State == Absent {", "if d.State == Absent && vm == \"\" {", false},
	}
}

// TestGuardsAreNeeded takes each guard out and wants its test to fail; a few of them always, all where LBVM_PLANTED is set.
func TestGuardsAreNeeded(t *testing.T) {
	gotool := real.Need(t, "go")
	all := os.Getenv(plantedVariable) != ""
	for _, g := range guards() {
		g.check(t)
		if !all && !g.always {
			continue
		}
		t.Run(g.test, func(t *testing.T) {
			begun := time.Now()
			bin := filepath.Join(t.TempDir(), "field.test")
			build := exec.Command(gotool, "test", "-c", "-overlay", g.overlay(t), "-o", bin, ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			out, err := exec.Command(bin, "-test.run", "^"+g.test+"$", "-test.timeout", "20m").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: "+g.test) {
				t.Errorf("%s holds without %q of %s: %v\n%s", g.test, g.text, g.file, err, out)
			}
			t.Logf("after %.0f s", time.Since(begun).Seconds())
		})
	}
	if !all {
		t.Logf("the other guards are taken out where %s is set", plantedVariable)
	}
}

// check wants the guard to stand where it stood, and docs/field-failures.md to name its test.
func (g guard) check(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", g.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), g.text); n != 1 {
		t.Fatalf("%q stands %d times in %s: the guard must follow the source", g.text, n, g.file)
	}
	return string(b)
}

// overlay is a file for go's -overlay by which the guard is out.
func (g guard) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	changed, list := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	source, err := filepath.Abs(filepath.Join("../..", g.file))
	text, merr := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err := errors.Join(err, merr, os.WriteFile(changed, []byte(strings.Replace(g.check(t), g.text, g.instead, 1)), 0o600), os.WriteFile(list, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	return list
}

// upstream are the failures of other agents' histories that were gone through: commits of resource-agents (heartbeat/Xen,
// VirtualDomain) and of vm.sh, issues of resource-agents, and a pull request of Pacemaker.
const upstream = `e2fb96064 46fe716eb 43c5b1237 022fd8075 d594056de 14d6af01b a11d8b98c 9bc38eddf fdc330216 a8fec4d6f 1cc35ef2c 268e42541
	73f39bc8f 68c3c5c4b b116377d4 ffc832351 955b79e18 897c03a3f 719ffaa4d 51b41a4b5 dd9f8d47e 1087 137 1231 1293
	15d53e132 99572c2e8 0d20d797c 193ff0620 2739`

// The page tells of every test, and of nothing that is not tested.
func TestThePageNamesTheTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/field-failures.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range guards() {
		if !strings.Contains(string(page), "`"+g.test+"`") {
			t.Errorf("docs/field-failures.md does not name %s", g.test)
		}
	}
	for _, ref := range strings.Fields(upstream) { // nothing of the list is forgotten: it has its line, or it is said why not
		if !strings.Contains(string(page), ref) {
			t.Errorf("docs/field-failures.md says nothing of %s", ref)
		}
	}
	var source strings.Builder
	for _, file := range []string{"xen_test.go", "openvz_test.go", "libvirt_test.go", "versions_test.go", "mutants_test.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	for _, w := range strings.Split(string(page), "`") {
		if strings.HasPrefix(w, "Test") && !strings.Contains(source.String(), "func "+w+"(") {
			t.Errorf("docs/field-failures.md names %s, which is no test", w)
		}
	}
}
