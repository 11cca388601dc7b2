package kill

import (
	"fmt"
	"math/rand"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lbvm/lbvm/pkg/ocf"
)

// campaign is many episodes, and what they count.
type campaign struct {
	seed  int64
	deck  []kind
	ended atomic.Bool // nothing new is begun

	mu      sync.Mutex
	learned map[string]measure
	tallies []tally
	started time.Time
}

// measure is how an action of a kind goes when nobody kills it.
type measure struct {
	length        time.Duration
	events, after int
}

// tally is what is counted of one kill.
type tally struct {
	kind            kind
	written, orphan bool // after the first write of the record; while a tool worked that changes the guest
	byTime, group   bool
	waited          bool // the next action found the lock held by the orphan
	next            call
	same            bool // on the same node
	again           int  // how many of the next actions were killed too
	againWritten    int  // of these after their first write of the record
	code            int
	seen            bool
	phase           string // that the next action met
	dialect         ocf.Dialect
}

func (c *campaign) count(t tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tallies = append(c.tallies, t)
}

// learn takes note of an action that nobody killed. The newest counts most: the machine's load changes.
func (e *episode) learn(length time.Duration, events, after int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m, known := e.learned[e.k.String()]
	if known {
		length = (length + m.length) / 2
	}
	e.learned[e.k.String()] = measure{length, events, after}
}

// aim is what kind of moment an episode wants: half by the share of the time that the action takes, half by event, most of
// these from the first write of the record on.
type aim struct{ byTime, written bool }

func (e *episode) newAim() aim {
	// The balancer writes no record.
	return aim{e.r.Intn(2) == 0, e.r.Intn(20) > 0 && e.k.typ != "lbvm"}
}

// plan chooses the moment of the kill. The first action of a kind is not killed, but measured. An agent that was faster is
// tried again, a bit earlier, and after some tries with another aim.
func (e *episode) plan(try int) (plan, time.Duration) {
	e.mu.Lock()
	m, known := e.learned[e.k.String()]
	e.mu.Unlock()
	if try%4 == 0 {
		e.aim = e.newAim()
	}
	share, event := e.r.Float64(), e.r.Intn(1<<20)
	switch {
	case !known:
		return plan{share: -1}, 0
	case e.aim.byTime:
		return plan{share: share / float64(1+try)}, m.length
	case e.aim.written && m.after > 0:
		return plan{event: 1 + event%m.after/(1+try), written: true}, 0
	}
	return plan{event: 1 + event%max(1, m.events)/(1+try)}, 0
}

func newCampaign(seed int64, deck []kind) *campaign {
	rand.New(rand.NewSource(seed)).Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return &campaign{seed: seed, deck: deck, learned: map[string]measure{}, started: time.Now()}
}

// kind is the kind of an episode.
func (c *campaign) kind(number int64) kind { return c.deck[number%int64(len(c.deck))] }

// episode is the episode of a number; all that is random in it comes from the seed and the number.
func (c *campaign) episode(v *vm, number int64) *episode {
	return &episode{campaign: c, t: v.t, number: number, k: c.kind(number), r: rand.New(rand.NewSource(c.seed*1000003 + number)), v: v}
}

// sum counts kills.
func (c *campaign) sum(is func(tally) bool) int {
	return c.total(func(t tally) int {
		if is(t) {
			return 1
		}
		return 0
	})
}

func (c *campaign) total(of func(tally) int) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tallies {
		n += of(t)
	}
	return n
}

// table: what was killed where, and what the next actions met.
func (c *campaign) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-30s %6s | %7s %8s | %6s %7s %6s | %7s %6s\n", "killed", "kills", "by time", "by event", "before", "written", "orphan", "process", "group")
	row := func(name string, is func(tally) bool) {
		n := func(also func(tally) bool) int { return c.sum(func(t tally) bool { return is(t) && also(t) }) }
		fmt.Fprintf(&b, "%-30s %6d | %7d %8d | %6d %7d %6d | %7d %6d\n", name, c.sum(is),
			n(func(t tally) bool { return t.byTime }), n(func(t tally) bool { return !t.byTime }),
			n(func(t tally) bool { return !t.written }), n(func(t tally) bool { return t.written }), n(func(t tally) bool { return t.orphan }),
			n(func(t tally) bool { return !t.group }), n(func(t tally) bool { return t.group }))
	}
	for _, k := range kinds() {
		row(k.String(), func(t tally) bool { return t.kind.String() == k.String() })
	}
	row("all", func(tally) bool { return true })
	b.WriteString("(before, written: the first write of the state record; orphan: a tool that changes the guest went on)\n\n")
	for _, d := range []ocf.Dialect{ocf.RGManager, ocf.Pacemaker, ocf.Heartbeat} {
		fmt.Fprintf(&b, "%s %d  ", d, c.sum(func(t tally) bool { return t.dialect == d }))
	}
	fmt.Fprintf(&b, "\nnext action: killed too %d (%d of these after its first write), called while the orphan worked %d, faster than the look (not judged by the table) %d\n\n",
		c.total(func(t tally) int { return t.again }), c.total(func(t tally) int { return t.againWritten }), c.sum(func(t tally) bool { return t.waited }), c.sum(func(t tally) bool { return !t.seen }))
	c.nexts(&b)
	return b.String()
}

// nexts: phase that the next action met, by action and answer.
func (c *campaign) nexts(b *strings.Builder) {
	columns := []string{"stop there: 0", "stop there: 1", "start there: 0", "start there: 1", "start elsewhere: 0", "start elsewhere: 1"}
	cells := map[string]map[string]int{}
	c.mu.Lock()
	for _, t := range c.tallies {
		if t.kind.typ == "lbvm" || !t.seen {
			continue
		}
		where := map[bool]string{true: "there", false: "elsewhere"}[t.same]
		if cells[t.phase] == nil {
			cells[t.phase] = map[string]int{}
		}
		cells[t.phase][fmt.Sprintf("%s %s: %d", t.next.action, where, t.code)]++
	}
	c.mu.Unlock()
	var phases []string
	for p := range cells {
		phases = append(phases, p)
	}
	sort.Strings(phases)
	fmt.Fprintf(b, "%-12s", "record says")
	for _, col := range columns {
		fmt.Fprintf(b, " %18s", col)
	}
	b.WriteByte('\n')
	for _, p := range phases {
		fmt.Fprintf(b, "%-12s", p)
		for _, col := range columns {
			fmt.Fprintf(b, " %18d", cells[p][col])
		}
		b.WriteByte('\n')
	}
}
