package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	"github.com/lbvm/lbvm/pkg/balance"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

func sender(t *testing.T, wait clock.Clock) (Sender, string) {
	t.Helper()
	root := t.TempDir()
	h, err := host.New(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Sender{Host: h, Run: run.System{}, Wait: wait}, root
}

func script(t *testing.T, root, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, "bin/page"), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func moved() Event {
	at := time.Date(2007, 11, 21, 12, 0, 0, 0, time.UTC)
	event, item := Moved(balance.Move{VM: "openvz:101", From: "node1", To: "node2", Outcome: balance.OutcomeMoved, Owner: "node2", Memory: balance.MemoryKept,
		Begin: at, End: at.Add(12500 * time.Millisecond), Why: "lbvm.conf:9: \"hot\" $(reboot) > 0.7\nsecond line"}, nil)
	return New(event, at, "test", "node1", []Item{item})
}

func TestCommand(t *testing.T) {
	s, root := sender(t, clock.System())
	script(t, root, `cat >"$LBVM_ROOT/stdin"; printf '%s\n' "$@" >"$LBVM_ROOT/args"; env | grep ^LBVM_ | sort >"$LBVM_ROOT/env"`+"\n")
	to := conf.Notify{Events: []string{Move}, Command: []string{"/bin/page", "--to", "ops,night"}}
	if err := s.Send(context.Background(), to, moved()); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read("args"); got != "--to\nops,night\n" {
		t.Errorf("arguments %q", got)
	}
	text := "openvz:101 was moved from node1 to node2, memory kept: lbvm.conf:9: \"hot\" $(reboot) > 0.7 second line"
	want := "LBVM_CLUSTER=test\nLBVM_COUNT=1\nLBVM_EVENT=move\nLBVM_NODE=node1\nLBVM_OUTCOME=moved\nLBVM_ROOT=" + root + "\nLBVM_SOURCE=node1\nLBVM_TARGET=node2\nLBVM_TEST=0\nLBVM_TEXT=" + text + "\nLBVM_VM=openvz:101\n"
	if got := read("env"); got != want {
		t.Errorf("environment\n%s\nwant\n%s", got, want)
	}
	var e Event
	if err := json.Unmarshal([]byte(read("stdin")), &e); err != nil || e.Event != "move" || e.Text != text || e.Count != 1 || len(e.Items) != 1 || *e.Items[0].Seconds != 12.5 || *e.Items[0].Memory != "kept" {
		t.Errorf("%+v %v", e, err)
	}
	script(t, root, "cat >/dev/null; echo no modem >&2; exit 3\n")
	if err := s.Send(context.Background(), to, moved()); err == nil || err.Error() != "telling /bin/page: it ended with 3: no modem" {
		t.Errorf("%v", err)
	}
	if err := s.Send(context.Background(), conf.Notify{Command: []string{"/bin/gone"}}, moved()); !errors.Is(err, run.ErrNotFound) {
		t.Errorf("%v", err)
	}
	script(t, root, "exit 0\n") // it reads nothing of what it is given
	if err := s.Send(context.Background(), to, moved()); err != nil {
		t.Errorf("%v", err)
	}
}

// A command that hangs is ended with all that it began, when its time is over.
func TestCommandThatHangs(t *testing.T) {
	fake := clock.NewFake(noon())
	s, root := sender(t, fake)
	script(t, root, "sleep 1000 & echo begun >\"$LBVM_ROOT/fifo\"; wait\n")
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- s.Send(context.Background(), conf.Notify{Command: []string{"/bin/page"}}, moved())
	}()
	if b, err := os.ReadFile(filepath.Join(root, "fifo")); err != nil || string(b) != "begun\n" { // waits for the writer
		t.Fatalf("%q %v", b, err)
	}
	fake.Advance(sendLimit)
	if err := <-done; !errors.Is(err, run.ErrDeadline) {
		t.Errorf("%v", err)
	}
}

