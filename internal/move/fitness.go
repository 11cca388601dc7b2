package move

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// What the target published of itself is what the preflight believes, if it is fresh. What it does not say is
// unknown, and unknown never moves a VM.

const defaultFresh = 2 * time.Minute

// tooOld tells what is wrong with the age of facts, "" if nothing.
func (m Mover) tooOld(at time.Time) string {
	fresh := m.Fresh
	if fresh == 0 {
		fresh = defaultFresh
	}
	switch age := m.Clock.Now().Sub(at); {
	case at.IsZero():
		return "say nothing since it came up: lblog has not run there yet; wait a minute, or see that cron runs it there"
	case age > fresh:
		return fmt.Sprintf("are %s old, and may be %s: does lblog run there?", age.Round(time.Second), fresh)
	case age < -fresh: // how old they are nobody can tell
		return fmt.Sprintf("are of %s from now: do the clocks agree?", (-age).Round(time.Second))
	}
	return ""
}

func (m Mover) readFacts(node string) (host.Facts, error) {
	f, err := host.ReadFacts(m.Shared, node)
	if errors.Is(err, fs.ErrNotExist) {
		return f, stale{fmt.Errorf("lblog has not run on node %s yet, which tells of it: wait a minute, or see that cron runs it there", node)}
	}
	if err != nil {
		return f, err
	}
	if old := m.tooOld(f.At); old != "" {
		err := fmt.Errorf("the facts of node %s %s", node, old)
		if f.At.After(m.Clock.Now()) { // of a clock that is ahead, which no further run of lblog mends
			return f, err
		}
		return f, stale{err}
	}
	return f, nil
}

// stale is a refusal since a node has not told of itself for too long: it is ErrStale.
type stale struct{ error }

func (s stale) Is(target error) bool { return target == ErrStale }

// unsaid is the refusal for a fact that a node does not tell.
func unsaid(node, what string) error {
	return fmt.Errorf("node %s does not say %s: run lblog there (of this version) and read what it complains of", node, what)
}

// askFacts asks all that the nodes' facts can tell.
//
// A service moves as a whole: what the VM needs, the others of its service need too.
func (m Mover) askFacts(ctx context.Context, r Request, source string, kind handoff.Kind, with []Request, c *checks) {
	names := []string{"name", "configuration, disks", "memory", "architecture", "kernel", "processor", "tool", "restore", "relocation port"}
	var target, from host.Facts
	if !c.ask("facts", func() (_ string, err error) {
		target, err = m.readFacts(r.Target)
		return fmt.Sprintf("node %s was measured %s ago", r.Target, m.Clock.Now().Sub(target.At).Round(time.Second)), err
	}) {
		if !c.over() {
			c.skip("the facts of "+r.Target+" cannot be used", names...)
		}
		return
	}
	c.ask(names[0], func() (string, error) {
		return all(with, func(r Request) (string, error) { return m.nameFree(r, target) })
	})
	c.ask(names[1], func() (string, error) {
		return all(with, func(r Request) (string, error) { return ready(r, target) })
	})
	if !c.ask("facts of the source", func() (_ string, err error) {
		from, err = m.readFacts(source)
		return fmt.Sprintf("node %s was measured %s ago", source, m.Clock.Now().Sub(from.At).Round(time.Second)), err
	}) {
		if !c.over() {
			c.skip("the facts of "+source+" cannot be used", names[2:]...)
		}
		return
	}
	if own := slices.DeleteFunc(slices.Clone(with), func(r Request) bool { return r.Type != vmexec }); len(own) > 0 {
		c.ask("definition", func() (string, error) {
			return all(own, func(r Request) (string, error) { return sameDefinition(r, from, target) })
		})
	}
	c.ask(names[2], func() (string, error) { return fits(with, from, target) })
	with = slices.Clone(with)
	with[0].kind = kind
	with = slices.DeleteFunc(with, func(r Request) bool { return r.kind == handoff.Cold })
	if len(with) == 0 {
		c.skip("it boots anew there", names[3:]...)
		return
	}
	c.ask(names[3], func() (string, error) { return sameArch(from, target) })
	c.ask(names[4], func() (string, error) { return newEnough("kernel", from.Member, from.Kernel, r.Target, target.Kernel) })
	c.ask(names[5], func() (string, error) { return sameProcessor(with, from, target) })
	c.askTools(with, from, target, names[6], names[7])
	switch {
	case kind == handoff.Cold:
		c.skip("it boots anew there", names[8])
	case kind != handoff.Live:
		c.skip("it passes by the shared storage", names[8])
	case r.Type == vmexec:
		c.skip("its definition moves it, by a way of its own", names[8])
	default:
		c.ask(names[8], func() (string, error) { return m.answers(ctx, r, target) })
	}
}

