package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
)

// A person at a shell presses TAB for a VM's name, a node's, a command and an option; Enter then shows what came of it.
func TestCompletionInShells(t *testing.T) {
	completion, err := filepath.Abs("../../packaging/completion/lbm")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const ctrlU = "\x15" // an empty line
	for shell, start := range map[string][]string{
		"bash": {"--norc", "--noprofile", "-i"},
		"zsh":  {"-f", "-i"},
	} {
		t.Run(shell, func(t *testing.T) {
			program := real.Need(t, shell)
			b := ready(t, nil)
			b.write(t, "etc/cluster/cluster.conf", strings.Replace(clusterConf, `<openvz name="101"/>`, `<openvz name="101"/><kvm name="twin"/><xen name="twin"/>`, 1))
			bin := t.TempDir()
			// What is completed is asked of lbm itself; what is run is only told.
			const wrapper = "#!/bin/sh\nfor last; do :; done\n[ \"$last\" != --generate-bash-completion ] || exec lbm-under-test \"$@\"\necho \"ran:$*:\"\n"
			if err := os.WriteFile(filepath.Join(bin, "lbm"), []byte(wrapper), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(self, filepath.Join(bin, asLbm)); err != nil {
				t.Fatal(err)
			}
			tty, other := real.Terminal(t, 200, 40)
			cmd := &exec.Cmd{Path: program, Args: append([]string{shell}, start...), Dir: bin, Stdin: tty, Stdout: tty, Stderr: tty,
				Env:         []string{"LBVM_ROOT=" + b.root, "PATH=" + bin + ":/usr/bin:/bin:/usr/sbin:/sbin", "TERM=dumb", "HOME=" + bin, "LC_ALL=C"},
				SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true}}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := cmd.Process.Kill(); err != nil {
					t.Error(err)
				}
				cmd.Wait() // it was killed
			}()
			seen := make(chan string, 1000)
			go func() {
				piece := make([]byte, 4096)
				for {
					n, err := other.Read(piece)
					if err != nil {
						return
					}
					seen <- string(piece[:n])
				}
			}()
			shown := ""
			awaits := func(typed, text string) {
				t.Helper()
				if _, err := other.WriteString(typed); err != nil {
					t.Fatal(err)
				}
				for limit := time.NewTimer(4 * time.Minute); !strings.Contains(shown, text); {
					select {
					case piece := <-seen:
						shown += piece
					case <-limit.C:
						t.Fatalf("%q: %q was not shown, but\n%q", typed, text, shown)
					}
				}
				_, shown, _ = strings.Cut(shown, text)
			}
			load := "source " + completion
			if shell == "zsh" {
				load = "autoload -Uz compinit && compinit -D; " + load
			}
			awaits(load+"; echo re''ady\n", "ready\r\n")
			for _, x := range [][2]string{
				{"lbm show cent\t1\t", "show centos1"},
				{"lbm show 10\t", "show 101"},
				{"lbm migrate 101 xen\t2\t", "migrate 101 xen2.01100011.com"},
				{"lbm evacuate xen3\t", "evacuate xen3.01100011.com"},
				{"lbm why-down we\t", "why-down web"},
				{"lbm evac\tx\t1\t", "evacuate xen1.01100011.com"},
				{"lbm status --out\t", "status --output"},
				{"lbm ccs addn\t", "ccs addnode"},
				{"lbm show kvm:\t", "show kvm:twin"},
				{"lbm migrate xen:tw\txen\t1\t", "migrate xen:twin xen1.01100011.com"},
			} {
				awaits(ctrlU+x[0]+"\n", "ran:"+x[1]+":")
			}
		})
	}
}
