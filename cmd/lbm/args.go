package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// optionsFirst puts the options of the last command in front of its arguments, where alone cli looks for them: people
// write them behind. What follows `--` is no option.
func optionsFirst(app *cli.App, args []string) []string {
	commands, flags, at := app.Commands, app.Flags, 1
	for at < len(args) {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if i < 0 {
			break
		}
		commands, flags = commands[i].Subcommands, commands[i].Flags
		at++
	}
	// No command, one that needs another word first, or a shell that completes a word.
	if at == 1 || len(commands) > 0 || args[len(args)-1] == "--generate-bash-completion" {
		return args
	}
	var options, words []string
	for i := at; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			words = append(words, args[i+1:]...)
			i = len(args)
		case len(a) < 2 || a[0] != '-' || a[1] >= '0' && a[1] <= '9':
			words = append(words, a)
		default:
			options = append(options, a)
			if takesValue(flags, a) && i+1 < len(args) {
				i++
				options = append(options, args[i])
			}
		}
	}
	if len(words) > 0 {
		words = append([]string{"--"}, words...)
	}
	return append(append(slices.Clone(args[:at]), options...), words...)
}

// takesValue tells whether the word behind an option belongs to it.
func takesValue(flags []cli.Flag, option string) bool {
	if strings.Contains(option, "=") {
		return false
	}
	name := strings.TrimLeft(option, "-")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}

// namesOnly has the commands refuse an argument that is empty, as a variable is that was never set: it would count as none,
// and that means all VMs, or any node. Text may be empty: that of a rule, and a value in cluster.conf.
func namesOnly(commands []*cli.Command) {
	for _, c := range commands {
		if c.Name == "ccs" || c.Name == "eval" {
			continue
		}
		namesOnly(c.Subcommands)
		if action := c.Action; action != nil {
			c.Action = func(c *cli.Context) error {
				if slices.Contains(c.Args().Slice(), "") {
					return tooMany(c, "an argument is empty: is it a variable that was not set?")
				}
				return action(c)
			}
		}
	}
}
