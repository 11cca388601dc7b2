package ocf

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestUntil(t *testing.T) {
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var asked time.Duration
	c := &Call{Timeout: 300 * time.Second, began: began, World: World{
		WithTimeout: func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			asked = d
			return context.WithTimeout(ctx, d)
		}}}
	for _, tt := range []struct {
		elapsed  time.Duration
		part, of int
		want     time.Duration
	}{
		{0, 2, 3, 200 * time.Second}, {50 * time.Second, 2, 3, 150 * time.Second}, {250 * time.Second, 2, 3, 0},
		{0, 1, 1, 300 * time.Second}, {-time.Hour, 1, 2, 150 * time.Second}, {time.Hour, 1, 2, 0},
	} {
		c.World.Now = func() time.Time { return began.Add(tt.elapsed) }
		_, cancel := c.Until(context.Background(), tt.part, tt.of)
		cancel()
		if asked != tt.want {
			t.Errorf("%d/%d after %s: %s, want %s", tt.part, tt.of, tt.elapsed, asked, tt.want)
		}
	}
	c.Timeout = maxSeconds * time.Second // no overflow
	c.World.Now = func() time.Time { return began }
	if _, cancel := c.Until(context.Background(), 2, 3); true {
		cancel()
	}
	if asked < 66*365*24*time.Hour {
		t.Errorf("two thirds of a century are %s", asked)
	}
	for _, c := range []*Call{{}, {Timeout: time.Minute}} { // without a timeout; a call made by hand
		ctx, cancel := c.Until(context.Background(), 2, 3)
		if ctx.Err() != nil {
			t.Errorf("%+v: ended at once", c.Timeout)
		}
		cancel()
	}
	ctx, cancel := (&Call{Timeout: time.Minute}).Until(context.Background(), 1, 0)
	if ctx.Err() != nil {
		t.Error("a part of nothing ended at once")
	}
	cancel()
}

func TestAwait(t *testing.T) {
	c := &Call{World: World{WithTimeout: hurry}}
	n := 0
	count := func(context.Context) (bool, error) { n++; return n == 3, nil }
	if err := c.Await(context.Background(), time.Second, count); err != nil || n != 3 {
		t.Errorf("%v after %d", err, n)
	}
	broken := errors.New("broken")
	if err := c.Await(context.Background(), 0, func(context.Context) (bool, error) { return false, broken }); err != broken {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	n = 2
	if err := c.Await(ended, time.Hour, count); err != nil || n != 3 {
		t.Errorf("it did not ask once: %v", err)
	}
	err := c.Await(ended, time.Hour, func(context.Context) (bool, error) { return false, nil })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "not so in time") {
		t.Error(err)
	}
}
