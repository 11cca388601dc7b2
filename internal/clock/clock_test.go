package clock

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2008, 1, 10, 12, 0, 0, 0, time.UTC)

func await(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestFakeSleep(t *testing.T) {
	f := NewFake(epoch)
	woken := make(chan error, 1)
	go func() { woken <- f.Sleep(context.Background(), time.Minute) }()
	if err := f.AwaitSleeper(await(t)); err != nil {
		t.Fatal(err)
	}
	f.Advance(59 * time.Second)
	select {
	case err := <-woken:
		t.Fatalf("woke a second early: %v", err)
	default:
	}
	f.Advance(time.Second)
	if err := <-woken; err != nil || !f.Now().Equal(epoch.Add(time.Minute)) {
		t.Errorf("%v at %v", err, f.Now())
	}
	if err := f.Sleep(context.Background(), 0); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { woken <- f.Sleep(ctx, time.Hour) }()
	if err := f.AwaitSleeper(await(t)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-woken; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := f.Sleep(ctx, -time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("slept with an ended context: %v", err)
	}
	if err := f.AwaitSleeper(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a sleeper that is none: %v", err)
	}
}

func TestFakeWakesAllThatAreDue(t *testing.T) {
	f := NewFake(epoch)
	var wg sync.WaitGroup
	for i := 1; i <= 20; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f.Sleep(context.Background(), time.Duration(i)*time.Second); err != nil {
				t.Error(err)
			}
		}()
		if err := f.AwaitSleeper(await(t)); err != nil {
			t.Fatal(err)
		}
	}
	f.Advance(7 * time.Second)
	f.Advance(13 * time.Second)
	wg.Wait()
}

func TestFakeWithTimeout(t *testing.T) {
	f := NewFake(epoch)
	ctx, cancel := f.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	child, stop := context.WithCancel(ctx)
	defer stop()
	if _, ok := ctx.Deadline(); ok {
		t.Error("a fake clock told a real deadline")
	}
	if ctx.Err() != nil {
		t.Error(ctx.Err())
	}
	f.Advance(time.Minute)
	<-child.Done()
	for _, c := range []context.Context{ctx, child} {
		if !errors.Is(c.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(c), context.DeadlineExceeded) {
			t.Errorf("%v, %v", c.Err(), context.Cause(c))
		}
	}
	ctx, cancel = f.WithTimeout(context.Background(), time.Minute)
	cancel()
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error(ctx.Err())
	}
	ctx, cancel = f.WithTimeout(context.Background(), 0)
	defer cancel()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("no time left: %v", ctx.Err())
	}
}

func TestSystem(t *testing.T) {
	c := System()
	before := time.Now()
	if err := c.Sleep(context.Background(), 10*time.Millisecond); err != nil {
		t.Error(err)
	}
	if d := c.Now().Sub(before); d < 10*time.Millisecond {
		t.Errorf("slept %v", d)
	}
	ctx, cancel := c.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := c.Sleep(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slept with an ended context: %v", err)
	}
}

func TestScaled(t *testing.T) {
	s := Scaled{Start: time.Now(), Epoch: epoch, Scale: 3600}
	before, real := s.Now(), time.Now()
	if err := s.Sleep(context.Background(), time.Minute); err != nil { // a sixtieth of a second
		t.Error(err)
	}
	if took := time.Since(real); took < time.Minute/3600 || took > 4*time.Minute {
		t.Errorf("a minute took %v", took)
	}
	if d := s.Now().Sub(before); d < time.Minute {
		t.Errorf("the clock went on by %v", d)
	}
	ctx, cancel := s.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Minute/2 {
		t.Errorf("%v, %v", end, ok)
	}
	if got, err := parseScaled(s.Format()); err != nil || !got.Start.Equal(s.Start.Round(0)) || !got.Epoch.Equal(s.Epoch) || got.Scale != s.Scale {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFromRoot(t *testing.T) {
	if c, err := FromRoot(""); c != System() || err != nil {
		t.Errorf("%v, %v", c, err)
	}
	root := t.TempDir()
	if c, err := FromRoot(root); c != System() || err != nil {
		t.Errorf("no file: %v, %v", c, err)
	}
	path := filepath.Join(root, File)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("# lab\nreal=1000\nlab=2000\nscale=60\nother=1\n")
	c, err := FromRoot(root)
	if s, ok := c.(Scaled); err != nil || !ok || s.Scale != 60 || s.Start.UnixNano() != 1000 || s.Epoch.UnixNano() != 2000 {
		t.Errorf("%v, %v", c, err)
	}
	for _, text := range []string{
		"", "real=1\nlab=2\n", "real=1\nscale=3\n", "real=1\nreal=2\nscale=3\n", "real=1\nlab=2\nscale=3\nlab=2\n", "real=x\nlab=2\nscale=3\n", "real=1\nlab=\nscale=3\n",
		"real=1\nlab=2\nscale=0\n", "real=1\nlab=2\nscale=-1\n", "real=1\nlab=2\nscale=NaN\n", "real=1\nlab=2\nscale=Inf\n", "real=1\nlab=2\nscale=1e9\n",
		"real=99999999999999999999\nlab=2\nscale=3\n",
	} {
		write(text)
		if c, err := FromRoot(root); err == nil {
			t.Errorf("%q gave %v", text, c)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if c, err := FromRoot(root); err == nil {
		t.Errorf("a folder gave %v", c)
	}
}

func TestShare(t *testing.T) {
	left := func(ctx context.Context) time.Duration {
		t.Helper()
		end, ok := ctx.Deadline()
		if !ok {
			t.Fatal("no deadline")
		}
		return time.Until(end)
	}
	near := func(got, want time.Duration) bool { return math.Abs(float64(got-want)) < float64(30*time.Second) }
	ctx, cancel := Share(context.Background(), 3, time.Minute)
	defer cancel()
	if d := left(ctx); !near(d, time.Minute) {
		t.Errorf("%v without a deadline", d)
	}
	long, stop := context.WithTimeout(context.Background(), 2*time.Hour)
	defer stop()
	for _, c := range []struct {
		part int
		most time.Duration
		want time.Duration
	}{{3, time.Hour, 40 * time.Minute}, {3, time.Minute, time.Minute}, {1, 3 * time.Hour, 2 * time.Hour}, {0, time.Minute, time.Minute}} {
		ctx, cancel := Share(long, c.part, c.most)
		if d := left(ctx); !near(d, c.want) {
			t.Errorf("%+v: %v", c, d)
		}
		cancel()
	}
	stop()
	ctx, cancel = Share(long, 3, time.Minute)
	defer cancel()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error(ctx.Err())
	}
}

func FuzzParseScaled(f *testing.F) {
	f.Add([]byte("real=1000\nlab=2000\nscale=60\n"))
	f.Add([]byte("real=-1\nlab=9223372036854775807\nscale=1e-300\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseScaled(b)
		if err != nil {
			return
		}
		if !(s.Scale > 0) {
			t.Errorf("%+v", s)
		}
		again, err := parseScaled(s.Format())
		if err != nil || !again.Start.Equal(s.Start) || !again.Epoch.Equal(s.Epoch) || again.Scale != s.Scale {
			t.Errorf("%+v became %+v, %v", s, again, err)
		}
	})
}
