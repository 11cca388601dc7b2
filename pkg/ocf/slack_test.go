package ocf

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/real"
)

// slackOf reads the timer slack of a thread.
func slackOf(t *testing.T, tid string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/" + tid + "/timerslack_ns")
	if err != nil {
		t.Skipf("this kernel does not tell the timer slack of a thread: %v", err)
	}
	return strings.TrimSpace(string(b))
}

func TestNapLonger(t *testing.T) {
	real.NeedRoot(t)
	tid, err := secondThread()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/self/task/" + tid); err != nil || tid == fmt.Sprint(os.Getpid()) {
		t.Fatalf("%s is no other thread of ours: %v", tid, err)
	}
	if listed, err := secondListed(); err != nil || listed != tid {
		t.Fatalf("the second thread is %s by its number and %s by the list, %v", tid, listed, err)
	}
	before := slackOf(t, tid)
	napLonger()
	if got := slackOf(t, tid); got != napSlack {
		t.Errorf("the slack of the second thread was %s and is %s", before, got)
	}
	if got, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || fmt.Sprint(got) == napSlack {
		t.Errorf("the slack of this thread is %d, %v", got, err)
	}
	if err := os.WriteFile("/proc/"+tid+"/timerslack_ns", []byte(before), 0); err != nil {
		t.Error(err)
	}
}
