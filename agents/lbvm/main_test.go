package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "lbvm.sh" {
		main()
	}
	os.Exit(m.Run())
}

func TestAgent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	agent := filepath.Join(t.TempDir(), "lbvm.sh")
	if err := os.Symlink(self, agent); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../metadata/lbvm.xml")
	if err != nil {
		t.Fatal(err)
	}
	if out, code := real.MetaData(t, agent); code != 0 || string(out) != string(want) {
		t.Errorf("meta-data: exit %d, printed %q", code, out)
	}
	root := t.TempDir()
	env := append(real.Env("lbvm", []real.Param{{Name: "name", Value: "balancer"}}, 10), "LBVM_ROOT="+root)
	for action, want := range map[string]int{"start": 5, "status": 7, "stop": 0, "validate-all": 5, "monitor": 3} {
		if got := real.Action(t, env, agent, action); got != want {
			t.Errorf("%s on a node without LBVM: exit %d, want %d", action, got, want)
		}
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("they left %v behind, %v", left, err)
	}
}