func TestWebhook(t *testing.T) {
	s, _ := sender(t, clock.System())
	var got Event
	var kind, auth string
	status, location := http.StatusNoContent, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(b, &got) != nil || r.Method != http.MethodPost {
			t.Errorf("%s %q %v", r.Method, b, err)
		}
		kind, auth = r.Header.Get("Content-Type"), r.Header.Get("Authorization")
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
		if status >= 400 {
			io.WriteString(w, "no such hook\nmore\n")
		}
	}))
	defer server.Close()
	to := conf.Notify{URL: strings.Replace(server.URL, "http://", "http://who:secret@", 1) + "/hook/token123"}
	if err := s.Send(context.Background(), to, moved()); err != nil || got.Event != "move" || got.Cluster != "test" || kind != "application/json" || auth == "" {
		t.Errorf("%+v %q %q %v", got, kind, auth, err)
	}
	status = http.StatusNotFound
	if err := s.Send(context.Background(), to, moved()); err == nil || !strings.Contains(err.Error(), "it answered 404 Not Found: no such hook") || strings.Contains(err.Error(), "token123") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	status, location = http.StatusFound, server.URL+"/elsewhere"
	if err := s.Send(context.Background(), to, moved()); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("a redirection was followed: %v", err)
	}
	server.Close()
	if err := s.Send(context.Background(), to, moved()); err == nil || strings.Contains(err.Error(), "token123") || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

// A server that takes the call and says nothing is given up on when its time is over.
func TestWebhookThatHangs(t *testing.T) {
	fake := clock.NewFake(noon())
	s, _ := sender(t, fake)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		done <- s.Send(context.Background(), conf.Notify{URL: "http://" + l.Addr().String() + "/"}, moved())
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fake.Advance(sendLimit)
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

type teller func(ctx context.Context, to conf.Notify, e Event) error

func (f teller) Send(ctx context.Context, to conf.Notify, e Event) error { return f(ctx, to, e) }

// One who cannot be told keeps the others from nothing, and a pass that was told to end still tells what it did.
func TestDeliver(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	fake := clock.NewFake(noon())
	var mu sync.Mutex
	var told, lost []string
	var before sync.WaitGroup
	before.Add(3) // calls that are made before the time is over
	go func() {
		before.Wait()
		fake.Advance(deliverLimit)
	}()
	Deliver(ended, teller(func(ctx context.Context, to conf.Notify, e Event) error {
		if Name(to) == "/bin/hangs" {
			before.Done()
			<-ctx.Done()
			return ctx.Err()
		}
		defer before.Done()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		told = append(told, Name(to)+" "+e.Event)
		return nil
	}), fake, []conf.Notify{{Events: []string{Move}, Command: []string{"/bin/hangs"}}, {Events: []string{Failed, Move}, Command: []string{"/bin/a"}}, {Events: []string{Report}, Command: []string{"/bin/b"}}},
		[]Event{moved(), {Event: Failed}}, func(to conf.Notify, e Event, err error) { lost = append(lost, Name(to)+" "+e.Event) })
	if strings.Join(told, ", ") != "/bin/a move, /bin/a failed" || strings.Join(lost, ", ") != "/bin/hangs move" {
		t.Errorf("told %q, lost %q", told, lost)
	}
}

func TestEventsAreBounded(t *testing.T) {
	var items []Item
	for range 5000 {
		items = append(items, Item{text: "x"})
	}
	e := New(Report, noon(), "test", "node1", items)
	if e.Count != 5000 || len(e.Items) != maxItems || e.Text != "x; x; x; and 4997 more" {
		t.Errorf("%d, %d items, %q", e.Count, len(e.Items), e.Text)
	}
}

func TestMovesInWords(t *testing.T) {
	m := balance.Move{VM: "xen:web", From: "node1", To: "node2", Outcome: balance.OutcomeFailed, Owner: "node1", Why: "lbvm.conf:9"}
	event, item := Moved(m, errors.New("no room"))
	if event != Failed || item.text != "xen:web was not moved from node1 to node2: no room; it is on node1" {
		t.Errorf("%s %q", event, item.text)
	}
	m.Owner, m.Outcome = "", balance.OutcomeUnknown
	if event, item = Moved(m, nil); event != Failed || !strings.Contains(item.text, "not known") || item.Owner != nil {
		t.Errorf("%s %q", event, item.text)
	}
	for _, name := range conf.NotifyEvents() {
		if e := Example(name, noon(), "test", "node1"); !e.Test || e.Event != name || !strings.Contains(e.Text, "nothing has happened") {
			t.Errorf("%+v", e)
		}
	}
}
