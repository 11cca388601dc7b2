package balance

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestLastView(t *testing.T) {
	path := filepath.Join(t.TempDir(), PassesName)
	if at, vms, err := LastView(path, testNow); err != nil || !at.IsZero() || vms != nil {
		t.Errorf("no file: %s %v %v", at, vms, err)
	}
	p := goldenPass(t)
	var text strings.Builder
	for i := range 3 {
		q := *p
		q.At = p.At.Add(time.Duration(i) * time.Minute)
		line, err := EncodePass(&q)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(line)
	}
	torn := `{"at":"2008-01-15T14:33:00Z","config":"x","quorate":true,"nodes":[],"placements":[],"vms":[{"na`
	if err := os.WriteFile(path, []byte(text.String()+"no pass\n"+torn), 0o644); err != nil {
		t.Fatal(err)
	}
	want := make([]VM, len(p.View.VMs))
	for i, vm := range p.View.VMs {
		want[i] = VM{Name: vm.Name, Type: vm.Type, Owner: vm.Owner, Cores: vm.Cores, Uses: vm.Uses}
	}
	for before, at := range map[time.Duration]time.Duration{time.Hour: 2 * time.Minute, 2 * time.Minute: time.Minute, time.Second: 0} {
		got, vms, err := LastView(path, p.At.Add(before))
		if err != nil || !got.Equal(p.At.Add(at)) || !reflect.DeepEqual(vms, want) {
			t.Errorf("before %s: %s %v, not %v: %v", before, got, vms, want, err)
		}
	}
	if at, vms, err := LastView(path, p.At); err != nil || !at.IsZero() || vms != nil {
		t.Errorf("before the first: %s %v %v", at, vms, err)
	}
	if err := os.WriteFile(path, []byte(`{"at":"2008-01-15T14:30:00Z","vms":[{"name":7}]}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if at, vms, err := LastView(path, p.At.Add(time.Hour)); err != nil || !at.IsZero() || vms != nil {
		t.Errorf("a spoilt line: %s %v %v", at, vms, err)
	}
}
