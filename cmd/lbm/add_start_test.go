package main

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/run"
)

// enabling is a cluster in which a service comes into another state when it is enabled.
type enabling struct {
	*tools
	then string // what clustat says afterwards
}

func (e *enabling) Run(ctx context.Context, c run.Command) (run.Result, error) {
	if filepath.Base(c.Argv[0]) == "clusvcadm" {
		e.answers["clustat"] = e.then
	}
	return e.tools.Run(ctx, c)
}

// lbm add --start is done when the manager has the VM started; one that it leaves stopped is enabled, once.
func TestStartAdded(t *testing.T) {
	state := func(number, word, owner string) map[string]string {
		return map[string]string{"service:web": `state="` + number + `" state_str="` + word + `" flags="0" flags_str="" owner="` + owner + `" last_owner="none"`}
	}
	for _, x := range []struct {
		name          string
		before, after map[string]string
		code, enabled int
		says          string
	}{
		{"started by itself", state("112", "started", "xen3.01100011.com"), nil, 0, 0, "openvz:101 runs on xen3.01100011.com"},
		{"disabled", state("119", "disabled", "none"), state("112", "started", "xen2.01100011.com"), 0, 1, "openvz:101 runs on xen2.01100011.com"},
		{"its start failed", state("110", "stopped", "none"), state("114", "failed", "none"), exitFailed, 1, "lbm handoff 101"},
	} {
		b := newBench(t, x.before)
		b.tools.answers["clusvcadm"] = "Local machine trying to enable service:web...Success\n"
		b.run = &enabling{b.tools, clustat(x.after)}
		c := cli.NewContext(b.app(), flag.NewFlagSet("add", flag.ContinueOnError), nil)
		c.Context = context.Background()
		err := b.startAdded(c, adopt.Plan{Type: "openvz", VM: "101"})
		var exit cli.ExitCoder
		code := 0
		said := b.out.String()
		if err != nil {
			said += err.Error()
		}
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		enabled := 0
		for _, asked := range b.tools.asked {
			if strings.HasPrefix(asked, "clusvcadm -e service:web") {
				enabled++
			}
		}
		if code != x.code || enabled != x.enabled || !strings.Contains(said, x.says) {
			t.Errorf("%s: %d, enabled %d times: %s", x.name, code, enabled, said)
		}
	}
}
