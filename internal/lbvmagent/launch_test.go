package lbvmagent

import (
	"errors"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/pkg/ocf"
)

// The black box says that a pass was started, and why one could not be.
func TestLaunchIsNoted(t *testing.T) {
	n := newNode(t)
	n.call("start", 0)
	n.call("status", 0)
	n.refuse = errors.New("no more processes")
	n.call("status", 0)
	all, err := ocf.ReadBox(n.path("blackbox"))
	if err != nil || len(all) != 3 {
		t.Fatalf("%v: %+v", err, all)
	}
	if tools := all[1].Tools; len(tools) != 1 || tools[0].Ended || !strings.HasSuffix(tools[0].Command, Monitor) {
		t.Errorf("a pass that was started: %+v", tools)
	}
	if tools := all[2].Tools; len(tools) != 1 || !tools[0].Ended || tools[0].Error != "no more processes" {
		t.Errorf("a pass that was not: %+v", tools)
	}
}
