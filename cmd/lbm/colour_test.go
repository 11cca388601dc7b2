package main

import (
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/internal/term"
)

// What stands out is coloured for a terminal, and the words are the same without.
func TestColours(t *testing.T) {
	b := explainable(t)
	tty, _ := real.Terminal(t, 80, 24)
	b.write(t, "new.conf", "balance 101;\nrail cycle-gard off;\ndefault { algorithm { migrate() if min(res('cpu', 5) > 0.5); } }\n")
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{"explain", "centos1", "--at", time.Unix(1290000600-20*60, 0).Format(time.RFC3339)},
			[]string{"\x1b[32mmigrate to " + x2 + "\x1b[0m", "\x1b[32mtrue \x1b[0m  average", "\x1b[2mfalse\x1b[0m  average", "\x1b[1m" + x3 + "\x1b[0m: the rule said", "rank:  \x1b[32m1\x1b[0m"}},
		{[]string{"check", b.root + "/new.conf"},
			[]string{":2:6: \x1b[31merror\x1b[0m: unknown rail", "\n         \x1b[31m^\x1b[0m\n", ": \x1b[33mwarning\x1b[0m: the comparison stands inside min()"}},
	} {
		plainCode := b.lbm(c.args...)
		plain := b.out.String()
		b.paint = term.NewPainter(tty, []string{"TERM=xterm"})
		code := b.lbm(c.args...)
		got := b.out.String()
		b.paint = term.Painter{}
		for _, p := range c.parts {
			if !strings.Contains(got, p) {
				t.Errorf("%v: no %q in\n%q", c.args, p, got)
			}
		}
		for _, code := range []string{"0", "1", "2", "31", "32", "33"} {
			got = strings.ReplaceAll(got, "\x1b["+code+"m", "")
		}
		if got != plain || strings.Contains(plain, "\x1b") || code != plainCode {
			t.Errorf("%v: without its colours\n%s\nwant\n%s", c.args, got, plain)
		}
	}
}
