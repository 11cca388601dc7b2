package main

import (
	"testing"
	"time"
)

// How far a copy is, how fast, and how long still; nothing is made up before there is a rate.
func TestProgressText(t *testing.T) {
	const mib = 1 << 20
	for _, x := range []struct {
		done, total int64
		took        time.Duration
		want        string
	}{
		{0, 100 * mib, 0, "0 of 100 MiB"},
		{10 * mib, 100 * mib, 500 * time.Millisecond, "10 of 100 MiB"},
		{20 * mib, 100 * mib, 2 * time.Second, "20 of 100 MiB, 10.0 MiB/s, 8s left"},
		{100 * mib, 100 * mib, 10 * time.Second, "100 of 100 MiB, 10.0 MiB/s"},
		{0, 100 * mib, time.Minute, "0 of 100 MiB"},
	} {
		if got := progressText(x.done, x.total, x.took); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
}
