package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// reach runs lblog of the node that ssh is asked for; other commands run as they are.
type reach struct {
	run.Runner
	nodes map[string]*world
	down  map[string]bool
}

func (r *reach) Run(ctx context.Context, c run.Command) (run.Result, error) {
	if filepath.Base(c.Argv[0]) != "ssh" {
		return r.Runner.Run(ctx, c)
	}
	n := len(c.Argv)
	peer := r.nodes[c.Argv[n-3]]
	if peer == nil || r.down[c.Argv[n-3]] {
		return run.Result{Code: 255, Stderr: []byte("ssh: connect to host: No route to host\n")}, nil
	}
	var out, errs bytes.Buffer
	w := *peer
	w.stdin, w.stdout, w.stderr = bytes.NewReader(c.Stdin), &out, &errs
	code := w.main(append([]string{"lblog"}, c.Argv[n-1:]...))
	return run.Result{Code: code, Stdout: out.Bytes(), Stderr: errs.Bytes()}, nil
}

// pair are two nodes that share nothing, and a third one of their cluster that is down.
func pair(t *testing.T, conf string) (*reach, *bytes.Buffer) {
	t.Helper()
	b, err := os.ReadFile("testdata/measure.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, files := archive(string(b))
	r := &reach{Runner: run.System{}, nodes: map[string]*world{}, down: map[string]bool{}}
	var errs bytes.Buffer
	for _, name := range []string{"node1", "node2"} {
		root := t.TempDir()
		for _, f := range files {
			if p, ok := strings.CutPrefix(f.name, "root/"); ok && !strings.HasPrefix(p, "shared/") {
				write(t, filepath.Join(root, p), f.text)
			}
		}
		write(t, filepath.Join(root, "etc/hostname"), name+"\n")
		write(t, filepath.Join(root, "etc/cluster/lbvm.id"), "format=1\ncluster=test\nuuid=u\nmember="+name+"\nshared=none\nlogdir=/log\n")
		write(t, filepath.Join(root, "etc/cluster/lbvm.conf"), "logdir /log;\nbalance ;\n"+conf)
		write(t, filepath.Join(root, "etc/cluster/lbresources.conf"), "resource ram { builtin ram; }\nresource users { cmd echo 3; logfile people; }\n")
		write(t, filepath.Join(root, "etc/cluster/cluster.conf"), `<cluster name="test" config_version="1"><clusternodes><clusternode name="node1" nodeid="1"/><clusternode name="node2" nodeid="2"/><clusternode name="node3" nodeid="3"/></clusternodes></cluster>`)
		write(t, filepath.Join(root, "usr/bin/ssh"), "#!/bin/false\n")
		if err := os.MkdirAll(filepath.Join(root, "log"), 0o755); err != nil {
			t.Fatal(err)
		}
		w, _, _ := at(t, root)
		w.run, w.stderr = r, &errs
		r.nodes[name] = &w
	}
	return r, &errs
}

func read(t *testing.T, w *world, path string) string {
	t.Helper()
	b, err := os.ReadFile(w.host.Path(path))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// What a node measures stands in the logs of the other as well, with its facts, and a member that is down spoils nothing
// and is told once.
func TestPush(t *testing.T) {
	r, errs := pair(t, "logs push;\n")
	a, b := r.nodes["node1"], r.nodes["node2"]
	if code := a.main([]string{"lblog"}); code != 0 {
		t.Fatalf("code %d: %s", code, errs)
	}
	for _, log := range []string{"ram", "people"} {
		if here, there := read(t, a, "/log/node1-"+log), read(t, b, "/log/node1-"+log); here == "" || here != there {
			t.Errorf("%s: %q here, %q there", log, here, there)
		}
	}
	own, err1 := host.ReadFacts(a.host.Path(host.PushedDir), "node1")
	sent, err2 := host.ReadFacts(b.host.Path(host.PushedDir), "node1")
	if err1 != nil || err2 != nil || sent.Boot != own.Boot || sent.At.IsZero() || !sent.At.Equal(own.At) {
		t.Errorf("facts: %v %v %+v", err1, err2, sent)
	}
	if !strings.Contains(errs.String(), "No route to host") || !strings.Contains(errs.String(), "member=node3") || strings.Contains(errs.String(), "member=node2") {
		t.Errorf("told: %s", errs)
	}
	errs.Reset()
	r.down["node2"], a.clock = true, still{a.clock.Now().Add(time.Minute)}
	if code := a.main([]string{"lblog"}); code != 0 || !strings.Contains(errs.String(), "member=node2") || strings.Contains(errs.String(), "member=node3") {
		t.Errorf("code %d, told: %s", code, errs)
	}
	errs.Reset()
	r.down["node2"], a.clock = false, still{a.clock.Now().Add(time.Minute)}
	if code := a.main([]string{"lblog"}); code != 0 || !strings.Contains(errs.String(), "what is measured is sent again") || strings.Contains(errs.String(), "node3") {
		t.Errorf("code %d, told: %s", code, errs)
	}
	if got := strings.Count(read(t, b, "/log/node1-ram"), "\n"); got != 2 {
		t.Errorf("%d lines of node1 on node2", got)
	}
	errs.Reset()
	before := read(t, b, "/log/node1-ram")
	if code := a.main([]string{"lblog", "--dry-run"}); code != 0 || read(t, b, "/log/node1-ram") != before || errs.Len() > 0 {
		t.Errorf("a dry run: code %d %s", code, errs)
	}
}

// A node that was not told to take packets takes none, and none with names that it does not know.
func TestReceiveRefuses(t *testing.T) {
	for _, c := range []struct{ name, conf, text, want string }{
		{"not told to", "", "lbvm-push 1 node1\nram 1 2\nend\n", "does not say logs push; nothing was written"},
		{"of itself", "logs push;", "lbvm-push 1 node2\nram 1 2\nend\n", `"node2" is no other member of this cluster; nothing was written`},
		{"of a stranger", "logs push;", "lbvm-push 1 node7\nram 1 2\nend\n", `"node7" is no other member`},
		{"of a file", "logs push;", "lbvm-push 1 node1\nusers 1 2\nend\n", `no resource here with the log "users"`},
		{"half", "logs push;", "lbvm-push 1 node1\nram 1 2\n", "it breaks off"},
		{"endless", "logs push;", "lbvm-push 1 node1\n" + strings.Repeat("ram 1 2\n", 200000) + "end\n", "it is longer than"},
	} {
		r, errs := pair(t, c.conf)
		w := r.nodes["node2"]
		w.stdin = strings.NewReader(c.text)
		if code := w.main([]string{"lblog", "--receive"}); code != 1 || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: code %d, %s", c.name, code, errs)
		}
		if left, err := os.ReadDir(w.host.Path("/log")); err != nil || len(left) > 0 {
			t.Errorf("%s: it wrote %v", c.name, left)
		}
	}
}

// Where the other sees the same folder its receiver writes no value a second time, and the sender says so, once.
func TestPushIntoACommonFolder(t *testing.T) {
	r, errs := pair(t, "logs push;\n")
	a, b := r.nodes["node1"], r.nodes["node2"]
	if err := os.Remove(b.host.Path("/log")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(a.host.Path("/log"), b.host.Path("/log")); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		a.clock = still{a.clock.Now().Add(time.Minute)}
		errs.Reset()
		if code := a.main([]string{"lblog"}); code != 0 || strings.Contains(errs.String(), "is not needed: this member sees the same logdir") != (i == 1) {
			t.Errorf("run %d: code %d, told: %s", i, code, errs)
		}
		for _, log := range []string{"ram", "people"} {
			if n := strings.Count(read(t, a, "/log/node1-"+log), "\n"); n != i+1 {
				t.Errorf("run %d: %d values in %s", i, n, log)
			}
		}
	}
}

// Two runs in one second send the same stamps twice: that the other one has them by then does not say that it sees the same folder.
func TestPushTwiceInASecond(t *testing.T) {
	r, errs := pair(t, "logs push;\n")
	a := r.nodes["node1"]
	if code := a.main([]string{"lblog"}); code != 0 {
		t.Fatalf("code %d: %s", code, errs)
	}
	for range 3 {
		errs.Reset()
		for range 2 {
			if code := a.main([]string{"lblog"}); code != 0 || strings.Contains(errs.String(), "member=node2") {
				t.Errorf("code %d, told: %s", code, errs)
			}
			a.clock = still{a.clock.Now().Add(time.Minute)}
		}
		a.clock = still{a.clock.Now().Add(-time.Minute)}
	}
}

// endless sends a little and never hangs up.
type endless struct {
	began, stop chan struct{}
	once        sync.Once
}

func (e *endless) Read(b []byte) (int, error) {
	first := false
	e.once.Do(func() { first = true })
	if first {
		return copy(b, "lbvm-push 1 node1\n"), nil
	}
	close(e.began)
	<-e.stop
	return 0, io.EOF
}

// A sender that never ends is not waited for, and nothing of it is written.
func TestReceiveHasADeadline(t *testing.T) {
	r, _ := pair(t, "logs push;\n")
	w := r.nodes["node2"]
	e := &endless{began: make(chan struct{}), stop: make(chan struct{})}
	defer close(e.stop)
	w.stdin = e
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { <-e.began; cancel(errors.New("the time is over")) }()
	if err := w.receive(ctx, host.ConfFile); err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(w.host.Path("/log")); err != nil || len(left) > 0 {
		t.Errorf("it wrote %v", left)
	}
}
