package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/notify"
	"github.com/lbvm/lbvm/internal/run"
)

// An administrator tries a command and a server, really.
func TestNotify(t *testing.T) {
	b := ready(t, nil)
	if code := b.lbm("notify", "--test"); code != exitFailed || !strings.Contains(b.errors.String(), "no notify statement") {
		t.Errorf("%d %s", code, b.errors.String())
	}
	var got notify.Event
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &got) != nil {
			t.Errorf("%q %v", body, err)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	b.run = run.System{}
	b.write(t, "usr/local/bin/page", "#!/bin/sh\necho \"$1 $LBVM_EVENT test=$LBVM_TEST\" >\"$LBVM_ROOT/paged\"\n")
	if err := os.Chmod(filepath.Join(b.root, "usr/local/bin/page"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.write(t, "gfs/lbvm.conf", "balance centos1;\nlogdir /gfs/lbvm/log;\nnotify failed, nothing /usr/local/bin/page ops;\nnotify move "+server.URL+"/secret;\n")
	if code := b.lbm("notify"); code != 0 || strings.Contains(b.out.String(), "secret") ||
		!strings.Contains(b.out.String(), "LINE  TO                      EVENTS\n3     /usr/local/bin/page     failed, nothing\n4     http://127.0.0.1:") {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
	if code := b.lbm("notify", "--test"); code != 0 || strings.Count(b.out.String(), "  told\n") != 2 {
		t.Errorf("%d %s%s", code, b.out.String(), b.errors.String())
	}
	paged, err := os.ReadFile(filepath.Join(b.root, "paged"))
	if err != nil || string(paged) != "ops failed test=1\n" {
		t.Errorf("the command was told %q %v", paged, err)
	}
	if got.Event != "move" || !got.Test || got.Cluster != "xen" || got.Node != x1 {
		t.Errorf("the server was told %+v", got)
	}
	status = http.StatusForbidden
	if code := b.lbm("notify", "--test", "--event", "move", "-o", "json"); code != exitFailed || !strings.Contains(b.errors.String(), "1 of 1 could not be told") {
		t.Errorf("%d %s", code, b.errors.String())
	}
	var out struct{ Notify []notified }
	if err := json.Unmarshal(b.out.Bytes(), &out); err != nil || len(out.Notify) != 2 || out.Notify[0].Told != nil || *out.Notify[1].Told || *out.Notify[1].Error != "it answered 403 Forbidden" {
		t.Errorf("%s %v", b.out.String(), err)
	}
	if code := b.lbm("notify", "--test", "--event", "report"); code != exitFailed || !strings.Contains(b.errors.String(), "nobody is to be told of report") {
		t.Errorf("%d %s", code, b.errors.String())
	}
	for _, args := range [][]string{{"--event", "move"}, {"--test", "--event", "moved"}, {"x"}} {
		if code := b.lbm(append([]string{"notify"}, args...)...); code != exitUsage {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}
