package ocf

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// whole is all that the black box costs a status check of two programs.
func whole(w World) error {
	c := &Call{Action: "status", Name: "t1", Type: "toy", Instance: "toy:t1", World: w, began: w.Now()}
	c.box = openBox(w, c)
	if c.box == nil {
		return fmt.Errorf("%s was not opened", w.Box)
	}
	argv := []string{"/usr/sbin/vzctl", "status", "t1"}
	for range 2 {
		c.Runs(argv)
		c.Ran(argv, 0, time.Millisecond, nil)
	}
	c.box.end(CodeOK, nil, time.Millisecond)
	return nil
}

func costWorld(path string) World {
	return boxWorld(path, "status", "OCF_RESKEY_do=ok", "OCF_RESKEY_file=/shared/x", "OCF_RESKEY_RGMANAGER_meta_timeout=20")
}

// The aim is 0.3 ms; the bound is wide, for a machine that does other things as well.
func TestBoxCost(t *testing.T) {
	const aim, bound = 300 * time.Microsecond, 3 * time.Millisecond
	w := costWorld(newBox(t))
	var took []time.Duration
	for range 201 {
		began := time.Now()
		if err := whole(w); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("median %s, nine of ten within %s, aim %s", median, took[len(took)*9/10], aim)
	if median > bound {
		t.Errorf("the black box costs %s an action", median)
	}
}

func BenchmarkBox(b *testing.B) {
	w := costWorld(newBox(b))
	b.ReportAllocs()
	for range b.N {
		if err := whole(w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadBox(b *testing.B) {
	path := newBox(b)
	for i := range 2 * boxSlots {
		boxed(b, path, []string{"stop", "status"}[i%2])
	}
	for range b.N {
		if _, err := ReadBox(path); err != nil {
			b.Fatal(err)
		}
	}
}
