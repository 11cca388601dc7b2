// Package manpage writes the man page of a command from the help that the command itself shows, so that the two cannot
// differ. The text that comes out is man(7), as groff and mandoc read it.
//
// Help texts are paragraphs; a line that begins with a number and a dot is a step of a list, with the indented lines behind
// it; any other line that is indented by three spaces or more is an example and stays as it is; the paragraph that begins
// with "Exit codes:" becomes the section EXIT STATUS.
package manpage

import (
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/urfave/cli/v2"
)

// Command is the page of a program. see are other pages, as "lblog(8)".
func Command(app *cli.App, section int, see ...string) string {
	p := newPage(app.Name, section, app.Usage)
	p.head("SYNOPSIS")
	usage := app.UsageText
	if usage == "" {
		usage = app.Name + " [OPTIONS]"
	}
	p.example(strings.Split(usage, "\n"))
	body, exit := parts(app.Description)
	p.head("DESCRIPTION")
	p.text(body)
	if flags := visible(app.Flags); len(flags) > 0 {
		p.head("OPTIONS")
		p.flags(flags)
	}
	if commands := shown(app.Commands); len(commands) > 0 {
		p.head("COMMANDS")
		for _, c := range commands {
			p.command(c, app.Name)
		}
	}
	if exit != "" {
		p.head("EXIT STATUS")
		p.text(exit)
	}
	return p.end(see)
}

// Text is a page whose sections are given: the first line of each is its title.
func Text(name string, section int, usage string, sections []string, see ...string) string {
	p := newPage(name, section, usage)
	for _, s := range sections {
		title, body, _ := strings.Cut(s, "\n")
		p.head(title)
		p.text(body)
	}
	return p.end(see)
}

// Edition is the day that stands at the foot of the pages.
const Edition = "2026-11-22"

// page is a page in the making. fresh is after a title, where a paragraph begins by itself.
type page struct {
	strings.Builder
	fresh bool
}

func newPage(name string, section int, usage string) *page {
	p := &page{}
	fmt.Fprintf(p, ".\\\" Made from the program's own help: go generate ./...\n.TH %s %d %s LBVM\n", strings.ToUpper(escape(name)), section, Edition)
	p.head("NAME")
	fmt.Fprintf(p, "%s \\- %s\n", escape(name), escape(usage))
	return p
}

func (p *page) head(title string) {
	fmt.Fprintf(p, ".SH %s\n", title)
	p.fresh = true
}

func (p *page) paragraph() {
	if !p.fresh {
		p.WriteString(".PP\n")
	}
	p.fresh = false
}

func (p *page) end(see []string) string {
	if len(see) > 0 {
		p.head("SEE ALSO")
		for i, s := range see {
			name, section, _ := strings.Cut(s, "(")
			fmt.Fprintf(p, ".BR %s (%s%s\n", escape(name), section, map[bool]string{true: " ,"}[i < len(see)-1])
		}
	}
	return p.String()
}

func (p *page) command(c *cli.Command, parent string) {
	name := parent + " " + c.Name
	fmt.Fprintf(p, ".SS %s\n", escape(strings.TrimSpace(name+" "+c.ArgsUsage)))
	p.fresh = true
	usage := c.Usage
	if len(c.Aliases) > 0 {
		usage += " (short: " + strings.Join(c.Aliases, ", ") + ")"
	}
	p.text(sentence(usage))
	p.text(c.Description)
	p.flags(visible(c.Flags))
	for _, s := range shown(c.Subcommands) {
		p.command(s, name)
	}
}

func (p *page) flags(flags []cli.DocGenerationFlag) {
	for _, f := range flags {
		value, usage, listed := placeholder(f.GetUsage())
		var names []string
		for _, n := range f.Names() {
			dash := `\-\-`
			if len(n) == 1 {
				dash = `\-`
			}
			names = append(names, `\fB`+dash+escape(n)+`\fR`)
		}
		sort.SliceStable(names, func(i, j int) bool { return len(names[i]) < len(names[j]) })
		tag := strings.Join(names, ", ")
		if f.TakesValue() {
			if value == "" {
				value = "VALUE"
			}
			tag += ` \fI` + escape(value) + `\fR`
		}
		if def := f.GetDefaultText(); def != "" && f.TakesValue() && def != `""` && def != "0" && def != "0s" {
			usage += " (default: " + strings.Trim(def, `"`) + ")"
		}
		if listed { // words to be typed as they stand
			p.item(tag, usage+".")
			continue
		}
		p.item(tag, sentence(usage))
	}
}

