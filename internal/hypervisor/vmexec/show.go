package vmexec

import (
	"context"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// Shown is a command of a definition as it would be run for one VM.
type Shown struct {
	Name    string        // status, start and so on
	Command string        // the words as a shell would be told them, for a person
	Timeout time.Duration // 0: what the agent's action has left
	Err     error         // why it could not be run: its program is not here
}

// Show gives every command of the definition as it would be run for a VM with these parameters of its agent. image and
// target stand for those that a hand-off would name.
func (d *Definition) Show(h host.Host, vm string, params map[string]string, image, target string) []Shown {
	if params == nil {
		params = map[string]string{}
	}
	v := (&driver{tools: hypervisor.Tools{Host: h}, def: d}).values(vm, params)
	v["image"], v["target"] = image, target
	var out []Shown
	for _, name := range commandNames {
		c := d.commands[name]
		if c == nil {
			continue
		}
		made, err := c.made(h, v)
		if err != nil { // as it is written
			made.Argv[0] = c.words[0].fill(nil)
		}
		command := text(made)
		if h.Root() != "" { // as the node sees it
			command = strings.ReplaceAll(command, h.Root()+"/", "/")
		}
		out = append(out, Shown{Name: name, Command: command, Timeout: c.timeout, Err: err})
	}
	return out
}

// Try asks what a VM is, as the agent's status does. It changes nothing.
func (d *Definition) Try(ctx context.Context, t hypervisor.Tools, vm string, params map[string]string) (hypervisor.Detail, error) {
	t.Param = func(name string) string { return params[name] }
	return (&driver{tools: t, def: d}).Detail(ctx, vm)
}
