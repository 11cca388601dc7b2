package main

import (
	"strings"
	"testing"
)

// By hand, a service is taken out of the file, whose version stays: that of the running cluster.
func TestCCSUpdateAfterAnEditByHand(t *testing.T) {
	const service = `<service name="web"><openvz name="101"/></service>`
	byHand := func(t *testing.T, b *bench) {
		t.Helper()
		text := b.conf(t)
		if !strings.Contains(text, service) {
			t.Fatal(text)
		}
		b.write(t, "etc/cluster/cluster.conf", strings.Replace(text, service, "", 1))
	}
	refuses := func(t *testing.T, b *bench, s *suite, want string, args ...string) {
		t.Helper()
		running := s.running
		if code := b.lbm(append([]string{"ccs"}, args...)...); code != exitRefused || !strings.Contains(b.errors.String(), want) || s.running != running {
			t.Errorf("%v: %d, running %d, want %q\n%s%s", args, code, s.running, want, b.out.String(), b.errors.String())
		}
	}
	lbm := func(t *testing.T, b *bench, args ...string) {
		t.Helper()
		if code := b.lbm(append([]string{"ccs"}, args...)...); code != 0 {
			t.Fatalf("%v: %d %s", args, code, b.errors.String())
		}
	}
	t.Run("with nothing to compare", func(t *testing.T) {
		b, s := confBench(t)
		byHand(t, b)
		refuses(t, b, s, "no copy is here that was not edited by hand", "bump", "--update")
		lbm(t, b, "bump")
		refuses(t, b, s, "may have been edited by hand", "update")
		lbm(t, b, "set", "//service[@name='centos1']", "recovery", "relocate")
		refuses(t, b, s, "may have been edited by hand", "update")
		b.write(t, "running", clusterConf)
		refuses(t, b, s, "this would stop service:web", "update", "--running", b.root+"/running")
	})
	t.Run("with the copy of what was published", func(t *testing.T) {
		for _, args := range [][]string{
			{"bump", "--update"},
			{"set", "//service[@name='centos1']", "recovery", "relocate", "--update"},
		} {
			b, s := confBench(t)
			lbm(t, b, "set", "//service[@name='centos1']", "recovery", "restart", "--update", "--no-wait")
			byHand(t, b)
			refuses(t, b, s, "this would stop service:web", args...)
			lbm(t, b, "bump")
			refuses(t, b, s, "this would stop service:web", "update")
			lbm(t, b, "update", "--i-know", "--no-wait")
			s.states = map[string]string{"service:web": `state="119" state_str="disabled" flags="0" flags_str="" owner="none" last_owner="none"`}
			byHandAgain := strings.Replace(b.conf(t), `name="centos1"`, `name="centos9"`, 1)
			b.write(t, "etc/cluster/cluster.conf", byHandAgain)
			refuses(t, b, s, "this would stop service:centos1", "bump", "--update")
		}
	})
}

// A node that is online keeps what runs on it: it is not left out of the configuration before it has left the cluster.
func TestCCSDelnodeOnline(t *testing.T) {
	const x3 = "xen3.01100011.com"
	b, s := confBench(t)
	before := b.conf(t)
	if code := b.lbm("ccs", "delnode", x3, "--update"); code != exitRefused || !strings.Contains(b.errors.String(), x3+" is online") || s.running != 3 || b.conf(t) != before {
		t.Errorf("%d, running %d\n%s", code, s.running, b.errors.String())
	}
	if code := b.lbm("ccs", "delnode", x3); code != 0 {
		t.Errorf("%d %s", code, b.errors.String())
	}
	if code := b.lbm("ccs", "update"); code != exitRefused || !strings.Contains(b.errors.String(), x3+" is online") || s.running != 3 {
		t.Errorf("%d, running %d\n%s", code, s.running, b.errors.String())
	}
	s.states = map[string]string{"xen3": "offline"}
	if code := b.lbm("ccs", "update", "--no-wait"); code != 0 || s.running != 4 {
		t.Errorf("%d, running %d\n%s", code, s.running, b.errors.String())
	}
}
