package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// A record that cannot be read is told as what it is: nothing is guessed, and the exit code says so.
func TestHandoffOfADamagedRecord(t *testing.T) {
	b := newBench(t, nil)
	b.write(t, "etc/cluster/lbvm.id", "format=1\ncluster=xen\nuuid=11111111-2222-4333-8444-555555555555\nmember=xen1.01100011.com\nshared=/gfs\nlogdir=/gfs/lbvm/log\n")
	b.write(t, "gfs/lbvm/cluster", "format=1\ncluster=xen\nuuid=11111111-2222-4333-8444-555555555555\n")
	b.write(t, "proc/mounts", "")
	b.write(t, "gfs/lbvm/handoff/openvz-101/state", "format=1\nphase=running\n")
	if code := b.lbm("handoff", "-o", "json", "101"); code != exitUnknown {
		t.Fatalf("exit %d\n%s%s", code, b.out.String(), b.errors.String())
	}
	var o outlook
	if err := json.Unmarshal(b.out.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	if o.Record.Phase != "unknown" || len(o.Doubts) == 0 || !strings.Contains(o.Doubts[0], "no sum") || len(o.Nodes) == 0 || len(o.Cures) != 1 {
		t.Errorf("it tells %+v", o)
	}
	for _, n := range o.Nodes {
		for _, start := range []rowWords{n.Absent.Start, n.Runs.Start} {
			if start.Deed != "refuse-unread" {
				t.Errorf("%s: a start does %q", n.Node, start.Deed)
			}
		}
	}
}
