package story

import (
	"slices"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/pkg/balance"
)

// TestDisabledWhileItIsMoved: a person's clusvcadm -d overtakes the request of a relocator, whose ticket the stop obeys: the
// VM is pushed to another node, and its service is disabled and runs nowhere. Then the relocator dies. The next pass of
// the balancer enables the service where the VM is, whose agent takes it over, and disables it again, as the person wanted:
// the stop keeps the memory.
func TestDisabledWhileItIsMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pair(0))
	w.setUp("node1", "node2")
	web := two()[1]
	w.awaitTick(web.guest(), "node1")
	st, err := handoff.ReadState(w.l.Shared(), web.typ, web.vm)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := handoff.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := handoff.IssueTicket(w.l.Shared(), web.typ, web.vm, handoff.Ticket{Kind: handoff.Live, Txn: txn, Source: "node1",
		SourceSeq: st.Seq, Target: "node2", Relocator: "lbmonitor on node1"})
	if err != nil {
		t.Fatal(err)
	}
	now, err := clock.FromRoot(w.l.Root("node1"))
	if err != nil {
		t.Fatal(err)
	}
	begun := balance.Move{Txn: txn, VM: web.guest(), From: "node1", To: "node2", Kind: "live", By: "lbmonitor", Why: "asked for", Begin: now.Now()}
	if err := balance.OpenJournal(w.l.Path("shared/lbvm/log", balance.JournalName)).Append(begun); err != nil {
		t.Fatal(err)
	}
	w.on("node1", "clusvcadm", "-d", web.name)
	if st, err := handoff.ReadState(w.l.Shared(), web.typ, web.vm); err != nil || st.Phase != handoff.Sent || st.To != "node2" || st.Txn != txn {
		t.Fatalf("the record says %+v, %v", st, err)
	}
	w.awaitTick(web.guest(), "node2")
	if state, _ := w.status().service(web.name); state != "disabled" {
		t.Fatalf("the service is %s", state)
	}
	if err := ticket.Withdraw(); err != nil { // its relocator is dead
		t.Fatal(err)
	}
	w.configure(strings.Replace(balanced, "101, web1, 102, db1", "web1", 1))
	if out, code := w.tryOn("node2", "/usr/libexec/lbvm/lbmonitor"); code != 0 {
		t.Fatalf("lbmonitor: exit %d: %s", code, out)
	}
	st, err = handoff.ReadState(w.l.Shared(), web.typ, web.vm)
	if err != nil || st.Phase != handoff.Suspended {
		t.Errorf("the record says %+v, %v", st, err)
	}
	if state, _ := w.status().service(web.name); state != "disabled" {
		t.Errorf("the service is %s", state)
	}
	if on := w.status().on(web.guest()); len(on) > 0 {
		t.Errorf("the guest is on %q", on)
	}
	if n := count(w.journal(), "event", "end", "txn", txn); n != 1 {
		t.Errorf("the move has %d ends", n)
	}
	if n := count(w.journal(), "event", "agent", "vm", web.guest(), "node", "node2", "action", "start", "outcome", "adopted"); n != 1 {
		t.Errorf("node2 took it over %d times", n)
	}
	w.on("node1", "clusvcadm", "-e", web.name, "-m", "node1")
	w.awaitTick(web.guest(), "node1")
	if n := incarnations(w.witness(web.guest())); n != 1 || !slices.Equal(w.status().on(web.guest()), []string{"node1"}) {
		t.Errorf("the guest has booted %d times and is on %q", n, w.status().on(web.guest()))
	}
	w.silent(0)
}
