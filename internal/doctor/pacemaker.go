package doctor

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/membership"
	"github.com/lbvm/lbvm/internal/run"
)

func pacemakerChecks() []Check {
	return []Check{
		{Name: "cib", About: "with Pacemaker: its configuration is valid and works for VMs: fencing, quorum, stickiness, timeouts, monitors, live moves, no constraint left behind", idle: onlyPacemaker, do: checkCIB},
	}
}

func onlyPacemaker(n *node) string {
	if !n.pacemaker() {
		return "the cluster is rgmanager's"
	}
	return ""
}

func pacemakerFaults() []Fault {
	return []Fault{
		{"cib.invalid", Error, "Pacemaker finds errors in its configuration: what is named there is not done", "crm_verify --live-check --verbose, and mend what it names"},
		{"cib.stonith", Error, "stonith-enabled is false: Pacemaker starts a lost node's VMs elsewhere while they may still run there; the agents refuse that where they can see it, and then nothing starts", "crm_attribute --name stonith-enabled --update true, when a fence device was tried: stonith_admin --reboot NODE"},
		{"cib.quorum", Error, "no-quorum-policy is ignore: each half of a cluster that falls apart starts all VMs", "crm_attribute --name no-quorum-policy --update freeze"},
		{"cib.freeze", Warning, "nodes that lose the quorum stop their VMs, for which they need the shared storage that they may have lost, too (no-quorum-policy is not freeze)", "crm_attribute --name no-quorum-policy --update freeze"},
		{"cib.maintenance", Warning, "the whole cluster is in maintenance: Pacemaker starts, moves and watches nothing", "crm_attribute --name maintenance-mode --update false, when the work is done"},
		{"cib.stickiness", Warning, "Pacemaker likes a VM no better where it is: what was moved goes back at once, so LBVM does not move it", "crm_attribute --type rsc_defaults --name resource-stickiness --update 100"},
		{"cib.timeout", Error, "a VM's operation has no timeout and gets Pacemaker's 20 s: a stop that takes longer counts as failed, and the node is fenced", "write timeouts into its operations: 300s for start and stop, 600s for migrate_to and migrate_from"},
		{"cib.monitor", Warning, "nothing looks after a VM that was started: when it ends by itself nobody starts it again", "add a monitor operation to it: interval 30s, timeout 20s"},
		{"cib.live", Warning, "a VM that could move live has no allow-migrate: Pacemaker stops and starts it for each move", "crm_resource --resource ID --meta --set-parameter allow-migrate --parameter-value true (false, where that is meant)"},
		{"cib.pending", Warning, "record-pending is false: Pacemaker does not tell of a VM that it is being started, stopped or moved, so LBVM may judge it meanwhile", "crm_attribute --type op_defaults --name record-pending --update true"},
		{"cib.left", Warning, "crm_resource --move or --ban has left a constraint without an end: it holds a VM at a node, or keeps it away, also when that node is lost; LBVM does not move against it", "crm_resource --resource ID --clear, when it is not meant any more"},
	}
}

// setup is what Pacemaker's configuration says; false: that was said to be unknown.
func (n *node) setup(ctx context.Context) (cluster.Setup, bool) {
	ctx, cancel := n.d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	c, err := cluster.ReadCIB(ctx, n.h, n.d.Run)
	var s cluster.Setup
	if err == nil {
		s, err = c.Setup()
	}
	if err != nil {
		n.unknown("%v", err)
		return s, false
	}
	return s, true
}

