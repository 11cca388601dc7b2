package ocf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden compares text with a file of testdata; UPDATE=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}

func TestUsage(t *testing.T) {
	w, out, errs := world(&testLog{}, "")
	if got := Run(w, []byte(testXML), toy{}); got != CodeArgs || out.Len() > 0 {
		t.Errorf("exit %d, stdout %q", got, out)
	}
	golden(t, "usage-toy.txt", errs.String())
	asked := errs.String()
	for _, line := range strings.Split(asked, "\n") {
		if len(line) > 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	for _, args := range []string{"--help", "-h", "help", "usage", "--help start", "start --help"} {
		w, out, errs = world(&testLog{}, args)
		got := Run(w, []byte(testXML), toy{})
		if got != 0 || out.String() != asked || errs.Len() > 0 {
			t.Errorf("%s: exit %d, %q, %q", args, got, out, errs)
		}
	}
	if got := Run(World{Log: &testLog{}, Stderr: errs}, []byte(testXML), toy{}); got != CodeArgs {
		t.Errorf("without any argument: exit %d", got)
	}
	w, _, errs = world(&testLog{}, "")
	if got := Run(w, []byte("<broken"), toy{}); got != CodeArgs || !strings.Contains(errs.String(), "reading metadata") {
		t.Errorf("exit %d, %q", got, errs)
	}
	// Nobody reads it.
	log := &testLog{}
	if got := Run(World{Args: []string{"a", "--help"}, Stdout: brokenWriter{}, Log: log}, []byte(testXML), toy{}); got != 0 || !strings.Contains(log.String(), "closed pipe") {
		t.Errorf("exit %d, log %q", got, log)
	}
}

// What the usage says to type is what the agent takes.
func TestUsageOfOtherPaths(t *testing.T) {
	two := strings.Replace(testXML, `<parameter name="file">`, `<parameter name="file" required="1">`, 1)
	for path, want := range map[string][]string{
		"/usr/lib/ocf/resource.d/lbvm/toy": {
			"OCF_RESKEY_name=NAME OCF_RESKEY_file=FILE /usr/lib/ocf/resource.d/lbvm/toy --dialect=rgmanager status; echo $?\n",
			"OCF_RESKEY_name=NAME OCF_RESKEY_file=FILE /usr/lib/ocf/resource.d/lbvm/toy monitor; echo $?\n",
			"    /usr/lib/ocf/resource.d/lbvm/toy --dialect=heartbeat NAME file=FILE status\n"},
		"/etc/ha.d/resource.d/toy": {"    /etc/ha.d/resource.d/toy NAME file=FILE status\n", "--dialect=rgmanager --explain stop\n"},
		"/my agents/toy.sh":        {"    '/my agents/toy.sh' --dialect=heartbeat NAME"},
	} {
		var b strings.Builder
		if got := Run(World{Args: []string{path, "--help"}, Stdout: &b, Log: &testLog{}}, []byte(two), toy{}); got != 0 {
			t.Errorf("%s: exit %d", path, got)
		}
		for _, line := range want {
			if !strings.Contains(b.String(), line) {
				t.Errorf("%s: %q is missing in\n%s", path, line, b.String())
			}
		}
		for _, line := range strings.Split(b.String(), "\n") {
			fields := strings.Fields(line)
			at := -1
			for i, f := range fields {
				if f == path {
					at = i
				}
			}
			if at < 0 || !strings.HasPrefix(line, "    ") {
				continue
			}
			w := World{Args: strings.Fields(strings.TrimSuffix(strings.Join(fields[at:], " "), "; echo $?")), Env: fields[:at], Log: &testLog{}}
			if got := Run(w, []byte(two), toy{}); got != 0 {
				t.Errorf("%s: exit %d", line, got)
			}
		}
	}
}

func TestSpan(t *testing.T) {
	m, err := ParseMetadata([]byte(testXML))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range m.Actions {
		all = append(all, span(a.Timeout))
	}
	if got := strings.Join(all, " "); got != "5m 1m 20s 40s 10m 0s 5s 5s" {
		t.Error(got)
	}
}
