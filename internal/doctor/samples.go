package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/check"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

func confChecks() []Check {
	return []Check{{Name: "lbvm-conf", About: "lbvm.conf and lbresources.conf are valid, as lbm check has it", idle: noConf, share: true, do: checkConf}}
}

// noConf: without a shared file system there is no balancer. A missing file is none's fault before lbm init was run.
func noConf(n *node) string {
	if why := noShare(n); why != "" {
		return why
	}
	return ""
}

func checkConf(_ context.Context, n *node) {
	in := check.Input{Conf: host.ConfFile, Machines: n.vms, LogDir: n.id.LogDir,
		Read: func(path string) ([]byte, error) { return os.ReadFile(n.h.Path(path)) },
		Technology: func(name string) error {
			_, err := vmexec.Load(n.h, name)
			return err
		},
		Program: func(path string) error {
			fi, err := os.Stat(n.h.Path(path))
			if err == nil && (!fi.Mode().IsRegular() || fi.Mode()&0o111 == 0) {
				err = fs.ErrPermission
			}
			return err
		}}
	found, err := check.Run(in)
	if err != nil {
		n.say("lbvm-conf.invalid", nil, "%s", err)
		return
	}
	for _, f := range found {
		fault := "lbvm-conf.doubtful"
		if f.Severity == conf.Error {
			fault = "lbvm-conf.invalid"
		}
		n.say(fault, nil, "%s:%d: %s", f.File, f.Line, f.Text)
	}
}

func sampleChecks() []Check {
	return []Check{
		{Name: "samples", About: "cron runs lblog, and its samples of this node and of the other members are new", idle: noShare, share: true, do: checkSamples},
		{Name: "clock", About: "something keeps the clock right, and no other node's samples are of the future", do: checkClock},
	}
}

// stale is how old samples may be.
func (n *node) stale() time.Duration {
	src, err := os.ReadFile(n.h.Path(host.ConfFile))
	if err == nil {
		if f, _ := conf.Parse(host.ConfFile, src); f != nil && f.Stale > 0 {
			return f.Stale
		}
	}
	return conf.DefaultStale * conf.DefaultInterval
}

func (n *node) old(f host.Facts) bool { return f.At.IsZero() || n.d.Clock.Now().Sub(f.At) > n.stale() }

// age is how old samples are, in words.
func (n *node) age(f host.Facts) string {
	if f.At.IsZero() {
		return "it has published no samples"
	}
	return "its last samples are " + n.d.Clock.Now().Sub(f.At).Round(time.Second).String() + " old"
}

// lblog is what cron runs; /usr/share/lbvm/lblog is a link to it.
const lblog = host.LibexecDir + "/lblog"

func checkSamples(_ context.Context, n *node) {
	if n.shErr != nil {
		n.unknown("%v", n.shErr)
		return
	}
	if mine := n.facts[n.name]; n.old(mine) {
		fault := "samples.cron"
		cron, err := n.cronNames("lblog")
		program, perr := os.Stat(n.h.Path(lblog))
		switch {
		case errors.Is(perr, fs.ErrNotExist) || perr == nil && program.Mode()&0o111 == 0:
			fault = "samples.program"
		case err != nil:
			n.unknown("%v", err)
		case cron:
			fault = "samples.old"
		}
		n.say(fault, nil, "this node: %s", n.age(mine))
	}
	for _, name := range n.others() {
		if f := n.facts[name]; n.online(name) && n.old(f) {
			n.say("samples.others", []string{"NODE", name}, "%s: %s", name, n.age(f))
		}
	}
}

// cronNames tells whether a crontab of this node has a line with that word.
func (n *node) cronNames(word string) (bool, error) {
	files := []string{n.h.Path("/etc/crontab"), n.h.Path("/var/spool/cron/root"), n.h.Path("/var/spool/cron/crontabs/root")}
	more, err := filepath.Glob(n.h.Path("/etc/cron.d") + "/*")
	if err != nil {
		return false, err
	}
	for _, file := range append(files, more...) {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(strings.Split(string(b), "\n"), func(l string) bool {
			l = strings.TrimSpace(l)
			return !strings.HasPrefix(l, "#") && strings.Contains(l, word)
		}) {
			return true, nil
		}
	}
	return false, nil
}

// ahead is how far another clock may be before ours: what was written a moment ago was written before now.
const ahead = 5 * time.Second

func checkClock(_ context.Context, n *node) {
	now := n.d.Clock.Now()
	for _, name := range n.others() {
		if f := n.facts[name]; f.At.After(now.Add(ahead)) {
			n.say("clock.ahead", nil, "%s has measured at %s, and here it is %s", name, f.At.Format(time.RFC3339), now.Format(time.RFC3339))
		}
	}
	if n.h.Root() != "" && n.exists(clock.File) {
		return // a lab has one clock for all its nodes
	}
	switch is, err := n.runs("ntpd", "chronyd", "systemd-timesyncd", "openntpd"); {
	case err != nil:
		n.unknown("whether anything sets the clock: %v", err)
	case !is:
		n.say("clock.daemon", nil, "neither ntpd nor chronyd runs")
	}
}
