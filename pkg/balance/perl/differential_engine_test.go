package perl

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func reachData() map[string]map[string][]Value {
	floats := func(f ...float64) []Value {
		var v []Value
		for _, x := range f {
			v = append(v, Float(x))
		}
		return v
	}
	return map[string]map[string][]Value{
		"1": {"cpu": floats(0.91, 0.85, 0.72, 0.66, 0.61, 0.4), "ram": {Int(256), Int(300), Int(310)}, "load": {String("1.50"), String("1.25")}},
		"2": {"cpu": floats(0.1, 0.12, 0.4), "ram": {Int(2048), Int(1900), Int(700)}, "load": {String("0.10"), String("0.05"), String("0.00")}},
	}
}

// engineAnswer runs a program through the engine.
func engineAnswer(code string) answer {
	var a answer
	prog, diags := Compile([]byte(code), Position{File: "algorithm", Line: 1}, differentialFuncs())
	if prog == nil {
		for _, d := range diags {
			if d.Severity == Error {
				a.err += "compile: " + d.String() + "\n"
			}
		}
		return a
	}
	var out, warn strings.Builder
	w := &world{data: reachData()}
	list, err := prog.RunList(context.Background(), Options{Host: w, Now: time.Unix(differentialNow, 0), Zone: time.UTC, Out: &out, Warn: &warn})
	for _, v := range list {
		switch {
		case v.IsUndef():
			a.values = append(a.values, "<undef>")
		case v.isRef():
			a.values = append(a.values, v.refName())
		default:
			a.values = append(a.values, v.String())
		}
	}
	a.out, a.warned, a.actions = out.String(), warn.String(), strings.Join(w.actions, ",")
	if re, ok := err.(*RuntimeError); ok {
		a.err = re.Text
		if i := strings.Index(a.err, "(0x"); i > 0 && strings.ToUpper(a.err[:i]) == a.err[:i] {
			a.err = a.err[:i] // a reference that was thrown
		}
	}
	return a
}

// reportDifference makes a program that differs small and prints it as a case.
func reportDifference(t *testing.T, path string, d difference, engine func(string) answer) {
	t.Helper()
	small, got, want := shrink(t, path, d.code, engine)
	text := "#\n" + small + "\n"
	t.Errorf("program %d differs:\n%s\n  got %s\n perl %s\nas a case of testdata/cases.pl:\n%s  got %s\n perl %s", d.index, d.code, d.got, d.want, text, got, want)
	if *keep {
		f, err := os.OpenFile("testdata/cases.pl", os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
