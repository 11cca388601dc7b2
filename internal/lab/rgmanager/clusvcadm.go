package rgmanager

import (
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/internal/run"
)

const clusvcadmUsage = `usage: clusvcadm [command]

  -e <group> [-m <member> | -F]  enable (-F: where the failover domain says)
  -d <group>                     disable: stop until it is enabled again
  -s <group>                     stop until the next transition
  -r <group> [-m <member>]       relocate: stop here, start there
  -M <group> -m <member>         migrate a running guest
  -R <group>                     restart in place
  -Z <group>, -U <group>         freeze, unfreeze
  -l, -u, -S                     lock and unlock the resource groups, show the lock
  -q                             quiet
  -v                             version
`

// resultText is what clusvcadm prints for a result.
func resultText(code int) string {
	switch code {
	case rgSuccess:
		return "Success"
	case rgAbort:
		return "Aborted; service failed"
	case rgNoService:
		return "Service does not exist"
	case rgDeadlock:
		return "Operation would cause a deadlock"
	case rgAgain:
		return "Temporary failure; try again"
	case rgDepend:
		return "Operation violates dependency rule"
	case rgInvalid:
		return "Invalid operation for resource"
	case rgQuorum:
		return "Operation requires quorum"
	case rgRunning:
		return "Service is already running"
	case rgFrozen:
		return "Failure: Service is frozen"
	case rgNode:
		return "Target node dead / nonexistent"
	case rgFence:
		return "Fencing operation pending; try again later"
	case -14:
		return "S/Lang Script Error"
	case rgDomain:
		return "Service not runnable"
	case rgExclusive:
		return "Service not runnable: cannot run exclusive"
	case rgRestored:
		return "Failed; service running on original owner"
	case -18:
		return "Permissing denied"
	}
	return "Failure"
}

// exitCode is clusvcadm's: the result's low byte, and 0 where the group runs already.
func exitCode(code int) int {
	if code == rgRunning {
		return 0
	}
	return code & 0xff
}

// clusvcadm is one call of it on the node n.
func (m *Manager) clusvcadm(n *node, args []string) run.Result {
	options, _, bad := getopt(args, "lSue:M:d:r:n:c:m:FvR:s:Z:U:qh?")
	if bad != 0 {
		return run.Result{Code: 1, Stdout: []byte(clusvcadmUsage), Stderr: []byte(fmt.Sprintf("clusvcadm: invalid option -- '%c'\n", bad))}
	}
	var verb byte
	var name, target string
	byDomain, quiet := false, false
	for _, o := range options {
		switch o.flag {
		case 'l', 'u', 'S':
			return m.locks(n, o.flag)
		case 'v':
			return said("clusvcadm lab\n")
		case 'q':
			quiet = true
		case 'F':
			byDomain = true
		case 'm', 'n':
			target = o.value
		case 'h', '?':
			return run.Result{Code: 1, Stdout: []byte(clusvcadmUsage)}
		default:
			verb, name = o.flag, o.value
		}
	}
	switch {
	case verb == 0:
		return run.Result{Code: 1, Stdout: []byte(clusvcadmUsage)}
	case byDomain && target != "":
		return failure("Cannot specify a member when using -F")
	case !m.isMember(n):
		return failure("Could not connect to cluster service")
	}
	res := m.operate(n, verb, serviceName(name), target, byDomain)
	if quiet {
		res.Stdout = nil
	}
	return res
}

// serviceName adds the type that clusvcadm assumes, and keeps its 63 bytes.
func serviceName(name string) string {
	if !strings.Contains(name, ":") {
		name = "service:" + name
	}
	return name[:min(len(name), 63)]
}

func (m *Manager) locks(n *node, flag byte) run.Result {
	if !m.isReady(n) {
		return failure("Could not connect to resource group manager")
	}
	locked := false
	m.update(func() {
		if flag != 'S' {
			m.locked = flag == 'l'
		}
		locked = m.locked
	})
	if locked {
		return said("Resource groups locked\n")
	}
	return said("Resource groups unlocked\n")
}

