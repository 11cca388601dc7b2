package libvirt

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// call is one run of virsh.
type call struct {
	d      *daemon
	n      *lab.Node
	dir    string
	old    bool // 0.10
	quiet  bool
	out    strings.Builder
	errors strings.Builder
}

// say prints a line; extra one that --quiet leaves out.
func (c *call) say(format string, args ...any) { fmt.Fprintf(&c.out, format+"\n", args...) }

func (c *call) extra(format string, args ...any) {
	if !c.quiet {
		c.say(format, args...)
	}
}

// fail prints errors and gives the code that goes with all of them.
func (c *call) fail(lines ...string) int {
	for _, l := range lines {
		c.errors.WriteString("error: " + l + "\n")
	}
	return 1
}

// q is a name in a sentence: until 6.x without quotes.
func (c *call) q(name string) string {
	if c.old {
		return name
	}
	return "'" + name + "'"
}

// words are a command's options and arguments, by the names that virsh gives them.
type words map[string]string

func (w words) has(name string) bool { _, is := w[name]; return is }

// command is one of virsh: its arguments in their order (those with ? may be missing), its options with a value, those
// without.
type command struct {
	args, valued, flags []string
	do                  func(*call, context.Context, words) int
}

// ofDomain is a command on one domain.
func ofDomain(do func(*call, context.Context, *domain, words) int) func(*call, context.Context, words) int {
	return func(c *call, life context.Context, w words) int {
		x := c.d.find(w["domain"])
		if x == nil {
			return c.unknown(w["domain"])
		}
		return do(c, life, x, w)
	}
}

func (c *call) unknown(name string) int {
	if c.old {
		return c.fail("failed to get domain '"+name+"'", "Domain not found: no domain with matching name '"+name+"'")
	}
	return c.fail("failed to get domain '" + name + "'")
}

// commands are those that the lab plays; virsh has more.
func commands() map[string]command {
	dom := []string{"domain"}
	return map[string]command{
		"list": {nil, nil, []string{"inactive", "all", "transient", "persistent", "with-managed-save", "without-managed-save", "state-running", "state-paused",
			"state-shutoff", "state-other", "uuid", "name", "id", "table", "managed-save", "title", "autostart", "no-autostart"}, (*call).list},
		"domstate":           {dom, nil, []string{"reason"}, ofDomain((*call).domstate)},
		"dominfo":            {dom, nil, nil, ofDomain((*call).dominfo)},
		"domid":              {dom, nil, nil, ofDomain((*call).domid)},
		"domuuid":            {dom, nil, nil, ofDomain(func(c *call, _ context.Context, x *domain, _ words) int { c.say("%s", x.conf.UUID); return 0 })},
		"domname":            {dom, nil, nil, ofDomain(func(c *call, _ context.Context, x *domain, _ words) int { c.say("%s", x.conf.Name); return 0 })},
		"domstats":           {[]string{"?domain"}, nil, []string{"state", "cpu-total", "balloon", "vcpu", "interface", "block", "raw", "list-active", "nowait"}, (*call).domstats},
		"domblklist":         {dom, nil, []string{"inactive", "details"}, ofDomain((*call).domblklist)},
		"dumpxml":            {dom, nil, []string{"inactive", "security-info", "update-cpu", "migratable"}, ofDomain((*call).dumpxml)},
		"create":             {[]string{"file"}, nil, []string{"console", "paused", "autodestroy", "validate"}, (*call).create},
		"define":             {[]string{"file"}, nil, []string{"validate"}, (*call).define},
		"undefine":           {dom, nil, []string{"managed-save", "snapshots-metadata", "nvram", "keep-nvram"}, ofDomain((*call).undefine)},
		"start":              {dom, nil, []string{"console", "paused", "autodestroy", "bypass-cache", "force-boot"}, ofDomain((*call).start)},
		"autostart":          {dom, nil, []string{"disable"}, ofDomain((*call).setAutostart)},
		"shutdown":           {dom, []string{"mode"}, nil, ofDomain((*call).shutdown)},
		"destroy":            {dom, nil, []string{"graceful", "remove-logs"}, ofDomain((*call).destroy)},
		"suspend":            {dom, nil, nil, ofDomain((*call).suspend)},
		"resume":             {dom, nil, nil, ofDomain((*call).resume)},
		"save":               {[]string{"domain", "file"}, []string{"xml"}, []string{"bypass-cache", "running", "paused", "verbose"}, ofDomain((*call).save)},
		"restore":            {[]string{"file"}, []string{"xml"}, []string{"bypass-cache", "running", "paused", "reset-nvram"}, (*call).restore},
		"save-image-dumpxml": {[]string{"file"}, nil, []string{"security-info"}, (*call).dumpImage},
		"managedsave":        {dom, nil, []string{"bypass-cache", "running", "paused", "verbose"}, ofDomain((*call).managedSave)},
		"managedsave-remove": {dom, nil, nil, ofDomain((*call).managedSaveRemove)},
		"migrate":            {[]string{"domain", "desturi", "?migrateuri", "?graphicsuri", "?listen-address", "?dname"}, []string{"timeout", "bandwidth", "xml", "persistent-xml", "auto-converge-initial", "auto-converge-increment", "tls-destination"}, []string{"live", "p2p", "direct", "tunnelled", "persistent", "undefinesource", "suspend", "unsafe", "verbose", "compressed", "auto-converge", "abort-on-error", "timeout-suspend", "change-protection", "tls"}, ofDomain((*call).migrate)},
		"migrate-setspeed":   {[]string{"domain", "bandwidth"}, nil, []string{"postcopy"}, ofDomain((*call).setSpeed)},
		"migrate-getspeed":   {dom, nil, []string{"postcopy"}, ofDomain((*call).getSpeed)},
		"domjobinfo":         {dom, nil, []string{"completed", "keep-completed", "anystats", "rawstats"}, ofDomain((*call).jobInfo)},
		"domjobabort":        {dom, nil, []string{"postcopy"}, ofDomain((*call).jobAbort)},
		"version":            {nil, nil, []string{"daemon"}, (*call).version},
		"uri":                {nil, nil, nil, func(c *call, _ context.Context, _ words) int { c.say("qemu:///system"); return 0 }},
		"hostname":           {nil, nil, nil, func(c *call, _ context.Context, _ words) int { c.say("%s", c.n.Name); return 0 }},
		"nodeinfo":           {nil, nil, nil, (*call).nodeInfo},
		"nodememstats":       {nil, []string{"cell"}, nil, (*call).nodeMemory},
		"capabilities":       {nil, nil, nil, (*call).capabilities},
		"domcapabilities":    {nil, []string{"virttype", "emulatorbin", "arch", "machine"}, nil, (*call).capabilities},
		"migrate-setmaxdowntime": {[]string{"domain", "downtime"}, nil, nil, ofDomain(func(c *call, _ context.Context, x *domain, _ words) int {
			if c.jobOf(x) == nil {
				return c.fail("Requested operation is not valid: domain is not being migrated")
			}
			return 0
		})},
	}
}

