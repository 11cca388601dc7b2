package balance

import "testing"

func TestShorten(t *testing.T) {
	for text, want := range map[string]string{
		"0.0333857142857143 < 0.40":                       "0.0333857 < 0.40",
		"0.86544 > 0.70":                                  "0.86544 > 0.70",
		"12345.67891234 > 1e+15":                          "12345.7 > 1e+15",
		"0.70000001 > 0.7":                                "0.70000001 > 0.7",
		"0.700000012345 > 0.700000012344":                 "0.700000012345 > 0.700000012344",
		"1.23456789012e-05 < 0.001":                       "1.23457e-05 < 0.001",
		"0.333333333333333 > 0.1, 0.333333333333333 < 1":  "0.333333 > 0.1, 0.333333 < 1",
		"min(res('cpu', 3)) > 0.60 (0.3333333333 > 0.60)": "min(res('cpu', 3)) > 0.60 (0.333333 > 0.60)",
		"'node1.0000000001x' eq 'a'":                      "'node1.0000000001x' eq 'a'",
		"-0.0333857142857143 < 0":                         "-0.0333857 < 0",
		"":                                                "",
	} {
		got := Shorten(text)
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if again := Shorten(got); again != got {
			t.Errorf("%q: shortened twice it is %q", got, again)
		}
	}
}
