package perl

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestOperators runs every operator over every pair of awkward operands, as perl 5.36 answered.
func TestOperators(t *testing.T) {
	f, err := os.Open("testdata/oracle_ops.tsv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(z)
	total, bad := 0, 0
	for sc.Scan() {
		expr, want, _ := strings.Cut(sc.Text(), "\t")
		total++
		got := evaluate("scalar("+expr+")", &world{}, time.Unix(0, 0), time.UTC, Limits{})
		s := "ERR:" + errorClass(got.err)
		if got.err == "" {
			s = got.values[0]
		}
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] < 0x20 || s[i] > 0x7e {
				fmt.Fprintf(&b, "\\x{%x}", s[i])
			} else {
				b.WriteByte(s[i])
			}
		}
		if b.String() != want {
			if bad++; bad < 60 {
				t.Errorf("%s: %s, perl says %s", expr, b.String(), want)
			}
		}
	}
	if total != 26085 {
		t.Errorf("%d rows", total)
	}
}

// TestSmall runs the one-liners of the oracle.
func TestSmall(t *testing.T) {
	b, err := os.ReadFile("testdata/oracle_small.tsv")
	if err != nil {
		t.Fatal(err)
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t")
	known := smallDiffers()
	for _, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")[1:] {
		f := strings.Split(line, "\t")
		for len(f) < 4 {
			f = append(f, "")
		}
		code, want, out, wantErr := f[0], unescape.Replace(f[1]), unescape.Replace(f[2]), unescape.Replace(f[3])
		got := scalarOutcome(code)
		diff := (wantErr != "") != (got.err != "") || wantErr == "" && (got.values[0] != want || got.stdout != out)
		if _, k := known[code]; diff != k {
			t.Errorf("%s\n got %q out %q err %q\nwant %q out %q err %q (known: %v)", code, got.values, got.stdout, got.err, want, out, wantErr, k)
		}
	}
}

// smallDiffers lists the one-liners where the engine answers otherwise.
func smallDiffers() map[string]string {
	return map[string]string{
		"1..3":         "the flip-flop is refused",
		"localtime[2]": "the address of a reference as a time",
	}
}
