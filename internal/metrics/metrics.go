// Package metrics writes what the balancer sees and does in the text format of Prometheus, for node_exporter's textfile
// collector.
//
// Update makes the text of a file anew after each pass. A pass is a process of its own, so that counters go on from
// what the earlier file says. Where that is gone or cannot be read they begin at 0, which Prometheus takes for the
// restart of a program. Each node counts what its own passes did: the sum over all nodes is that of the cluster.
package metrics

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// FileName is the file in the folder that `metrics DIR;` names.
const FileName = "lbvm.prom"

// Value is the newest sample of a resource on a node. The zero value says that there is none.
type Value struct {
	At    time.Time
	Value float64
	Fresh bool // young enough for the balancer; else only At counts
}

// Move is a move that was made, or was not. Took is 0 where nothing was begun.
type Move struct {
	Outcome string
	Took    time.Duration
}

// Input is what a pass came to.
type Input struct {
	Version  string
	At       time.Time     // the end of the pass
	Outcome  string        // of lbvmagent's record
	Took     time.Duration // all of the pass, with its moves
	Decided  time.Duration // until it was decided; 0: it was not
	Pass     *balance.Pass // nil: nothing was decided, and of the nodes nothing is known
	Values   map[string]map[string]Value
	Moves    []Move
	Balanced int      // VMs with a decision
	Rails    []string // all of them
}

// Refused is the outcome of a move of which nothing was begun.
const Refused = "refused"

func outcomes() []string {
	return []string{string(balance.OutcomeMoved), string(balance.OutcomeFailed), string(balance.OutcomeElsewhere), string(balance.OutcomeUnknown), Refused}
}

// Update is the new text of a file that was old. An old one that is empty or spoilt begins the counters anew.
func Update(old []byte, in Input) []byte {
	p := page{before: counters(old)}
	p.family("lbvm_build_info", "gauge", "Always 1; the version is its label.")
	p.gauge(1, "version", in.Version)
	p.family("lbvm_pass_timestamp_seconds", "gauge", "When the last pass of the balancer on this node ended.")
	p.gauge(unix(in.At))
	p.family("lbvm_pass_success_timestamp_seconds", "gauge", "When the last pass on this node ended that decided and wrote down.")
	if in.Outcome == ok {
		p.gauge(unix(in.At))
	} else if at, known := p.before["lbvm_pass_success_timestamp_seconds"]; known {
		p.gauge(at)
	}
	p.family("lbvm_pass_duration_seconds", "gauge", "How long the last pass took, with its moves.")
	p.gauge(in.Took.Seconds())
	if in.Decided > 0 {
		p.family("lbvm_pass_decision_duration_seconds", "gauge", "How long the last pass took to ask, to read and to decide.")
		p.gauge(in.Decided.Seconds())
	}
	p.family("lbvm_passes_total", "counter", "Passes by their outcome.")
	for _, o := range []string{ok, "failed"} {
		p.count(one(o == in.Outcome), "outcome", o)
	}
	p.family("lbvm_moves_total", "counter", "Moves by their outcome; of those that were refused nothing was begun.")
	seconds, ended := 0.0, 0.0
	for _, o := range outcomes() {
		n := 0.0
		for _, m := range in.Moves {
			if m.Outcome == o {
				n++
			}
		}
		p.count(n, "outcome", o)
	}
	for _, m := range in.Moves {
		if m.Took > 0 {
			seconds, ended = seconds+m.Took.Seconds(), ended+1
		}
	}
	p.family("lbvm_move_duration_seconds", "summary", "How long moves took, whatever their outcome.")
	p.part("_sum", seconds)
	p.part("_count", ended)
	p.decisions(in)
	if in.Pass != nil {
		p.cluster(in)
		p.nodes(in)
	}
	return []byte(p.String())
}

// ok is lbvmagent.OK.
const ok = "ok"

// decisions counts what the rules said and what stood in their way.
func (p *page) decisions(in Input) {
	reports, rails := 0.0, map[string]int{}
	if in.Pass != nil {
		rails = in.Pass.Rails
		for i := range in.Pass.Decisions {
			reports += one(in.Pass.Decisions[i].Verdict == balance.ReportOnly)
		}
	}
	p.family("lbvm_reports_total", "counter", "Reports: a VM in a pass whose rule said report().")
	p.count(reports)
	p.family("lbvm_rail_vetoes_total", "counter", "VMs that a rail held back from a move that their rule wanted, summed over the passes.")
	for _, name := range in.Rails {
		p.count(float64(rails[name]), "rail", name)
	}
}

