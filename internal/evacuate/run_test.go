package evacuate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/move"
	"github.com/lbvm/lbvm/pkg/balance"
)

// world is a cluster of three nodes with some VMs on node1. Its moves end when the test lets them.
type world struct {
	t    *testing.T
	mu   sync.Mutex
	view balance.View
	conf balance.Config
	now  time.Time

	make     func(t Trip) (balance.Move, error) // nil: it arrives
	most     int                                // that flew at a time
	flying   map[string]bool                    // by target
	sequence []string                           // begins and ends
	wait     *hasty
}

func newWorld(t *testing.T, vms int) *world {
	w := &world{t: t, now: time.Date(2008, 1, 15, 14, 0, 0, 0, time.UTC), flying: map[string]bool{}, wait: &hasty{now: time.Unix(1200000000, 0)}}
	w.view.Quorate = true
	var may []balance.Placement
	for _, n := range []string{"node1", "node2", "node3"} {
		w.view.Nodes = append(w.view.Nodes, balance.Node{Name: n, Online: true, MemTotal: 100 << 30, MemFree: 90 << 30, Seen: w.now})
		may = append(may, balance.Placement{Node: n, Score: 3})
	}
	for i := range vms {
		name := fmt.Sprint(101 + i)
		w.view.VMs = append(w.view.VMs, balance.VM{Name: name, Type: "openvz", Service: "service:" + name, Owner: "node1", State: balance.Started, MayRun: may, Mem: 1 << 30})
	}
	return w
}

// hasty is a clock whose sleeps pass at once, but for long ones: who sleeps for an hour waits for something else.
type hasty struct {
	mu  sync.Mutex
	now time.Time
}

func (c *hasty) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *hasty) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *hasty) Sleep(ctx context.Context, d time.Duration) error {
	if d > time.Minute {
		<-ctx.Done()
		return ctx.Err()
	}
	c.add(d)
	return ctx.Err()
}

func (c *hasty) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return clock.System().WithTimeout(ctx, d)
}

func (w *world) look(context.Context) (balance.Input, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.view
	v.VMs, v.Nodes = slices.Clone(v.VMs), slices.Clone(v.Nodes)
	c := w.conf
	return balance.Input{At: w.now, Config: &c, View: v, Samples: balance.NewMemorySamples(time.Minute)}, nil
}

func (w *world) vm(name string) *balance.VM {
	for i := range w.view.VMs {
		if w.view.VMs[i].ID() == name {
			return &w.view.VMs[i]
		}
	}
	w.t.Fatalf("no VM %s", name)
	return nil
}

func (w *world) move(_ context.Context, t Trip) (balance.Move, error) {
	w.mu.Lock()
	if w.flying[t.To] {
		w.t.Errorf("two go to %s at a time", t.To)
	}
	w.flying[t.To] = true
	w.most = max(w.most, len(w.flying))
	w.sequence = append(w.sequence, t.VMs[0]+">"+t.To)
	do := w.make
	w.mu.Unlock()
	rec, err := balance.Move{Owner: t.To, Memory: balance.MemoryKept, Outcome: balance.OutcomeMoved}, error(nil)
	if do != nil {
		rec, err = do(t)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.flying, t.To)
	if err == nil {
		for _, name := range t.VMs {
			w.vm(name).Owner = rec.Owner
		}
	}
	return rec, err
}

func (w *world) runner(parallel int) Runner {
	return Runner{Look: w.look, Move: w.move, Wait: w.wait, Parallel: parallel}
}

