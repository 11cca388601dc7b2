package rpm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cluster is a lab of two nodes that the installed tree of a root runs.
type cluster struct {
	t   *testing.T
	r   root
	dir string
	old bool // with the system calls of an old kernel
}

// newCluster starts a lab with a guest of each technology, and sets it up as the manual tells.
func newCluster(t *testing.T, r root, old bool) cluster {
	t.Helper()
	c := cluster{t, r, filepath.Join(t.TempDir(), "lab"), old}
	t.Cleanup(func() {
		if t.Failed() {
			for _, f := range []string{"log/manager.log", "nodes/node1/var/log/messages"} {
				text := read(t, filepath.Join(c.dir, f))
				t.Logf("the end of %s:\n%s", f, text[max(0, len(text)-4000):])
			}
		}
		if out, code := c.run("lbvm-lab", "--lab", c.dir, "down"); code != 0 {
			t.Errorf("lbvm-lab down: exit %d: %s", code, out)
		}
	})
	c.want(0, "lbvm-lab", "up", "--nodes", "2", "--openvz", "1", "--xen", "1", "--kvm", "1", "--scale", "20", c.dir)
	c.on("node1", 0, "lbm", "init", "--shared", "/shared", "--update")
	c.on("node2", 0, "lbm", "init", "--shared", "/shared", "--join")
	for _, n := range []string{"node1", "node2"} {
		c.file("nodes/"+n+"/dev/kvm", "")
		c.file("nodes/"+n+"/usr/bin/ssh", ssh)
		if err := os.Chmod(filepath.Join(c.dir, "nodes", n, "usr/bin/ssh"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"node1", "node2"} { // what the nodes publish of themselves comes by and by
		c.soon(n, 0, "lbm", "doctor")
	}
	return c
}

// ssh runs lbm or true on another node of the lab: -oBatchMode=yes -oConnectTimeout=10 -- NODE PROGRAM ARGUMENT...
const ssh = "#!/bin/sh\nnode=$4 program=$5\nshift 5\n[ \"$program\" != true ] || exit 0\nroot=${LBVM_ROOT%/*}/$node\n[ -e \"$root/etc/hostname\" ] || exit 255\nLBVM_ROOT=$root exec \"$root/usr/sbin/lbm\" \"$@\"\n"

// run runs a program of the installed tree, or another one.
func (c cluster) run(argv ...string) (string, int) {
	c.t.Helper()
	words := append([]string{}, argv...)
	for i, w := range words {
		if w == "lbvm-lab" {
			words[i] = c.r.path("usr/bin/lbvm-lab")
		}
	}
	var out string
	var err error
	if c.old {
		out, err = under(c.t, "errno", "", words...)
	} else {
		out, err = run(c.t, "", words[0], words[1:]...)
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return out, exit.ExitCode()
	case err != nil:
		return out + err.Error(), -1
	}
	return out, 0
}

func (c cluster) want(code int, argv ...string) string {
	c.t.Helper()
	out, got := c.run(argv...)
	if got != code {
		c.t.Fatalf("%s: exit %d, not %d: %s", strings.Join(argv, " "), got, code, out)
	}
	return out
}

// command is the words that run a command on a node; what stands before it with a = goes into its environment.
func (c cluster) command(node string, words []string) []string {
	argv := []string{"env"}
	for len(words) > 0 && strings.Contains(words[0], "=") {
		argv, words = append(argv, words[0]), words[1:]
	}
	return append(append(argv, "lbvm-lab", "--lab", c.dir, "run", node), words...)
}

// on runs a command on a node.
func (c cluster) on(node string, code int, words ...string) string {
	c.t.Helper()
	return c.want(code, c.command(node, words)...)
}

// soon is on for what comes true within a minute or two.
func (c cluster) soon(node string, code int, words ...string) string {
	c.t.Helper()
	const limit = 8 * time.Minute
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		out, got := c.run(c.command(node, words)...)
		if got == code {
			return out
		}
		if time.Now().After(end) {
			c.t.Fatalf("%s: %s: after %s still exit %d, not %d: %s", node, strings.Join(words, " "), limit, got, code, out)
		}
	}
}

// file writes a file of the lab.
func (c cluster) file(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// like makes the configuration and the disk of one more guest after those of one that is there. No cluster.conf names it: what
// runs it are the calls of the test.
func (c cluster) like(vm, other, conf string) {
	c.t.Helper()
	text := strings.ReplaceAll(read(c.t, filepath.Join(c.dir, "shared", strings.ReplaceAll(conf, "NAME", other))), other, vm)
	if before, rest, ok := strings.Cut(text, "<uuid>"); ok {
		_, after, _ := strings.Cut(rest, "</uuid>")
		text = before + "<uuid>7c1d5a70-4d0f-4f6e-9d0a-0123456789ab</uuid>" + after
	}
	c.file(filepath.Join("shared", strings.ReplaceAll(conf, "NAME", vm)), text)
	c.file("shared/images/"+vm+".img", strings.Repeat("\x00", 4096))
}