// askTools asks by what the VMs that keep their memory are driven, and whether the target can restore what comes in an
// image. A VM of the service that cannot go live there goes by image: its port is not asked for here.
func (c *checks) askTools(with []Request, from, target host.Facts, tool, restore string) {
	driven := slices.DeleteFunc(slices.Clone(with), func(r Request) bool { return r.Type == vmexec })
	if len(driven) == 0 {
		c.skip("its definition says by what it is driven", tool)
	} else {
		c.ask(tool, func() (string, error) {
			return all(driven, func(r Request) (string, error) { return sameTool(r.Type, from, target) })
		})
	}
	images := slices.DeleteFunc(slices.Clone(with), func(r Request) bool { return r.kind == handoff.Live })
	asked := slices.DeleteFunc(slices.Clone(images), func(r Request) bool { return r.Type == vmexec || r.Type == "xen" || r.Type == "kvm" })
	switch {
	case len(asked) > 0:
		c.ask(restore, func() (string, error) {
			return all(asked, func(r Request) (string, error) { return restores(r, target) })
		})
	case len(images) == 0:
		c.skip("it runs on while it moves", restore)
	case images[0].Type == vmexec:
		c.skip("its definition restores what it saves", restore)
	default:
		c.skip("its tool restores what it has saved", restore)
	}
}

func (m Mover) nameFree(r Request, f host.Facts) (string, error) {
	for _, g := range f.Guests {
		if g.Type == r.Type && g.Name == r.VM {
			return "", later{fmt.Errorf("node %s said %s ago that it has a %s:%s (%s): if it has left since, try again after the next lblog",
				r.Target, m.Clock.Now().Sub(f.At).Round(time.Second), g.Type, g.Name, g.State)}
		}
	}
	if !slices.Contains(f.Lists, r.Type) {
		return "", unsaid(r.Target, "which "+r.Type+" guests it has")
	}
	return "no " + r.Type + ":" + r.VM + " is on " + r.Target, nil
}

// later is a refusal that may pass by itself: it is ErrLater.
type later struct{ error }

func (l later) Is(target error) bool { return target == ErrLater }

// ready asks whether the target sees what the VM is started from.
func ready(r Request, f host.Facts) (string, error) {
	for _, v := range f.VMs {
		if v.Type != r.Type || v.Name != r.VM {
			continue
		}
		if len(v.Lacks) > 0 {
			return "", fmt.Errorf("node %s could not start %s:%s: %s; mend that there and run lblog", r.Target, r.Type, r.VM, strings.Join(v.Lacks, "; "))
		}
		return "node " + r.Target + " sees its configuration, disks, kernel files and bridges", nil
	}
	return "", unsaid(r.Target, fmt.Sprintf("whether it sees the configuration and the disks of %s:%s", r.Type, r.VM))
}

// all asks about each VM; the first answer stands for all.
func all(with []Request, question func(Request) (string, error)) (string, error) {
	var first string
	for i, r := range with {
		text, err := question(r)
		if err != nil {
			return "", err
		}
		if i == 0 {
			first = text
		}
	}
	return first, nil
}

