package perl

import (
	"strings"
	"testing"
	"time"
)

// differs lists the cases of the oracle where the engine answers otherwise, with the reason.
func differs() map[string]string {
	superset := "perl takes the { of map for a hash reference and then finds a syntax error; the engine takes the block that was meant"
	refused := "refused when it is loaded, with what to write instead"
	return map[string]string{
		"map":          superset,
		"map-heur1":    superset,
		"map-heur2":    superset,
		"sub-redefine": refused + ": perl would replace the balancer's function for the rest of its life",
		"re5":          refused + ": back references and look-around need backtracking, which may never end",

		"print1": "perl's harness redirects print, but not print STDOUT; the engine has one output",
	}
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
			got := evaluate(c.Code, f.world(), time.Unix(f.Now, 0), zone, Limits{Depth: 5000})
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
		if !strings.Contains(got.err, "not available") {
			return "should be refused when it is loaded"
		}
		return ""
	}
	wantErr := ""
	if c.Error != nil {
		wantErr = *c.Error
	}
	if wantErr == "TIMEOUT\n" { // the oracle's clock stopped perl; here a limit does
		if !strings.HasPrefix(got.err, "limit:") {
			return "perl never ends"
		}
		return ""
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
			want = append(want, *v)
		}
	}
	switch {
	case strings.HasPrefix(got.err, "compile:"): // nothing ran
	case strings.Join(want, "|") != strings.Join(got.values, "|") || len(want) != len(got.values):
		return "perl's value: " + strings.Join(want, "|")
	case c.Stdout != got.stdout:
		return "perl's output: " + c.Stdout
	case strings.Join(c.Actions, ",") != strings.Join(got.actions, ","):
		return "perl's actions: " + strings.Join(c.Actions, ",")
	}
	return ""
}

// errorClass is an error's text without its place.
func errorClass(s string) string {
	if i := strings.Index(s, " at algorithm line"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}