func checkCIB(ctx context.Context, n *node) {
	s, ok := n.setup(ctx)
	if !ok {
		return
	}
	r, err := n.ask(ctx, askLimit, "crm_verify", "--live-check", "--verbose")
	switch {
	case err != nil:
		n.unknown("%v", err)
	case r.Code != 0:
		wrong, known := verified(string(r.Stdout) + string(r.Stderr))
		text := string(r.Stdout) + string(r.Stderr)
		text = text[:min(len(text), 400)]
		if wrong {
			n.say("cib.invalid", nil, "crm_verify: %s", text)
		} else if !known {
			n.unknown("crm_verify ends with %d: %s", r.Code, text)
		}
	}
	if off(s.Options["stonith-enabled"]) {
		n.say("cib.stonith", nil, "stonith-enabled is %s", s.Options["stonith-enabled"])
	}
	switch policy := s.Options["no-quorum-policy"]; policy {
	case "ignore":
		n.say("cib.quorum", nil, "no-quorum-policy is ignore")
	case "freeze", "suicide":
	default:
		if policy == "" {
			policy = "not set: stop"
		}
		n.say("cib.freeze", nil, "no-quorum-policy is %s", policy)
	}
	if v := s.Options["maintenance-mode"]; v != "" && !off(v) {
		n.say("cib.maintenance", nil, "maintenance-mode is %s", v)
	}
	if off(s.Pending) {
		n.say("cib.pending", nil, "record-pending is %s in op_defaults", s.Pending)
	}
	for _, vm := range s.VMs {
		id := []string{"ID", vm.ID}
		if vm.Stickiness <= 0 {
			n.say("cib.stickiness", id, "%s: its resource-stickiness is %d", vm.ID, vm.Stickiness)
		}
		if len(vm.Without) > 0 {
			n.say("cib.timeout", id, "%s: %s", vm.ID, strings.Join(vm.Without, ", "))
		}
		if !vm.Monitored {
			n.say("cib.monitor", id, "%s: it has no monitor with an interval", vm.ID)
		}
		if vm.Live == "" && (vm.Type == "kvm" || vm.Type == "xen") {
			n.say("cib.live", id, "%s: it is %s, and has no allow-migrate", vm.ID, vm.Type)
		}
	}
	for _, l := range s.Left {
		n.say("cib.left", []string{"ID", l.Resource}, "%s: %s of %s", l.Resource, l.ID, l.Node)
	}
	if len(s.VMs) > 0 {
		n.merge()
	}
}

// verified reads what crm_verify says at its end: its exit code is the same for errors and for warnings, some of which are of the
// moment (a node that is not clean), not of the configuration.
func verified(text string) (wrong, known bool) {
	wrong = strings.Contains(text, "Errors found during check") || strings.Contains(text, "does not conform to")
	return wrong, wrong || strings.Contains(text, "Warnings found during check")
}

// off is how Pacemaker reads a no.
func off(v string) bool {
	return slices.Contains([]string{"false", "off", "no", "n", "0"}, strings.ToLower(v))
}

// pretends are fence agents that fence nothing.
func pretends() []string {
	return []string{"null", "external/null", "fence_dummy", "ssh", "external/ssh", "external/libvirt-null"}
}

// persons are those that wait for a person.
func persons() []string { return []string{"meatware", "fence_manual"} }

// checkDevices is the check of fencing with Pacemaker.
func checkDevices(ctx context.Context, n *node) {
	s, ok := n.setup(ctx)
	if !ok {
		return
	}
	for _, name := range n.nodes() {
		var real, manual, played []string
		for _, d := range s.Fences {
			if len(d.Hosts) > 0 && !slices.ContainsFunc(d.Hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
				continue
			}
			switch {
			case slices.Contains(pretends(), d.Agent):
				played = append(played, d.ID+" ("+d.Agent+")")
			case slices.Contains(persons(), d.Agent):
				manual = append(manual, d.ID+" ("+d.Agent+")")
			default:
				real = append(real, d.ID)
			}
		}
		words := []string{"NODE", name}
		switch {
		case len(played) > 0:
			n.say("fencing.null", words, "%s: %s", name, strings.Join(played, ", "))
		case len(real) == 0 && len(manual) == 0:
			n.say("fencing.none", words, "%s: no enabled fence device of the configuration is for it", name)
		case len(real) == 0:
			n.say("fencing.manual", words, "%s: %s", name, strings.Join(manual, ", "))
		case len(manual) > 0:
			n.say("fencing.last", words, "%s: %s", name, strings.Join(manual, ", "))
		}
	}
	n.owed(ctx)
}

