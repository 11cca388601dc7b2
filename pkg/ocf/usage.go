package ocf

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// usage tells a human how to call the agent by hand.
func usage(to io.Writer, w World, xml []byte) {
	var b strings.Builder
	m, err := ParseMetadata(xml)
	if err != nil {
		fmt.Fprintf(&b, "%s: %v\n", programName(w), err)
	} else {
		describe(&b, programPath(w), m)
	}
	if _, err := io.WriteString(to, b.String()); err != nil {
		logger(w, "ocf").Log(LevelError, "writing the usage: "+err.Error())
	}
}

// usageWidth is where lines of text are broken.
const usageWidth = 92

func describe(b *strings.Builder, program string, m *Metadata) {
	fmt.Fprintf(b, "%s is a resource agent (%s: %s); the cluster manager calls it.\n", programOf(program), m.Name, m.Short)
	if m.Long != "" {
		b.WriteByte('\n')
		wrap(b, "", m.Long)
	}
	describeCalls(b, program, m)
	describeActions(b, m)
	describeParams(b, m)
	b.WriteString(exitCodes)
}

// describeCalls shows how to call the agent by hand as each manager does.
func describeCalls(b *strings.Builder, program string, m *Metadata) {
	primary, _ := m.Primary()
	env, words := "", strings.ToUpper(primary.Name)+" "
	for _, p := range m.Params {
		if !p.Required && p.Name != primary.Name {
			continue
		}
		env += keyPrefix + p.Name + "=" + strings.ToUpper(p.Name) + " "
		if p.Name != primary.Name {
			words += p.Name + "=" + strings.ToUpper(p.Name) + " "
		}
	}
	usual := dialectOfPath(program)
	program = shellWord(program)
	as := func(d Dialect) string {
		if d == usual {
			return program
		}
		return program + " --dialect=" + d.String()
	}
	b.WriteString("\nBy hand, as root:\n\n")
	for _, line := range []string{
		env + as(RGManager) + " status; echo $?",
		env + as(Pacemaker) + " monitor; echo $?",
		as(Heartbeat) + " " + words + "status",
		env + as(RGManager) + " --explain stop",
		"lbm blackbox",
	} {
		fmt.Fprintf(b, "    %s\n", line)
	}
	b.WriteByte('\n')
	wrap(b, "", "The first three are one question, asked as rgmanager, Pacemaker and Heartbeat 1 would. --explain prints what an action would "+
		"run and changes nothing. The last shows what the agents of this node did and what became of it.")
	b.WriteByte('\n')
	wrap(b, "", fmt.Sprintf("Without --dialect=rgmanager|pacemaker|heartbeat or %s in the environment, the agent goes by the variables "+
		"that a manager sets, then by its own path: .../ocf/resource.d/... is Pacemaker's, .../ha.d/resource.d/... Heartbeat's, "+
		"any other rgmanager's.", DialectVariable))
}

func describeActions(b *strings.Builder, m *Metadata) {
	b.WriteString("\nActions, and what they may take:\n\n")
	for _, a := range m.Actions {
		name := a.Name
		switch {
		case name == "migrate":
			name = "migrate TARGET"
		case a.Depth > 0:
			name = fmt.Sprintf("%s, OCF_CHECK_LEVEL=%d", a.Name, a.Depth)
		}
		fmt.Fprintf(b, "    %-28s ", name)
		if a.Timeout > 0 {
			b.WriteString(span(a.Timeout))
		} else {
			b.WriteString("no limit")
		}
		if a.Interval > 0 {
			fmt.Fprintf(b, ", every %s", span(a.Interval))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	how := "Pacemaker's monitor is status."
	if _, ok := m.Action("migrate", 0); ok {
		how = "Pacemaker's monitor is status; its migrate_to and migrate_from are migrate."
	}
	wrap(b, "", how+" Heartbeat knows start, stop and status.")
}

func describeParams(b *strings.Builder, m *Metadata) {
	fmt.Fprintf(b, "\nParameters, each as %sNAME in the environment:\n", keyPrefix)
	var managers []string
	for _, p := range m.Params {
		if policy(p.Name) {
			managers = append(managers, p.Name)
			continue
		}
		fmt.Fprintf(b, "\n    %s", p.Name)
		switch {
		case p.Required || p.Primary:
			b.WriteString(" (required)")
		case p.Default != "":
			fmt.Fprintf(b, " (default %s)", p.Default)
		}
		if p.Type != "" && p.Type != "string" {
			fmt.Fprintf(b, ", %s", p.Type)
		}
		b.WriteByte('\n')
		text := p.Long
		if text == "" {
			text = p.Short
		}
		wrap(b, "        ", text)
	}
	if len(managers) > 0 {
		b.WriteByte('\n')
		wrap(b, "    ", "Only rgmanager reads: "+strings.Join(managers, ", ")+".")
	}
}

// exitCodes are the codes in a human's words.
const exitCodes = `
Exit codes:

      0  done; status: it runs here
      1  failed, or nobody knows
      2  wrong call
      3  no such action
      4  not allowed
      5  a program that it needs is not installed
      6  not configured: a parameter is missing or wrong
      7  not running; the answer of status alone
    150  rgmanager's migrate: failed, and it still runs here, unharmed
`

// span is a duration as people write it.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// wrap writes text in lines that begin with indent.
func wrap(b *strings.Builder, indent, text string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(indent)+len(line)+1+len(word) > usageWidth {
			fmt.Fprintf(b, "%s%s\n", indent, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		fmt.Fprintf(b, "%s%s\n", indent, line)
	}
}
