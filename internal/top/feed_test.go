package top

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
)

func TestFeedAndFollow(t *testing.T) {
	r, w := io.Pipe()
	wait := clock.NewFake(now())
	n := 0
	done := make(chan error, 1)
	go func() {
		done <- Feed(context.Background(), w, wait, time.Minute, func() (Snapshot, error) {
			if n++; n == 2 {
				return Snapshot{}, errors.New("the shared storage is not mounted")
			}
			return *cluster(), nil
		})
	}()
	updates := Follow(r)
	step := func() {
		if err := wait.AwaitSleeper(context.Background()); err != nil {
			t.Fatal(err)
		}
		wait.Advance(time.Minute)
	}
	if u := <-updates; u.Snapshot == nil || len(u.Snapshot.VMs) != 5 || u.Error != "" {
		t.Errorf("%+v", u)
	}
	step()
	if u := <-updates; u.Snapshot != nil || u.Error != "the shared storage is not mounted" {
		t.Errorf("%+v", u)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	step() // who cannot tell anybody any more ends
	if err := <-done; err != nil {
		t.Error(err)
	}
	for range updates { // and is closed
	}
}

// Who looks up seldom sees the newest, and what nobody can read is said.
func TestFollowKeepsTheNewest(t *testing.T) {
	var b bytes.Buffer
	for range 100 {
		b.WriteString(`{"error":"old"}` + "\n")
	}
	b.WriteString("half a li")
	whole := &told{Reader: &b, ended: make(chan struct{})}
	updates := Follow(whole)
	<-whole.ended
	n := 0
	last := Update{}
	for u := range updates {
		n, last = n+1, u
	}
	if n > 2 || !strings.Contains(last.Error, "nothing that can be understood") { // the last but one may stand there yet
		t.Errorf("%d updates, the last %+v", n, last)
	}
}

// told is a reader that tells when it was read to its end.
type told struct {
	io.Reader
	ended chan struct{}
}

func (r *told) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		close(r.ended)
	}
	return n, err
}
