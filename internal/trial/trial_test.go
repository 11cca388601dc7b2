package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const oraclePath = "../../pkg/balance/perl/testdata/oracle.json"

// oracle is what the real perl answered: its header is a fixture.
type oracle struct {
	Cases []struct {
		ID, Level, Code string
		Value           []*string
		Stdout          string
		Actions         []string
		Error           *string
	}
}

func readOracle(t testing.TB) (*Fixture, oracle) {
	t.Helper()
	src, err := os.ReadFile(oraclePath)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseFixture(src)
	if err != nil {
		t.Fatal(err)
	}
	var o oracle
	if err := json.Unmarshal(src, &o); err != nil {
		t.Fatal(err)
	}
	return f, o
}

type answer struct {
	Value   []*string
	Stdout  *string
	Actions []string
	Error   *string
}

func batch(t testing.TB, f *Fixture, lines string) []answer {
	t.Helper()
	var out bytes.Buffer
	if err := f.Batch(context.Background(), strings.NewReader(lines), &out); err != nil {
		t.Fatal(err)
	}
	var all []answer
	for dec := json.NewDecoder(&out); ; {
		var a answer
		err := dec.Decode(&a)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if a.Value == nil || a.Actions == nil || a.Stdout == nil || a.Error == nil {
			t.Fatalf("answer %d lacks a field, or a list is null: %+v", len(all), a)
		}
		all = append(all, a)
	}
}

