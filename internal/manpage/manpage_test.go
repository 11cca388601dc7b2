package manpage_test

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/manpage"
)

func TestCommand(t *testing.T) {
	app := &cli.App{
		Name: "tool", Usage: "do it", UsageText: "tool [-n] X",
		Description: "Does it.\nTwice.\n\n   tool a-b\n   .tool 'c'\n\n.Then it ends.\n\nExit codes: 0 done, 1 failed.\n\nIt goes on:\n  1. one: the first\n     of them\n  2. two\nThen it ends.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table or json"},
			&cli.StringFlag{Name: "from", Usage: "begin at `TIME`"},
			&cli.BoolFlag{Name: "secret", Hidden: true},
		},
		Commands: []*cli.Command{
			{Name: "sub", Usage: "do less", ArgsUsage: "Y", Subcommands: []*cli.Command{{Name: "deep", Usage: "do least", Aliases: []string{"d"}}}},
			{Name: "quiet", Hidden: true},
		},
	}
	got := manpage.Command(app, 8, "other(8)", "file(5)")
	want := `.\" Made from the program's own help: go generate ./...
.TH TOOL 8 ` + manpage.Edition + ` LBVM
.SH NAME
tool \- do it
.SH SYNOPSIS
.RS 4
.nf
tool [\-n] X
.fi
.RE
.SH DESCRIPTION
Does it. Twice.
.PP
.RS 4
.nf
tool a\-b
\&.tool \(aqc\(aq
.fi
.RE
.PP
\&.Then it ends.
.PP
It goes on:
.IP 1. 4
one: the first of them
.IP 2. 4
two
.PP
Then it ends.
.SH OPTIONS
.TP
\fB\-o\fR, \fB\-\-output\fR \fIFORMAT\fR
table or json (default: table).
.TP
\fB\-\-from\fR \fITIME\fR
Begin at TIME.
.SH COMMANDS
.SS tool sub Y
Do less.
.SS tool sub deep
Do least (short: d).
.SH EXIT STATUS
0 done, 1 failed.
.SH SEE ALSO
.BR other (8) ,
.BR file (5)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "quiet") {
		t.Error("it shows what is hidden")
	}
}
