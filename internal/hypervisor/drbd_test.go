package hypervisor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

func drbdText(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/from-source", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// replicated is a node ha1 with DRBD and a domain of that disk line.
func replicated(t *testing.T, host, proc, dump, status, disk string) *stage {
	t.Helper()
	s := newStage(t, nil)
	s.file("/etc/hostname", host+"\n")
	s.file("/etc/xen/test", "memory = 384\ndisk = [ "+disk+" ]\n")
	if proc != "" {
		s.file("/proc/drbd", proc)
	}
	for _, p := range []string{"/usr/sbin/drbdadm", "/usr/sbin/drbdsetup"} {
		s.file(p, "")
		s.program(p)
	}
	s.play = func(argv []string) run.Result {
		switch strings.Join(argv, " ") {
		case "drbdadm dump":
			return run.Result{Stdout: []byte(dump)}
		case "drbdsetup status --verbose":
			return run.Result{Stdout: []byte(status)}
		}
		return run.Result{Code: 10, Stderr: []byte("unknown")}
	}
	return s
}

func TestLiveNow(t *testing.T) {
	const fqdn = "ha1.domain.local"
	p84, p83, p80, p9 := drbdText(t, "proc-drbd-8.4"), drbdText(t, "proc-drbd-8.3"), drbdText(t, "proc-drbd-8.0"), drbdText(t, "proc-drbd-9")
	d83, d9, s9 := drbdText(t, "drbdadm-dump-8.3"), drbdText(t, "drbdadm-dump-9"), drbdText(t, "drbdsetup-status-9-verbose")
	d91, wrapped := drbdText(t, "drbdadm-dump-9.1"), drbdText(t, "drbdsetup-status-9-wrapped")
	const long = "vms-of-the-whole-second-floor-in-the-left-wing-of-the-house-by-the-river"
	two := strings.Replace(d83, "        timeout           60;", "        allow-two-primaries;", 1)
	with := func(text, old, new string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not there", old)
		}
		return strings.ReplaceAll(text, old, new)
	}
	for _, c := range []struct {
		name, host, proc, dump, status, disk string
		want                                 string // "" is live
		target                               string // on a node that does not have it; "=" is the same
	}{
		{"no DRBD at all", fqdn, "", "", "", "'phy:/dev/vg/test,xvda,w'", "", "="},
		{"DRBD for others", fqdn, p84, "", "", "'phy:/dev/vg/test,xvda,w'", "", "="},
		{"not loaded", fqdn, "", "", "", "'drbd:test-disk,xvda,w'", "no DRBD loaded", "="},
		{"8.4, by name", fqdn, p84, two, "", "'drbd:test-disk,xvda,w'", "", "="},
		{"8.4, by device", fqdn, p84, two, "", "'phy:/dev/drbd1,xvda,w'", "", "="},
		{"8.4, by resource's path", fqdn, p84, two, "", "'phy:/dev/drbd/by-res/test-disk/0,xvda,w'", "", "="},
		{"8.3", fqdn, p83, d83, "", "'drbd:test-disk,xvda,w'", "", "="},
		{"8.0", fqdn, p80, d83, "", "'drbd:test-disk,xvda,w'", "", "="},
		{"all disks count", fqdn, p84, two, "", "'drbd:test-disk,xvda,w','drbd:test-swap,xvdb,w'", "SyncSource", "="},
		{"no section of its name", "other", p83, d83, "", "'drbd:test-disk,xvda,w'", "", "="},
		{"two primaries for all", fqdn, p83, with(d83, "    syncer {", "    net {\n        allow-two-primaries;\n    }\n    syncer {"), "", "'drbd:test-swap,xvda,w'", "Secondary here", ""},
		{"a device twice", fqdn, with(p83, " 2: cs", " 1: cs"), d83, "", "'drbd:test-disk,xvda,w'", "stands twice", "="},
		{"one primary", fqdn, p83, d83, "", "'drbd:test-swap,xvda,w'", "allow two primaries", "="},
		{"switched off", fqdn, p83, with(d83, "allow-two-primaries;", "allow-two-primaries no;"), "", "'drbd:test-disk,xvda,w'", "allow two primaries", "="},
		{"protocol A", fqdn, p83, with(d83, "C;", "A;"), "", "'drbd:test-disk,xvda,w'", "protocol C", "="},
		{"synchronizing", fqdn, p84, two, "", "'drbd:test-swap,xvda,w'", "SyncSource", "="},
		{"the other section's device", "ha2.domain.local", with(p83, " 2:", " 7:"), two, "", "'drbd:test-swap,xvda,w'", "Secondary here", ""},
		{"alone", fqdn, with(p84, " 1: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate", " 1: cs:WFConnection ro:Primary/Unknown ds:UpToDate/DUnknown"), two, "", "'drbd:test-disk,xvda,w'", "WFConnection", "="},
		{"outdated there", fqdn, with(p83, "UpToDate/UpToDate", "UpToDate/Outdated"), d83, "", "'drbd:test-disk,xvda,w'", "UpToDate/Outdated", "="},
		{"the other side is not said", fqdn, with(p83, "UpToDate/UpToDate", "UpToDate"), d83, "", "'drbd:test-disk,xvda,w'", "other side is not known", "="},
		{"verifying", fqdn, with(p83, "cs:Connected", "cs:VerifyS"), d83, "", "'drbd:test-disk,xvda,w'", "VerifyS", "="},
		{"suspended", fqdn, with(p83, "C r-----", "C s-----"), d83, "", "'drbd:test-disk,xvda,w'", "suspended", "="},
		{"secondary", fqdn, with(p83, "Primary/Secondary", "Secondary/Secondary"), d83, "", "'drbd:test-disk,xvda,w'", "Secondary here", ""},
		{"not up", fqdn, with(p83, " 1: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----", " 1: cs:Unconfigured"), d83, "", "'drbd:test-disk,xvda,w'", "not Connected", "="},
		{"not there", fqdn, with(p83, " 1: cs", " 9: cs"), d83, "", "'drbd:test-disk,xvda,w'", "not up here", "="},
		{"no such resource", fqdn, p83, d83, "", "'drbd:other,xvda,w'", "no resource is known", "="},
		{"no such device", fqdn, p83, d83, "", "'phy:/dev/drbd9,xvda,w'", "no resource is known", "="},
		{"nonsense", fqdn, "what?\n", d83, "", "'drbd:test-disk,xvda,w'", "no version", "="},
		{"a cut dump", fqdn, p83, d83[:len(d83)/2], "", "'drbd:test-disk,xvda,w'", "ends too early", "="},

		{"9", "ha1", p9, d9, s9, "'drbd:r0,xvda,w'", "", "="},
		{"9, another name", "ha1", p9, d9, s9, "'phy:/dev/drbd_data,xvda,w'", "", "="},
		{"9, connecting", "ha1", p9, d9, with(s9, "connection:Connected role:Secondary", "connection:Connecting role:Unknown"), "'drbd:r0,xvda,w'", "Connecting", "="},
		{"9, one volume resyncs", "ha1", p9, d9, strings.Replace(s9, "replication:Established peer-disk:UpToDate", "replication:SyncSource peer-disk:UpToDate", 1), "'drbd:r0,xvda,w'", "SyncSource", "="},
		{"9, outdated there", "ha1", p9, d9, strings.Replace(s9, "peer-disk:UpToDate", "peer-disk:Outdated", 1), "'drbd:r0,xvda,w'", "Outdated", "="},
		{"9, failed here", "ha1", p9, d9, strings.Replace(s9, " disk:UpToDate", " disk:Failed", 1), "'drbd:r0,xvda,w'", "Failed", "="},
		{"9, suspended", "ha1", p9, d9, with(s9, "role:Primary suspended:no", "role:Primary suspended:user"), "'drbd:r0,xvda,w'", "output is suspended", "="},
		{"9, resync suspended", "ha1", p9, d9, with(s9, "resync-suspended:no", "resync-suspended:peer"), "'drbd:r0,xvda,w'", "resynchronization is suspended", "="},
		{"9, the second volume failed", "ha1", p9, d9, with(s9, "minor:1 disk:UpToDate", "minor:1 disk:Failed"), "'drbd:r0,xvda,w'", "Failed", "="},
		{"9, the second volume is not up", "ha1", p9, d9, strings.ReplaceAll(s9, "volume:1", "# volume:1"), "'drbd:r0,xvda,w'", "not up here", "="},
		{"9, no minor is said, not up", "ha1", p9, with(with(d9, "/dev/drbd0 minor 0", "/dev/drbd_root"), " minor 1", ""), "", "'drbd:r0,xvda,w'", "not up here", "="},
		{"9, secondary", "ha1", p9, d9, with(s9, "role:Primary", "role:Secondary"), "'drbd:r0,xvda,w'", "Secondary here", ""},
		{"9, no peer", "ha1", p9, d9, s9[:strings.Index(s9, "  ha2")], "'drbd:r0,xvda,w'", "StandAlone", "="},
		{"9, not up", "ha1", p9, d9, "", "'drbd:r0,xvda,w'", "not up here", "="},
		{"9, no quorum", "ha1", p9, d9, with(s9, "quorum:yes", "quorum:no"), "'drbd:r0,xvda,w'", "no quorum", "="},
		{"9, a peer without a name", "ha1", p9, d9, with(s9, "  ha2 node-id:1", "  node-id:1"), "'drbd:r0,xvda,w'", "", "="},
		{"9, such a peer is away", "ha1", p9, d9, with(s9, "  ha2 node-id:1 connection:Connected", "  node-id:1 connection:Connecting"), "'drbd:r0,xvda,w'", "Connecting", "="},
		{"9, one connection says no", "ha1", p9, with(d9, "    net {", "    connection {\n        host ha3 address ipv4 10.1.1.33:7000;\n        net {\n            allow-two-primaries no;\n        }\n    }\n    net {"), s9, "'drbd:r0,xvda,w'", "allow two primaries", "="},
		{"9, one connection says yes", "ha1", p9, with(with(d9, "        allow-two-primaries yes;\n", ""), "    net {", "    connection {\n        host ha3 address ipv4 10.1.1.33:7000;\n        net {\n            allow-two-primaries yes;\n        }\n    }\n    net {"), s9, "'drbd:r0,xvda,w'", "allow two primaries", "="},
		{"9, all in the connection", "ha1", p9, with(d91, "            _name        ha2;", "            allow-two-primaries yes;\n            protocol C;"), strings.Replace(wrapped, long, "vms", 1), "'drbd:vms,xvda,w'", "", "="},
		{"9, only in the connection", "ha1", p9, with(with(d91, "            _name        ha2;", "            allow-two-primaries yes;\n            protocol C;"), "        allow-two-primaries yes;\n    }\n}", "    }\n}"), strings.Replace(wrapped, long, "vms", 1), "'drbd:vms,xvda,w'", "", "="},
		{"9, one connection waits less", "ha1", p9, with(d9, "        host ha2         address         ipv4 10.1.1.32:7000;", "        host ha2         address         ipv4 10.1.1.32:7000;\n        net {\n            protocol A;\n        }"), s9, "'drbd:r0,xvda,w'", "protocol C", "="},
		{"9.1, no protocol is said, escaped quotes, no path", "ha1", p9, d91, strings.Replace(wrapped, long, "vms", 1), "'phy:/dev/drbd1014,xvda,w'", "", "="},
		{"9.1, broken lines", "ha1", p9, with(d91, "resource vms {", "resource "+long+" {"), wrapped, "'drbd:" + long + ",xvda,w'", "", "="},
		{"9.1, suspended, behind a break", "ha1", p9, d91, with(strings.Replace(wrapped, long, "vms", 1), "suspended:no force", "suspended:quorum force"), "'drbd:vms,xvda,w'", "output is suspended", "="},
		{"9.1, held, behind a break", "ha1", p9, d91, with(strings.Replace(wrapped, long, "vms", 1), "resync-suspended:no", "resync-suspended:user"), "'drbd:vms,xvda,w'", "resynchronization is suspended", "="},
	} {
		s := replicated(t, c.host, c.proc, c.dump, c.status, c.disk)
		x := s.driver("xen").(*xen)
		is := func(where string, err error, want string) {
			t.Helper()
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s, %s: %v, want %q", c.name, where, err, want)
			}
		}
		is("where it runs", x.LiveNow(context.Background(), "test", nil), c.want)
		if c.target == "=" {
			c.target = c.want
		}
		is("where it could go", x.CouldLive(context.Background(), "test", nil), c.target)
		s.wantChanges()
	}
	// Without its configuration nobody knows the disks: that stands against a live move only where there is DRBD.
	s := replicated(t, fqdn, p84, two, "", "'drbd:test-disk,xvda,w'")
	if err := s.driver("xen").(Replicated).LiveNow(context.Background(), "other", nil); err == nil {
		t.Error("a domain without a configuration goes live over DRBD")
	}
	if err := newStage(t, nil).driver("xen").(Replicated).LiveNow(context.Background(), "other", nil); err != nil {
		t.Error(err)
	}
}

