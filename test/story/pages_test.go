package story

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/lab"
)

// shown is a command that a page of the manual shows.
type shown struct{ page, command string }

// shownCommands are the commands of README.md and docs/*.md: the lines of their plain and console blocks that begin with
// a program, without the remark behind them, each part of a line for itself.
func shownCommands(t *testing.T) []shown {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	program := regexp.MustCompile(`^(bin/)?(lbm|lblog|lbmonitor|lbvm-lab|make|rpm|service|chkconfig|clusvcadm|clustat|crm_\w+|cibadmin|pcs|ccs_tool|cman_tool|fence_\w+|stonith_admin|corosync-\w+|virsh|vzctl|vzlist|xm|xl|drbdadm|mount|mkfs\S*|gfs2?_\S+|iscsiadm|lvcreate|vgchange|ssh|scp|rsync|go|export|\w+\.sh|man|yum|apt-get|systemctl|crontab|promtool)( |$)`)
	var out []shown
	for _, path := range append([]string{"../../README.md"}, pages...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		page := strings.TrimPrefix(path, "../../")
		for _, block := range regexp.MustCompile("(?ms)^ *```([^\n]*)\n(.*?)^ *```$").FindAllStringSubmatch(string(text), -1) {
			if language, _, _ := strings.Cut(block[1], " "); language != "" && language != "console" && language != "sh" {
				continue // its end is no beginning
			}
			for _, line := range strings.Split(block[2], "\n") {
				line = strings.TrimSpace(line)
				line = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "$ "), "# "))
				line = strings.TrimSpace(regexp.MustCompile(`(^| )#.*`).ReplaceAllString(line, ""))
				if !program.MatchString(line) {
					continue
				}
				parts := []string{line}
				if !strings.Contains(line, "'") { // what is quoted is one
					parts = regexp.MustCompile(` && |; `).Split(line, -1)
				}
				for _, part := range parts {
					out = append(out, shown{page, strings.TrimSpace(part)})
				}
			}
		}
	}
	return out
}

// tried is a row of testdata/commands.txt, which begins with a word on what these are.
type tried struct {
	kind, command, note string
	line                int
	used                bool
}

func (r *tried) fits(c string) bool {
	if prefix, ok := strings.CutSuffix(r.command, "*"); ok {
		return strings.HasPrefix(c, prefix)
	}
	return r.command == c
}

func readTried(t *testing.T) []*tried {
	t.Helper()
	f, err := os.Open("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []*tried
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		n++
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		if len(parts) > 3 { // a pipe of the command
			parts = []string{parts[0], strings.Join(parts[1:len(parts)-1], " | "), parts[len(parts)-1]}
		}
		if len(parts) != 3 || !slices.Contains([]string{"run", "by", "not", "text"}, parts[0]) || strings.TrimSpace(parts[2]) == "" {
			t.Fatalf("commands.txt:%d: not KIND | COMMAND | NOTE: %s", n, line)
		}
		out = append(out, &tried{kind: parts[0], command: strings.TrimSpace(parts[1]), note: strings.TrimSpace(parts[2]), line: n})
	}
	return out
}

// Every command of the manual is run here in a lab, or by the test that the list names, or the list says why it cannot be.
func TestCommandsOfThePages(t *testing.T) {
	t.Parallel()
	rows := readTried(t)
	for _, s := range shownCommands(t) {
		found := false
		for _, r := range rows {
			if r.fits(s.command) {
				r.used, found = true, true
			}
		}
		if !found {
			t.Errorf("%s: %q is not in testdata/commands.txt", s.page, s.command)
		}
	}
	for _, r := range rows {
		switch {
		case !r.used && !strings.HasSuffix(r.note, "(set-up)"):
			t.Errorf("commands.txt:%d: no page shows %q", r.line, r.command)
		case r.kind == "by":
			file, name, _ := strings.Cut(r.note, " ")
			if text, err := os.ReadFile("../../" + file); err != nil || !strings.Contains(string(text), "func "+name+"(") {
				t.Errorf("commands.txt:%d: there is no test %s", r.line, r.note)
			}
		}
	}
	if t.Failed() {
		return
	}
	w := newWorld(t, lab.Options{Scale: 10, VMs: []lab.VM{
		{Type: "openvz", Name: "101", Service: "centos", Node: "node1"}, {Type: "xen", Name: "web1", Service: "web", Node: "node1"},
		{Type: "xen", Name: "db1", Node: "node2"}, {Type: "xen", Name: "mail1", Node: "node3"},
	}}, func(l lab.Layout) {
		for _, n := range []string{"node1", "node2", "node3"} { // the pages' fence device is another
			path := filepath.Join(l.Root(n), "etc/cluster/cluster.conf")
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), `device name="lab"`, `device name="apc1"`)), 0o640)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	w.on("node1", "lbm", "init", "--shared", "/shared", "--update")
	path := w.l.Path("shared/lbvm.conf")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), "\nbalance ;\n", "\nbalance 101;\n", 1)), 0o640)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.on("node2", "lbm", "init", "--shared", "/shared", "--join")
	w.on("node3", "lbm", "init", "--shared", "/shared", "--join")
	w.until("every service is started and lblog has run everywhere since", limit, func() bool {
		for _, s := range w.status().Services {
			if s.State != "started" {
				return false
			}
		}
		for _, n := range []string{"node2", "node3"} {
			if _, code := w.tryOn("node1", "lbm", "migrate", "--dry-run", "web1", n); code != 0 {
				return false
			}
		}
		return true
	})
	for _, r := range rows {
		if r.kind != "run" {
			continue
		}
		var node string
		var want int
		if _, err := fmt.Sscanf(r.note, "%s %d", &node, &want); err != nil {
			t.Fatalf("commands.txt:%d: not NODE EXIT-CODE: %s", r.line, r.note)
		}
		command, _, _ := strings.Cut(r.command, " | ")
		argv := fields(t, strings.ReplaceAll(command, "$(hostname)", node))
		var out string
		var code int
		if strings.HasSuffix(argv[0], "lbvm-lab") {
			out, code = w.try(argv[1:]...)
		} else {
			out, code = w.tryOn(node, argv...)
		}
		if code != want {
			t.Errorf("commands.txt:%d: %s: exit %d, not %d: %s", r.line, r.command, code, want, out)
		}
	}
}

// fields are the words of a command as a shell reads them.
func fields(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile(`"((?:[^"\\]|\\.)*)"|'([^']*)'|\S+`).FindAllStringSubmatch(line, -1) {
		switch {
		case m[1] != "":
			text, err := strconv.Unquote(`"` + strings.ReplaceAll(m[1], `\$`, `$`) + `"`)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			out = append(out, text)
		case m[2] != "":
			out = append(out, m[2])
		default:
			out = append(out, m[0])
		}
	}
	return out
}
