package main

import (
	"fmt"
	"time"

	"github.com/lbvm/lbvm/internal/doctor"
)

// doctorReport is the JSON of lbm doctor, by which nodes also talk to each other. Its fields stay.
type doctorReport struct {
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Unknown  int           `json:"unknown"`
	Nodes    []doctorNode  `json:"nodes"`
	Across   []doctorFound `json:"across"` // what shows only when nodes are compared
}

type doctorNode struct {
	Node   string        `json:"node"`
	At     *time.Time    `json:"at"` // null where it could not be asked
	Checks []doctorCheck `json:"checks"`
	Traits doctorTraits  `json:"traits"`
}

type doctorCheck struct {
	Check    string        `json:"check"`
	State    string        `json:"state"` // fine, warning, error, unknown, idle
	Idle     *string       `json:"idle"`  // why it does not concern the node
	Findings []doctorFound `json:"findings"`
}

type doctorFound struct {
	Fault    *string `json:"fault"` // of docs/doctor.md; null where the check could not be made
	Severity string  `json:"severity"`
	Text     string  `json:"text"`
	Cure     string  `json:"cure"`
}

type doctorTraits struct {
	Release   *string           `json:"release"`
	Running   *uint64           `json:"running_version"`
	Version   *uint64           `json:"config_version"`
	Text      *string           `json:"cluster_conf_digest"`
	Conf      *string           `json:"lbvm_conf_digest"`
	Share     *string           `json:"share_uuid"`
	Initiator *string           `json:"iscsi_initiator"`
	Agents    map[string]string `json:"agent_digests"`
}

func doctorJSON(answers []doctor.Answer, across doctor.Result) doctorReport {
	out := doctorReport{Nodes: []doctorNode{}, Across: doctorFindings(across.Findings)}
	count := func(all []doctor.Finding) {
		for _, f := range all {
			switch f.Severity {
			case doctor.Error:
				out.Errors++
			case doctor.Warning:
				out.Warnings++
			case doctor.Unknown:
				out.Unknown++
			}
		}
	}
	count(across.Findings)
	for _, a := range answers {
		count(a.Report.Findings())
		n := doctorNode{Node: a.Node, Checks: []doctorCheck{}, Traits: traitsOut(a.Report.Traits)}
		if !a.Report.At.IsZero() {
			n.At = &a.Report.At
		}
		for _, r := range a.Report.Results {
			state := r.Severity().String()
			if r.Idle != "" {
				state = "idle"
			}
			n.Checks = append(n.Checks, doctorCheck{r.Check, state, known(r.Idle), doctorFindings(r.Findings)})
		}
		out.Nodes = append(out.Nodes, n)
	}
	return out
}

func doctorFindings(findings []doctor.Finding) []doctorFound {
	all := []doctorFound{}
	for _, f := range findings {
		all = append(all, doctorFound{known(f.Fault), f.Severity.String(), f.Text, f.Cure})
	}
	return all
}

func traitsOut(t doctor.Traits) doctorTraits {
	x := doctorTraits{Release: known(t.Release), Text: known(t.Text), Conf: known(t.Conf), Share: known(t.Share), Initiator: known(t.Initiator), Agents: map[string]string{}}
	for k, v := range t.Agents {
		x.Agents[k] = v
	}
	if t.Running != 0 {
		x.Running = &t.Running
	}
	if t.Version != 0 {
		x.Version = &t.Version
	}
	return x
}

// report is what another node has said.
func (n doctorNode) report() (doctor.Report, error) {
	if n.At == nil {
		return doctor.Report{}, fmt.Errorf("its answer has no time")
	}
	r := doctor.Report{Node: n.Node, At: *n.At, Traits: doctor.Traits{Release: orEmpty(n.Traits.Release), Text: orEmpty(n.Traits.Text), Conf: orEmpty(n.Traits.Conf),
		Share: orEmpty(n.Traits.Share), Initiator: orEmpty(n.Traits.Initiator), Agents: n.Traits.Agents}}
	if v := n.Traits.Running; v != nil {
		r.Traits.Running = *v
	}
	if v := n.Traits.Version; v != nil {
		r.Traits.Version = *v
	}
	for _, c := range n.Checks {
		x := doctor.Result{Check: c.Check, Idle: orEmpty(c.Idle)}
		for _, f := range c.Findings {
			x.Findings = append(x.Findings, doctor.Finding{Check: c.Check, Fault: orEmpty(f.Fault), Severity: severityOf(f.Severity), Text: f.Text, Cure: f.Cure})
		}
		r.Results = append(r.Results, x)
	}
	return r, nil
}

// severityOf reads a word of another node. One that is not known is as bad as can be.
func severityOf(text string) doctor.Severity {
	for s := doctor.Fine; s < doctor.Error; s++ {
		if s.String() == text {
			return s
		}
	}
	return doctor.Error
}

func orEmpty(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
