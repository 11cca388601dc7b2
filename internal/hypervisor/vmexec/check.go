package vmexec

import (
	"slices"
	"strings"
)

// check looks at one command that was read whole.
func (p *parser) check(c *command) {
	switch {
	case c.words == nil && c.shell == "":
		p.Fail(c.at, "add run PROGRAM ARGUMENT...;", "%s runs nothing", c.name)
		return
	case c.words != nil && c.shell != "":
		p.Fail(c.at, "take one of the two out", "%s has run and sh", c.name)
		return
	}
	if c.words != nil {
		p.program(c)
	}
	if !p.mentions(c, "name", "VM_NAME") && !p.mentions(c, "config", "VM_CONFIG") && !p.mentions(c, "image", "VM_IMAGE") {
		p.Fail(c.at, "put %{name} where the program expects the guest (in sh: \"$VM_NAME\")", "%s does not say which guest is meant", c.name)
	}
	switch c.name {
	case save, restore:
		if !p.mentions(c, "image", "VM_IMAGE") {
			p.Fail(c.at, "put %{image} where the program expects the file (in sh: \"$VM_IMAGE\")", "%s does not say where the image is", c.name)
		}
	case migrate:
		if !p.mentions(c, "target", "VM_TARGET") {
			p.Fail(c.at, "put %{target} where the program expects the node (in sh: \"$VM_TARGET\")", "migrate does not say whereto")
		}
	case status:
		p.checkStatus(c)
	}
}

func (p *parser) program(c *command) {
	w := c.words[0]
	text := w.fill(nil)
	switch {
	case slices.ContainsFunc(w.parts, func(x part) bool { return x.holder != "" }):
		p.Fail(w.at, "write the program's name", "nothing is put into the name of a program")
	case text == "":
		p.Fail(w.at, "write the program's name", "the program has no name")
	case strings.Contains(text, "/") && !strings.HasPrefix(text, "/"):
		p.Fail(w.at, "write it with its whole path, or without one", "%q is a relative path", text)
	case strings.ContainsAny(text, "|&<>$`") || slices.ContainsFunc(c.words, func(w word) bool {
		return slices.Contains([]string{"|", "&&", "||", ">", "<", "2>&1", ">/dev/null"}, w.fill(nil))
	}):
		p.Warn(w.at, "use sh '...'; where a shell is meant", "no shell reads this command")
	}
}

// mentions tells whether a command says a value, by its placeholder or, in a shell's text, by its variable.
func (p *parser) mentions(c *command, holder, variable string) bool {
	if c.shell != "" {
		return strings.Contains(c.shell, "$"+variable) || strings.Contains(c.shell, "${"+variable)
	}
	return slices.ContainsFunc(c.words, func(w word) bool { return w.has(holder) })
}

// checkStatus: who cannot see a guest run, or cannot see that it has ended, can do nothing safely.
func (p *parser) checkStatus(c *command) {
	for _, w := range []string{"running", "stopped"} {
		if !slices.ContainsFunc(c.rows, func(r row) bool { return r.means == w }) {
			p.Fail(c.at, "add for example: "+w+` exit 0 output "..."; (see the program's manual)`, "status does not say by what a guest is known to be %s", w)
		}
	}
	for _, r := range c.rows {
		if r.means != "stopped" {
			continue
		}
		for _, code := range r.exits {
			switch {
			case code == 126 || code == 127 || code > 128:
				p.Fail(r.at, "take that code out: by 126 and 127 a shell says that it could not run the program, above 128 that a signal ended it",
					"exit %d never means that a guest is stopped", code)
			case code != 0 && r.output == nil && r.errors == nil:
				p.Warn(r.at, "add what the program says then: stopped exit 1 error \"...\";",
					"exit %d alone means stopped: does the program end so too where it cannot tell? A guest that runs would be started twice", code)
			}
		}
	}
}

// complete looks at what the parts say of each other.
func (p *parser) complete() {
	d := p.def
	whole := p.Span(0, 0)
	for _, name := range []string{status, start, stop} {
		if p.seen[name] == 0 {
			p.Fail(whole, "add "+name+" { run PROGRAM %{name}; ... }", "there is no %s", name)
		}
	}
	if (d.commands[save] == nil) != (d.commands[restore] == nil) && (p.seen[save] == 0 || p.seen[restore] == 0) {
		one, other := save, restore
		if d.commands[save] == nil {
			one, other = other, one
		}
		p.Fail(d.commands[one].at, "add "+other+", or take this out", "there is %s and no %s", one, other)
	}
	if d.Saves() && len(d.disks) == 0 {
		p.Fail(d.commands[save].at, "add disk PATH; of a file or block device that changes when the guest boots",
			"save without a disk: an image could not be told to be too old after a start by hand")
	}
	if d.config == nil {
		for _, name := range commandNames {
			if c := d.commands[name]; c != nil && p.mentions(c, "config", "VM_CONFIG") {
				p.Warn(c.at, "add config PATH; unless each VM names its own", "%s uses the guest's configuration, and the file does not say where that is", name)
			}
		}
	}
}
