package check

import (
	"slices"
	"strconv"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/probe"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// The parameters of a VM in cluster.conf by which its guest is checked. What is wrong there the agents take for nothing, or
// for the default: a guest that nobody looks at.
func actions() []string { return []string{"restart", "failover", "report"} }

// health looks at the checks of the VMs of cluster.conf.
func (in Input) health(f *conf.File) []conf.Diagnostic {
	var out []conf.Diagnostic
	for _, m := range in.Machines {
		fail := func(key, hint, format string, args ...any) {
			d := at(f, "balance", conf.Error, hint, format, args...)
			d.Text = m.VMType + ":" + m.VM + " in " + in.where() + ": " + key + ": " + d.Text
			out = append(out, d)
		}
		if !slices.Contains(agents(), m.VMType) {
			continue
		}
		in.healthOf(m, fail)
	}
	return out
}

// agents are the types of ours.
func agents() []string { return append(builtIn(), "vmexec") }

func (in Input) healthOf(m cluster.Service, fail func(key, hint, format string, args ...any)) {
	text := m.Params["check"]
	if text != "" {
		c, err := probe.Parse(text)
		switch {
		case err != nil:
			fail("check", "lbm ccs set changes it; until then nobody asks the guest", "%v", err)
		case c.Kind == probe.Exec && in.Program != nil:
			if err := in.Program(c.Argv[0]); err != nil {
				fail("check", "put the program there, on every node", "%v", err)
			}
		}
	}
	if v := m.Params["check_action"]; v != "" && !slices.Contains(actions(), v) {
		fail("check_action", "write restart, failover or report; until then it is restart", "%q means nothing", v)
	}
	for _, x := range []struct {
		key  string
		most int
	}{{"check_limit", 1000}, {"wait_ready", 3600}} {
		if v := m.Params[x.key]; v != "" {
			if n, err := strconv.Atoi(v); err != nil || n < 0 || n > x.most {
				fail(x.key, "write a number from 0 to "+strconv.Itoa(x.most), "%q is not one", v)
			}
		}
	}
	if v := m.Params["wait_ready"]; v != "" && v != "0" && text == "" {
		fail("wait_ready", `add check="tcp:HOST:PORT"`, "it waits for a check, and there is none")
	}
}
