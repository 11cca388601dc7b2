package top

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/term"
)

// Update is the word of the process that reads: a snapshot, or why there is none.
type Update struct {
	Snapshot *Snapshot `json:"snapshot"`
	Error    string    `json:"error"`
}

// Screen is a terminal on which a cluster is watched.
type Screen struct {
	Terminal tcell.Screen
	Updates  <-chan Update
	// Explain tells why a VM would move or not, in lines of text. It may take its time.
	Explain func(ctx context.Context, vm string) (string, error)
	Clock   clock.Clock   // of samples
	Wait    clock.Clock   // real seconds
	Every   time.Duration // how often something should be heard of the process that reads
	Colour  bool
	UTF8    bool
}

// shown is what the screen shows.
type shown struct {
	Screen
	view     View
	snapshot *Snapshot
	heard    time.Time // by Wait
	err      string
	page     *page // an explanation on top; nil is none
	pages    chan page
}

// page is text that is read, line by line.
type page struct {
	vm    string
	lines []string
	from  int
	done  bool
}

// Run shows the cluster until a key ends it, or ctx does; then it gives its cause. However it ends, also by a panic, the terminal
// is as it was before.
func (s Screen) Run(ctx context.Context) error {
	if err := s.Terminal.Init(); err != nil {
		return fmt.Errorf("preparing the terminal: %w", err)
	}
	defer s.Terminal.Fini()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := make(chan tcell.Event, 8)
	go s.Terminal.ChannelEvents(events, ctx.Done())
	ticks := make(chan struct{})
	go func() { // ages grow
		for s.Wait.Sleep(ctx, time.Second) == nil {
			select {
			case ticks <- struct{}{}:
			case <-ctx.Done():
			}
		}
	}()
	x := &shown{Screen: s, view: View{Order: ByDecision, Keys: true, UTF8: s.UTF8}, heard: s.Wait.Now(), pages: make(chan page, 1)}
	for {
		x.draw()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticks:
		case u, open := <-x.Updates:
			x.take(u, open)
		case p := <-x.pages:
			if x.page != nil && x.page.vm == p.vm {
				x.page = &p
			}
		case e, open := <-events:
			switch {
			case !open: // ctx has ended, or the terminal is gone
				return context.Cause(ctx)
			case x.key(ctx, e):
				return nil
			}
		}
	}
}

func (x *shown) take(u Update, open bool) {
	if !open {
		x.Updates, x.err = nil, "the process that reads the shared storage has ended: nothing new is shown"
		return
	}
	x.heard, x.err = x.Wait.Now(), u.Error
	if u.Snapshot != nil {
		x.snapshot = u.Snapshot
		list := Sorted(x.snapshot, x.view.Order)
		if !slices.ContainsFunc(list, func(vm VM) bool { return vm.VM == x.view.Selected }) && len(list) > 0 {
			x.view.Selected = list[0].VM
		}
	}
}

// trouble is why the snapshot is not newer.
func (x *shown) trouble() string {
	if silent := x.Wait.Now().Sub(x.heard); x.err == "" && silent > 2*x.Every+5*time.Second {
		return fmt.Sprintf("the shared storage has not answered for %s", silent.Round(time.Second))
	}
	return x.err
}

// key follows a key; true ends the screen.
func (x *shown) key(ctx context.Context, e tcell.Event) bool {
	switch e := e.(type) {
	case *tcell.EventResize:
		x.Terminal.Sync()
		return false
	case *tcell.EventKey:
		if e.Key() == tcell.KeyCtrlC || e.Key() == tcell.KeyRune && e.Rune() == 'q' {
			if x.page == nil || e.Key() == tcell.KeyCtrlC {
				return true
			}
			x.page = nil
			return false
		}
		if x.page != nil {
			x.turn(e)
			return false
		}
		x.choose(ctx, e)
	}
	return false
}

// choose follows a key on the main view.
func (x *shown) choose(ctx context.Context, e *tcell.EventKey) {
	_, height := x.Terminal.Size()
	switch e.Key() {
	case tcell.KeyUp:
		x.move(-1)
	case tcell.KeyDown:
		x.move(1)
	case tcell.KeyPgUp:
		x.move(-height / 2)
	case tcell.KeyPgDn:
		x.move(height / 2)
	case tcell.KeyHome:
		x.move(-1 << 30)
	case tcell.KeyEnd:
		x.move(1 << 30)
	case tcell.KeyLeft:
		x.resource(-1)
	case tcell.KeyRight:
		x.resource(1)
	case tcell.KeyEnter:
		x.explain(ctx)
	case tcell.KeyRune:
		switch e.Rune() {
		case 'k':
			x.move(-1)
		case 'j':
			x.move(1)
		case '<':
			x.resource(-1)
		case '>':
			x.resource(1)
		case 'e':
			x.explain(ctx)
		case 'n':
			x.view.ByLoad = !x.view.ByLoad
		case 's':
			all := Orders()
			x.view.Order = all[(slices.Index(all, x.view.Order)+1)%len(all)]
		}
	}
}

