package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/trial"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/perl"
)

// tried is one run of the code. What is not known is null.
type tried struct {
	Node    *string     `json:"node"`   // of res
	Target  *string     `json:"target"` // of res2
	Value   []*string   `json:"value"`
	Stdout  string      `json:"stdout"`
	Warned  string      `json:"warned"`
	Actions []string    `json:"actions"` // each call, in order; void where there is an error
	Weight  *float64    `json:"weight"`  // of migrate(WEIGHT)
	Error   string      `json:"error"`
	Reads   []readRow   `json:"reads"`
	Trace   []tracedRow `json:"trace"`

	values []perl.Value
	err    error
	trace  *perl.Trace
	reads  []*balance.Read
}

type readRow struct {
	Resource string   `json:"resource"`
	Node     string   `json:"node"`
	Minutes  int      `json:"minutes"`
	Count    int      `json:"count"`
	Newest   *float64 `json:"newest"`
	Average  *float64 `json:"average"`
	Error    string   `json:"error"`
}

type tracedRow struct {
	Kind     string   `json:"kind"` // called, compared, matched, decided (a logical operator)
	Line     int      `json:"line"`
	Col      int      `json:"col"`
	EndLine  int      `json:"end_line"`
	EndCol   int      `json:"end_col"`
	Source   string   `json:"source"`
	Operands []string `json:"operands"`
	Text     string   `json:"text"`
	Result   string   `json:"result"`
}

// fill makes the fields of JSON from the rest.
func (t *tried) fill() {
	t.Value, t.Reads, t.Trace = []*string{}, []readRow{}, []tracedRow{}
	for _, v := range t.values {
		if v.IsUndef() {
			t.Value = append(t.Value, nil)
			continue
		}
		s := trial.Show(v)
		t.Value = append(t.Value, &s)
	}
	if t.Actions == nil {
		t.Actions = []string{}
	}
	if t.err != nil {
		t.Error = strings.TrimRight(trial.ErrorText(t.err), "\n")
	}
	for _, r := range t.reads {
		x := readRow{Resource: r.Resource, Node: r.Node, Minutes: r.Minutes, Count: r.Count, Error: r.Err}
		if r.Err == "" {
			newest, average := r.Newest, r.Average
			x.Newest, x.Average = &newest, &average
		}
		t.Reads = append(t.Reads, x)
	}
	if t.trace == nil {
		t.trace = &perl.Trace{}
	}
	for _, s := range t.trace.Steps {
		t.Trace = append(t.Trace, traced(s))
	}
}

// showTried prints a run for people: on standard output what the code did, on standard error why it failed.
func (w world) showTried(t tried, at time.Time, q evalQuery, code string) {
	if t.Node != nil {
		fmt.Fprintf(w.stdout, "res: %s   res2: %s   at: %s\n", *t.Node, orDash(t.Target), at.Format("2006-01-02 15:04:05 MST"))
	}
	if q.trace {
		for _, s := range t.Trace {
			if line := s.line(); line != "" {
				fmt.Fprintln(w.stdout, line)
			}
		}
		if t.trace.Dropped > 0 {
			fmt.Fprintf(w.stdout, "(%d more steps)\n", t.trace.Dropped)
		}
	}
	if t.err == nil {
		fmt.Fprintln(w.stdout, "value:  ", valueText(t.values))
	}
	printed(w, "output: ", t.Stdout)
	printed(w, "warned: ", t.Warned)
	if len(t.Actions) > 0 {
		void := ""
		if t.err != nil {
			void = " (void: the code did not come to its end)"
		}
		fmt.Fprintf(w.stdout, "actions: %s%s\n", strings.Join(t.Actions, ", "), void)
	}
	if t.err != nil {
		fmt.Fprint(w.stderr, failure(t.err, code))
	}
}

func printed(w world, head, text string) {
	if text == "" {
		return
	}
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fmt.Fprintf(w.stdout, "%-9s%s\n", head, line)
		head = ""
	}
}

func traced(s perl.Step) tracedRow {
	r := tracedRow{"", s.Line, s.Col, s.EndLine, s.EndCol, s.Source, s.Operands, s.Text, s.Result}
	switch s.Kind {
	case perl.Called:
		r.Kind = called
	case perl.Compared:
		r.Kind = "compared"
	case perl.Matched:
		r.Kind = "matched"
	case perl.Decided:
		r.Kind = "decided"
	}
	if r.Operands == nil {
		r.Operands = []string{}
	}
	return r
}

// called is the kind of a step that called one of our functions.
const called = "called"

// line is a step as a sentence. What migrate and report returned is of no interest: the actions tell of them.
func (s tracedRow) line() string {
	switch {
	case s.Kind != called:
		return fmt.Sprintf("%s  ->  %s is %s", s.Source, s.Text, s.Result)
	case strings.HasPrefix(s.Text, "migrate(") || strings.HasPrefix(s.Text, "report("):
		return ""
	case s.Result == "":
		return fmt.Sprintf("%s  ->  nothing", s.Source)
	}
	return fmt.Sprintf("%s  ->  %s", s.Source, s.Result)
}

// valueText shows values as they could be written.
func valueText(values []perl.Value) string {
	if len(values) == 0 {
		return "nothing"
	}
	var out []string
	for _, v := range values {
		s := v.GoString()
		switch {
		case v.Ref() != "":
			s = v.Ref()
		case s == "":
			s = `"" (false)`
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// withoutPlace is an error's text without the place that perl puts at its end.
func withoutPlace(e *perl.RuntimeError) string {
	text := e.Message()
	if i := strings.LastIndex(text, " at "+e.Pos.File+" line "); i > 0 && strings.HasSuffix(text, ".") {
		return text[:i]
	}
	return text
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}
