package ccs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/atomicfile"
)

// disk is a model of a file system under a power cut. What was not synced may be there or not, each thing for
// itself: that is worse than any real file system.
type disk struct {
	names   map[string]*inode // durable
	pending []func(map[string]*inode)
	files   map[string]*inode // as the running system sees them
	all     []*inode
}

type inode struct {
	data   string // durable
	mode   fs.FileMode
	writes []string // not synced
	chmod  fs.FileMode
	dirty  bool // chmod is not synced
}

func newDisk(t *testing.T, dir string) *disk {
	t.Helper()
	d := &disk{names: map[string]*inode{}, files: map[string]*inode{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		n := &inode{data: string(b), mode: fi.Mode()}
		d.names[path], d.files[path] = n, n
		d.all = append(d.all, n)
	}
	return d
}

func (d *disk) do(c call) {
	switch c.kind {
	case "create":
		n := &inode{mode: 0o600}
		d.all = append(d.all, n)
		d.files[c.path] = n
		d.pending = append(d.pending, func(names map[string]*inode) { names[c.path] = n })
	case "write":
		n := d.files[c.path]
		n.writes = append(n.writes, string(c.data))
	case "chmod":
		n := d.files[c.path]
		n.chmod, n.dirty = c.mode, true
	case "sync":
		n := d.files[c.path]
		n.data, n.writes = n.data+strings.Join(n.writes, ""), nil
		if n.dirty {
			n.mode, n.dirty = n.chmod, false
		}
	case "rename":
		n := d.files[c.path]
		delete(d.files, c.path)
		d.files[c.to] = n
		d.pending = append(d.pending, func(names map[string]*inode) { names[c.to] = n; delete(names, c.path) })
	case "remove":
		delete(d.files, c.path)
		d.pending = append(d.pending, func(names map[string]*inode) { delete(names, c.path) })
	case "syncdir":
		for _, p := range d.pending {
			p(d.names)
		}
		d.pending = nil
	}
}

// survivor is a file as it may be found after the cut.
type survivor struct {
	data string
	mode fs.FileMode
}

// cut visits every state in which the disk may be found.
func (d *disk) cut(visit func(map[string]survivor)) {
	for subset := range 1 << len(d.pending) {
		names := map[string]*inode{}
		for k, v := range d.names {
			names[k] = v
		}
		for i, p := range d.pending {
			if subset>>i&1 == 1 {
				p(names)
			}
		}
		var dirty []*inode
		for _, n := range d.all {
			for _, named := range names {
				if named == n && (len(n.writes) > 0 || n.dirty) {
					dirty = append(dirty, n)
				}
			}
		}
		d.contents(names, dirty, map[*inode]survivor{}, visit)
	}
}

// contents chooses what became of the unsynced data of each file: each write is lost, half there, there, or only its
// length is.
func (d *disk) contents(names map[string]*inode, dirty []*inode, chosen map[*inode]survivor, visit func(map[string]survivor)) {
	if len(dirty) == 0 {
		state := map[string]survivor{}
		for path, n := range names {
			s, ok := chosen[n]
			if !ok {
				s = survivor{n.data, n.mode}
			}
			state[path] = s
		}
		visit(state)
		return
	}
	n := dirty[0]
	texts := []string{n.data}
	for _, w := range n.writes {
		var next []string
		for _, text := range texts {
			next = append(next, text, text+w[:len(w)/2], text+w, text+strings.Repeat("\x00", len(w)))
		}
		texts = next
	}
	modes := []fs.FileMode{n.mode}
	if n.dirty {
		modes = append(modes, n.chmod)
	}
	for _, text := range texts {
		for _, mode := range modes {
			chosen[n] = survivor{text, mode}
			d.contents(names, dirty[1:], chosen, visit)
		}
	}
	delete(chosen, n)
}

// recordEdit makes one edit and gives the disk before it and all calls that changed it.
func recordEdit(t *testing.T) (before *disk, path string, calls []call) {
	t.Helper()
	dir, path := crashScene(t)
	before = newDisk(t, dir)
	sys := watched{atomicfile.Real(), func(c call) error {
		c.data = append([]byte{}, c.data...)
		calls = append(calls, c)
		return nil
	}}
	if _, err := Update(context.Background(), path, Options{Keep: 2, sys: sys}, addVM("1")); err != nil {
		t.Fatal(err)
	}
	// The record is honest if it makes of the old folder what the new one is.
	model, now := *before, newDisk(t, dir)
	model.names, model.files = cloneNames(before.names), cloneNames(before.files)
	for _, c := range calls {
		model.do(c)
	}
	delete(now.files, path+LockSuffix)
	if len(model.files) != len(now.files) {
		t.Fatalf("the model has %d files, the folder %d", len(model.files), len(now.files))
	}
	for p, n := range now.files {
		if m := model.files[p]; m == nil || m.data+strings.Join(m.writes, "") != n.data || m.mode != n.mode {
			t.Fatalf("%s is %q %v in the model and %q %v in the folder", p, m.data, m.mode, n.data, n.mode)
		}
	}
	return before, path, calls
}

func cloneNames(m map[string]*inode) map[string]*inode {
	out := map[string]*inode{}
	for k, v := range m {
		n := *v
		out[k] = &n
	}
	return out
}

// cutEverywhere cuts the power after each call and gives the complaints, and how many states were looked at.
func cutEverywhere(before *disk, path string, calls []call) (complaints []string, states int) {
	seen := map[string]bool{}
	complain := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !seen[s] {
			seen[s] = true
			complaints = append(complaints, s)
		}
	}
	d := &disk{names: map[string]*inode{}, files: map[string]*inode{}}
	for p, n := range before.names { // one copy of each for both maps
		c := *n
		d.names[p], d.files[p] = &c, &c
		d.all = append(d.all, &c)
	}
	for i := 0; i <= len(calls); i++ {
		if i > 0 {
			d.do(calls[i-1])
		}
		d.cut(func(state map[string]survivor) {
			states++
			file, there := state[path]
			switch {
			case !there:
				complain("the file is gone")
			case file.data != oldConf && file.data != newConf:
				complain("a third thing")
			case file.mode != 0o600:
				complain("the mode is another")
			}
			if kept := state[path+".lbvm-8"]; file.data == newConf && kept.data != oldConf {
				complain("the new file is there and the old one is not kept")
			}
			if i == len(calls) && file.data != newConf {
				complain("Update has returned and the old file is back")
			}
		})
	}
	return complaints, states
}

