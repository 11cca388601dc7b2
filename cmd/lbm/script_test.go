package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lbvm/lbvm/internal/handoff"
)

// TestScripts runs the scripts of testdata. A script is a txtar archive: files of the working folder (those named root/PATH
// lie on the node; tool/PROGRAM and `tool/PROGRAM-ARGUMENTS` are what a program of the cluster answers; record/TYPE-VM
// holds the steps of a hand-off record, `PHASE [NODE BOOT] [>TO]`), and last the file console, which shows commands and what they print. `$ lbm check x.conf` runs lbm;
// `< NAME` at the end of the line gives it a file for its standard input. Behind what it prints stand the lines of standard
// error, each with `! ` before it, and its exit code in brackets. UPDATE=1 writes console anew.
func TestScripts(t *testing.T) {
	local := time.Local
	time.Local = time.UTC // what is printed for people
	t.Cleanup(func() { time.Local = local })
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { script(t, path) })
	}
}

func script(t *testing.T, path string) {
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, nil)
	chdir(t, t.TempDir())
	files, console, found := strings.Cut(string(src), "\n-- console --\n")
	if !found {
		t.Fatal("the script has no console")
	}
	b.unpack(t, files)
	var now strings.Builder
	for _, line := range strings.Split(console, "\n") {
		command, ok := strings.CutPrefix(line, "$ lbm ")
		if !ok {
			continue
		}
		command, input, fed := strings.Cut(command, " < ")
		b.stdin = strings.NewReader("")
		if fed {
			text, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			b.stdin = strings.NewReader(string(text))
		}
		code := b.lbm(words(t, command)...)
		own := strings.NewReplacer(b.root, "") // paths as on a node
		fmt.Fprintf(&now, "%s\n%s", line, own.Replace(b.out.String()))
		for _, e := range strings.SplitAfter(own.Replace(b.errors.String()), "\n") {
			if e != "" {
				now.WriteString("! " + e)
			}
		}
		fmt.Fprintf(&now, "[%d]\n", code)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(files+"\n-- console --\n"+now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(console, now.String()); diff != "" || now.Len() == 0 {
		t.Errorf("(-script +lbm):\n%s", diff)
	}
}

// unpack lays out the files of a script.
func (b *bench) unpack(t *testing.T, files string) {
	t.Helper()
	marks := regexp.MustCompile(`(?m)^-- (\S+) --\n`).FindAllStringSubmatchIndex(files+"\n", -1)
	for i, m := range marks {
		end := len(files) + 1
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		name, text := files[m[2]:m[3]], (files + "\n")[m[1]:end]
		if onNode, ok := strings.CutPrefix(name, "root/"); ok {
			b.write(t, onNode, text)
		} else if tool, ok := strings.CutPrefix(name, "tool/"); ok {
			b.tools.answers[strings.ReplaceAll(tool, "~", " ")] = text
			program, _, _ := strings.Cut(tool, "~")
			b.write(t, "usr/sbin/"+program, "#!/bin/false\n")
			if err := os.Chmod(filepath.Join(b.root, "usr/sbin", program), 0o755); err != nil {
				t.Fatal(err)
			}
		} else if vm, ok := strings.CutPrefix(name, "record/"); ok {
			b.record(t, vm, strings.Split(strings.TrimSpace(text), "\n"))
		} else if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// record writes the steps of a VM's life.
func (b *bench) record(t *testing.T, name string, steps []string) {
	t.Helper()
	typ, vm, _ := strings.Cut(name, "-")
	d, err := handoff.Open(filepath.Join(b.root, "gfs"), typ, vm)
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.TryLock("test")
	if err != nil {
		t.Fatal(err)
	}
	const txn = "abababababababababababababababab"
	for _, step := range steps {
		w := strings.Fields(step)
		var s handoff.State
		for p := handoff.Down; p <= handoff.Sent; p++ {
			if p.String() == w[0] {
				s.Phase = p
			}
		}
		if len(w) > 2 {
			s.Node, s.Boot = w[1], w[2]
		}
		if to, ok := strings.CutPrefix(w[len(w)-1], ">"); ok {
			s.To, s.Txn = to, txn
		}
		switch s.Phase {
		case handoff.Suspending, handoff.Held, handoff.Suspended, handoff.Resuming:
			s.Image, s.Txn = txn, txn
		}
		if _, err := l.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
}

// chdir changes the working folder until the test ends.
func chdir(t *testing.T, dir string) {
	t.Helper()
	back, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chdir(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chdir(back); err != nil {
			t.Fatal(err)
		}
	})
}
