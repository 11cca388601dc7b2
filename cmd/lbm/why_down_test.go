package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/pkg/ocf"
)

// What this node's black box holds of the last start is told, and an old failure is not once the VM has run.
func TestWhyDownReadsTheBlackBox(t *testing.T) {
	b := ready(t, map[string]string{"service:web": `state="110" state_str="stopped" flags="0" flags_str="" owner="none" last_owner="none"`})
	if err := os.MkdirAll(filepath.Dir(ocf.BoxFile(b.root)), 0o755); err != nil {
		t.Fatal(err)
	}
	why := func() (row whyRow) {
		t.Helper()
		if code := b.lbm("why-down", "-o", "json", "web"); code != 0 {
			t.Fatalf("%d %s", code, b.errors.String())
		}
		if err := json.Unmarshal(b.out.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		return row
	}
	b.act(t, "101", "start", 100, time.Second, func(c *ocf.Call) error {
		c.Ran([]string{"/usr/sbin/vzctl", "start", "101"}, 43, time.Second, nil)
		return errors.New("the private area is missing")
	})
	b.act(t, "102", "start", 110, time.Second, func(*ocf.Call) error { return errors.New("of another VM") })
	b.act(t, "101", "stop", 120, time.Second, func(*ocf.Call) error { return nil })
	row := why()
	if row.Cause != "start-failed" || row.VM == nil || *row.VM != "openvz:101" ||
		!strings.Contains(row.Text, "start on xen1.01100011.com at "+time.Unix(1290000100, 0).Format("2006-01-02 15:04:05")+": exit 1: the private area is missing (programs: vzctl start 101 43 1s).") {
		t.Errorf("%+v", row)
	}
	b.act(t, "101", "start", 200, time.Second, func(*ocf.Call) error { return nil })
	if row = why(); row.Cause != "stopped" || strings.Contains(row.Text, "private area") {
		t.Errorf("%+v", row)
	}
	b.act(t, "101", "stop", 300, time.Second, func(*ocf.Call) error { return errors.New("vzctl does not answer") })
	b.tools.answers["clustat"] = clustat(map[string]string{"service:web": `state="114" state_str="failed" flags="0" flags_str="" owner="none" last_owner="xen1.01100011.com"`})
	if row = why(); row.Cause != "stop-failed" || !strings.Contains(row.Text, "stop on xen1.01100011.com at "+time.Unix(1290000300, 0).Format("2006-01-02 15:04:05")+": exit 1: vzctl does not answer.") {
		t.Errorf("%+v", row)
	}
}

func TestAutostartAsRGManagerReadsIt(t *testing.T) {
	for value, on := range map[string]bool{"": true, "1": true, "10": true, "0": false, "no": false, "yes": false, "00": false} {
		if autostarts(value) != on {
			t.Errorf("autostart=%q is %v", value, !on)
		}
	}
}
