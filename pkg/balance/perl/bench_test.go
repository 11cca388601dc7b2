package perl

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// The programs that the bars are set for; perl's own times are in bench.pl's output.
func benchCases() map[string]string {
	return map[string]string{
		"example1": `if (average(res('cpu',5)) > 0.70) { migrate(); }`,
		"example2": `if ((average(res('cpu',5)) > 0.70) && average(res2('cpu',2)) < 0.40) { migrate(); }`,
		"example3": `my ($sec,$min,$hour,$mday,$mon,$year,$wday,$yday,$isdst) = localtime(time);
    if ((average(res('cpu',5)) > 0.60 && min(res2('ram',2)) > 512) && ($hour >= 0 && $hour <= 24)) { migrate(); }`,
		"array": `my @cpu = res('cpu', 3); if ( average(@cpu) > 0.50 && $cpu[0] > $cpu[1] && $cpu[1] > $cpu[2] ) { migrate(); }`,
		"loop":  `my $s = 0; for (my $i = 0; $i < 1000; $i++) { $s += $i * 2 if $i % 3 }`,
	}
}

func BenchmarkRun(b *testing.B) {
	f := readOracle(b)
	zone, err := time.LoadLocation(f.TZ)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"example1", "example2", "example3", "array", "loop"} {
		b.Run(name, func(b *testing.B) {
			prog, diags := Compile([]byte(benchCases()[name]), Position{}, testFuncs())
			if prog == nil {
				b.Fatal(diags)
			}
			w := f.world()
			w.actions = make([]string, 0, 8)
			o := Options{Host: w, Now: time.Unix(f.Now, 0), Zone: zone}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				w.actions = w.actions[:0]
				if _, err := prog.Run(context.Background(), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	src, funcs := []byte(benchCases()["example3"]), testFuncs()
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if p, _ := Compile(src, Position{}, funcs); p == nil {
			b.Fatal("no program")
		}
	}
}

// TestNoAllocations: the first example of the manual runs without asking for memory.
func TestNoAllocations(t *testing.T) {
	f := readOracle(t)
	for _, name := range []string{"example1", "example2", "array"} {
		prog, _ := Compile([]byte(benchCases()[name]), Position{}, testFuncs())
		w := f.world()
		w.actions = make([]string, 0, 8)
		ctx, o := context.Background(), Options{Host: w, Now: time.Unix(f.Now, 0)}
		n := testing.AllocsPerRun(200, func() {
			w.actions = w.actions[:0]
			if _, err := prog.Run(ctx, o); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if m := prog.machine(); len(m.slab) > 16 { // in 200 runs it would have grown
			t.Errorf("%s: a run does not use the cells of the last one again: %d", name, len(m.slab))
		}
	}
}

// TestFirstRunKeepsNothing: a pool would keep a program that runs only once alive for two collections of garbage.
func TestFirstRunKeepsNothing(t *testing.T) {
	prog, _ := Compile([]byte("1 + 1"), Position{}, testFuncs())
	if _, err := prog.Run(context.Background(), Options{}); err != nil {
		t.Fatal(err)
	}
	if prog.pool.Get() != nil {
		t.Error("the first run has left its machine in the pool")
	}
}

// TestRunsAreAlike: a program that runs again on the machine of its last run finds nothing of it.
func TestRunsAreAlike(t *testing.T) {
	f := readOracle(t)
	zone, err := time.LoadLocation(f.TZ)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cases {
		prog, _ := Compile([]byte(c.Code), Position{}, testFuncs())
		if prog == nil || !prog.Deterministic() || c.ID == "infinite" || c.ID == "infinite2" {
			continue
		}
		first := ""
		for run := range 4 {
			w := f.world()
			list, err := prog.RunList(context.Background(), Options{Host: w, Now: time.Unix(f.Now, 0), Zone: zone})
			got := fmt.Sprint(w.actions, err)
			for _, v := range list {
				if v.Ref() != "" {
					v = String(v.Ref())
				}
				got += " " + v.GoString()
			}
			if run == 0 {
				first = got
			} else if got != first {
				t.Errorf("%s: run %d gives %s, the first %s", c.ID, run+1, got, first)
			}
		}
	}
}
