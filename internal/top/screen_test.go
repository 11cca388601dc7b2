package top

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/lbvm/lbvm/internal/clock"
)

// glass is a screen in memory that tells what it shows.
type glass struct {
	tcell.SimulationScreen
	shows chan string
	ended chan struct{}
}

func newGlass() *glass {
	return &glass{tcell.NewSimulationScreen("UTF-8"), make(chan string, 1), make(chan struct{})}
}

// Show keeps the newest picture for who waits for one.
func (g *glass) Show() {
	g.SimulationScreen.Show()
	cells, width, _ := g.GetContents()
	var b strings.Builder
	for i, c := range cells {
		if i%width == 0 {
			b.WriteByte('\n')
		}
		b.WriteString(string(c.Runes))
	}
	select {
	case <-g.shows:
	default:
	}
	g.shows <- b.String()
}

func (g *glass) Fini() {
	close(g.ended)
	g.SimulationScreen.Fini()
}

// await waits for a picture with these parts.
func (g *glass) await(t *testing.T, parts ...string) {
	t.Helper()
	last := ""
	for limit := time.NewTimer(4 * time.Minute); ; {
		select {
		case last = <-g.shows:
		case <-limit.C:
			t.Fatalf("never shown: %q; last\n%s", parts, last)
		}
		all := true
		for _, p := range parts {
			all = all && strings.Contains(last, p)
		}
		if all {
			limit.Stop()
			return
		}
	}
}

func (g *glass) press(keys ...any) {
	for _, k := range keys {
		switch k := k.(type) {
		case rune:
			g.InjectKey(tcell.KeyRune, k, tcell.ModNone)
		case tcell.Key:
			g.InjectKey(k, 0, tcell.ModNone)
		}
	}
}

func run(ctx context.Context, s Screen) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return done
}

func TestKeys(t *testing.T) {
	g, updates := newGlass(), make(chan Update, 1)
	asked := make(chan string, 8)
	done := run(context.Background(), Screen{Terminal: g, Updates: updates, Clock: clock.NewFake(now()), Wait: clock.NewFake(now()), Every: time.Second, Colour: true, UTF8: true,
		Explain: func(_ context.Context, vm string) (string, error) {
			asked <- vm
			return "why " + vm + "\n" + strings.Repeat("line\n", 100) + "the end", errors.New("exit 4")
		}})
	g.await(t, "reading the shared storage")
	updates <- Update{Snapshot: cluster()}
	g.await(t, "LBVM xen", "by decision", "migrate to node2")
	g.press('s')
	g.await(t, "by name")
	g.press(tcell.KeyDown, 'j', 'k', tcell.KeyEnter) // from openvz:101, the second by name
	g.await(t, "why openvz:102")
	g.press(tcell.KeyEnd)
	g.await(t, "the end", "exit 4")
	g.press(tcell.KeyEscape, '>')
	g.await(t, "RAM")
	g.press('n', tcell.KeyEnd, 'e')
	g.await(t, "why xen:web")
	g.press('q') // closes the page only
	g.await(t, "MOVES of")
	if a, b := <-asked, <-asked; a != "openvz:102" || b != "xen:web" {
		t.Errorf("asked for %q, %q", a, b)
	}
	updates <- Update{Error: "the shared storage is not mounted"}
	g.await(t, "the shared storage is not mounted", "openvz:101") // and what was read stays
	close(updates)
	g.await(t, "has ended")
	g.press('q')
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-g.ended
}

// Neither a shared storage nor an explanation that hangs keeps the screen from being drawn, or from ending.
func TestAwayAndHanging(t *testing.T) {
	g, updates, real := newGlass(), make(chan Update, 1), clock.NewFake(now())
	lab := clock.NewFake(now())
	hangs := make(chan struct{})
	defer close(hangs)
	done := run(context.Background(), Screen{Terminal: g, Updates: updates, Clock: lab, Wait: real, Every: time.Second,
		Explain: func(context.Context, string) (string, error) { <-hangs; return "", nil }})
	updates <- Update{Snapshot: cluster()}
	g.await(t, "openvz:101")
	lab.Advance(10 * time.Minute)
	if err := real.AwaitSleeper(context.Background()); err != nil {
		t.Fatal(err)
	}
	real.Advance(time.Hour)
	g.await(t, "the shared storage has not answered for 1h0m0s", "all below is 10m old", "openvz:101")
	g.press(tcell.KeyEnter)
	g.await(t, "lbm explain openvz:101 ...")
	g.press(tcell.KeyCtrlC)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestASignalRestoresTheTerminal(t *testing.T) {
	g := newGlass()
	ctx, cancel := context.WithCancelCause(context.Background())
	done := run(ctx, Screen{Terminal: g, Updates: make(chan Update), Clock: clock.NewFake(now()), Wait: clock.NewFake(now())})
	g.await(t, "reading")
	why := errors.New("terminated")
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Error(err)
	}
	<-g.ended
}

// broken panics when it is asked for the time.
type broken struct{ clock.Clock }

func (broken) Now() time.Time { panic("broken") }

func TestAPanicRestoresTheTerminal(t *testing.T) {
	g := newGlass()
	defer func() {
		if r := recover(); r != "broken" {
			t.Errorf("recovered %v", r)
		}
		select {
		case <-g.ended:
		default:
			t.Error("the terminal is as it was left")
		}
	}()
	err := Screen{Terminal: g, Updates: make(chan Update), Clock: broken{}, Wait: clock.NewFake(now())}.Run(context.Background())
	t.Errorf("it did not panic: %v", err)
}
