package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/keyval"
	"github.com/lbvm/lbvm/internal/lab"
)

// errNoMove is the demo's own failure.
var errNoMove = errors.New("no move came")

// untilMeasured waits until every node has n values of its processor.
func (s *story) untilMeasured(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := s.measured(); err != nil {
			return err
		}
		if s.minutes >= n {
			return nil
		}
		if err := s.wait.Sleep(ctx, look); err != nil {
			return fmt.Errorf("lblog has not measured %d times: %w; its runs stand in %s", n, err, s.l.Path("log/manager.log"))
		}
	}
}

// measured tells each minute that every node has measured.
func (s *story) measured() error {
	var values [][]string
	for _, n := range s.d.Nodes {
		b, err := os.ReadFile(s.l.Path("shared/lbvm/log", n+"-cpu"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		values = append(values, strings.Fields(string(b)))
	}
	for {
		var text []string
		for i, v := range values {
			if len(v) < 2*(s.minutes+1) {
				return nil
			}
			text = append(text, s.d.Nodes[i]+" "+v[2*s.minutes+1])
		}
		s.minutes++
		s.say("lblog measured cpu: %s", strings.Join(text, "  "))
	}
}

// untilMoved tells the news until a move of the balancer has ended well.
func (s *story) untilMoved(ctx context.Context, patience time.Duration) (vm string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if err := s.measured(); err != nil {
			return "", err
		}
		vm, err := s.news()
		if err != nil || vm != "" {
			return vm, err
		}
		if err := s.wait.Sleep(ctx, look); err != nil {
			return "", fmt.Errorf("%w within %s: %s", errNoMove, patience, s.lastPass())
		}
	}
}

// lastPass says what the balancer itself wrote last.
func (s *story) lastPass() string {
	for _, n := range s.d.Nodes {
		b, err := os.ReadFile(filepath.Join(s.l.Root(n), "var/run/lbvm/lbmonitor.last"))
		if err == nil {
			return "its last pass, on " + n + ": " + strings.Join(strings.Fields(string(b)), " ")
		}
	}
	return "the balancer has made no pass"
}

// news tells what the journal has got, and names the VM of a move that has ended well.
func (s *story) news() (moved string, err error) {
	const journal = "shared/lbvm/log/migrate.log"
	b, err := os.ReadFile(s.l.Path(journal))
	if err != nil {
		return "", err
	}
	if s.read == nil {
		s.read = map[string]int{}
	}
	text := string(b[s.read[journal]:])
	for {
		line, rest, whole := strings.Cut(text, "\n")
		if !whole {
			return moved, nil
		}
		text = rest
		s.read[journal] += len(line) + 1
		at, p, err := keyval.ParseRecord(line)
		if err != nil {
			return "", err
		}
		if at.Before(s.d.Epoch) {
			continue
		}
		vm, err := s.tellRecord(p)
		if err != nil {
			return "", err
		}
		if vm != "" {
			moved = vm
		}
	}
}

func (s *story) tellRecord(p keyval.Pairs) (moved string, err error) {
	switch p.Get("event") {
	case "begin":
		s.say("%s moves %s from %s to %s by %s: %s", p.Get("by"), p.Get("vm"), p.Get("from"), p.Get("to"), map[string]string{"image": "memory image", "live": "live migration"}[p.Get("kind")], p.Get("why"))
		if p.Get("by") == "lbmonitor" {
			return "", s.because(p.Get("vm"))
		}
	case "agent":
		if p.Get("outcome") != "booted" {
			s.say("  agent on %s, %s: %s", p.Get("node"), p.Get("action"), strings.TrimSpace(p.Get("vm")+" "+p.Get("outcome")+" "+p.Get("why")))
		}
	case "end":
		s.say("  %s: %s on %s, memory %s, %s s of the lab", p.Get("vm"), p.Get("outcome"), p.Get("owner"), p.Get("memory"), p.Get("seconds"))
		if p.Get("outcome") == "moved" {
			return p.Get("vm"), nil
		}
	}
	return "", nil
}

// proof shows from what the guest wrote itself that it went on.
func (s *story) proof(ctx context.Context, id string) error {
	typ, vm, _ := strings.Cut(id, ":")
	ctx, cancel := context.WithTimeout(ctx, programLimit)
	defer cancel()
	for {
		before, after, err := lastHop(s.l, typ, vm)
		if err != nil {
			return err
		}
		if after.node != "" && after.lines >= 3 {
			s.say("  the guest itself: counted to %d on %s, went on with %d on %s, %d ms later", before.n, before.node, after.first, after.node,
				after.began.Sub(before.at).Milliseconds())
			if after.incarnation != before.incarnation || after.first != before.n+1 {
				return fmt.Errorf("%s did not go on with its memory", id)
			}
			return nil
		}
		if err := s.wait.Sleep(ctx, look); err != nil {
			return fmt.Errorf("%s has written nothing on another node: %w", id, err)
		}
	}
}

// stay is the time of a guest on one node, as it wrote it.
type stay struct {
	node, incarnation string
	first, n          int64
	began, at         time.Time
	lines             int
}

// lastHop gives the guest's last stay but one and its last.
func lastHop(l lab.Layout, typ, vm string) (before, after stay, err error) {
	f, err := os.Open(l.Witness(typ, vm))
	if err != nil {
		return before, after, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		w := strings.Fields(sc.Text())
		if len(w) != 5 {
			continue
		}
		nano, err1 := strconv.ParseInt(w[0], 10, 64)
		n, err2 := strconv.ParseInt(w[4], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return before, after, fmt.Errorf("reading what %s wrote: %w", vm, err)
		}
		at := time.Unix(0, nano)
		if w[1] != after.node {
			before, after = after, stay{node: w[1], incarnation: w[3], first: n, began: at}
		}
		after.n, after.at, after.lines = n, at, after.lines+1
	}
	if before.node == "" {
		return before, stay{}, sc.Err()
	}
	return before, after, sc.Err()
}