func TestDRBDStatusWithoutVerbose(t *testing.T) {
	for text, want := range map[string]string{
		"r0 role:Primary\n  disk:UpToDate\n  ha2 role:Secondary\n    peer-disk:UpToDate\n":                                             "",
		"r0 role:Primary\n  disk:UpToDate\n  ha2 connection:StandAlone\n":                                                              "StandAlone",
		"r0 role:Primary\n  disk:UpToDate\n  ha2 role:Secondary\n    replication:SyncSource peer-disk:Inconsistent done:12\n":          "Inconsistent",
		"r0 role:Primary\n  disk:UpToDate\n  ha2 role:Secondary\n    replication:Established\n":                                        "DUnknown",
		"r0 role:Primary\n  disk:UpToDate\n  ha2\n":                                                                                    "unknown",
		"r0 role:Primary\n  volume:0 disk:UpToDate\n  volume:1 disk:UpToDate\n  ha2 role:Secondary\n    volume:0 peer-disk:UpToDate\n": "DUnknown",
	} {
		m, err := parseDRBDStatus([]byte(text))
		if err != nil || len(m["r0"]) == 0 {
			t.Errorf("%q: %v, %v", text, m, err)
			continue
		}
		if why := m["r0"][0].unready(true); want == "" && why != "" || !strings.Contains(why, want) {
			t.Errorf("%q: %q", text, why)
		}
	}
	for _, text := range []string{"  disk:UpToDate\n", "r0\n", "r0 role:Primary\nr0 role:Primary\n", "r0 role:Primary\n    peer-disk:UpToDate\n", "No currently configured DRBD found.\n"} {
		if m, err := parseDRBDStatus([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, m)
		}
	}
}

