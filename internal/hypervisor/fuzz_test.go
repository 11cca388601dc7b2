package hypervisor

import (
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/host"
)

func FuzzParseVZStatus(f *testing.F) {
	for _, b := range samples(f, "vzctl-*-status-*") {
		f.Add(b, "101")
	}
	f.Add([]byte("VEID  exist"), "")
	f.Fuzz(func(t *testing.T, b []byte, vm string) {
		s, err := parseVZStatus(b, vm)
		if err == nil && s.state().Clean() && !strings.Contains(string(b), "unmounted") {
			t.Errorf("%q is clean", b)
		}
	})
}

func FuzzParseVZList(f *testing.F) {
	for _, b := range samples(f, "vzlist-*") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		guests, err := parseVZList(b)
		for _, g := range guests {
			if err == nil && (g.Mem < 0 || host.CheckName(g.Name) != nil) {
				t.Errorf("%+v", g)
			}
		}
	})
}

func FuzzParseVZConf(f *testing.F) {
	f.Add([]byte("VE_PRIVATE=\"/vz/private/$VEID\"\nPHYSPAGES=\"0:512M\"\n"))
	f.Add([]byte("A=\"\\\"\nB=\\\nC=\"x\" y \"z\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := parseVZConf(b).memory(); n < 0 || n > 64<<40 {
			t.Errorf("%d bytes", n)
		}
	})
}

func FuzzParseXenList(f *testing.F) {
	for _, stack := range []toolstack{xm, xl} {
		for _, b := range samples(f, stack+"-*-list*") {
			f.Add(b, "vm1", stack == xl)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, vm string, byXL bool) {
		stack := map[bool]toolstack{false: xm, true: xl}[byXL]
		rows, err := parseXenList(stack, b)
		if err != nil || checkXenName(vm) != nil {
			return
		}
		var mine []xenRow
		for _, r := range rows {
			if r.belongs(vm) {
				mine = append(mine, r)
			}
		}
		d := detailOf(mine)
		if d.Sick != "" && d.State != Remains {
			t.Errorf("%+v of %q", d, b)
		}
		if d.State == Stopped && byXL {
			t.Errorf("xl knows what is not there: %q", b)
		}
		// Whoever stands in the text as a word is never absent.
		if d.State == Absent {
			for _, line := range strings.Split(string(b), "\n")[1:] {
				if w := strings.Fields(line); len(w) > 0 && w[0] == vm && !strings.HasPrefix(w[0], "Name") {
					t.Errorf("%q is absent in %q", vm, b)
				}
			}
		}
	})
}

func FuzzParseXenInfo(f *testing.F) {
	for _, b := range samples(f, "xm-*-info") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if info, err := parseXenInfo(b); err == nil && (info.freeMem < 0 || info.freeMem<<20 < 0) {
			t.Errorf("%+v", info)
		}
	})
}

func FuzzParseXenConfig(f *testing.F) {
	for _, c := range append(xenConfigs(), xlConfigs()...) {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, stack := range []toolstack{xm, xl} {
			g, err := xenGuest(stack, b, host.Host{})
			if err != nil {
				continue
			}
			if g.Mem < 0 {
				t.Errorf("%s: %+v", stack, g)
			}
			for _, w := range g.Witnesses {
				if !strings.HasPrefix(w.Path, "/") {
					t.Errorf("%s: %+v", stack, w)
				}
			}
		}
	})
}

func FuzzParseDomState(f *testing.F) {
	for _, b := range capturedAll(f, "virsh-*-domstate-*") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseDomState(b)
		if err != nil {
			return
		}
		state, sick := s.state()
		if state.Clean() && !strings.HasPrefix(strings.TrimSpace(string(b)), "shut off") {
			t.Errorf("%q is %s", b, state)
		}
		if state == Unknown && sick != "" || strings.Contains(s.line, "\n") {
			t.Errorf("%+v", s)
		}
	})
}

// Whoever complains of anything else does not know that a guest is absent.
func FuzzVirshErrors(f *testing.F) {
	for _, b := range capturedAll(f, "virsh-*-error-*") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := &toolError{what: "virsh", code: 1, all: strings.ToLower(string(b))}
		if notThere(err) && noLibvirtd(err) {
			t.Errorf("%q says both", b)
		}
		if notThere(err) && !strings.Contains(err.all, "failed to get domain '") && !strings.Contains(err.all, "domain not found") {
			t.Errorf("%q is taken for absent", b)
		}
	})
}

func FuzzParseVirshInfo(f *testing.F) {
	for _, what := range []string{"virsh-*-dom*info-*", "virsh-*-version", "virsh-*-list-*"} {
		for _, b := range capturedAll(f, what) {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := kibibytes(infoOf(b)["max memory"]); err == nil && n < 0 {
			t.Errorf("%d bytes", n)
		}
		if j, err := parseJob(b); err == nil && !j.active() && j.kind == "" {
			t.Errorf("%+v", j)
		}
		names, err := parseVirshList(b)
		for _, n := range names {
			if err != nil || n == "" || strings.ContainsAny(n, " \t\n") {
				t.Errorf("%q, %v", names, err)
			}
		}
	})
}

// What our reader of XML takes, the standard library's takes too, and sees the same in it.
func FuzzParseDomainXML(f *testing.F) {
	f.Add([]byte(kvmXML))
	for _, c := range kvmConfigCases() {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := parseXML(b)
		if err != nil {
			return
		}
		sameXML(t, b, root)
		if g, err := kvmGuest(root, host.Host{}); err == nil {
			if g.Mem <= 0 || g.Name == "" {
				t.Errorf("%+v", g)
			}
			for _, w := range g.Witnesses {
				if !strings.HasPrefix(w.Path, "/") {
					t.Errorf("%+v", w)
				}
			}
		}
	})
}
