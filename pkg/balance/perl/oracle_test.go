package perl

import (
	"strings"
	"testing"
	"time"
)

// differs lists the cases of the oracle where the engine answers otherwise, with the reason.
func differs() map[string]string {
	return map[string]string{}
}

func TestOracle(t *testing.T) {
	f := readOracle(t)
	zone, err := time.LoadLocation(f.TZ)
	if err != nil {
		t.Fatal(err)
	}
	known := differs()
	for _, c := range f.Cases {
		t.Run(c.ID, func(t *testing.T) {
			got := evaluate(c.Code, f.world(), time.Unix(f.Now, 0), zone, Limits{})
			diff := compareOracle(c, got)
			why, isKnown := known[c.ID]
			switch {
			case diff != "" && !isKnown:
				t.Errorf("%s\n%s\ngot %q out %q act %q err %q", diff, c.Code, got.values, got.stdout, got.actions, got.err)
			case diff == "" && isKnown:
				t.Errorf("agrees with perl now; the table still says: %s", why)
			}
		})
	}
}

func compareOracle(c oracleCase, got outcome) string {
	if c.Level == "refuse" {
		if !strings.Contains(got.err, "compile:") || !strings.Contains(got.err, "not available") {
			return "should be refused when it is loaded"
		}
		return ""
	}
	wantErr := ""
	if c.Error != nil {
		wantErr = *c.Error
	}
	if (wantErr != "") != (got.err != "") {
		return "perl's error: " + wantErr
	}
	if wantErr != "" && !strings.HasPrefix(got.err, "compile:") && errorClass(wantErr) != errorClass(got.err) {
		return "perl's error: " + wantErr
	}
	var want []string
	for _, v := range c.Value {
		if v == nil {
			want = append(want, "<undef>")
		} else {
			want = append(want, latin(*v))
		}
	}
	switch {
	case strings.HasPrefix(got.err, "compile:"): // nothing ran
	case strings.Join(want, "|") != strings.Join(got.values, "|") || len(want) != len(got.values):
		return "perl's value: " + strings.Join(want, "|")
	case latin(c.Stdout) != got.stdout:
		return "perl's output: " + c.Stdout
	case strings.Join(c.Actions, ",") != strings.Join(got.actions, ","):
		return "perl's actions: " + strings.Join(c.Actions, ",")
	}
	return ""
}

// latin undoes the harness's JSON, which widened each byte to a character.
func latin(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// errorClass is an error's text without its place.
func errorClass(s string) string {
	if i := strings.Index(s, " at algorithm line"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}
