package kill

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mutant is one fault put into the sources: texts that stand there exactly once, and what stands there instead.
type mutant struct {
	name, file string
	edits      [][2]string
	kinds      []string // whose agents are killed
	wants      []string // one of these the findings must speak of
}

const (
	startingFirst = `	if err := l.write(handoff.State{Phase: handoff.Starting, Node: l.me}, why); err != nil {
		return err
	}
`
	bootThen = `	if err := l.boots(ctx, g); err != nil {
		return err
	}
`
)

func mutants() []mutant {
	return []mutant{
		{"a keeper without the locks", "internal/run/keeper.go",
			[][2]string{{`p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, lock)`, `_ = lock`}},
			[]string{"openvz start, cold", "openvz start, resume", "openvz stop, image", "xen stop, live ticket", "xen start, resume"},
			[]string{"the lock is free while", "work at the same time", "double run",
				// These two: the tool that nobody waits for ends while the next action looks, or after it.
				"the record is suspended, not down", "it kept a memory that must not be used any more"}},
		{"the record is written after the tool", "internal/vm/boot.go",
			[][2]string{{startingFirst + bootThen, bootThen + startingFirst}},
			[]string{"openvz start, cold", "xen start, cold"},
			[]string{"and the record says down", "double run", "it is on "}},
		{"an image has its name before it is whole", "internal/handoff/image.go",
			[][2]string{{`return "image." + txn + ".part"`, `return "image." + txn`},
				{`return l.move("publish", partName(txn), imageName(txn))`, `return nil`}},
			[]string{"openvz stop, image", "xen stop, image"},
			[]string{"is published, but not whole"}},
		{"a ticket is not consumed", "internal/handoff/ticket.go",
			[][2]string{{`if err := l.move("ticket.used", ticketFile, usedFile); err != nil {`, `if err := os.Link(l.file(ticketFile), l.file(usedFile)); err != nil {`}},
			[]string{"xen stop, live ticket"},
			[]string{"a ticket that it has not consumed"}},
		{"an image is used without a claim", "internal/handoff/image.go",
			[][2]string{{`err := l.move("claim", imageName(txn), claimName(txn, node))`,
				`err := os.CopyFS(l.file(claimName(txn, node)), os.DirFS(l.file(imageName(txn))))`}},
			[]string{"openvz start, resume", "xen start, resume"},
			[]string{"that nobody has claimed", "stale image", "must not be used any more"}},
		{"a torn record", "internal/handoff/dir.go",
			[][2]string{{`return atomicfile.Write(path, text, o)`, `f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		for i := range text {
			if err == nil {
				_, err = f.Write(text[i : i+1])
			}
			f.Sync()
		}
		return err`}},
			[]string{"openvz start, cold", "openvz stop, image"},
			[]string{"the record's sum is wrong", "the record cannot be read", "record is unknown",
				"is published, but not whole: the last line is cut off"}}, // what is said of an image is written the same way
	}
}

// TestMutants shows that the kills would find a fault: with each of these lines changed there is a finding, and it
// speaks of that. A campaign ends with its first finding, and one fault may show itself in several ways: another
// campaign is played when the first speaks of something else.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			const campaigns = 5
			built, seed, kills := m.build(t), number(t, seedVariable, time.Now().UnixNano()%1_000_000_000), 0
			for i := range int64(campaigns) {
				findings, n := m.campaign(t, built, seed+i)
				kills += n
				t.Logf("seed %d: found after %d kills: %s", seed+i, n, strings.Join(findings, "\n  "))
				if m.isToldBy(findings) {
					return
				}
			}
			t.Errorf("%d kills did not find that in %s stands %q", kills, m.file, m.edits)
		})
	}
}

// campaign kills agents that have the fault until something is found, and says how many were killed.
func (m mutant) campaign(t *testing.T, programs string, seed int64) (findings []string, kills int) {
	t.Helper()
	const most = 120
	some := slices.DeleteFunc(kinds(), func(k kind) bool { return !slices.Contains(m.kinds, k.String()) })
	camp := newCampaign(seed, deck(some))
	c := newCluster(t, programs, seed, map[string]int{"openvz": 2, "xen": 2})
	var numbers []int64
	for i := range int64(most) {
		numbers = append(numbers, i)
	}
	var mu sync.Mutex
	camp.run(t, c, numbers, func(_ *testing.T, e *episode, finding string) {
		camp.ended.Store(true)
		mu.Lock()
		defer mu.Unlock()
		findings = append(findings, finding)
	})
	return findings, len(camp.tallies)
}

func (m mutant) isToldBy(findings []string) bool {
	return slices.ContainsFunc(m.wants, func(w string) bool {
		return slices.ContainsFunc(findings, func(f string) bool { return strings.Contains(f, w) })
	})
}

// build makes the agents with the fault in a folder, beside the other programs as they are.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	dir, source := t.TempDir(), filepath.Join(moduleRoot, m.file)
	b, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, e := range m.edits {
		if n := strings.Count(text, e[0]); n != 1 {
			t.Fatalf("%q stands %d times in %s: the mutant must follow the source", e[0], n, m.file)
		}
		text = strings.Replace(text, e[0], e[1], 1)
	}
	changed := filepath.Join(dir, "changed.go")
	source, err = filepath.Abs(source)
	overlay, merr := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err := errors.Join(err, merr,
		os.WriteFile(changed, []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600),
		os.MkdirAll(filepath.Join(dir, "bin/agents"), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	bins := filepath.Join(dir, "bin")
	for _, p := range []string{"lbvm-lab", "lbmonitor"} {
		if err := os.Symlink(filepath.Join(bin(t), p), filepath.Join(bins, p)); err != nil {
			t.Fatal(err)
		}
	}
	for _, typ := range agents {
		from := agentIn(bin(t), typ)
		if slices.ContainsFunc(m.kinds, func(k string) bool { return strings.HasPrefix(k, typ+" ") }) {
			if err := build(agentIn(bins, typ), "agents/"+typ, filepath.Join(dir, "overlay.json")); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.Symlink(from, agentIn(bins, typ)); err != nil {
			t.Fatal(err)
		}
	}
	return bins
}
