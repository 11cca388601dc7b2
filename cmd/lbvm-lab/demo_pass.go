package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// passRecord is what the story reads of a line of passes.log.
type passRecord struct {
	Decisions []struct {
		VM         string
		Verdict    string
		Why        string
		Reads      []passRead
		Candidates []struct {
			Node  string
			Rank  int
			Reads []passRead
		}
	}
}

type passRead struct {
	Resource, Node string
	Minutes, Count int
	Average        float64
}

func (r passRead) String() string {
	return fmt.Sprintf("%s of %s, %d values in %d minutes, on average %.2f", r.Resource, r.Node, r.Count, r.Minutes, r.Average)
}

// because tells from passes.log what the rule of vm had read, and whose rule would have moved it too.
func (s *story) because(vm string) error {
	b, err := os.ReadFile(s.l.Path("shared/lbvm/log/passes.log"))
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	var p passRecord
	if err := json.Unmarshal(lines[len(lines)-1], &p); err != nil {
		return fmt.Errorf("reading passes.log: %w", err)
	}
	for _, d := range p.Decisions {
		switch {
		case d.VM == vm:
			var read []string
			for _, r := range d.Reads {
				read = append(read, r.String())
			}
			for _, c := range d.Candidates {
				if c.Rank == 1 {
					for _, r := range c.Reads {
						read = append(read, r.String())
					}
				}
			}
			s.say("  the rule read: %s", strings.Join(read, "; "))
		case strings.HasPrefix(d.Why, "held back"):
			s.say("  its rule would move %s too: %s", d.VM, d.Why)
		}
	}
	return nil
}