func (w *world) plan(wish balance.Wish) []Trip {
	w.t.Helper()
	in, err := w.look(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := Plan(context.Background(), in, wish)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// told is what became of trips, in short.
func told(list []Done) []string {
	var out []string
	for _, d := range list {
		out = append(out, strings.TrimSuffix(fmt.Sprintf("%s %s %s", strings.Join(d.VMs, "+"), d.Outcome, d.Owner), " "))
	}
	slices.Sort(out)
	return out
}

func everything(w *world) balance.Wish { return balance.Wish{VMs: OnNode(w.view, "node1")} }

// All leave; so many at a time as was asked for, and one to a node.
func TestEvacuate(t *testing.T) {
	for _, parallel := range []int{1, 2, 5} {
		w := newWorld(t, 12)
		gate, patience := make(chan struct{}), 30*time.Second
		if parallel == 1 { // none comes
			patience = 20 * time.Millisecond
		}
		w.make = func(t Trip) (balance.Move, error) {
			select { // where two may fly, the first waits for the second
			case gate <- struct{}{}:
			case <-gate:
			case <-time.After(patience):
			}
			return balance.Move{Owner: t.To}, nil
		}
		list := w.runner(parallel).Run(context.Background(), w.plan(everything(w)), everything(w))
		if len(list) != 12 || len(OnNode(w.view, "node1")) != 0 {
			t.Errorf("%d at a time: %q; left %q", parallel, told(list), OnNode(w.view, "node1"))
		}
		if want := min(parallel, 2); w.most != want {
			t.Errorf("%d at a time were asked for, and %d flew", parallel, w.most)
		}
	}
}

// What is refused on one node goes to the next best, and stays where all refuse. What fails ends the run, unless it is to
// keep going. What lands elsewhere has left.
func TestWhatDoesNotGo(t *testing.T) {
	refuse := func(text string) error { return fmt.Errorf("%w: nothing was changed: %s", move.ErrRefused, text) }
	for _, c := range []struct {
		name   string
		change func(w *world)
		keep   bool
		want   []string
	}{
		{"refused on node2", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				if t.To == "node2" {
					return balance.Move{}, refuse("no disk")
				}
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 moved node3", "openvz:102 moved node3", "openvz:103 moved node3"}},
		{"refused everywhere", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				if t.VMs[0] == "openvz:101" {
					return balance.Move{}, refuse("no disk on " + t.To)
				}
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 stays node1", "openvz:102 moved node3", "openvz:103 moved node2"}},
		{"one fails", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				if t.VMs[0] == "openvz:101" {
					return balance.Move{Owner: "node1"}, move.ErrFailed
				}
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 failed node1", "openvz:102 not begun node1", "openvz:103 not begun node1"}},
		{"one fails, and the others go on", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				if t.VMs[0] == "openvz:101" {
					return balance.Move{Owner: "node1"}, move.ErrUnverified
				}
				return balance.Move{Owner: t.To}, nil
			}
		}, true, []string{"openvz:101 unknown node1", "openvz:102 moved node3", "openvz:103 moved node2"}},
		{"one lands elsewhere", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				if t.VMs[0] == "openvz:101" {
					w.mu.Lock()
					w.vm("openvz:101").Owner = "node3"
					w.mu.Unlock()
					return balance.Move{Owner: "node3"}, move.ErrElsewhere
				}
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 elsewhere node3", "openvz:102 moved node3", "openvz:103 moved node2"}},
		{"frozen", func(w *world) { w.vm("openvz:102").Frozen = true }, false, []string{"openvz:101 moved node2", "openvz:102 stays node1", "openvz:103 moved node3"}},
		{"frozen since it was planned", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				w.mu.Lock()
				w.vm("openvz:103").Frozen = true
				w.mu.Unlock()
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 moved node2", "openvz:102 moved node3", "openvz:103 stays node1"}},
		{"another one moves it for a while", func(w *world) {
			busy := 3
			w.make = func(t Trip) (balance.Move, error) {
				if t.VMs[0] == "openvz:101" && busy > 0 {
					busy--
					return balance.Move{}, fmt.Errorf("%w: %w", move.ErrRefused, handoff.ErrBusy)
				}
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 moved node2", "openvz:102 moved node3", "openvz:103 moved node2"}},
		{"another one moves it for ever", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				if t.VMs[0] == "openvz:101" {
					return balance.Move{}, fmt.Errorf("%w: %w", move.ErrRefused, handoff.ErrBusy)
				}
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 stays node1", "openvz:102 moved node3", "openvz:103 moved node2"}},
		{"the cluster has it on its way, and somebody else has moved it then", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				w.mu.Lock()
				w.vm("openvz:103").Owner = "node3"
				w.mu.Unlock()
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 moved node2", "openvz:102 moved node3", "openvz:103 elsewhere node3"}},
		{"on its way when it was planned, and not for long", func(w *world) {
			w.vm("openvz:103").State = balance.Migrating
			w.make = func(t Trip) (balance.Move, error) {
				w.mu.Lock()
				w.vm("openvz:103").State = balance.Started
				w.mu.Unlock()
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 moved node2", "openvz:102 moved node3", "openvz:103 moved node2"}},
		{"on its way for ever", func(w *world) { w.vm("openvz:103").State = balance.Migrating }, false,
			[]string{"openvz:101 moved node2", "openvz:102 moved node3", "openvz:103 stays node1"}},
		{"a service of two goes once", func(w *world) { w.vm("openvz:102").Service = "service:101" }, false,
			[]string{"openvz:101+openvz:102 moved node2", "openvz:103 moved node3"}},
		{"node2 goes off", func(w *world) {
			w.make = func(t Trip) (balance.Move, error) {
				w.mu.Lock()
				w.view.Nodes[1].Online = false
				w.mu.Unlock()
				return balance.Move{Owner: t.To}, nil
			}
		}, false, []string{"openvz:101 moved node2", "openvz:102 moved node3", "openvz:103 moved node3"}},
	} {
		w := newWorld(t, 3)
		plan := w.plan(everything(w))
		c.change(w)
		if c.name == "frozen" || strings.Contains(c.name, "on its way") || strings.Contains(c.name, "of two") {
			plan = w.plan(everything(w))
		}
		r := w.runner(1)
		r.KeepGoing = c.keep
		list := r.Run(context.Background(), plan, everything(w))
		if got := told(list); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		for _, d := range list {
			if d.Outcome != Moved && d.Why == "" {
				t.Errorf("%s: of %s it is not told why", c.name, d.VMs)
			}
		}
	}
}

// An interrupt: nothing begins any more, and what has begun is watched to its end.
func TestInterrupted(t *testing.T) {
	w := newWorld(t, 6)
	ctx, interrupt := context.WithCancel(context.Background())
	w.make = func(t Trip) (balance.Move, error) {
		interrupt()
		return balance.Move{Owner: t.To}, nil
	}
	list := w.runner(2).Run(ctx, w.plan(everything(w)), everything(w))
	begun := 0
	for _, d := range list {
		switch d.Outcome {
		case Moved:
			begun++
		case NotBegun:
			if d.Why != "interrupted" || d.Owner != "node1" {
				t.Errorf("%+v", d)
			}
		default:
			t.Errorf("%+v", d)
		}
	}
	if len(list) != 6 || begun == 0 || begun > 2 || begun != len(w.sequence) {
		t.Errorf("%d of %d were begun: %q", begun, len(list), w.sequence)
	}
}

// A budget of time: nothing begins that would not end by then, and what flies then is left to the hand-off.
func TestUntil(t *testing.T) {
	w := newWorld(t, 6)
	w.make = func(t Trip) (balance.Move, error) {
		w.wait.add(20 * time.Second)
		return balance.Move{Owner: t.To}, nil
	}
	r := w.runner(1)
	r.Until = w.wait.Now().Add(65 * time.Second)
	list := r.Run(context.Background(), w.plan(everything(w)), everything(w))
	moved := 0
	for _, d := range list {
		if d.Outcome == Moved || d.Outcome == UnderWay { // whether its end was seen in time this clock does not tell
			moved++
		} else if d.Outcome != NotBegun || d.Why != "there is no time left for it" {
			t.Errorf("%+v", d)
		}
	}
	if len(list) != 6 || moved == 0 || moved > 3 {
		t.Errorf("in 65 s %d of %d moves of 20 s", moved, len(list))
	}

	x := newWorld(t, 2)
	never := make(chan struct{})
	defer close(never)
	x.make = func(Trip) (balance.Move, error) { <-never; return balance.Move{}, nil }
	r = x.runner(1)
	r.Until = x.wait.Now().Add(5 * time.Second)
	list = r.Run(context.Background(), x.plan(everything(x)), everything(x))
	if got := told(list); !slices.Equal(got, []string{"openvz:101 under way", "openvz:102 not begun node1"}) {
		t.Errorf("%q", got)
	}
}

// A cluster that does not answer ends the run, and nothing is lost from the report.
func TestNoAnswer(t *testing.T) {
	w := newWorld(t, 2)
	r := w.runner(1)
	asked := 0
	r.Look = func(context.Context) (balance.Input, error) {
		asked++
		return balance.Input{}, errors.New("clustat is gone")
	}
	list := r.Run(context.Background(), w.plan(everything(w)), everything(w))
	if len(list) != 2 || list[0].Outcome != NotBegun || !strings.Contains(list[0].Why, "clustat is gone") || asked != lookings {
		t.Errorf("%+v, asked %d times", list, asked)
	}
}

func TestHome(t *testing.T) {
	may := func(a, b, c int) []balance.Placement {
		return []balance.Placement{{Node: "node1", Score: a}, {Node: "node2", Score: b}, {Node: "node3", Score: c}}
	}
	v := balance.View{VMs: []balance.VM{
		{Name: "a", Type: "x", Owner: "node2", MayRun: may(3, 3, 3)},
		{Name: "b", Type: "x", Owner: "node2", MayRun: may(3, 2, 2)},
		{Name: "c", Type: "x", Owner: "node2", MayRun: may(3, 2, 3)},
		{Name: "d", Type: "x", Owner: "node1", MayRun: may(3, 2, 2)},
		{Name: "e", Type: "x", Owner: "", MayRun: may(3, 2, 2)},
		{Name: "f", Type: "x", Owner: "node3", MayRun: may(3, 3, 3)},
		{Name: "g", Type: "x", Owner: "node1", MayRun: may(2, 3, 2)},
	}}
	got := Home(v, map[string]string{"x:a": "node1", "x:f": "node3", "x:g": "node1"})
	if fmt.Sprint(got) != "map[x:a:node1 x:b:node1]" {
		t.Errorf("%v", got)
	}
}

// A node that has not told of itself for too long is waited for, for a time, where there is no other node to go to: it is told for what
// and how long. Once its facts are fresh all go on.
func TestFreshFactsAreWaitedFor(t *testing.T) {
	old := fmt.Errorf("%w: nothing was changed: %w", move.ErrRefused, move.ErrStale)
	left := fmt.Errorf("%w: nothing was changed: %w", move.ErrRefused, move.ErrLater)
	for _, c := range []struct {
		name   string
		after  time.Duration // from then on the facts are fresh; 0 is never
		limit  time.Duration
		only   bool // all are to go to node2
		err    error
		either bool // the facts of node3 are old, too
		want   []string
		waits  int
		took   time.Duration
	}{
		{"measured in time", 150 * time.Second, 0, true, old, false, []string{"openvz:101 moved node2", "openvz:102 moved node2", "openvz:103 moved node2"}, 3, 150 * time.Second},
		{"measured in time, of a long interval", 8 * time.Minute, 9 * time.Minute, true, old, false, []string{"openvz:101 moved node2", "openvz:102 moved node2", "openvz:103 moved node2"}, 3, 8 * time.Minute},
		{"measured too late", 200 * time.Second, 0, true, old, false, []string{"openvz:101 stays node1", "openvz:102 stays node1", "openvz:103 stays node1"}, 3, 3 * time.Minute},
		{"just left, and measured in time", 150 * time.Second, 0, true, left, false, []string{"openvz:101 moved node2", "openvz:102 moved node2", "openvz:103 moved node2"}, 3, 150 * time.Second},
		{"just left, and never measured", 0, 0, true, left, false, []string{"openvz:101 stays node1", "openvz:102 stays node1", "openvz:103 stays node1"}, 3, 3 * time.Minute},
		{"another node will do", 0, 0, false, old, false, []string{"openvz:101 moved node3", "openvz:102 moved node3", "openvz:103 moved node3"}, 0, 0},
		{"just left, and another node will do", 0, 0, false, left, false, []string{"openvz:101 moved node3", "openvz:102 moved node3", "openvz:103 moved node3"}, 0, 0},
		{"no other node will do", 100 * time.Second, 0, false, old, true, []string{"openvz:101 moved node2", "openvz:102 moved node3", "openvz:103 moved node2"}, 3, 100 * time.Second},
	} {
		w := newWorld(t, 3)
		begun := w.wait.Now()
		w.make = func(t Trip) (balance.Move, error) {
			if at := w.wait.Now().Sub(begun); (t.To == "node2" || c.either) && (c.after == 0 || at < c.after) {
				return balance.Move{}, c.err
			}
			return balance.Move{Owner: t.To}, nil
		}
		wish := everything(w)
		if c.only {
			wish.Only = map[string]string{"openvz:101": "node2", "openvz:102": "node2", "openvz:103": "node2"}
		}
		r := w.runner(1)
		r.Facts = c.limit
		waits := 0
		r.Tell = func(e Event) {
			if e.Waits == 0 {
				return
			}
			waits++
			if e.Waits != cmp.Or(c.limit, patience) || !strings.Contains(c.err.Error(), ": nothing was changed: "+strings.Split(e.Why, ";")[0]) {
				t.Errorf("%s: %+v", c.name, e)
			}
		}
		list := r.Run(context.Background(), w.plan(wish), wish)
		took := w.wait.Now().Sub(begun)
		if got := told(list); !slices.Equal(got, c.want) || waits != c.waits || took < c.took || took > c.took+10*time.Second {
			t.Errorf("%s: %q after %s, told %d times that it waits; want %q after %s, %d", c.name, got, took, waits, c.want, c.took, c.waits)
		}
		for _, d := range list {
			if d.Outcome == Stays && !strings.HasSuffix(c.err.Error(), ": "+strings.TrimSuffix(d.Why, "; it was waited for 3m0s")) {
				t.Errorf("%s: it stays: %s", c.name, d.Why)
			}
		}
	}
}

// Who waits for facts is interrupted at once, and keeps to its time.
func TestWaitingForFactsEnds(t *testing.T) {
	for _, name := range []string{"interrupted", "no time left"} {
		w := newWorld(t, 2)
		ctx, interrupt := context.WithCancel(context.Background())
		defer interrupt()
		r := w.runner(1)
		if name != "interrupted" {
			r.Until = w.wait.Now().Add(30 * time.Second)
		}
		begun := w.wait.Now()
		w.make = func(Trip) (balance.Move, error) {
			if r.Until.IsZero() && w.wait.Now().Sub(begun) > 20*time.Second {
				interrupt()
			}
			return balance.Move{}, fmt.Errorf("%w: %w", move.ErrRefused, move.ErrStale)
		}
		list := r.Run(ctx, w.plan(everything(w)), everything(w))
		for _, d := range list {
			if d.Outcome != NotBegun && (d.Outcome != UnderWay || r.Until.IsZero()) { // the clock does not wait for who is just refused
				t.Errorf("%s: %q", name, told(list))
			}
		}
		if took := w.wait.Now().Sub(begun); took > 40*time.Second {
			t.Errorf("%s: it took %s", name, took)
		}
	}
}