// Whatever is cut off or changed in what DRBD says must not make a resource ready that the whole text does not call so,
// and must not end the program.
func FuzzDRBD(f *testing.F) {
	for _, name := range []string{"proc-drbd-8.4", "proc-drbd-8.3", "proc-drbd-8.0", "proc-drbd-9", "drbdadm-dump-8.3", "drbdadm-dump-9", "drbdadm-dump-9.1", "drbdsetup-status-9-verbose", "drbdsetup-status-9-wrapped"} {
		f.Add([]byte(drbdText(f, name)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseProcDRBD(b); err == nil && p.major == 0 {
			t.Error("no version")
		}
		m, err := parseDRBDStatus(b)
		for name, volumes := range m {
			for _, v := range volumes {
				if err == nil && v.unready(true) == "" && (!strings.Contains(string(b), "peer-disk:UpToDate") || strings.Count(string(b), "UpToDate") < 2) {
					t.Errorf("%s is ready", name)
				}
			}
		}
		resources, err := parseDRBDDump(b, "ha1")
		for _, r := range resources {
			for _, n := range r.connections() {
				if err == nil && n.two == "yes" && !strings.Contains(string(b), "allow-two-primaries") {
					t.Errorf("%s allows what nobody says", r.name)
				}
			}
		}
	})
}
