package adopt

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/lbvm/lbvm/internal/host"
)

// Doing is one thing that a step does, in words.
type Doing struct{ Step, Text string }

// Describe tells everything that Add would do with a plan, in its order.
func (a Adopter) Describe(ctx context.Context, p Plan) ([]Doing, error) {
	var out []Doing
	say := func(step, format string, args ...any) { out = append(out, Doing{step, fmt.Sprintf(format, args...)}) }
	if p.Defined != nil {
		say("retire", "keep %s as %s, and virsh undefine %s", p.Defined.Path, filepath.Base(p.Defined.to()), p.VM)
	}
	for _, f := range p.Retire {
		to := filepath.Base(f.to())
		if f.To != "" {
			to = f.To
		}
		say("retire", "rename %s to %s", f.Path, to)
	}
	for _, d := range p.Devices {
		say("retire", "leave %s where it is", d)
	}
	for _, c := range p.Copies {
		tool, err := a.copier(ctx)
		if err != nil {
			return nil, err
		}
		say("copy", "copy %s to %s by %s: %d MiB, %s", c.From, c.To, filepath.Base(tool.path), c.Bytes>>20, names(c.Entries))
	}
	for _, c := range p.Copies {
		say("verify", "compare %s with %s, name by name and byte by byte", c.To, c.From)
	}
	for _, t := range p.Texts {
		say("configs", "write %s", t.Path)
	}
	for _, l := range p.Links {
		say("switch", "link %s to %s", l.Path, l.To)
	}
	if p.Root != "" {
		say("switch", "make the folder %s, if it is not there", p.Root)
	}
	for _, c := range p.Copies {
		say("originals", "rename %s to %s", c.From, filepath.Base(c.From)+origSuffix)
	}
	w := work{Adopter: a, p: p}
	peers, err := w.peers()
	if err != nil {
		return nil, err
	}
	for _, n := range peers {
		if slices.Contains(p.Vouched, n) {
			say("nodes", "%s is not asked: run there lbm add --join %s", n, p.Ref())
			continue
		}
		say("nodes", "make the same links on %s", n)
	}
	src, err := os.ReadFile(a.Host.Path(host.ConfFile))
	if err != nil {
		return nil, err
	}
	if _, err := withBalance(src, p.Balance); err != nil {
		return nil, err
	}
	say("lbvm.conf", "add %s to the balanced VMs of %s", p.Balance, host.ConfFile)
	text, err := a.registry().add(ctx, p, true)
	if err != nil {
		return nil, err
	}
	say("cluster", "%s", text)
	say("finish", "close the journal, %s", a.sharedPath(Finished, p.key(), "journal"))
	return out, nil
}

// Steps gives the names of a plan's steps and what each is for, in their order.
func (p Plan) Steps() [][2]string {
	var out [][2]string
	for _, s := range (&work{p: p}).steps() {
		out = append(out, [2]string{s.name, s.what})
	}
	return out
}

func names(n int64) string {
	if n == 1 {
		return "1 name"
	}
	return fmt.Sprintf("%d names", n)
}
