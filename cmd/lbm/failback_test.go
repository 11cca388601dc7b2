package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
)

const (
	xen2 = "xen2.01100011.com"
	xen3 = "xen3.01100011.com"
)

// evacuated is a bench with the three nodes of the script evacuate, of which xen3 is closed and has nothing to take home.
func evacuated(t *testing.T) (b *bench, shared string) {
	t.Helper()
	src, err := os.ReadFile("testdata/evacuate.txtar")
	if err != nil {
		t.Fatal(err)
	}
	b = newBench(t, nil)
	chdir(t, t.TempDir())
	files, _, _ := strings.Cut(string(src), "\n-- console --\n")
	b.unpack(t, files)
	b.stdin = strings.NewReader("")
	shared = filepath.Join(b.root, "gfs")
	note(t, shared, host.Evacuation{Member: xen3})
	return b, shared
}

func note(t *testing.T, shared string, e host.Evacuation) {
	t.Helper()
	if e.Since.IsZero() {
		e.Since = time.Unix(1290000000, 0)
	}
	if err := host.WriteEvacuation(shared, e); err != nil {
		t.Fatal(err)
	}
}

// isClosed wants the note of a node to stand, or to be gone.
func isClosed(t *testing.T, shared, node string, want bool) {
	t.Helper()
	e, there, err := host.ReadEvacuation(shared, node)
	if err != nil || there != want || there && e.Open {
		t.Errorf("%s: is closed %v (%+v), want %v; %v", node, there && !e.Open, e, want, err)
	}
}

func (b *bench) failback(t *testing.T, code int, said string, args ...string) {
	t.Helper()
	if got := b.lbm(append([]string{"failback"}, args...)...); got != code || !strings.Contains(b.out.String()+b.errors.String(), said) {
		t.Errorf("lbm failback %v: exit %d, want %d with %q\n%s%s", args, got, code, said, &b.out, &b.errors)
	}
}

// lbm failback opens a node that is on, after a question if it was not told yes; one that is off stays closed.
func TestFailbackOpensWhatIsOn(t *testing.T) {
	b, shared := evacuated(t)
	note(t, shared, host.Evacuation{Member: xen2})
	text := b.tools.answers["clustat -x"]
	off := strings.Replace(text, `"`+xen2+`" state="1" local="0" estranged="0" rgmanager="1"`, `"`+xen2+`" state="0" local="0" estranged="0" rgmanager="0"`, 1)
	if off == text {
		t.Fatal("the node was not switched off")
	}
	b.tools.answers["clustat -x"] = off
	b.failback(t, exitRefused, xen3+" would be open again\nShall it be so?")
	isClosed(t, shared, xen3, true)
	b.failback(t, 0, "lbm: "+xen2+" is not online: it stays closed", "--yes")
	isClosed(t, shared, xen2, true)
	isClosed(t, shared, xen3, false)
	b.failback(t, exitUsage, "--shutdown is of one node: name it", "--shutdown", "--yes")
}

// What is to come home and does not run now is told of, and stays noted.
func TestFailbackOfWhatIsDown(t *testing.T) {
	b, shared := evacuated(t)
	note(t, shared, host.Evacuation{Member: xen3, VMs: []string{"openvz:101"}})
	text := b.tools.answers["clustat -x"]
	down := strings.Replace(text, `name="service:web" state="112" state_str="started" flags="0" flags_str="" owner="`+"xen1.01100011.com"+`"`, `name="service:web" state="115" state_str="stopped" flags="0" flags_str="" owner="none"`, 1)
	if down == text {
		t.Fatal("nothing was stopped")
	}
	b.tools.answers["clustat -x"] = down
	b.failback(t, 0, "openvz:101 is noted to come home, and runs nowhere: lbm why-down openvz:101", "--yes", xen3)
	e, there, err := host.ReadEvacuation(shared, xen3)
	if err != nil || !there || !e.Open || len(e.VMs) != 1 {
		t.Errorf("the note: %+v, %v, %v", e, there, err)
	}
}

// Who names a node is asked for its name, as by lbm evacuate.
func TestFailbackAsksForTheNode(t *testing.T) {
	b, shared := evacuated(t)
	b.stdin = strings.NewReader("yes\n")
	b.failback(t, exitRefused, "Type "+xen3+" to go on", xen3)
	isClosed(t, shared, xen3, true)
	b.stdin = strings.NewReader(xen3 + "\n")
	b.failback(t, 0, xen3+" is open", xen3)
	isClosed(t, shared, xen3, false)
}

