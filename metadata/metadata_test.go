package metadata_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/real"
	"github.com/lbvm/lbvm/metadata"
	"github.com/lbvm/lbvm/pkg/ocf"
)

func all() map[string][]byte {
	return map[string][]byte{"openvz": metadata.OpenVZ(), "xen": metadata.Xen(), "kvm": metadata.KVM(), "vmexec": metadata.VMExec(), "lbvm": metadata.LBVM()}
}

// seconds is what an action of the metadata says, and its depth.
type seconds struct{ timeout, interval, depth int }

func TestMetadata(t *testing.T) {
	common := map[string]string{"autostart": "1", "exclusive": "0", "recovery": "restart", "depend_mode": "hard", "max_restarts": "0", "restart_expire_time": "0"}
	for name, tt := range map[string]struct {
		defaults map[string]string
		plain    []string // parameters whose change restarts the resource, name aside
		actions  map[string]seconds
		special  [3]bool // maxinstances is 1, init_on_add, destroy_on_delete
	}{
		"openvz": {map[string]string{"on_stop": "suspend", "unknown_limit": "3", "check_limit": "2", "check_action": "restart", "wait_ready": "0"}, nil,
			map[string]seconds{"start": {300, 0, 0}, "stop": {300, 0, 0}, "status": {20, 30, 0}, "status 10": {20, 60, 10}, "meta-data": {5, 0, 0}, "validate-all": {5, 0, 0}}, [3]bool{true, false, false}},
		"xen": {map[string]string{"on_stop": "suspend", "path": "/etc/xen", "unknown_limit": "3", "check_limit": "2", "check_action": "restart", "wait_ready": "0"}, []string{"path"},
			map[string]seconds{"start": {300, 0, 0}, "stop": {300, 0, 0}, "status": {20, 30, 0}, "status 10": {20, 60, 10}, "migrate": {600, 0, 0}, "meta-data": {5, 0, 0}, "validate-all": {5, 0, 0}}, [3]bool{true, false, false}},
		"kvm": {map[string]string{"on_stop": "suspend", "path": "/etc/kvm", "migration_transport": "ssh", "migrate_unsafe": "0", "unknown_limit": "3", "check_limit": "2", "check_action": "restart", "wait_ready": "0"}, []string{"path"},
			map[string]seconds{"start": {300, 0, 0}, "stop": {300, 0, 0}, "status": {20, 30, 0}, "status 10": {20, 60, 10}, "migrate": {600, 0, 0}, "meta-data": {5, 0, 0}, "validate-all": {5, 0, 0}}, [3]bool{true, false, false}},
		"vmexec": {map[string]string{"on_stop": "suspend", "unknown_limit": "3", "check_limit": "2", "check_action": "restart", "wait_ready": "0"}, []string{"type", "config"},
			map[string]seconds{"start": {300, 0, 0}, "stop": {300, 0, 0}, "status": {20, 30, 0}, "status 10": {20, 60, 10}, "migrate": {600, 0, 0}, "meta-data": {5, 0, 0}, "validate-all": {5, 0, 0}}, [3]bool{true, false, false}},
		"lbvm": {nil, nil,
			map[string]seconds{"start": {20, 0, 0}, "stop": {20, 0, 0}, "status": {10, 60, 0}, "meta-data": {5, 0, 0}, "validate-all": {5, 0, 0}}, [3]bool{true, true, true}},
	} {
		m, err := ocf.ParseMetadata(all()[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p := m.Params[0]; m.Name != name || p.Name != "name" || !p.Primary || !p.Required || !p.Unique || p.HasDefault {
			t.Errorf("%s: %q, first parameter %+v", name, m.Name, p)
		}
		want := map[string]string{}
		for _, of := range []map[string]string{common, tt.defaults} {
			for k, v := range of {
				want[k] = v
			}
		}
		restart := map[string]bool{}
		for _, p := range tt.plain {
			restart[p] = true
		}
		bare := []string{"domain", "depend"} // without a default
		if name != "lbvm" {
			bare = append(bare, "check")
		}
		switch name {
		case "xen", "kvm":
			bare = append(bare, "migration_mapping")
		case "vmexec":
			bare = append(bare, "migration_mapping", "type", "config", "memory")
		}
		if len(m.Params) != len(want)+len(bare)+1 { // and name
			t.Errorf("%s: %d parameters", name, len(m.Params))
		}
		for _, p := range m.Params[1:] {
			d, ok := want[p.Name]
			if p.Default != d || p.HasDefault != ok || p.Reconfig == restart[p.Name] || p.Primary || p.Unique || p.Required != (p.Name == "type") {
				t.Errorf("%s: %+v, want the default %q", name, p, d)
			}
			if !ok && !slices.Contains(bare, p.Name) {
				t.Errorf("%s: parameter %q is not expected", name, p.Name)
			}
		}
		if len(m.Actions) != len(tt.actions) {
			t.Errorf("%s: actions %+v", name, m.Actions)
		}
		for _, a := range m.Actions {
			got, key := seconds{int(a.Timeout / time.Second), int(a.Interval / time.Second), a.Depth}, a.Name
			if a.Depth > 0 {
				key = fmt.Sprint(a.Name, " ", a.Depth)
			}
			if want, ok := tt.actions[key]; !ok || got != want {
				t.Errorf("%s: action %+v", name, a)
			}
		}
		if got := [3]bool{m.MaxInstances == 1, m.InitOnAdd, m.DestroyOnDelete}; got != tt.special {
			t.Errorf("%s: special %v", name, got)
		}
	}
}

func TestFirstByte(t *testing.T) {
	// A stray byte before the declaration, or one that is not ASCII, and rgmanager may not read it at all.
	for name, text := range all() {
		if !strings.HasPrefix(string(text), "<?xml ") || strings.Contains(string(text), "<!DOCTYPE") {
			t.Errorf("%s begins with %.20q", name, text)
		}
		for i, c := range text {
			if c > '~' || (c < ' ' && c != '\n') {
				t.Errorf("%s: byte %d is %q", name, i, c)
			}
		}
	}
}

func TestCopies(t *testing.T) {
	metadata.OpenVZ()[0] = 'X'
	if metadata.OpenVZ()[0] != '<' {
		t.Error("a caller changed the metadata")
	}
}

func TestDTD(t *testing.T) {
	xmllint := real.Need(t, "xmllint")
	valid := func(text string) (bool, string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "agent.xml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(xmllint, "--noout", "--dtdvalid", "rgmanager.dtd", file).CombinedOutput()
		return err == nil, string(out)
	}
	for name, text := range all() {
		if ok, out := valid(string(text)); !ok {
			t.Errorf("%s: %s", name, out)
		}
	}
	// The check can fail.
	xen := string(metadata.Xen())
	for _, tt := range []struct{ old, new string }{
		{`primary="1"`, `primary="true"`},
		{`<action name="migrate" timeout="600"/>`, `<action name="restart" timeout="600"/>`},
		{`<action name="migrate" timeout="600"/>`, `<action name="migrate"/>`},
		{`<version>1.0</version>`, ``},
		{`<content type="integer" default="0"/>`, `<content type="number" default="0"/>`},
		{`<content type="integer" default="0"/>`, ``},
		{`<shortdesc lang="en">Xen domain</shortdesc>`, ``},
		{`<special tag="rgmanager">`, `<special>`},
		{`maxinstances="1"`, `max="1"`},
	} {
		broken := strings.Replace(xen, tt.old, tt.new, 1)
		if broken == xen {
			t.Fatalf("%q is not in xen.xml", tt.old)
		}
		if ok, _ := valid(broken); ok {
			t.Errorf("%q instead of %q is called valid", tt.new, tt.old)
		}
	}
}