// cluster tells of the cluster as the pass saw it.
func (p *page) cluster(in Input) {
	p.family("lbvm_cluster_quorate", "gauge", "1 if the cluster had a quorum.")
	p.gauge(one(in.Pass.View.Quorate))
	p.family("lbvm_vms", "gauge", "VMs that the cluster manager knows, by the state of their service.")
	states := map[string]float64{}
	for _, vm := range in.Pass.View.VMs {
		states[vm.State.String()]++
	}
	for _, s := range sorted(states) {
		p.gauge(states[s], "state", s)
	}
	p.family("lbvm_vms_balanced", "gauge", "VMs that the last pass decided about.")
	p.gauge(float64(in.Balanced))
	p.family("lbvm_vms_wanting_move", "gauge", "VMs whose rule asked for a move in the last pass, whatever the rails said.")
	n := 0.0
	for i := range in.Pass.Decisions {
		d := &in.Pass.Decisions[i]
		n += one(slices.ContainsFunc(d.Candidates, func(c balance.Candidate) bool { return c.Said == balance.SaidMigrate }))
	}
	p.gauge(n)
}

// nodes tells of each node.
func (p *page) nodes(in Input) {
	v := in.Pass.View
	guests := map[string]float64{}
	for _, vm := range v.VMs {
		guests[vm.Owner]++
	}
	nodes := slices.Clone(v.Nodes)
	slices.SortFunc(nodes, func(a, b balance.Node) int { return cmp.Compare(a.Name, b.Name) })
	p.family("lbvm_node_online", "gauge", "1 if the node is a member and its cluster manager runs.")
	for _, n := range nodes {
		p.gauge(one(n.Online), "node", n.Name)
	}
	p.family("lbvm_node_guests", "gauge", "VMs of the cluster on the node.")
	for _, n := range nodes {
		p.gauge(guests[n.Name], "node", n.Name)
	}
	for _, f := range []struct {
		name, help string
		value      func(balance.Node) (float64, bool)
	}{
		{"lbvm_node_cores", "Processors of the node.", func(n balance.Node) (float64, bool) { return n.Cores, n.Cores > 0 }},
		{"lbvm_node_memory_bytes", "Memory of the node.", func(n balance.Node) (float64, bool) { return float64(n.MemTotal), n.MemTotal > 0 }},
		{"lbvm_node_memory_free_bytes", "Memory of the node that a new guest could have.", func(n balance.Node) (float64, bool) { return float64(n.MemFree), n.MemTotal > 0 }},
		{"lbvm_node_facts_timestamp_seconds", "When lblog last published the node's facts.", func(n balance.Node) (float64, bool) { return unix(n.Seen), !n.Seen.IsZero() }},
	} {
		p.family(f.name, "gauge", f.help)
		for _, n := range nodes {
			if x, known := f.value(n); known {
				p.gauge(x, "node", n.Name)
			}
		}
	}
	p.family("lbvm_resource_value", "gauge", "The newest sample, in the resource's own unit. A stale one is not shown.")
	p.values(in.Values, func(v Value) (float64, bool) { return v.Value, v.Fresh })
	p.family("lbvm_resource_sample_timestamp_seconds", "gauge", "When the newest sample was measured; 0 where there is none.")
	p.values(in.Values, func(v Value) (float64, bool) { return max(unix(v.At), 0), true })
}

func (p *page) values(all map[string]map[string]Value, of func(Value) (float64, bool)) {
	for _, node := range sorted(all) {
		for _, resource := range sorted(all[node]) {
			if x, known := of(all[node][resource]); known {
				p.gauge(x, "node", node, "resource", resource)
			}
		}
	}
}

func sorted[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// page is a text in the making. A family of which nothing is known is left out.
type page struct {
	strings.Builder
	before map[string]float64
	name   string
	head   string // not yet written
}

func (p *page) family(name, kind, help string) {
	p.name = name
	p.head = "# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n"
}

func (p *page) gauge(v float64, labels ...string) { p.sample("", v, labels) }

// count adds n to a counter.
func (p *page) count(n float64, labels ...string) {
	p.sample("", p.before[p.name+labelText(labels)]+n, labels)
}

// part adds n to a part of a summary.
func (p *page) part(suffix string, n float64) { p.sample(suffix, p.before[p.name+suffix]+n, nil) }

func (p *page) sample(suffix string, v float64, labels []string) {
	p.WriteString(p.head)
	p.head = ""
	p.WriteString(p.name + suffix + labelText(labels) + " " + strconv.FormatFloat(v, 'f', -1, 64) + "\n")
}

// labelText is a list of labels and their values as it stands behind a name.
func labelText(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		b.WriteString(sep + labels[i] + `="` + escape.Replace(strings.ToValidUTF8(labels[i+1], "?")) + `"`)
	}
	return b.String() + "}"
}

// counters are the samples of an old file, by their name with their labels. A sum that is not a plain positive number is none.
func counters(old []byte) map[string]float64 {
	out := map[string]float64{}
	for _, line := range strings.Split(string(old), "\n") {
		blank := strings.LastIndexByte(line, ' ')
		if blank <= 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(line[blank+1:], 64); err == nil && v >= 0 && v < 1e15 {
			out[line[:blank]] = v
		}
	}
	return out
}