func (x *shown) move(by int) {
	if x.snapshot == nil || len(x.snapshot.VMs) == 0 {
		return
	}
	list := Sorted(x.snapshot, x.view.Order)
	at := slices.IndexFunc(list, func(vm VM) bool { return vm.VM == x.view.Selected })
	x.view.Selected = list[min(max(at+by, 0), len(list)-1)].VM
}

func (x *shown) resource(by int) {
	if x.snapshot != nil {
		x.view.First = min(max(x.view.First+by, 0), max(len(x.snapshot.Resources)-1, 0))
	}
}

// explain opens the explanation of the selected VM. Who explains asks the cluster and may hang: the screen goes on.
func (x *shown) explain(ctx context.Context) {
	vm := x.view.Selected
	if vm == "" {
		return
	}
	x.page = &page{vm: vm, lines: []string{"lbm explain " + vm + " ..."}}
	go func() {
		text, err := x.Explain(ctx, vm)
		if err != nil {
			text += "\n" + err.Error()
		}
		select {
		case x.pages <- page{vm: vm, lines: strings.Split(strings.Trim(text, "\n"), "\n"), done: true}:
		case <-ctx.Done():
		}
	}()
}

// turn follows a key on a page.
func (x *shown) turn(e *tcell.EventKey) {
	_, height := x.Terminal.Size()
	by := 0
	switch {
	case e.Key() == tcell.KeyEscape || e.Key() == tcell.KeyEnter:
		x.page = nil
		return
	case e.Key() == tcell.KeyUp || e.Key() == tcell.KeyRune && e.Rune() == 'k':
		by = -1
	case e.Key() == tcell.KeyDown || e.Key() == tcell.KeyRune && e.Rune() == 'j':
		by = 1
	case e.Key() == tcell.KeyPgUp:
		by = 2 - height
	case e.Key() == tcell.KeyPgDn || e.Key() == tcell.KeyRune && e.Rune() == ' ':
		by = height - 2
	case e.Key() == tcell.KeyHome:
		by = -len(x.page.lines)
	case e.Key() == tcell.KeyEnd:
		by = len(x.page.lines)
	}
	x.page.from = max(min(x.page.from+by, len(x.page.lines)-height+1), 0)
}

func (x *shown) draw() {
	x.view.Width, x.view.Height = x.Terminal.Size()
	x.view.Now, x.view.Trouble = x.Clock.Now(), x.trouble()
	lines := Frame(x.snapshot, x.view)
	if x.page != nil {
		lines = x.page.frame(x.view)
	}
	x.Terminal.Clear()
	for y, line := range lines[:min(len(lines), x.view.Height)] {
		at := 0
		for _, s := range line {
			style := x.style(s)
			for _, r := range s.Text {
				x.Terminal.SetContent(at, y, r, nil, style)
				at++
			}
		}
	}
	x.Terminal.Show()
}

// frame is the part of a page that is on the screen.
func (p *page) frame(v View) []Line {
	d := drawing{v: v}
	for _, text := range p.lines[min(p.from, len(p.lines)):] {
		if len(d.lines) == v.Height-1 {
			break
		}
		d.line(Span{Text: text})
	}
	for len(d.lines) < v.Height-1 {
		d.line()
	}
	d.line(Span{Text: "Esc back  arrows, blank scroll", Style: term.Dim})
	return d.lines
}

func (x *shown) style(s Span) tcell.Style {
	style := tcell.StyleDefault.Reverse(s.Reverse)
	switch s.Style {
	case term.Strong:
		return style.Bold(true)
	case term.Dim:
		return style.Dim(true)
	}
	if !x.Colour {
		return style.Bold(s.Style == term.Bad)
	}
	switch s.Style {
	case term.Good:
		return style.Foreground(tcell.ColorGreen)
	case term.Warn:
		return style.Foreground(tcell.ColorYellow)
	case term.Bad:
		return style.Foreground(tcell.ColorRed)
	}
	return style
}