// fits compares the memory of the guests that move with what the target has free.
func fits(with []Request, from, target host.Facts) (string, error) {
	if target.MemTotal == 0 || target.MemFree == 0 {
		return "", unsaid(target.Member, "how much memory it has free")
	}
	sum, who := int64(0), "it has"
	if len(with) > 1 {
		who = "the VMs of its service have"
	}
	for _, r := range with {
		need := int64(0)
		for _, v := range target.VMs { // as configured
			if v.Type == r.Type && v.Name == r.VM {
				need = v.Mem
			}
		}
		for _, g := range from.Guests { // as measured
			if g.Type == r.Type && g.Name == r.VM && g.Mem > 0 {
				need = g.Mem
			}
		}
		if need == 0 {
			return "", unsaid(from.Member, fmt.Sprintf("how much memory %s:%s takes", r.Type, r.VM))
		}
		sum += need
	}
	text := fmt.Sprintf("%s %d MiB, and node %s has %d MiB free", who, sum>>20, target.Member, target.MemFree>>20)
	if sum > target.MemFree {
		return "", errors.New(text)
	}
	return text, nil
}

// vmexec is the type of VMs whose technology an administrator has defined, in a file on each node.
const vmexec = "vmexec"

// sameDefinition: what one definition saves or leaves behind another may not know.
func sameDefinition(r Request, from, target host.Facts) (string, error) {
	a, ok := from.Technologies[r.technology]
	if !ok {
		return "", unsaid(from.Member, "how the technology "+r.technology+" is defined there")
	}
	b, ok := target.Technologies[r.technology]
	if !ok {
		return "", unsaid(target.Member, "how the technology "+r.technology+" is defined there")
	}
	if a.Digest != b.Digest {
		return "", fmt.Errorf("the technology %s is defined in another way on %s than on %s: copy /etc/cluster/lbvm.d/%[1]s from one to the other, and run lblog there", r.technology, target.Member, from.Member)
	}
	return "both have the same definition of " + r.technology, nil
}

func sameArch(from, target host.Facts) (string, error) {
	for _, f := range []host.Facts{from, target} {
		if f.Arch == "" {
			return "", unsaid(f.Member, "what machine it is")
		}
	}
	if from.Arch != target.Arch {
		return "", fmt.Errorf("%s is %s and %s is %s: its memory would not run there; stop it cold (clusvcadm -d, then -e -m %s)", from.Member, from.Arch, target.Member, target.Arch, target.Member)
	}
	return "both are " + from.Arch, nil
}

// newEnough: memory that an older kernel or hypervisor wrote is understood by a newer one, and not the other way round.
func newEnough(what, a, va, b, vb string) (string, error) {
	x, y := numbers(va), numbers(vb)
	if len(x) == 0 {
		return "", unsaid(a, "which "+what+" it runs")
	}
	if len(y) == 0 {
		return "", unsaid(b, "which "+what+" it runs")
	}
	if slices.Compare(y, x) < 0 {
		return "", fmt.Errorf("%s runs %s %s and %s the older %s: what the newer one saves the older one may not restore; update %s, or stop the VM cold", a, what, va, b, vb, b)
	}
	return fmt.Sprintf("%s on %s, %s on %s", va, a, vb, b), nil
}