func line(t testing.TB, code string) string {
	t.Helper()
	b, err := json.Marshal(map[string]string{"code": code})
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// differs are the cases in which the engine may answer otherwise than perl; pkg/balance/perl says why, and keeps the
// list short.
func differs() []string {
	return []string{"map", "map-heur1", "map-heur2", "sub-redefine", "re5", "print1", "infinite", "infinite2"}
}

// Every program of the oracle, through the batch.
func TestOracleThroughBatch(t *testing.T) {
	f, o := readOracle(t)
	var in strings.Builder
	for _, c := range o.Cases {
		in.WriteString(line(t, c.Code))
	}
	got := batch(t, f, in.String())
	if len(got) != len(o.Cases) || len(got) < 300 {
		t.Fatalf("%d answers to %d programs", len(got), len(o.Cases))
	}
	for i, c := range o.Cases {
		a := got[i]
		diff := ""
		want := ""
		if c.Error != nil {
			want = *c.Error
		}
		compiled := !strings.HasPrefix(*a.Error, "algorithm:")
		switch {
		case c.Level == "refuse":
			if !strings.Contains(*a.Error, "not available") {
				diff = "it is not refused"
			}
		case (want == "") != (*a.Error == ""), compiled && class(want) != class(*a.Error):
			diff = "perl's error: " + want
		case !compiled:
		case values(c.Value) != values(a.Value):
			diff = "perl's value: " + values(c.Value)
		case c.Stdout != *a.Stdout:
			diff = "perl's output: " + c.Stdout
		case !slices.Equal(c.Actions, a.Actions):
			diff = "perl's actions: " + strings.Join(c.Actions, " ")
		}
		if diff != "" && !slices.Contains(differs(), c.ID) {
			t.Errorf("%s: %s\n%s\nanswer: %s %q %v %q", c.ID, diff, c.Code, values(a.Value), *a.Stdout, a.Actions, *a.Error)
		}
	}
}

func values(list []*string) string {
	var b strings.Builder
	for _, v := range list {
		if v == nil {
			b.WriteString("[undef]")
		} else {
			fmt.Fprintf(&b, "[%s]", *v)
		}
	}
	return b.String()
}

// class is an error without its place.
func class(s string) string {
	s, _, _ = strings.Cut(s, " at algorithm line")
	return strings.TrimSpace(s)
}

func small(t *testing.T) *Fixture {
	t.Helper()
	f, err := ParseFixture([]byte(`{"now": 1199970000, "tz": "UTC", "data": {"1": {"cpu": [0.9, 0.8, "0.70"]}, "2": {"cpu": [], "ram": [256]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFixture(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"res('cpu', 2)", "[0.9][0.8]"},
		{"res('cpu', 99)", "[0.9][0.8][0.70]"},
		{"min(res('cpu', 3))", "[0.70]"},
		{"average(res('cpu', 3))", "[0.8]"},
		{"res('cpu', -1)", ""},
		{"meridian(res2('cpu', 3))", "[undef]"},
		{"res2('ram', 1)", "[256]"},
		{"localtime(time) . ''", "[Thu Jan 10 13:00:00 2008]"},
		{"[1], sub { }, qr/x/, 'ARRAY(0x1)'", "[ARRAY][CODE][Regexp][ARRAY(0x1)]"},
	} {
		a := batch(t, small(t), line(t, c.code))
		if len(a) != 1 || values(a[0].Value) != c.want || *a[0].Error != "" {
			t.Errorf("%s: %s %s, want %s", c.code, values(a[0].Value), *a[0].Error, c.want)
		}
	}
	for _, bad := range []string{"", "[]", "{}", `{"now": 1, "tz": "Nowhere/No"}`, `{"now": 1, "data": {"3": {}}}`, `{"now": 1, "data": {"1": {"cpu": [null]}}}`, `{"now": 1, "data": {"1": {"cpu": [{}]}}}`} {
		if _, err := ParseFixture([]byte(bad)); err == nil || !strings.Contains(err.Error(), "reading a fixture") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A bad line has its error, in its place, and the others their answers.
func TestBadLines(t *testing.T) {
	lines := line(t, "1") + "nonsense\n" + "\n" + `{"code": 5}` + "\n" + `{"cod": "1"}` + "\n" + line(t, "migrate(); 1 +") + line(t, "report(); die 'x'") +
		`{"code":"` + strings.Repeat("x", maxLine) + "\"}\n" + line(t, "while (1) { }") + strings.TrimSuffix(line(t, "'last'"), "\n")
	want := []string{"", `is not {"code"`, `is not {"code"`, `is not {"code"`, `no "code"`, "algorithm:1:", "x at algorithm line 1.\n", "longer than", "limit: more than 1000000 steps", ""}
	got := batch(t, small(t), lines)
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d", len(got), len(want))
	}
	for i, a := range got {
		if (want[i] == "") != (*a.Error == "") || !strings.Contains(*a.Error, want[i]) {
			t.Errorf("line %d: %q, want %q", i+1, *a.Error, want[i])
		}
	}
	if values(got[9].Value) != "[last]" || !slices.Equal(got[6].Actions, []string{"report"}) {
		t.Errorf("%+v", got)
	}
}

// Many lines of different weight keep their order.
func TestOrder(t *testing.T) {
	var in strings.Builder
	const n = 5000
	for i := range n {
		code := fmt.Sprint(i)
		if i%97 == 0 {
			code = fmt.Sprintf("my $s = 0; $s += $_ for 1 .. 20000; %d", i)
		}
		in.WriteString(line(t, code))
	}
	got := batch(t, small(t), in.String())
	if len(got) != n {
		t.Fatalf("%d answers", len(got))
	}
	for i, a := range got {
		if values(a.Value) != fmt.Sprintf("[%d]", i) {
			t.Fatalf("answer %d is %s %s", i, values(a.Value), *a.Error)
		}
	}
}

// Whoever asks line by line is answered line by line.
func TestConversation(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- small(t).Batch(context.Background(), inR, outW) }()
	answers := json.NewDecoder(outR)
	for i := range 3 {
		if _, err := io.WriteString(inW, line(t, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := answers.Decode(&a); err != nil || values(a.Value) != fmt.Sprintf("[%d]", i) {
			t.Fatalf("%v %+v", err, a)
		}
	}
	if err := inW.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

type failing struct{}

var errFull = errors.New("full")

func (failing) Write([]byte) (int, error) { return 0, errFull }
func (failing) Read([]byte) (int, error)  { return 0, errFull }

func TestBatchEnds(t *testing.T) {
	f := small(t)
	if err := f.Batch(context.Background(), strings.NewReader(strings.Repeat(line(t, "1"), 20000)), failing{}); !errors.Is(err, errFull) {
		t.Errorf("writing: %v", err)
	}
	if err := f.Batch(context.Background(), failing{}, io.Discard); !errors.Is(err, errFull) {
		t.Errorf("reading: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe() // nothing ever comes
	defer w.Close()
	done := make(chan error, 1)
	go func() { done <- f.Batch(ctx, r, io.Discard) }()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(4 * time.Minute):
		t.Error("the batch waits for input though it was cancelled")
	}
}

func TestBytes(t *testing.T) {
	var out bytes.Buffer
	if err := small(t).Batch(context.Background(), strings.NewReader(line(t, `chr(200), "Gr\x{c3}\x{bc}n", "a\"\\\n\t\0", length("ü")`)), &out); err != nil {
		t.Fatal(err)
	}
	want := `{"value":["\u00c8","Grün","a\"\\\n\u0009\u0000","2"],"stdout":"","actions":[],"error":""}` + "\n"
	if out.String() != want {
		t.Errorf("%s want %s", out.String(), want)
	}
}

// The plain rules of the oracle: those that run to their end within the limits.
func BenchmarkBatch(b *testing.B) {
	f, o := readOracle(b)
	var lines [][]byte
	for _, c := range o.Cases {
		if c.Level == "must" && c.ID != "infinite" && c.ID != "infinite2" {
			lines = append(lines, []byte(line(b, c.Code)))
		}
	}
	var in bytes.Buffer
	for i := range b.N {
		in.Write(lines[i%len(lines)])
	}
	b.ReportAllocs()
	b.ResetTimer()
	if err := f.Batch(context.Background(), &in, io.Discard); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "programs/s")
}