func (m *Manager) operate(caller *node, verb byte, service, target string, byDomain bool) run.Result {
	var out strings.Builder
	var to *node // the member that the client means
	if target != "" {
		var note string
		to, note = m.closest(target)
		out.WriteString(note)
		if to == nil {
			return run.Result{Code: 1, Stdout: []byte(out.String())}
		}
	}
	switch {
	case verb == 'M' && to == nil:
		out.WriteString("Migration requires a target cluster member\n")
		return run.Result{Code: 1, Stdout: []byte(out.String())}
	case verb == 'M' && !m.isMember(to):
		fmt.Fprintf(&out, "'%s' is offline\n", to.name)
		return run.Result{Code: 1, Stdout: []byte(out.String())}
	}
	switch {
	case verb == 'r' && to != nil:
		fmt.Fprintf(&out, "Trying to relocate %s to %s...", service, to.name)
	case verb == 'r':
		fmt.Fprintf(&out, "Trying to relocate %s...", service)
	case verb == 'M':
		fmt.Fprintf(&out, "Trying to migrate %s to %s...", service, to.name)
	case to != nil:
		fmt.Fprintf(&out, "Member %s %s %s...", to.name, verbText(verb), service)
	default:
		fmt.Fprintf(&out, "Local machine %s %s...", verbText(verb), service)
	}
	via := caller // the daemon that gets the message
	if to != nil && verb != 'r' && verb != 'M' {
		via = to
	}
	if !m.isReady(via) {
		return run.Result{Code: 1, Stdout: []byte(out.String()), Stderr: []byte("Could not connect to resource group manager\n")}
	}
	o := m.request(caller, via, verb, service, to, byDomain)
	fmt.Fprintf(&out, "%s\n", resultText(o.code))
	if o.code == rgSuccess && (verb == 'r' || verb == 'e') && o.owner != "" {
		asked := to
		if verb == 'e' && to == nil && !byDomain {
			asked = caller
		}
		warning := ""
		if asked != nil && asked.name != o.owner {
			warning = "Warning: "
		}
		fmt.Fprintf(&out, "%s%s is now running on %s\n", warning, service, o.owner)
	}
	return run.Result{Code: exitCode(o.code), Stdout: []byte(out.String())}
}

func verbText(verb byte) string {
	switch verb {
	case 'd':
		return "disabling"
	case 'e':
		return "trying to enable"
	case 's':
		return "stopping"
	case 'R':
		return "trying to restart"
	case 'Z':
		return "freezing"
	case 'U':
		return "unfreezing"
	}
	return "convalescing"
}

// closest finds the member that the client takes for a name: a name that is not known is replaced by the member
// that shares the longest beginning with it.
func (m *Manager) closest(name string) (*node, string) {
	if n := m.node(name); n != nil {
		return n, ""
	}
	note := fmt.Sprintf("'%s' not in membership list\n", name)
	var found *node
	longest, same := 0, 0
	for _, n := range m.nodes {
		switch l := commonPrefix(n.name, name); {
		case l > longest:
			found, longest, same = n, l, 1
		case l == longest && l > 0:
			same++
		}
	}
	if same != 1 {
		return nil, note
	}
	return found, note + fmt.Sprintf("Closest match: '%s'\n", found.name)
}

func commonPrefix(a, b string) int {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return i
}

// request hands one operation to the group, as the daemons among themselves would.
func (m *Manager) request(caller, via *node, verb byte, service string, to *node, byDomain bool) outcome {
	m.mu.Lock()
	g, quorate, busy := m.groups[service], m.quorate, false
	if g != nil {
		busy = g.relocating
	}
	m.mu.Unlock()
	switch {
	case !quorate:
		return outcome{code: rgQuorum}
	case g == nil:
		return outcome{code: rgNoService}
	case busy && (verb == 'e' || verb == 'r'):
		return outcome{code: rgDeadlock}
	}
	switch verb {
	case 'r':
		name := ""
		if to != nil {
			name = to.name
		}
		return g.ask(func() outcome { return g.relocateRequest(caller, name) })
	case 'M':
		return g.ask(func() outcome { return g.migrateRequest(to) })
	case 'e':
		return g.ask(func() outcome {
			if byDomain {
				if n := g.bestOf(m.ready()); n != nil {
					return g.startRequest(n, true)
				}
				return outcome{code: rgDomain}
			}
			return g.startRequest(via, true)
		})
	case 'd':
		return g.ask(func() outcome { return g.stopRequest(disabled) })
	case 's':
		return g.ask(func() outcome { return g.stopRequest(stopped) })
	case 'R':
		return g.ask(func() outcome { return g.restart(via) })
	case 'Z', 'U':
		return g.ask(func() outcome { return g.freeze(verb == 'Z') })
	}
	return outcome{} // -c: no group of the lab is ever partial
}
