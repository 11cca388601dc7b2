package hypervisor

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lbvm/lbvm/internal/run"
)

func TestForbidsSharedLocks(t *testing.T) {
	for _, c := range []struct {
		vz   string
		link bool // /vz leads to the shared storage
		want bool
	}{
		{"LOCKDIR=/var/lib/vzctl/lock\n", true, false}, {"LOCKDIR=/shared/lock\n", false, true}, {"LOCKDIR=/vz/lock\n", true, true},
		{"LOCKDIR=/vz/lock\n", false, false}, {"", true, true}, {"", false, false}, {"LOCKDIR=/sharedlock\n", false, false},
	} {
		s := newStage(t, nil)
		s.file("/shared/keep", "")
		s.file("/etc/vz/vz.conf", c.vz)
		if c.link {
			s.link("/shared", "/vz")
		}
		d := s.driver("openvz").(Forbidder)
		if err := d.Forbids("101", filepath.Join(s.root, "shared")); (err != nil) != c.want || err != nil && !strings.Contains(err.Error(), "LOCKDIR") {
			t.Errorf("%+v: %v", c, err)
		}
		if err := d.Forbids("101", ""); err != nil {
			t.Errorf("%+v, without a share: %v", c, err)
		}
	}
}

// A quota file of this node counts what the container had when it was last here.
func TestOldQuotaIsDropped(t *testing.T) {
	for _, c := range []struct {
		name, conf, vz string
		absent         bool
		code           int
		drop           bool
		note           string
	}{
		{name: "by default", drop: true},
		{name: "no file", absent: true},
		{name: "off", conf: "DISK_QUOTA=\"no\"\n"},
		{name: "off on the node", vz: "DISK_QUOTA=no\n"},
		{name: "on against the node", conf: "DISK_QUOTA=\"yes\"\n", vz: "DISK_QUOTA=no\n", drop: true},
		{name: "its users have limits", conf: "QUOTAUGIDLIMIT=\"100\"\n", note: "is kept"},
		{name: "its users have none", conf: "QUOTAUGIDLIMIT=\"0\"\n", drop: true},
		{name: "it is in use", code: 5, drop: true, note: "could not be dropped"},
	} {
		for _, resume := range []bool{false, true} {
			s := newStage(t, nil)
			s.play = func(argv []string) run.Result {
				switch argv[1] {
				case "status":
					return run.Result{Stdout: []byte("CTID 101 exist unmounted down\n")}
				case "drop":
					return run.Result{Code: c.code}
				}
				return run.Result{}
			}
			s.file("/usr/sbin/vzquota", "")
			s.program("/usr/sbin/vzquota")
			s.file("/etc/vz/conf/101.conf", c.conf)
			s.file("/etc/vz/vz.conf", c.vz)
			if !c.absent {
				s.file("/var/vzquota/quota.101", "")
			}
			var err error
			last := "vzctl start 101"
			if resume {
				image := s.file("/image", "")
				last = "vzctl restore 101 --dumpfile /image"
				err = s.driver("openvz").Restore(context.Background(), Guest{Name: "101"}, image)
			} else {
				err = s.driver("openvz").Start(context.Background(), Guest{Name: "101"})
			}
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			want := []string{last}
			if c.drop {
				want = []string{"vzquota drop 101", last}
			}
			s.wantChanges(want...)
			if notes := strings.Join(s.notes, "\n"); (notes != "") != (c.note != "") || !strings.Contains(notes, c.note) {
				t.Errorf("%s: %q", c.name, notes)
			}
		}
	}
}
