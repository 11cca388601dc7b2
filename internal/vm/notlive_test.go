package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Disks that are not ready for two nodes: the running guest is pushed nowhere, and nothing is changed or its memory goes by
// an image.
func TestNotLive(t *testing.T) {
	w := newWorld(t, "xen", "node1", "node2")
	x, y := w.nodes["node1"], w.nodes["node2"]
	w.must(x.do("start"))
	before := w.state()
	w.notLive = errors.New("DRBD: resource r0: its disks are UpToDate/Outdated, not all UpToDate")
	if err := x.do("migrate node2"); !stillHere(err) || !strings.Contains(err.Error(), "Outdated") || len(x.calls) != 0 {
		t.Errorf("%v after %q", err, x.calls)
	}
	if st := w.state(); st.Seq != before.Seq {
		t.Errorf("the record was changed: %s", stateText(st))
	}
	i := w.ticket(handoff.Live, x, y)
	w.must(x.do("stop"))
	if st := w.state(); st.Phase != handoff.Suspended || fmt.Sprint(x.calls) != "[save]" {
		t.Errorf("%s after %q", stateText(st), x.calls)
	}
	w.must(y.do("start"))
	if st := w.state(); st.Txn != i.Ticket().Txn || !y.g.alive() {
		t.Errorf("its memory did not come along: %s", stateText(st))
	}
	w.must(i.Withdraw())
	w.ok()

	// Without shared storage too.
	w = newWorld(t, "xen", "node1", "node2")
	x = w.nodes["node1"]
	for _, n := range w.nodes {
		w.must(os.WriteFile(filepath.Join(n.root, host.IDFile), []byte("format=1\ncluster=c\nuuid=u\nmember="+n.name+"\nshared=none\nlogdir=/log\n"), 0o644))
	}
	w.must(x.do("start"))
	w.notLive = errors.New("DRBD: resource r0 does not allow two primaries")
	if err := x.do("migrate node2"); !stillHere(err) || len(x.calls) != 0 || !x.g.alive() {
		t.Errorf("%v after %q", err, x.calls)
	}
	w.notLive = nil
	w.must(x.do("migrate node2"))
	w.ok()
}

func stillHere(err error) bool {
	var e *ocf.Error
	return errors.As(err, &e) && e.Code == ocf.CodeStillHere
}
