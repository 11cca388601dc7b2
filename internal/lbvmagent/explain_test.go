package lbvmagent

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// tree is every name, time and byte of the node.
func (n *node) tree() string {
	n.t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(n.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&out, path, fi.Mode(), fi.ModTime().UnixNano())
		if !fi.Mode().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		out.Write(b)
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out.String()
}

// explain asks for an explanation and checks that it changed nothing.
func (n *node) explain(action string) string {
	n.t.Helper()
	var out bytes.Buffer
	before, logged := n.tree(), len(n.log.all)
	w := ocf.World{Args: []string{"/usr/share/cluster/lbvm.sh", "--explain", action}, Env: []string{"OCF_RESKEY_name=balancer", "LBVM_ROOT=" + n.root},
		Now: func() time.Time { return n.now }, Log: n.log, Stdout: &out}
	if code := ocf.Run(w, metadata.LBVM(), n.agent); code != 0 {
		n.t.Errorf("explaining %s: exit %d", action, code)
	}
	if n.tree() != before || len(n.started) > 0 || len(n.log.all) != logged {
		n.t.Errorf("explaining %s changed something, started %v or logged:\n%s", action, n.started, out.String())
	}
	return out.String()
}

// The explanation tells what the agent finds and would do, ends as the action does, and changes nothing.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name, action string
		setup        func(n *node)
		want         []string
		code         ocf.Code // of the action itself
	}{
		{"start", "start", nil, []string{"it writes ", startedFile}, 0},
		{"start again", "start", func(n *node) { n.call("start", 0) }, []string{"it is started here already"}, 0},
		{"not installed", "start", func(n *node) {
			if err := os.Remove(n.path(Monitor)); err != nil {
				n.t.Fatal(err)
			}
		}, []string{"the balancer is not installed"}, ocf.CodeInstalled},
		{"stop", "stop", func(n *node) { n.call("start", 0) }, []string{"found: it is started here", "it removes "}, 0},
		{"stop of what is stopped", "stop", nil, []string{"found: it is not started here"}, 0},
		{"status of what is stopped", "status", nil, nil, ocf.CodeNotRunning},
		{"first status", "status", func(n *node) { n.call("start", 0) }, []string{"no pass has ended", "would run: ", Monitor}, 0},
		{"status, a pass runs", "status", func(n *node) {
			n.call("start", 0)
			l, err := lockfile.Try(n.path(LockFile), "")
			if err != nil {
				n.t.Fatal(err)
			}
			n.t.Cleanup(func() { l.Close() })
		}, []string{"a pass runs; none is started"}, 0},
		{"status, passes fail", "status", func(n *node) { n.call("start", 0); n.pass(Failed, CauseNode, Limit) },
			[]string{"failed for a cause of this node: 3", "would run: "}, ocf.CodeGeneric},
		{"status, passes say nothing", "status", func(n *node) {
			n.call("start", 0)
			for range 3 {
				n.call("status", 0)
			}
			n.launches()
		}, []string{"ended without a word: 3", "would run: "}, ocf.CodeGeneric},
		{"validate-all", "validate-all", nil, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t)
			if c.setup != nil {
				c.setup(n)
			}
			text := n.explain(c.action)
			for _, want := range append(c.want, fmt.Sprintf("(exit %d)", int(c.code))) {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
			started := strings.Contains(text, "would run: ")
			n.call(c.action, c.code)
			if (n.launches() == 1) != started {
				t.Errorf("what is started is something else than it tells:\n%s", text)
			}
		})
	}
}
