package term

import "github.com/urfave/cli/v2"

// PlainFlags keeps "(default: false)" out of the help of switches, which are off unless they are given.
func PlainFlags(flags []cli.Flag, commands []*cli.Command) {
	for _, f := range flags {
		if b, ok := f.(*cli.BoolFlag); ok && !b.Value {
			b.DisableDefaultText = true
		}
	}
	for _, c := range commands {
		PlainFlags(c.Flags, c.Subcommands)
	}
}
