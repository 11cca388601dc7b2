package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// leaves gives every command that does something, with its words.
func leaves(commands []*cli.Command, before ...string) map[string]*cli.Command {
	out := map[string]*cli.Command{}
	for _, c := range commands {
		words := append(slices.Clone(before), c.Name)
		if c.Name == "help" {
			continue
		}
		for name, sub := range leaves(c.Subcommands, words...) {
			out[name] = sub
		}
		if len(c.Subcommands) == 0 {
			out[strings.Join(words, " ")] = c
		}
	}
	return out
}

// shown are the exit codes with which the scripts show a command, by its words.
func shown(t *testing.T, names map[string]*cli.Command) map[string][]string {
	t.Helper()
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	exitCode := regexp.MustCompile(`\[([0-9]+)\]\s*$`)
	out := map[string][]string{}
	for _, path := range scripts {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, console, _ := strings.Cut(string(src), "\n-- console --\n")
		for _, part := range strings.Split("\n"+console, "\n$ lbm ")[1:] {
			m := exitCode.FindStringSubmatch(part)
			if m == nil {
				t.Errorf("%s: no exit code behind %q", path, part)
				continue
			}
			code := m[1]
			w := strings.Fields(part[:strings.Index(part+"\n", "\n")])
			if strings.HasPrefix(w[0], "-") {
				out[w[0]] = append(out[w[0]], code)
				continue
			}
			for n := min(2, len(w)); n > 0; n-- {
				if name := strings.Join(w[:n], " "); names[name] != nil {
					out[name] = append(out[name], code)
					if strings.Contains(strings.Join(w, " ")+" ", " json ") {
						out[name+" -o json"] = append(out[name+" -o json"], code)
					}
					break
				}
			}
		}
	}
	return out
}

// elsewhere are commands whose good or bad end no script can show, since it takes more than answers that stay the same, with the
// test that shows it.
func elsewhere() map[string]string {
	return map[string]string{
		"-l":         "lbm_test.go TestListAsInTheManual",
		"blackbox":   "blackbox_test.go TestBlackbox",
		"replay":     "explain_test.go TestReplayCommand",
		"doctor":     "../../test/story/doctor_test.go TestDoctorOnASoundLab",
		"ccs update": "ccs_test.go TestCCSUpdate",
	}
}

// Every command is shown in a script with what it says when all is well, and when it is not.
func TestEveryCommandIsShown(t *testing.T) {
	names := leaves(newBench(t, nil).app().Commands)
	if len(names) < 40 {
		t.Fatalf("only %d commands", len(names))
	}
	codes := shown(t, names)
	names["-l"], names["-c"] = nil, nil // the manual's
	for name := range names {
		if where, is := elsewhere()[name]; is {
			file, test, _ := strings.Cut(where, " ")
			if src, err := os.ReadFile(file); err != nil || !strings.Contains(string(src), "\nfunc "+test+"(") {
				t.Errorf("lbm %s is to be shown by %s: %v", name, where, err)
			}
			if len(codes[name]) > 0 {
				continue
			}
		}
		well := slices.ContainsFunc(codes[name], func(c string) bool { return c == "0" || c == "6" })
		ill := slices.ContainsFunc(codes[name], func(c string) bool { return c != "0" && c != "6" })
		if !well || !ill {
			t.Errorf("lbm %s is shown with the exit codes %v: a script of testdata must show one that ends well and one that does not", name, codes[name])
		}
	}
	// The columns and the names in JSON are those of the scripts, which nobody changes by accident.
	for _, name := range []string{"list", "show", "history", "nodes", "status", "doctor", "explain", "check"} {
		if all, asJSON := len(codes[name]), len(codes[name+" -o json"]); asJSON == 0 || all == asJSON {
			t.Errorf("lbm %s: %d of %d times as JSON: a script of testdata must show both", name, asJSON, all)
		}
	}
}

// What changes a cluster can be tried with --dry-run; what stops a guest, or cannot be taken back, asks first and has --yes.
func TestMannersOfCommands(t *testing.T) {
	looks := strings.Fields("status list show nodes history handoff blackbox check eval explain replay doctor why-down notify top guard exec-list exec-check " +
		"ccs-show ccs-validate ccs-get ccs-lsnode ccs-diff")
	helpers := strings.Fields("node-prepare") // lbm node add calls it on the other node, after its own question
	asks := strings.Fields("add remove purge migrate evacuate failback restart confirm-down take node-add")
	for name, c := range leaves(newBench(t, nil).app().Commands) {
		has := func(flag string) bool {
			return slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag) })
		}
		word := strings.ReplaceAll(name, " ", "-")
		if slices.Contains(looks, word) || slices.Contains(helpers, word) {
			continue
		}
		if !has("dry-run") {
			t.Errorf("lbm %s changes something and has no --dry-run", name)
		}
		if slices.Contains(asks, word) && !has("yes") {
			t.Errorf("lbm %s asks, or should, and has no --yes", name)
		}
	}
}

// The help of every command shows an example of it and tells its exit codes, or stands below a group that does.
func TestHelpOfCommands(t *testing.T) {
	app := newBench(t, nil).app()
	groups := map[string]string{}
	for _, c := range app.Commands {
		groups[c.Name] = c.Description
	}
	for name, c := range leaves(app.Commands) {
		if c.Hidden {
			continue
		}
		group, _, _ := strings.Cut(name, " ")
		text := c.Description + groups[group]
		if !strings.Contains(text, "   lbm "+name) {
			t.Errorf("lbm %s --help shows no example of it", name)
		}
		if !strings.Contains(text, "Exit codes: 0") {
			t.Errorf("lbm %s --help does not tell its exit codes", name)
		}
	}
}

// An argument that is empty is refused by each command before it does anything: as none it could mean all.
func TestEmptyArgument(t *testing.T) {
	b := newBench(t, nil)
	text := map[string]bool{"eval": true} // which may be empty
	for name := range leaves(b.app().Commands) {
		if text[name] || strings.HasPrefix(name, "ccs ") || name == "completion" {
			continue
		}
		for _, args := range [][]string{{""}, {"101", ""}} {
			args = append(strings.Fields(name), args...)
			if code := b.lbm(args...); code != exitUsage || !strings.Contains(b.errors.String(), "an argument is empty") && !strings.Contains(b.errors.String(), "not a valid name") {
				t.Errorf("lbm %q: exit %d: %s", args, code, &b.errors)
			}
		}
	}
	if len(b.tools.asked) > 0 {
		t.Errorf("it ran %q", b.tools.asked)
	}
}
