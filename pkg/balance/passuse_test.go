package balance

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// PassUses finds the passes that PassAt finds, whatever their lines look like, in whatever steps it is asked.
func TestPassUsesAreThoseOfPassAt(t *testing.T) {
	found := 0
	for seed := range int64(25) {
		rnd := rand.New(rand.NewSource(seed))
		path := filepath.Join(t.TempDir(), PassesName)
		at := testNow
		write := func(name string, passes int) {
			for i := range passes {
				at = at.Add(time.Duration(1+rnd.Intn(3000)) * time.Second)
				p := &Pass{At: at, View: View{Quorate: true, Nodes: []Node{{Name: "n1"}}}}
				for j := range rnd.Intn(4) {
					vm := VM{Name: fmt.Sprintf("vm\"\\ä%d", j), Type: "xen", State: Started, Cores: float64(rnd.Intn(3)) * rnd.Float64() / 3, MayRun: []Placement{{"n1", 1}}, Uses: map[string]float64{"io": 1}}
					if rnd.Intn(3) > 0 {
						vm.Owner = "n1"
					}
					p.View.VMs = append(p.View.VMs, vm)
				}
				for range rnd.Intn(2) * rnd.Intn(4) {
					p.Decisions = append(p.Decisions, Decision{VM: "xen:1", Why: strings.Repeat("long {[\" ", rnd.Intn(12000))})
				}
				if err := AppendPass(name, p); err != nil {
					t.Fatal(err)
				}
				if rnd.Intn(6) == 0 || i == passes-1 && rnd.Intn(2) == 0 {
					if err := appendLine(name, []byte(strings.Repeat("garbage", rnd.Intn(5))+"\n")); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if rnd.Intn(2) == 0 {
			write(path+".1", rnd.Intn(12))
		}
		write(path, rnd.Intn(30))
		if rnd.Intn(2) == 0 { // torn
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(`{"at":"` + at.Add(time.Second).Format(time.RFC3339) + `","vms":[]`); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		u, err := OpenPassUses(path)
		if err != nil {
			t.Fatal(err)
		}
		for ask := testNow.Add(-time.Minute); ask.Before(at.Add(time.Hour)); ask = ask.Add(time.Duration(rnd.Intn(2000)) * time.Second) {
			if rnd.Intn(20) == 0 {
				ask = ask.Add(-time.Hour) // back, too
			}
			want, wantErr := PassAt(path, ask, 20*time.Minute)
			got, err := u.At(ask, 20*time.Minute)
			if (err == nil) != (wantErr == nil) || errors.Is(err, ErrNoPass) != errors.Is(wantErr, ErrNoPass) {
				t.Fatalf("seed %d, %s: %v, and PassAt %v", seed, ask, err, wantErr)
			}
			if err != nil {
				continue
			}
			found++
			short := []VM{}
			for _, v := range want.View.VMs {
				short = append(short, VM{Name: v.Name, Type: v.Type, Owner: v.Owner, Cores: v.Cores})
			}
			if !reflect.DeepEqual(append([]VM{}, got...), short) {
				t.Fatalf("seed %d, %s: %+v, and PassAt %+v", seed, ask, got, short)
			}
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if found < 200 {
		t.Errorf("%d passes were found: the test looks at nothing", found)
	}
}

// What is no pass, or is cut off anywhere before the end of its VMs, is an error and nothing worse.
func TestScanUsesOfWrongText(t *testing.T) {
	line := []byte(`{"at":"x","nodes":[{"a":[1,2,{}]},"\"]"],"vms":[{"name":"a\u0041","type":"xen","owner":null,"cpu_cores":1.5e0,"uses":{"x":1}}],"decisions":[]}`)
	list, end, err := scanUses(nil, line, map[string]string{})
	if err != nil || len(list) != 1 || list[0].Name != "aA" || list[0].Cores != 1.5 || list[0].Owner != "" {
		t.Fatalf("%+v %v", list, err)
	}
	for n := range end {
		if list, _, err := scanUses(nil, line[:n], map[string]string{}); err == nil {
			t.Errorf("%s: %+v", line[:n], list)
		}
	}
	for _, text := range []string{"", "[]", "{}", `{"vms":{}}`, `{"vms":[1]}`, `{"vms":[{"cpu_cores":"1"}]}`, `{"vms":[{"cpu_cores":x}]}`, `{"vms":[{"name":"\q"}]}`, `{"vms" []}`, `{"a":}`} {
		if list, _, err := scanUses(nil, []byte(text), map[string]string{}); err == nil {
			t.Errorf("%s: %+v", text, list)
		}
	}
}
