package lab

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		log  string
		cold int
		want string
	}{
		"nothing":                          {"", 0, ""},
		"one guest":                        {"1 a 10 X 1\n2 a 10 X 2\n", 0, ""},
		"a hand-off":                       {"1 a 10 X 1\n2 b 11 X 2\n3 b 11 X 3\n4 a 12 X 4\n", 0, ""},
		"thawed again":                     {"1 a 10 X 1\n9 a 10 X 2\n", 0, ""},
		"a tick was lost in a power cut":   {"1 a 10 X 1\n2 b 11 X 5\n", 0, ""},
		"a torn end":                       {"1 a 10 X 1\n2 a 10 X", 0, ""},
		"two write in turns":               {"1 a 10 X 1\n2 b 11 X 2\n3 a 10 X 3\n", 0, "double run"},
		"a pid that is given again":        {"1 a 10.aa X 1\n2 b 11.bb X 2\n3 a 10.cc X 3\n", 0, ""},
		"same pid on two nodes":            {"1 a 10 X 1\n2 b 10 X 2\n3 a 10 X 3\n", 0, "double run"},
		"two on one node":                  {"1 a 10 X 1\n2 a 11 Y 1\n3 a 10 X 2\n", 1, "double run"},
		"told once for each process":       {"1 a 10 X 1\n2 b 11 X 2\n3 a 10 X 3\n4 b 11 X 4\n5 a 10 X 5\n", 0, "double run, double run"},
		"a cold boot":                      {"1 a 10 X 1\n2 b 11 Y 1\n", 0, "lost memory"},
		"a cold boot that was asked for":   {"1 a 10 X 1\n2 b 11 Y 1\n", 1, ""},
		"one cold boot more":               {"1 a 10 X 1\n2 b 11 Y 1\n3 a 12 Z 1\n", 1, "lost memory"},
		"n repeats":                        {"1 a 10 X 1\n2 a 10 X 2\n3 b 11 X 2\n4 b 11 X 3\n", 0, "stale image"},
		"n goes back":                      {"1 a 10 X 1\n2 a 10 X 5\n3 b 11 X 2\n4 b 11 X 3\n", 0, "stale image"},
		"memory of before the last boot":   {"1 a 10 X 1\n2 b 11 Y 1\n3 a 12 X 2\n4 a 12 X 3\n", 1, "stale image"},
		"a line that nobody can read":      {"1 a 10 X 1\nnonsense\n2 a 10 X 2\n", 0, "unreadable"},
		"numbers that are none":            {"1 a ten X 1\n", 0, "unreadable"},
		"clocks of nodes are not compared": {"9 a 10 X 1\n2 b 11 X 2\n", 0, ""},
	} {
		var got []string
		for _, f := range Check("openvz:1", strings.NewReader(test.log), CheckOptions{ColdAllowed: test.cold}) {
			got = append(got, string(f.Kind))
			if f.VM != "openvz:1" || len(f.Evidence) == 0 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if s := strings.Join(got, ", "); s != test.want {
			t.Errorf("%s: found %q, want %q", name, s, test.want)
		}
	}
	if f := Check("x", iotest.ErrReader(errors.New("gone")), CheckOptions{}); len(f) != 1 || f[0].Kind != Unreadable {
		t.Errorf("a log that cannot be read: %+v", f)
	}
}

func TestMemory(t *testing.T) {
	m := Memory{Type: "xen", VM: "x", Incarnation: "i", N: 7, Load: 0.25, MemBytes: 1 << 20}
	b, err := m.Format()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseMemory(b)
	if err != nil || back.N != 7 || back.VM != "x" || back.Load != 0.25 {
		t.Fatalf("%+v %v", back, err)
	}
	changed := []byte(strings.Replace(string(b), `"n": 7`, `"n": 8`, 1))
	for _, bad := range [][]byte{nil, b[:len(b)-1], b[1:], changed, append(b, 'x')} {
		if _, err := ParseMemory(bad); !errors.Is(err, ErrMemory) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("1 a 10 X 1\n2 b 11 X 2\n3 a 10 X 3\n")
	f.Fuzz(func(t *testing.T, log string) {
		Check("v", strings.NewReader(log), CheckOptions{})
		if m, err := ParseMemory([]byte(log)); err == nil && m.N == 0 && log == "" {
			t.Fatal("empty memory")
		}
	})
}

func TestFaults(t *testing.T) {
	n := &Node{}
	if err := n.SetFault(Fault{"vzctl", "dump-fails", "1", 2, 2}); err != nil {
		t.Fatal(err)
	}
	if n.Fault("vzctl", "dump-fails", "2") || n.Fault("vzctl", "kill-fails", "1") {
		t.Error("another's fault")
	}
	var got []bool
	for range 4 {
		got = append(got, n.Fault("vzctl", "dump-fails", "1"))
	}
	if got[0] || !got[1] || !got[2] || got[3] {
		t.Errorf("the second and third of four: %v", got)
	}
	if n.SetFault(Fault{"vzctl", "dump-fails", "1", 0, 1}) == nil {
		t.Error("the zeroth time")
	}
}
