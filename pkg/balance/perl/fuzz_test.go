package perl

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func addSeeds(f *testing.F) {
	for _, c := range readOracle(f).Cases {
		f.Add(c.Code)
	}
	b, err := os.ReadFile("testdata/oracle_small.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		code, _, _ := strings.Cut(line, "\t")
		f.Add(code)
	}
}

// FuzzCompile compiles and runs any text: no panic, no run beyond its limits.
func FuzzCompile(f *testing.F) {
	addSeeds(f)
	funcs := testFuncs()
	w := readOracle(f).world()
	f.Fuzz(func(t *testing.T, code string) {
		if len(code) > 2000 {
			return
		}
		prog, diags := Compile([]byte(code), Position{File: "f"}, funcs)
		for _, d := range diags {
			if strings.HasPrefix(d.Text, "internal error") {
				t.Error(d)
			}
			if d.Format() == "" || d.Pos.Line < 1 || d.Pos.Col < 1 {
				t.Errorf("bad diagnostic %#v", d)
			}
		}
		if prog == nil {
			if len(diags) == 0 {
				t.Error("no program and no word why")
			}
			return
		}
		own := &world{data: w.data}
		start := time.Now()
		lim := Limits{Steps: 20_000, Bytes: 1 << 16, Elements: 5_000, Depth: 50, Output: 4096, Time: 500 * time.Millisecond}
		_, err := prog.RunList(context.Background(), Options{Host: own, Now: time.Unix(1195668661, 0), Limits: lim, Trace: new(Trace)})
		if time.Since(start) > 4*time.Second {
			t.Errorf("ran for %v", time.Since(start))
		}
		var re *RuntimeError
		if errors.As(err, &re) && strings.HasPrefix(re.Text, "internal error") {
			t.Error(re.Text)
		}
	})
}

// FuzzBlockEnd: the end lies within the text and is a brace.
func FuzzBlockEnd(f *testing.F) {
	for _, c := range readOracle(f).Cases {
		f.Add("{" + c.Code + "}")
	}
	f.Fuzz(func(t *testing.T, src string) {
		if end, err := BlockEnd([]byte("{"+src), 0); err == nil && (end < 1 || end > len(src) || ("{" + src)[end] != '}') {
			t.Errorf("end %d", end)
		}
	})
}
