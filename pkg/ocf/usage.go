package ocf

import (
	"fmt"
	"io"
	"strings"
)

// usage tells a human how to call the agent by hand.
func usage(to io.Writer, w World, xml []byte) {
	var b strings.Builder
	m, err := ParseMetadata(xml)
	if err != nil {
		fmt.Fprintf(&b, "%s: %v\n", programName(w), err)
	} else {
		describe(&b, programName(w), m)
	}
	if _, err := io.WriteString(to, b.String()); err != nil {
		logger(w, "ocf").Log(LevelError, "writing the usage: "+err.Error())
	}
}

func describe(b *strings.Builder, program string, m *Metadata) {
	var actions []string
	for _, a := range m.Actions {
		if a.Depth > 0 {
			continue
		}
		if a.Name == "migrate" {
			a.Name = "migrate TARGET"
		}
		actions = append(actions, a.Name)
	}
	fmt.Fprintf(b, "%s is a resource agent (%s: %s); the cluster manager calls it.\n\n", program, m.Name, m.Short)
	fmt.Fprintf(b, "By hand:  ")
	if p, ok := m.Primary(); ok {
		fmt.Fprintf(b, "%s%s=NAME ", keyPrefix, p.Name)
	}
	fmt.Fprintf(b, "%s status; echo $?\n", program)
	fmt.Fprintf(b, "Actions:  %s\n", strings.Join(actions, ", "))
	fmt.Fprintf(b, "Answers:  0 done or running, 7 not running, all else failed\n\nParameters (%sNAME in the environment):\n", keyPrefix)
	for _, p := range m.Params {
		fmt.Fprintf(b, "  %-20s %s", p.Name, p.Short)
		switch {
		case p.Required || p.Primary:
			b.WriteString(" (required)")
		case p.Default != "":
			fmt.Fprintf(b, " (default %s)", p.Default)
		}
		b.WriteByte('\n')
	}
}