func (p *page) item(tag, text string) {
	fmt.Fprintf(p, ".TP\n%s\n", tag)
	p.words(text)
	p.fresh = false
}

// step is one of a numbered list.
func (p *page) step(number, text string) {
	fmt.Fprintf(p, ".IP %s 4\n", number)
	p.words(text)
	p.fresh = false
}

// words writes a paragraph's words, a line for as many as fit.
func (p *page) words(text string) {
	const width = 78
	l := ""
	for _, w := range strings.Fields(text) {
		switch w = escape(w); {
		case l == "":
			l = w
		case len(l)+1+len(w) > width:
			p.WriteString(guard(l) + "\n")
			l = w
		default:
			l += " " + w
		}
	}
	if l != "" {
		p.WriteString(guard(l) + "\n")
	}
}

// text writes paragraphs and examples.
func (p *page) text(s string) {
	var examples, words []string
	number := "" // of a step of a list
	flush := func() {
		p.example(examples)
		switch {
		case number != "":
			p.step(number, strings.Join(words, " "))
			number = ""
		case len(words) > 0:
			p.paragraph()
			p.words(strings.Join(words, " "))
		}
		examples, words = nil, nil
	}
	step := regexp.MustCompile(`^ *([0-9]\.) (.*)`)
	for _, l := range strings.Split(strings.Trim(s, "\n"), "\n") {
		switch m := step.FindStringSubmatch(l); {
		case m != nil:
			flush()
			number, words = m[1], []string{m[2]}
		case number != "" && strings.HasPrefix(l, "   "): // it goes on
			words = append(words, strings.TrimSpace(l))
		case strings.HasPrefix(l, "   "):
			if len(words) > 0 {
				flush()
			}
			examples = append(examples, strings.TrimPrefix(l, "   "))
		case strings.TrimSpace(l) == "":
			if len(examples) > 0 {
				examples = append(examples, "")
			} else {
				flush()
			}
		default:
			if len(examples) > 0 || number != "" {
				flush()
			}
			words = append(words, strings.TrimSpace(l))
		}
	}
	flush()
}

func (p *page) example(lines []string) {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 {
		return
	}
	p.paragraph()
	p.WriteString(".RS 4\n.nf\n")
	for _, l := range lines {
		p.WriteString(line(l) + "\n")
	}
	p.WriteString(".fi\n.RE\n")
}

// parts takes the paragraph of exit codes out of a description.
func parts(description string) (body, exit string) {
	const mark = "Exit codes:"
	body, exit, found := strings.Cut(description, mark)
	if !found {
		return body, ""
	}
	exit, rest, _ := strings.Cut(exit, "\n\n")
	return strings.TrimRight(body, "\n") + "\n\n" + rest, sentence(strings.TrimSpace(exit))
}

func visible(flags []cli.Flag) []cli.DocGenerationFlag {
	var out []cli.DocGenerationFlag
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
			continue
		}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			out = append(out, d)
		}
	}
	return out
}

func shown(commands []*cli.Command) []*cli.Command {
	var out []*cli.Command
	for _, c := range commands {
		if !c.Hidden && c.Name != "help" {
			out = append(out, c)
		}
	}
	return out
}

// placeholder finds the name of a flag's value, which its usage holds in backquotes. Where the usage begins with it, what
// follows are the values themselves.
func placeholder(usage string) (value, rest string, listed bool) {
	before, after, ok := strings.Cut(usage, "`")
	if !ok {
		return "", usage, false
	}
	value, after, ok = strings.Cut(after, "`")
	if !ok {
		return "", usage, false
	}
	rest, listed = strings.CutPrefix(before+value+after, value+": ")
	return value, rest, listed
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// line is a line of text.
func line(s string) string { return guard(escape(s)) }

// guard keeps roff from taking the beginning of a line for a request.
func guard(s string) string {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, "`", `\(ga`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`).Replace(s)
}