// virsh asks libvirtd. libvirtd does not notice if virsh is killed, but for a migration that virsh leads.
func (d *daemon) virsh(ctx context.Context, n *lab.Node, r lab.Request) run.Result {
	d.fresh.Do(func() { clean(n) })
	c := &call{d: d, n: n, dir: r.Dir, old: strings.HasPrefix(n.Setting(versionFile, "9.0"), "0.")}
	args := r.Argv[1:]
	uri := ""
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name, value, given := strings.Cut(args[0], "=")
		args = args[1:]
		switch name {
		case "-c", "--connect", "-k", "--keepalive-interval", "-K", "--keepalive-count", "-d", "--debug", "-l", "--log":
			if !given {
				if len(args) == 0 {
					return c.result(c.fail(fmt.Sprintf("option '%s' requires an argument", name)))
				}
				value, args = args[0], args[1:]
			}
			if name == "-c" || name == "--connect" {
				uri = value
			}
		case "-q", "--quiet":
			c.quiet = true
		case "-r", "--readonly", "-t", "--timing":
		case "-v", "--version", "-V":
			c.say("%s", map[bool]string{true: "0.10.2", false: "9.0.0"}[c.old])
			return run.Result{Stdout: []byte(c.out.String())}
		default:
			return c.result(c.fail(fmt.Sprintf("unsupported option '%s'. See --help.", name)))
		}
	}
	if len(args) == 0 {
		return c.result(c.fail("the lab's virsh has no interactive mode: give it a command"))
	}
	cmd, ok := commands()[args[0]]
	if !ok {
		return run.Result{Stderr: []byte("error: unknown command: '" + args[0] + "'\n"), Code: 1}
	}
	w, problem := split(args[0], cmd, args[1:])
	if problem != "" {
		return run.Result{Stderr: []byte("error: " + problem + "\n"), Code: 1}
	}
	if host, remote := hostOf(uri); remote {
		return c.elsewhere(ctx, host, args)
	}
	if uri != "" && uri != "qemu:///system" && uri != "qemu:///session" {
		return c.result(c.fail("failed to connect to the hypervisor", "no connection driver available for "+uri))
	}
	vm := w["domain"]
	if x := d.find(vm); x != nil {
		vm = x.conf.Name
	}
	if vm == "" {
		vm = "*"
	}
	if n.Fault("virsh", "hangs", vm) {
		<-ctx.Done()
		return run.Result{Code: 1}
	}
	if n.Fault("virsh", "libvirtd-down", "*") {
		return c.result(c.fail(down[:]...))
	}
	answer := make(chan run.Result, 1)
	n.Go(func(life context.Context) {
		if args[0] == "migrate" && !w.has("p2p") {
			life = ctx
		}
		answer <- c.result(cmd.do(c, life, w))
	})
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
		return run.Result{Code: 1} // nobody reads it
	}
}