// An evacuation that is at work is not undone: by none of the ways in which a node is opened.
func TestFailbackLeavesAnEvacuationAlone(t *testing.T) {
	b, shared := evacuated(t)
	lock, err := lockfile.Try(filepath.Join(shared, "lbvm/lock/evacuate-"+xen3), "lbm evacuate")
	if err != nil {
		t.Fatal(err)
	}
	b.failback(t, 0, "lbm: "+xen3+" is left as it is: another lbm empties or fills", "--yes")
	isClosed(t, shared, xen3, true)
	b.failback(t, exitRefused, "another lbm empties or fills", "--yes", xen3)
	isClosed(t, shared, xen3, true)
	b.failback(t, exitRefused, "another lbm empties or fills", "--open-only", xen3)
	isClosed(t, shared, xen3, true)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	b.failback(t, 0, xen3+" is open", "--yes")
	isClosed(t, shared, xen3, false)
}

// meanwhile does something before the cluster manager answers first.
type meanwhile struct {
	run.Runner
	do func()
}

func (m *meanwhile) Run(ctx context.Context, c run.Command) (run.Result, error) {
	if do := m.do; do != nil && filepath.Base(c.Argv[0]) == "clustat" {
		m.do = nil
		do()
	}
	return m.Runner.Run(ctx, c)
}

// A node that is shut down again, while a failback of its boot waits, stays closed; one that was closed before it is opened.
func TestFailbackOfABootGivesUp(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("again %v", again), func(t *testing.T) {
			b, shared := evacuated(t)
			e := host.Evacuation{Member: xen3, Boot: "boot-3"}
			note(t, shared, e)
			if again {
				e.Since = b.clock.Now()
				b.run = &meanwhile{b.run, func() { note(t, shared, e) }}
				b.failback(t, exitRefused, "was evacuated anew while this waited", "--shutdown", "--yes", xen3)
			} else {
				b.failback(t, 0, xen3+" is open", "--shutdown", "--yes", xen3)
			}
			isClosed(t, shared, xen3, again)
		})
	}
}

// The end of a failback writes nothing over a note that another has written.
func TestFailbackEndsWithTheNoteThatIsThere(t *testing.T) {
	b, shared := evacuated(t)
	f, err := b.fleet(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.settle(context.Background(), []host.Evacuation{{Member: xen3, Open: true}}); err != nil {
		t.Fatal(err)
	}
	isClosed(t, shared, xen3, true)
}

// A failback waits for the facts of a node that are too old, says for what and how long, and ends with the command that goes on.
func TestFailbackWaitsForFacts(t *testing.T) {
	b, shared := evacuated(t)
	note(t, shared, host.Evacuation{Member: xen3, VMs: []string{"openvz:101", "xen:centos1"}})
	f, err := host.ReadFacts(shared, xen3)
	if err != nil {
		t.Fatal(err)
	}
	f.At = f.At.Add(-time.Hour)
	if err := host.WriteFacts(shared, f); err != nil {
		t.Fatal(err)
	}
	b.wait = &passing{Clock: clock.System(), now: time.Unix(1290000600, 0)}
	b.failback(t, exitPartly, "", "--yes", xen3)
	for _, want := range []string{"openvz:101 waits, up to 3m0s: the facts of node " + xen3 + " are 1h0m20s old, and may be 2m0s: does lblog run there?\n",
		"does lblog run there?; it was waited for 3m", "lbm: not home: openvz:101 (on xen1.01100011.com), xen:centos1 (on xen1.01100011.com); mend what stands above and run lbm failback " + xen3 + " again\n"} {
		if all := b.out.String() + b.errors.String(); !strings.Contains(all, want) || strings.Contains(all, "nothing was changed") {
			t.Errorf("not said: %s\n%s", want, all)
		}
	}
}

// passing is a clock whose short sleeps pass at once.
type passing struct {
	clock.Clock
	mu  sync.Mutex
	now time.Time
}

func (p *passing) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *passing) Sleep(ctx context.Context, d time.Duration) error {
	if d > time.Minute {
		<-ctx.Done()
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
	return ctx.Err()
}
