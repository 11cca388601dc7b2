package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/pkg/ocf"
)

// blackbox gives the records of the machine, each in a few words.
func (m machine) blackbox() (all []ocf.BoxRecord, words string) {
	m.t.Helper()
	all, err := ocf.ReadBox(ocf.BoxFile(m.root))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, r := range all {
		words += r.Action + ":"
		for _, t := range r.Tools {
			command := strings.ReplaceAll(t.Command, m.root, "")
			if !t.Ended {
				command += " works"
			}
			words += " [" + command + "]"
		}
		words += "\n"
	}
	return all, words
}

// Each command of the tools is in the black box, and the process that looks at the shared storage is one of them.
func TestCommandsAreNoted(t *testing.T) {
	m := newMachine(t)
	m.write("var/lib/x", "", 0o644)
	if code := m.run("start"); code != 0 {
		t.Fatal(code)
	}
	if err := os.Remove(filepath.Join(m.root, "var/run/lbvm/openvz-101.here")); err != nil {
		t.Fatal(err)
	}
	if code := m.run("status"); code != 0 {
		t.Fatal(code)
	}
	all, words := m.blackbox()
	const ask = "[/usr/sbin/vzctl status 101]"
	if len(all) != 2 || !strings.HasPrefix(words, "start: "+ask) || !strings.Contains(words, "[/usr/sbin/vzctl start 101") ||
		!strings.HasSuffix(words, "status: "+ask+" [/proc/self/exe status]\n") {
		t.Errorf("the box says\n%s", words)
	}
	if r := all[0]; r.Type != "openvz" || r.Instance != "openvz:101" || r.Name != "101" || !r.Ended || r.Code != 0 {
		t.Errorf("%+v", r)
	}
}

// An agent that is killed leaves what it was doing.
func TestKilledAtATool(t *testing.T) {
	m := newMachine(t)
	m.write("var/lib/x", "", 0o644)
	m.fifo("began")
	m.fifo("go")
	agent := m.command("start")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	if b := m.read("began"); b != "began\n" { // waits for vzctl
		t.Fatalf("vzctl said %q", b)
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := agent.Wait(); err == nil {
		t.Fatal("the agent was not killed")
	}
	m.write("go", "go\n", 0o600)
	all, words := m.blackbox()
	if len(all) != 1 || all[0].Ended || all[0].Lives || !all[0].Failed() || !strings.Contains(words, "[/usr/sbin/vzctl start 101") || !strings.HasSuffix(words, " works]\n") {
		t.Errorf("the box says\n%s", words)
	}
}
