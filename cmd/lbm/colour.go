package main

import (
	"strings"

	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// painted is a diagnostic for a person, its severity and the caret in colour.
func (w world) painted(d conf.Diagnostic) string {
	text := d.Format()
	if !w.paint.On() {
		return text
	}
	style := term.Bad
	if d.Severity == conf.Warning {
		style = term.Warn
	}
	lines := strings.SplitAfter(text, "\n")
	mark := ": " + d.Severity.String() + ": "
	lines[0] = strings.Replace(lines[0], mark, ": "+w.paint.Paint(style, d.Severity.String())+": ", 1)
	if d.Source != "" && len(lines) > 2 {
		lines[2] = strings.Replace(lines[2], "^", w.paint.Paint(style, "^"), 1)
	}
	return strings.Join(lines, "")
}

func styleOfVerdict(v balance.Verdict) term.Style {
	switch v {
	case balance.Migrate:
		return term.Good
	case balance.ReportOnly:
		return term.Warn
	}
	return term.Strong
}

func styleOfResult(result string) term.Style {
	switch result {
	case "true":
		return term.Good
	case "false":
		return term.Dim
	}
	return term.Plain
}

func styleOfRank(rank int) term.Style {
	if rank == 1 {
		return term.Good
	}
	return term.Plain
}