// down is what virsh says where no libvirtd runs.
var down = [...]string{"failed to connect to the hypervisor", "Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory"}

// result is what virsh prints: an empty line at the end, and nothing else on stdout beside an error.
func (c *call) result(code int) run.Result {
	if code != 0 {
		c.out.Reset()
	}
	if !c.quiet {
		c.out.WriteString("\n")
	}
	return run.Result{Stdout: []byte(c.out.String()), Stderr: []byte(c.errors.String()), Code: code}
}

// hostOf is the host of a URI such as qemu+ssh://HOST/system; remote is false for qemu:///system.
func hostOf(uri string) (host string, remote bool) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || scheme != "qemu" && !strings.HasPrefix(scheme, "qemu+") {
		return "", false
	}
	host, _, _ = strings.Cut(rest, "/")
	host = host[strings.LastIndex(host, "@")+1:]
	host, _, _ = strings.Cut(host, ":")
	return host, host != ""
}

// elsewhere asks another node's libvirtd.
func (c *call) elsewhere(ctx context.Context, host string, args []string) run.Result {
	if c.missing(host) {
		return c.result(c.fail("failed to connect to the hypervisor", noHost(host)))
	}
	answer, err := lab.Call(ctx, c.n.Layout.NodeSocket(host), lab.Request{Node: c.n.Name, Argv: append([]string{"virsh"}, args...), Dir: c.dir})
	if err != nil {
		return c.result(c.fail("failed to connect to the hypervisor", noRoute(host)))
	}
	return answer
}

// missing: no node of the lab has that name.
func (c *call) missing(host string) bool {
	_, err := os.Stat(c.n.Layout.Root(host))
	return err != nil || filepath.Base(host) != host
}

func noHost(host string) string {
	return "Cannot recv data: ssh: Could not resolve hostname " + host + ": Name or service not known: Connection reset by peer"
}

func noRoute(host string) string {
	return "unable to connect to server at '" + host + ":16509': No route to host"
}

// split tells options from arguments. An argument may be given by its name, and options stand anywhere.
func split(name string, cmd command, args []string) (words, string) {
	w := words{}
	var left []string
	known := make([]string, 0, len(cmd.args))
	for _, a := range cmd.args {
		known = append(known, strings.TrimPrefix(a, "?"))
	}
	for i := 0; i < len(args); i++ {
		option, dashed := strings.CutPrefix(args[i], "--")
		if !dashed || option == "" {
			left = append(left, args[i])
			continue
		}
		key, value, given := strings.Cut(option, "=")
		switch {
		case slices.Contains(cmd.flags, key) && !given:
			w[key] = "yes"
		case slices.Contains(cmd.valued, key) || slices.Contains(known, key):
			if !given {
				if i++; i == len(args) {
					return nil, fmt.Sprintf("expected syntax: --%s <string>", key)
				}
				value = args[i]
			}
			w[key] = value
		default:
			return nil, fmt.Sprintf("command '%s' doesn't support option --%s", name, key)
		}
	}
	for _, a := range known {
		if _, is := w[a]; !is && len(left) > 0 {
			w[a], left = left[0], left[1:]
		}
	}
	if len(left) > 0 {
		return nil, fmt.Sprintf("unexpected data '%s'", left[0])
	}
	for _, a := range cmd.args {
		if _, is := w[a]; !is && !strings.HasPrefix(a, "?") {
			return nil, fmt.Sprintf("command '%s' requires <%s> option", name, a)
		}
	}
	return w, ""
}
