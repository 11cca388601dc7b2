package pacemaker

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// lbvmConf follows the load at once: the doubling of the cool-down and the cycle guard are off, its interval and cool-down five
// seconds, and every other rail is at its default. The rule reads what a node measured last.
const lbvmConf = `sharedstorage /gfs;
resources /gfs/lbresources.conf;
logdir    /gfs/lbvm/log;
balance   BALANCE;
interval  5s;
cooldown  5s fixed;
rail      cycle-guard off;

default {
    info much of the node waits for its disks, and not on another one;
    algorithm {
        my @here = res('blocked', 1);
        my @there = res2('blocked', 1);
        migrate() if $here[0] > HOT && $there[0] < COOL;
    }
}
`

// made is a live migration that the balancer decided on, as it was seen from the host.
type made struct {
	balance.Move
	waited   time.Duration // from the load to the decision
	took     time.Duration // of the move, as the journal has it
	gap      time.Duration // the longest silence of the guest's counter around it
	before   time.Duration // the same in the five seconds before
	downtime string        // libvirt's own word
}

func (b *bench) journal(since time.Time) []balance.Move {
	b.t.Helper()
	moves, err := balance.OpenJournal(filepath.Join(b.shared, "lbvm/log", balance.JournalName)).Since(since)
	b.must(err)
	return moves
}

// locate is the node on which Pacemaker says that a resource runs, "" if none or several.
func (b *bench) locate(asked, resource string) string {
	out, err := b.nodes[asked].try("crm_resource", "--resource", resource, "--locate")
	if err != nil {
		return ""
	}
	found := regexp.MustCompile(`is running on: (\S+)`).FindAllStringSubmatch(out, -1)
	if len(found) != 1 {
		return ""
	}
	return found[0][1]
}

// owner waits until a guest plainly runs on one node, as Pacemaker says and the host sees.
func (b *bench) owner(g *guest) (at string) {
	b.t.Helper()
	b.until(g.name+" plainly runs on a node", func() bool {
		for _, n := range names() {
			if b.nodes[n].up() {
				at = b.locate(n, g.name)
				break
			}
		}
		return at != "" && slices.Equal(b.watch.on(g.name), []string{at})
	})
	return at
}

// balances writes lbvm.conf, by which the balancer moves that guest, or none.
func (b *bench) balances(guest string) (conf string) {
	b.t.Helper()
	conf = strings.NewReplacer("HOT", strconv.Itoa(hot), "COOL", strconv.Itoa(cool), "BALANCE", guest).Replace(lbvmConf)
	b.must(os.WriteFile(filepath.Join(b.shared, "lbvm.conf.new"), []byte(conf), 0o640))
	b.must(os.Rename(filepath.Join(b.shared, "lbvm.conf.new"), filepath.Join(b.shared, "lbvm.conf")))
	return conf
}

// balanced makes the node of a guest hot and waits until the balancer, by itself, has brought the guest to another one, live. One
// move is waited for: another that fails before it ends the test.
func (b *bench) balanced(g *guest) made {
	b.t.Helper()
	before := g.now()
	from := b.owner(g)
	heated := time.Now()
	cold := b.nodes[from].load()
	var done balance.Move
	b.until(fmt.Sprintf("the balancer has moved %s away from %s", g.name, from), func() bool {
		for _, m := range b.journal(heated) {
			if m.VM == "kvm:"+g.name && !m.End.IsZero() {
				done = m
				return true
			}
		}
		return false
	})
	cold()
	if done.By != "lbmonitor" || done.Outcome != balance.OutcomeMoved || done.Memory != balance.MemoryKept || done.From != from || done.Owner != done.To {
		b.tell()
		b.t.Fatalf("the move did not succeed: %+v", done)
	}
	b.counts(g, before.up)
	m := made{Move: done, waited: done.Begin.Sub(heated), took: done.End.Sub(done.Begin), gap: g.gap(done.Begin.Add(-100*time.Millisecond), done.End), before: g.gap(heated.Add(-5*time.Second), heated)}
	info := b.nodes[done.To].does("virsh", "-c", "qemu:///system", "domjobinfo", g.name, "--completed")
	if d := regexp.MustCompile(`Total downtime: +(.*)`).FindStringSubmatch(info); d != nil {
		m.downtime = strings.TrimSpace(d[1])
	}
	if on := b.watch.on(g.name); !slices.Equal(on, []string{done.To}) {
		b.t.Fatalf("%s has its processes on %q, and was moved to %s", g.name, on, done.To)
	}
	if at := b.locate("node1", g.name); at != done.To {
		b.t.Fatalf("Pacemaker says that %s is on %q, and it was moved to %s", g.name, at, done.To)
	}
	if left := b.nodes["node1"].does("sh", "-c", "cibadmin --query --scope constraints"); strings.Contains(left, "cli-prefer") {
		b.t.Fatalf("the constraint of the move was left behind: %s", left)
	}
	b.watch.mustBeWell(b.t)
	return m
}

func (m made) String() string {
	return fmt.Sprintf("%s %s -> %s: decided %.1f s after the load began, took %.1f s; the counter's longest silence %d ms (before: %d ms), libvirt's downtime %s",
		m.VM, m.From, m.To, m.waited.Seconds(), m.took.Seconds(), m.gap.Milliseconds(), m.before.Milliseconds(), m.downtime)
}

// spread is the middle, the ninetieth hundredth and the last of many.
func spread(list []time.Duration) string {
	s := slices.Clone(list)
	slices.Sort(s)
	at := func(q float64) time.Duration { return s[min(len(s)-1, int(q*float64(len(s))))] }
	return fmt.Sprintf("median %s, 90 %% %s, longest %s", at(0.5).Round(time.Millisecond), at(0.9).Round(time.Millisecond), s[len(s)-1].Round(time.Millisecond))
}

// failed are the moves of the journal that did not succeed, whoever made them.
func (b *bench) failed() (out []string) {
	for _, m := range b.journal(b.began) {
		if m.End.IsZero() || m.Outcome != balance.OutcomeMoved {
			out = append(out, fmt.Sprintf("%s %s -> %s by %s: %s %s", m.VM, m.From, m.To, m.By, m.Outcome, m.Why))
		}
	}
	return out
}

// passes tells of the balancer's passes since a time: how many, how often each rail held a move back, and what the mover refused.
func (b *bench) passes(since time.Time) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.shared, "lbvm/log", balance.PassesName))
	b.must(err)
	n, rails, refused := 0, map[string]int{}, 0
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var p struct {
			At      time.Time
			Rails   map[string]int
			Refused []struct{ Why string }
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			b.t.Fatalf("%s: %v", line, err)
		}
		if p.At.Before(since) {
			continue
		}
		n++
		refused += len(p.Refused)
		for name, count := range p.Rails {
			if count > 0 {
				rails[name] += count
			}
		}
	}
	var held []string
	for _, name := range slices.Sorted(maps.Keys(rails)) {
		held = append(held, fmt.Sprintf("%s %d", name, rails[name]))
	}
	return fmt.Sprintf("%d passes; rails said no (to a node each): %s; refused by the mover before anything was changed: %d", n, strings.Join(held, ", "), refused)
}