func TestPowerCut(t *testing.T) {
	before, path, calls := recordEdit(t)
	complaints, states := cutEverywhere(before, path, calls)
	for _, c := range complaints {
		t.Error(c)
	}
	if states < 500 {
		t.Errorf("only %d states", states)
	}
	t.Logf("power cut behind each of %d calls: %d states of the disk, in each the old or the new file whole", len(calls), states)

	// The model would notice what is missing.
	for _, c := range []struct {
		name string
		drop func(i int, c call) bool
		want string
	}{
		{"no sync of the file", func(i int, c call) bool { return c.kind == "sync" && i > len(calls)/2 }, "a third thing"},
		{"no sync of the copy", func(i int, c call) bool { return c.kind == "sync" && i <= len(calls)/2 }, "the new file is there and the old one is not kept"},
		{"no sync of the folder for the copy", func(i int, c call) bool { return c.kind == "syncdir" && i <= len(calls)/2 }, "the new file is there and the old one is not kept"},
		{"no sync of the folder at the end", func(i int, c call) bool { return c.kind == "syncdir" && i > len(calls)/2 }, "Update has returned and the old file is back"},
	} {
		var rest []call
		for i, x := range calls {
			if !c.drop(i, x) {
				rest = append(rest, x)
			}
		}
		if len(rest) != len(calls)-1 {
			t.Fatalf("%s: %d calls dropped", c.name, len(calls)-len(rest))
		}
		if found, _ := cutEverywhere(before, path, rest); !strings.Contains(strings.Join(found, "\n"), c.want) {
			t.Errorf("%s: the model says %q, want %q", c.name, found, c.want)
		}
	}
}