// numbers are the leading numbers of a version, three at most: 2.6.32-754.el6 is 2 6 32. None is a version that nobody knows.
func numbers(version string) []int {
	var out []int
	for _, w := range strings.SplitN(version, ".", 4) {
		end := strings.IndexFunc(w, func(r rune) bool { return r < '0' || r > '9' })
		digits := w
		if end >= 0 {
			digits = w[:end]
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		out = append(out, n)
		if end >= 0 || len(out) == 3 {
			break
		}
	}
	return out
}

// sameProcessor: a guest goes on using what its processor had. One that is given a model by name had that model's, on
// whatever node; both nodes must have that whole.
func sameProcessor(with []Request, from, target host.Facts) (string, error) {
	models := map[string]bool{}
	for _, r := range with {
		a, b := modelOf(r, from), modelOf(r, target)
		if a == "" || a != b {
			return sameFlags(from, target)
		}
		models[a] = true
	}
	return fmt.Sprintf("%s and %s have the processor model that it is given: %s", from.Member, target.Member, strings.Join(slices.Sorted(maps.Keys(models)), ", ")), nil
}

func modelOf(r Request, f host.Facts) string {
	for _, v := range f.VMs {
		if v.Type == r.Type && v.Name == r.VM {
			return v.CPU
		}
	}
	return ""
}

func sameFlags(from, target host.Facts) (string, error) {
	for _, f := range []host.Facts{from, target} {
		if len(f.CPUFlags) == 0 {
			return "", unsaid(f.Member, "what its processors can do")
		}
	}
	var missing []string
	for _, flag := range from.CPUFlags {
		if !slices.Contains(target.CPUFlags, flag) {
			missing = append(missing, flag)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("the processors of %s lack what the guest may be using on %s: %s; stop it cold (clusvcadm -d, then -e -m %s), mask them there, or give a KVM guest a processor by name (<cpu match='exact'><model>)", target.Member, from.Member, strings.Join(missing, " "), target.Member)
	}
	return fmt.Sprintf("%s can do all that %s can", target.Member, from.Member), nil
}

// sameTool: xm and xl do not read each other's images, and QEMU knows those of older ones. What vzctl restores is the kernel's.
func sameTool(typ string, from, target host.Facts) (string, error) {
	tools := []string{"vzctl"}
	switch typ {
	case "xen":
		tools = []string{"xm", "xl"}
	case "kvm":
		tools = []string{"virsh"}
	}
	of := func(f host.Facts) (string, string) {
		for _, t := range tools {
			if v, ok := f.Tools[t]; ok {
				return t, v
			}
		}
		return "", ""
	}
	a, va := of(from)
	b, vb := of(target)
	switch {
	case a == "":
		return "", unsaid(from.Member, "which tool drives its "+typ+" guests")
	case b == "":
		return "", unsaid(target.Member, "which tool drives its "+typ+" guests")
	case a != b:
		return "", fmt.Errorf("%s is driven by %s and %s by %s: neither restores what the other saves; use one tool on both", from.Member, a, target.Member, b)
	case typ == "kvm":
		text, err := newEnough("QEMU", from.Member, va, target.Member, vb)
		return a + ", QEMU " + text, err
	case typ != "xen":
		return fmt.Sprintf("both have %s", a), nil
	}
	text, err := newEnough("Xen", from.Member, va, target.Member, vb)
	return a + ", Xen " + text, err
}

// restores asks whether the target can use a memory image; a kernel may lack the module.
func restores(r Request, f host.Facts) (string, error) {
	if !slices.Contains(f.Restores, r.Type) {
		return "", fmt.Errorf("node %s does not say that it can restore %s guests: for containers there must be /proc/rst (modprobe vzrst); then run lblog there", f.Member, r.Type)
	}
	return "node " + f.Member + " can restore it", nil
}

// dialLimit is how long a relocation port may take to answer.
const dialLimit = 5 * time.Second

// answers connects to the port on which the target takes running guests.
func (m Mover) answers(ctx context.Context, r Request, f host.Facts) (string, error) {
	at, ok := f.Listens[r.Type]
	if !ok {
		return "", unsaid(r.Target, "where it takes running "+r.Type+" guests")
	}
	if at == host.ListensNot {
		return "", fmt.Errorf("node %s takes no running %s guests: switch it on there (xend-config.sxp: xend-relocation-server, xend-relocation-port, xend-relocation-hosts-allow), restart xend, run lblog", r.Target, r.Type)
	}
	address, port, err := net.SplitHostPort(at)
	if err != nil {
		return "", fmt.Errorf("node %s says that it takes guests at %q: %w", r.Target, at, err)
	}
	if address == "" {
		address = r.Target
	}
	dial := m.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialLimit}).DialContext
	}
	at = net.JoinHostPort(address, port)
	conn, err := dial(ctx, "tcp", at)
	if err != nil {
		return "", fmt.Errorf("node %s does not answer where it takes running guests (%s): %w; is a firewall in between, does its daemon run?", r.Target, at, err)
	}
	if err := conn.Close(); err != nil {
		return "", fmt.Errorf("closing the connection to %s: %w", at, err)
	}
	return at + " answers", nil
}
