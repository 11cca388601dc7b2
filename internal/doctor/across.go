package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
)

// Traits are what is compared between nodes. What is not known is empty.
type Traits struct {
	Release   string            // of lbvm
	Running   uint64            // config_version
	Text      string            // digest of cluster.conf
	Version   uint64            // of that text
	Agents    map[string]string // our agents -> digest
	Conf      string            // digest of lbvm.conf
	Share     string            // uuid of the marker that is seen
	Initiator string            // iSCSI name
}

func (n *node) traits(ctx context.Context) Traits {
	t := Traits{Release: host.Version(), Agents: map[string]string{}}
	ctx, cancel := n.d.Wait.WithTimeout(ctx, askLimit)
	defer cancel()
	if v, err := cluster.NewPublisher(n.h, n.d.Run).Running(ctx); err == nil {
		t.Running = v
	}
	if n.doc != nil {
		if v, err := n.doc.Version(); err == nil {
			t.Version = v
		}
		t.Text, _ = n.digest(host.ClusterXML) // unreadable: not known
	}
	for _, name := range []string{"openvz.sh", "xen.sh", "kvm.sh", "vmexec.sh", "lbvm.sh"} {
		if d, err := n.digest(filepath.Join(cluster.AgentDir, name)); err == nil && d != "" {
			t.Agents[name] = d
		}
		ocf := filepath.Join(ocfAgents, strings.TrimSuffix(name, ".sh"))
		if d, err := n.digest(ocf); err == nil && d != "" && n.pacemaker() {
			t.Agents[ocf] = d
		}
	}
	if n.shared != "" {
		t.Share = n.id.UUID
		if a, err := n.digest(host.ConfFile); err == nil {
			t.Conf = a
		}
	}
	if name, err := n.initiator(); err == nil {
		t.Initiator = name
	}
	return t
}

// Answer is what a node said, or why it said nothing.
type Answer struct {
	Node   string
	Report Report
	Err    error
	// Asked and Told are this node's clock before and after it was asked; zero for this node's own.
	Asked, Told time.Time
}

// Across is the name of the check that compares.
const Across = "across"

// drift is what two clocks may differ by, beside the time that the asking took.
const drift = 2 * time.Second

// Compare sets nodes side by side. The first is this one.
func Compare(all []Answer) Result {
	r := Result{Check: Across}
	say := func(fault string, words []string, format string, args ...any) {
		r.Findings = append(r.Findings, finding(Across, fault, words, fmt.Sprintf(format, args...)))
	}
	var told []Answer
	for _, a := range all {
		if a.Err != nil {
			say("across.silent", []string{"NODE", a.Node}, "%s: %v", a.Node, a.Err)
			continue
		}
		told = append(told, a)
		at := a.Report.At
		if !a.Asked.IsZero() && (at.Before(a.Asked.Add(-drift)) || at.After(a.Told.Add(drift))) {
			say("across.clock", nil, "%s says that it is %s; it was asked at %s", a.Node, at.Format(time.RFC3339), a.Asked.Format(time.RFC3339))
		}
	}
	for _, x := range []struct {
		fault, what string
		of          func(Traits) string
	}{
		{"across.version", "the running version", func(t Traits) string { return number(t.Running) }},
		{"across.lbvm", "the release of lbvm", func(t Traits) string { return t.Release }},
		{"across.rules", "lbvm.conf", func(t Traits) string { return t.Conf }},
		{"across.share", "the shared storage", func(t Traits) string { return t.Share }},
	} {
		if text := parted(told, x.of); text != "" {
			say(x.fault, nil, "%s: %s", x.what, text)
		}
	}
	same := map[uint64][]Answer{} // by the version that their file bears
	for _, a := range told {
		same[a.Report.Traits.Version] = append(same[a.Report.Traits.Version], a)
	}
	for _, v := range slices.Sorted(maps.Keys(same)) {
		if text := parted(same[v], func(t Traits) string { return t.Text }); text != "" && v != 0 {
			say("across.text", nil, "version %d: %s", v, text)
		}
	}
	var names []string
	for _, a := range told {
		names = append(names, slices.Collect(maps.Keys(a.Report.Traits.Agents))...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if text := parted(told, func(t Traits) string { return t.Agents[name] }); text != "" {
			say("across.agents", nil, "%s: %s", name, text)
		}
	}
	by := map[string][]string{}
	for _, a := range told {
		if i := a.Report.Traits.Initiator; i != "" {
			by[i] = append(by[i], a.Node)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(by)) {
		if len(by[i]) > 1 {
			say("iscsi.twin", nil, "%s are all %s", strings.Join(by[i], ", "), i)
		}
	}
	return r
}

func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// parted says who differs; "" where all that tell are alike.
func parted(all []Answer, of func(Traits) string) string {
	by := map[string][]string{}
	for _, a := range all {
		if v := of(a.Report.Traits); v != "" {
			by[v] = append(by[v], a.Node)
		}
	}
	if len(by) < 2 {
		return ""
	}
	var parts []string
	values := slices.SortedFunc(maps.Keys(by), func(a, b string) int { return cmp.Or(len(by[b])-len(by[a]), cmp.Compare(a, b)) })
	for _, v := range values {
		parts = append(parts, fmt.Sprintf("%s on %s", v, strings.Join(by[v], ", ")))
	}
	return strings.Join(parts, "; ")
}
