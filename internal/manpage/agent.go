package manpage

import (
	"fmt"
	"strings"

	"github.com/lbvm/lbvm/pkg/ocf"
)

// Agent is the page of a resource agent, made of what the agent tells the cluster manager.
func Agent(m *ocf.Metadata, see ...string) string {
	p := newPage("lbvm-"+m.Name, 7, "resource agent: "+m.Short)
	p.head("DESCRIPTION")
	p.text(m.Long)
	p.text("In cluster.conf:")
	primary, _ := m.Primary()
	p.example([]string{fmt.Sprintf(`<service name="SERVICE"><%s %s="NAME"/></service>`, m.Name, primary.Name)})
	p.text("With Pacemaker:")
	p.example([]string{fmt.Sprintf("crm configure primitive RESOURCE ocf:lbvm:%s params %s=NAME", m.Name, primary.Name)})
	p.head("PARAMETERS")
	for _, a := range m.Params {
		var notes []string
		if a.Required {
			notes = append(notes, "required")
		}
		if a.Default != "" {
			notes = append(notes, "default "+a.Default)
		}
		note := ""
		if len(notes) > 0 {
			note = " (" + strings.Join(notes, ", ") + ")"
		}
		p.item(`\fB`+escape(a.Name)+`\fR `+escape(a.Type+note), strings.Join(strings.Fields(a.Long), " "))
	}
	p.head("ACTIONS")
	for _, a := range m.Actions {
		name := a.Name
		if a.Depth > 0 {
			name += fmt.Sprintf(" at depth %d", a.Depth)
		}
		text := "Ended after " + a.Timeout.String() + "."
		if a.Timeout == 0 {
			text = "Without a limit of its own."
		}
		if a.Interval > 0 {
			text = "Every " + a.Interval.String() + "; e" + text[1:]
			if a.Timeout == 0 {
				text = "Every " + a.Interval.String() + "."
			}
		}
		p.item(`\fB`+escape(name)+`\fR`, text)
	}
	p.head("EXIT STATUS")
	p.text("Those of OCF: 0 success, 1 failed or not known, 2 wrong arguments, 3 no such action, 5 a program is missing, " +
		"6 not configured, 7 not running. migrate also gives 150: the target cannot have it, and it runs on here.")
	p.head("BY HAND")
	p.text("As root; --explain prints what an action would run, and changes nothing:")
	key := "OCF_RESKEY_" + primary.Name
	p.example([]string{
		fmt.Sprintf("%s=NAME /usr/share/cluster/%s.sh status; echo $?", key, m.Name),
		fmt.Sprintf("%s=NAME /usr/share/cluster/%s.sh --explain stop", key, m.Name),
		"lbm blackbox",
	})
	return p.end(see)
}
