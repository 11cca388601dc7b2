package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/internal/sample"
)

func guestChecks() []Check {
	return []Check{
		{Name: "guests", About: "no VM starts by itself (ONBOOT, /etc/xen/auto, autostart), LOCKDIR is the node's own, the technologies are installed", idle: noGuests, share: true, do: checkGuests},
		{Name: "openvz", About: "the kernel runs containers (/proc/vz) and keeps their memory (/proc/cpt, /proc/rst)", idle: without("openvz"), do: checkOpenVZ},
		{Name: "xen", About: "this is a dom0, and xend takes domains from the cluster's nodes and from nobody else", idle: without("xen"), share: true, do: checkXen},
		{Name: "kvm", About: "/dev/kvm is there, libvirtd answers, and so does each other member's where guests are moved by tcp or tls", idle: without("kvm"), do: checkKVM},
		{Name: "ssh", About: "root reaches the other members by ssh without a password, where xl or virsh moves guests by it", idle: noSSH, do: checkSSH},
		{Name: "alike", About: "all members have the same bridges, and processors that can do the same, by what lblog publishes", idle: noShare, share: true, do: checkAlike},
		{Name: "adopt", About: "what lbm add or lbm remove has begun on this node has come to its end", idle: noShare, share: true, do: checkAdopt},
	}
}

func noGuests(n *node) string {
	if n.docErr != nil {
		return "the cluster's configuration cannot be read"
	}
	if len(n.vms) == 0 {
		return "the cluster's configuration names no VM"
	}
	return ""
}

// without: no VM of that technology may run here.
func without(typ string) func(*node) string {
	return func(n *node) string {
		if len(n.here(typ)) == 0 {
			return "the cluster places no " + typ + " VM on this node"
		}
		return ""
	}
}

// programs are the tools of a technology, one of which must be there.
func programs(typ string) []string {
	return map[string][]string{"openvz": {"vzctl"}, "xen": {"xm", "xl"}, "kvm": {"virsh"}}[typ]
}

func checkGuests(_ context.Context, n *node) {
	for _, vm := range n.vms {
		ref := vm.VMType + ":" + vm.VM
		if tools := programs(vm.VMType); tools != nil && !n.installed(tools...) {
			if n.mayRunHere(vm) {
				n.say("guests.tool", nil, "%s: %s is not installed", ref, strings.Join(tools, " or "))
			}
			continue
		}
		d, err := n.driver(vm.VMType)
		if errors.Is(err, hypervisor.ErrUnknownDriver) || errors.Is(err, errors.ErrUnsupported) {
			continue // a stock <vm>, or a technology whose definition is another check's
		}
		a, ok := d.(hypervisor.Auditor)
		if err != nil || !ok {
			n.unknown("%s: %v", ref, err)
			continue
		}
		bad, odd, err := a.Audit(vm.VM, vm.Params, n.shared)
		if err != nil && n.mayRunHere(vm) {
			n.say("guests.starts", nil, "%s: %v", ref, err)
		}
		for _, text := range bad {
			n.say("guests.starts", nil, "%s: %s", ref, text)
		}
		for _, text := range odd {
			n.say("guests.odd", nil, "%s: %s", ref, text)
		}
	}
	n.merge()
}

// merge tells of several VMs in one finding what is the node's and not theirs.
func (n *node) merge() {
	at := map[string]int{}
	var out []Finding
	for _, f := range n.now.Findings {
		ref, text, ok := strings.Cut(f.Text, ": ")
		if i, again := at[f.Fault+text]; ok && again {
			first, _, _ := strings.Cut(out[i].Text, ": ")
			out[i].Text = first + ", " + ref + ": " + text
			continue
		}
		at[f.Fault+text] = len(out)
		out = append(out, f)
	}
	n.now.Findings = out
}

// short takes the root out of a text.
func (n *node) short(text string) string {
	if n.h.Root() == "" {
		return text
	}
	return strings.ReplaceAll(text, n.h.Root(), "")
}

func checkOpenVZ(ctx context.Context, n *node) {
	if !n.installed(programs("openvz")...) {
		return // said of the guests
	}
	if !n.exists("/proc/vz") { // containers of an ordinary kernel have none (vzctl 4)
		if err := n.lists(ctx, "openvz"); err != nil {
			n.say("openvz.kernel", nil, "%v", err)
			return
		}
	}
	release, _, err := n.read("/proc/sys/kernel/osrelease")
	switch {
	case err != nil:
		n.unknown("%v", err)
	case strings.HasPrefix(release, "2.6."):
		for _, part := range []string{"/proc/cpt", "/proc/rst"} {
			if !n.exists(part) {
				n.say("openvz.checkpoint", nil, "%s is not there", part)
			}
		}
	case !n.installed("criu"): // later kernels leave it to a program
		n.say("openvz.checkpoint", nil, "kernel %s, and there is no criu", strings.TrimSpace(release))
	}
}

func checkXen(ctx context.Context, n *node) {
	if !n.installed(programs("xen")...) {
		return
	}
	// A dom0 may do control_d; where that file system is not mounted, its tool tells.
	if b, _, err := n.read("/proc/xen/capabilities"); err != nil || !strings.Contains(b, "control_d") || !n.exists("/dev/xen") {
		if err := n.lists(ctx, "xen"); err != nil {
			n.say("xen.kernel", nil, "%v", err)
			return
		}
	}
	tool, err := n.xenTool(ctx)
	if err != nil {
		n.unknown("by which tool this node drives Xen: %v", err)
		return
	}
	if tool != "xm" {
		return // xl has no server; it goes by ssh
	}
	text, there, err := n.read("/etc/xen/xend-config.sxp")
	if err != nil {
		n.unknown("%v", err)
		return
	}
	conf := sample.ParseXend(text)
	if !there || conf["xend-relocation-server"] != "yes" {
		n.say("xen.relocation", nil, "/etc/xen/xend-config.sxp: xend-relocation-server is %q", conf["xend-relocation-server"])
		return
	}
	n.hostsAllow(ctx, conf["xend-relocation-hosts-allow"])
}

