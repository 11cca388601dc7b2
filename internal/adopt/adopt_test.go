package adopt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

func TestMain(m *testing.M) {
	run.KeeperMain()
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(child(dir, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func TestAdd(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.label(), func(t *testing.T) {
			b := newBench(t, k)
			a := b.adopter("node1")
			before := listing(t, b.dir)
			p, err := a.Look(context.Background(), b.request())
			must(t, err)
			if wrong := b.wholeOld(t, before); len(wrong) > 0 {
				t.Fatalf("a look changed something: %s", strings.Join(wrong, "\n"))
			}
			var told []string
			a.Before = func(s string) { told = append(told, s) }
			must(t, a.Add(context.Background(), p))
			if wrong := b.wholeNew(t); len(wrong) > 0 {
				t.Fatal(strings.Join(wrong, "\n"))
			}
			if len(told) != len((&work{}).steps()) {
				t.Errorf("told of %q", told)
			}
			want := "adopted already"
			if k.defined { // of which libvirt has removed its file
				want = "there is no"
			}
			if _, err := a.Look(context.Background(), b.request()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("a second time: %v", err)
			}
		})
	}
}

var errKilled = errors.New("killed here")

// points runs an adoption and gives all points between two changes.
func points(t *testing.T, k kind, undo bool) []string {
	t.Helper()
	b := newBench(t, k)
	a := b.adopter("node1")
	p, err := a.Look(context.Background(), b.request())
	must(t, err)
	var all []string
	if undo {
		a.At = func(point string) error {
			if point == "finish" {
				return errKilled
			}
			return nil
		}
		if err := a.Add(context.Background(), p); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
	}
	a.At = func(point string) error { all = append(all, point); return nil }
	if undo {
		must(t, a.Undo(context.Background(), p))
	} else {
		must(t, a.Add(context.Background(), p))
	}
	return all
}

// Whatever point a run ends at, resume ends in the new state and undo in the old one, whole; also if they are ended in
// the middle themselves, and the other one comes next.
func TestEndedAtEveryPoint(t *testing.T) {
	for n, k := range kinds() {
		forth, back := points(t, k, false), points(t, k, true)
		if len(forth) < 30 || len(back) < 15 {
			t.Fatalf("only %d and %d points", len(forth), len(back))
		}
		t.Logf("%s: %d points forth, %d back", k.label(), len(forth), len(back))
		all := os.Getenv("LBVM_ADOPT_KILLS") != "" // else one of the ways from each point
		// Most steps are the same for each technology; what retires a VM is not.
		skip := func(at int, point string) bool {
			return !all && n > 0 && at%4 != n && !strings.Contains(point, "retire")
		}
		ways := []string{"resume", "undo", "undo, resume", "undo, undo"}
		for at := range forth {
			for i, then := range ways {
				if !all && i != at%len(ways) || skip(at, forth[at]) {
					continue
				}
				second := (at * 7) % len(back)
				t.Run(fmt.Sprintf("%s/%d %s/%s", k.label(), at, strings.ReplaceAll(forth[at], "/", "-"), then), func(t *testing.T) {
					ended(t, k, at, then, second)
				})
			}
		}
		for at := range back { // from the last moment, taken back as far as each point
			for i, then := range ways[2:] {
				if !all && i != at%2 || skip(at, back[at]) {
					continue
				}
				t.Run(fmt.Sprintf("%s/back %d %s/%s", k.label(), at, strings.ReplaceAll(back[at], "/", "-"), then), func(t *testing.T) {
					ended(t, k, len(forth)-4, then, at)
				})
			}
		}
	}
}

// ended ends a run at its point number first, and what comes then, if it is two, at point number second.
func ended(t *testing.T, k kind, first int, then string, second int) {
	ctx := context.Background()
	b := newBench(t, k)
	before := listing(t, b.dir)
	a := b.adopter("node1")
	a.Keep = func(*os.File) run.Runner { return run.System{} } // nobody is killed here
	p, err := a.Look(ctx, b.request())
	must(t, err)
	stop := func(n int) func(string) error {
		return func(string) error {
			if n--; n < 0 {
				return errKilled
			}
			return nil
		}
	}
	a.At = stop(first)
	if err := a.Add(ctx, p); !errors.Is(err, errKilled) {
		t.Fatalf("it was not ended: %v", err)
	}
	settle(t, b, before, then, func(undo, last bool) error {
		a.At = nil
		if !last {
			a.At = stop(second)
		}
		p, err := a.Find(k.vm)
		if err != nil {
			return err
		}
		if undo {
			return a.Undo(ctx, p)
		}
		return a.Resume(ctx, p)
	})
}

// settle does what comes after a death and judges the end.
func settle(t *testing.T, b bench, before []string, then string, do func(undo, last bool) error) {
	t.Helper()
	words := strings.Split(then, ", ")
	old := false
	for i, word := range words {
		last := i == len(words)-1
		err := do(word == "undo", last)
		switch {
		case errors.Is(err, ErrRefused): // there is no adoption: it has not begun, was taken back, or is finished
			adopted, aerr := b.adopter("node1").Adopted()
			must(t, aerr)
			old = len(adopted) == 0
		case err != nil && (last || !errors.Is(err, errKilled)):
			t.Fatalf("%s: %v", word, err)
		default:
			old = word == "undo"
		}
	}
	wrong := b.wholeNew
	if old {
		wrong = func(t testing.TB) []string { return b.wholeOld(t, before) }
	}
	if w := wrong(t); len(w) > 0 {
		t.Errorf("old=%v\n%s", old, strings.Join(w, "\n"))
	}
}