// owed tells of members that are lost and not fenced yet.
func (n *node) owed(ctx context.Context) {
	ctx, cancel := n.d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	for _, m := range n.members {
		if m.Online {
			continue
		}
		if e := membership.EvidenceOf(ctx, membership.Of(n.h, n.d.Run), m.Name); e.Owed {
			n.say("fencing.owed", []string{"NODE", m.Name}, "%s: %s", m.Name, e.Fencing)
		}
	}
}

// ocfAgents is where Pacemaker finds ours.
const ocfAgents = "/usr/lib/ocf/resource.d/lbvm"

// checkOCF is the check of agents with Pacemaker.
func checkOCF(ctx context.Context, n *node) {
	s, ok := n.setup(ctx)
	if !ok {
		return
	}
	for _, typ := range s.Types {
		path := filepath.Join(ocfAgents, typ)
		r, err := n.d.askFile(ctx, n, path)
		switch {
		case errors.Is(err, run.ErrNotFound):
			n.say("agents.missing", nil, "%s is not there, or cannot be run", path)
		case errors.Is(err, run.ErrDeadline):
			n.say("agents.hang", nil, "%s meta-data: %v", path, err)
		case err != nil:
			n.unknown("%s: %v", path, err)
		case r.Code != 0 || !strings.Contains(string(r.Stdout), "<resource-agent"):
			n.say("agents.missing", nil, "%s meta-data ends with %d and tells no parameters", path, r.Code)
		}
	}
	for _, name := range n.ownAgents() {
		path := filepath.Join(ocfAgents, strings.TrimSuffix(name, ".sh"))
		here, err1 := n.digest(path)
		packaged, err2 := n.digest(filepath.Join(packagedAgents, name))
		if err := errors.Join(err1, err2); err != nil {
			n.unknown("%v", err)
		} else if here != packaged && here != "" {
			n.say("agents.stale", nil, "%s differs from the one in %s", path, packagedAgents)
		}
	}
}

// askFile asks an agent for its metadata.
func (d Doctor) askFile(ctx context.Context, n *node, path string) (run.Result, error) {
	if fi, err := n.stat(path); err != nil || fi.Mode()&0o111 == 0 {
		return run.Result{}, run.ErrNotFound
	}
	ctx, cancel := d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	return d.Run.Run(ctx, run.Command{Argv: []string{n.h.Path(path), "meta-data"}, Env: n.h.Environ()})
}

// checkReach asks the libvirtd of each other member for its name, by the way that guests are moved; ssh is a check of its own.
func checkReach(ctx context.Context, n *node) {
	var ways []string
	for _, vm := range n.here("kvm") {
		by := vm.Params["migration_transport"]
		if (by == "tcp" || by == "tls") && vm.Params["migration_mapping"] == "" && !slices.Contains(ways, by) {
			ways = append(ways, by)
		}
	}
	for _, by := range ways {
		for _, name := range n.others() {
			if !n.online(name) || host.CheckName(name) != nil {
				continue
			}
			uri := "qemu+" + by + "://" + name + "/system"
			r, err := n.ask(ctx, sshLimit, "virsh", "-r", "-c", uri, "hostname")
			switch {
			case errors.Is(err, run.ErrNotFound), ctx.Err() != nil: // that says nothing of the other node
				n.unknown("%s: %v", uri, err)
				return
			case err != nil:
				n.say("kvm.away", []string{"NODE", name}, "%s: %v", uri, err)
			case r.Code != 0:
				n.say("kvm.away", []string{"NODE", name}, "%s: virsh ends with %d: %s", uri, r.Code, r.Stderr)
			}
		}
	}
}