// xenTool is xm or xl.
func (n *node) xenTool(ctx context.Context) (string, error) {
	d, err := n.driver("xen")
	if err != nil {
		return "", err
	}
	ctx, cancel := n.d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	l, ok := d.(hypervisor.Lister)
	if !ok {
		return "", errors.ErrUnsupported
	}
	tool, _, err := l.Version(ctx)
	return tool, err
}

// hostsAllow judges xend's list: regular expressions, of which one must match the name or the address of who comes.
// None at all lets everybody in.
func (n *node) hostsAllow(ctx context.Context, list string) {
	if strings.TrimSpace(list) == "" {
		n.say("xen.open", nil, "/etc/xen/xend-config.sxp: xend-relocation-hosts-allow names nobody")
		return
	}
	var allow []*regexp.Regexp
	for _, w := range strings.Fields(list) {
		x, err := regexp.Compile(`^(?:` + strings.ReplaceAll(w, `\\`, `\`) + `)`) // Python's match begins at the start
		if err != nil {
			n.unknown("whom %q of xend-relocation-hosts-allow lets in: %v", w, err)
			return
		}
		allow = append(allow, x)
	}
	lets := func(who string) bool {
		return slices.ContainsFunc(allow, func(x *regexp.Regexp) bool { return x.MatchString(who) })
	}
	if lets("192.0.2.1") && lets("nobody.example.org") {
		n.say("xen.open", nil, "/etc/xen/xend-config.sxp: xend-relocation-hosts-allow %q lets anybody in", list)
		return
	}
	for _, name := range n.others() {
		who := append([]string{name}, n.addresses(ctx, name)...)
		if !slices.ContainsFunc(who, lets) {
			n.say("xen.refused", []string{"it", name}, "/etc/xen/xend-config.sxp: xend-relocation-hosts-allow %q does not let %s in", list, strings.Join(who, ", "))
		}
	}
}

func (n *node) addresses(ctx context.Context, name string) []string {
	found, err := n.resolve(ctx, name)
	if err != nil {
		return nil // said of the names
	}
	return slices.DeleteFunc(found, func(a string) bool { return net.ParseIP(a) == nil })
}

func checkKVM(ctx context.Context, n *node) {
	if !n.installed(programs("kvm")...) {
		return
	}
	if !n.exists("/dev/kvm") {
		n.say("kvm.kernel", nil, "/dev/kvm is not there")
	}
	if err := n.lists(ctx, "kvm"); err != nil {
		n.say("kvm.libvirt", nil, "%v", err)
	}
	checkReach(ctx, n)
}

// noSSH: nothing of this node moves guests by ssh.
func noSSH(n *node) string {
	for _, vm := range n.here("kvm") {
		if t := vm.Params["migration_transport"]; t == "" || t == "ssh" {
			return ""
		}
	}
	if len(n.here("xen")) > 0 && n.installed("xl") && !(n.installed("xm") && n.has("/var/lock/subsys/xend", "/var/lock/xend")) {
		return ""
	}
	return "no guest of this node is moved by ssh"
}

func checkSSH(ctx context.Context, n *node) {
	for _, name := range n.others() {
		if !n.online(name) || host.CheckName(name) != nil {
			continue
		}
		r, err := n.ask(ctx, sshLimit, "ssh", "-oBatchMode=yes", "-oConnectTimeout=10", "--", name, "true")
		switch {
		case errors.Is(err, run.ErrNotFound):
			n.say("ssh.key", []string{"NODE", name}, "there is no ssh here")
			return
		case err != nil:
			n.say("ssh.key", []string{"NODE", name}, "%s: %v", name, err)
		case r.Code != 0:
			n.say("ssh.key", []string{"NODE", name}, "%s: ssh ends with %d: %s", name, r.Code, r.Stderr)
		}
	}
}

func checkAlike(_ context.Context, n *node) {
	if n.shErr != nil {
		n.unknown("%v", n.shErr)
		return
	}
	mine, ok := n.facts[n.name]
	if !ok || mine.At.IsZero() {
		n.unknown("this node has published no samples")
		return
	}
	for _, name := range n.others() {
		f, ok := n.facts[name]
		if !n.online(name) || !ok || f.At.IsZero() {
			continue
		}
		if only, lacks := apart(mine.Bridges, f.Bridges); len(only)+len(lacks) > 0 {
			n.say("bridges.differ", nil, "%s", differ(n.name, name, only, lacks))
		}
		if only, lacks := apart(mine.CPUFlags, f.CPUFlags); len(mine.CPUFlags) > 0 && len(f.CPUFlags) > 0 && len(only)+len(lacks) > 0 {
			n.say("cpu.differ", nil, "%s", differ(n.name, name, only, lacks))
		}
	}
}

// apart is what only a has, and what only b has.
func apart(a, b []string) (onlyA, onlyB []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			onlyA = append(onlyA, x)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			onlyB = append(onlyB, x)
		}
	}
	return onlyA, onlyB
}

func differ(a, b string, onlyA, onlyB []string) string {
	var parts []string
	for _, x := range []struct {
		who  string
		what []string
	}{{a, onlyA}, {b, onlyB}} {
		if len(x.what) > 0 {
			parts = append(parts, fmt.Sprintf("only %s has %s", x.who, strings.Join(x.what, " ")))
		}
	}
	return strings.Join(parts, ", ")
}
