package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// strict holds a text against the exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats) and the
// conventions for names: each family once, with HELP and TYPE before its samples, which it has; counters end in _total and
// nothing else does; no sample twice; the last line ends.
func strict(text []byte) error {
	if len(text) == 0 || text[len(text)-1] != '\n' {
		return fmt.Errorf("the last line does not end")
	}
	name := regexp.MustCompile(`^[a-z_:][a-z0-9_:]*$`)
	families, samples := map[string]string{}, map[string]bool{}
	family, kind, help, seen := "", "", "", 1
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		bad := func(format string, args ...any) error {
			return fmt.Errorf("line %d: %s: %q", i+1, fmt.Sprintf(format, args...), line)
		}
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			n, _, ok := strings.Cut(rest, " ")
			if !ok || !name.MatchString(n) || families[n] != "" || seen == 0 {
				return bad("a HELP that is none, or twice, or behind a family without samples")
			}
			help = n
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			n, k, _ := strings.Cut(rest, " ")
			if n != help || families[n] != "" || !slices.Contains([]string{"gauge", "counter", "summary"}, k) {
				return bad("a TYPE that is none, twice, or without its HELP")
			}
			if strings.HasSuffix(n, "_total") != (k == "counter") {
				return bad("a counter ends in _total")
			}
			family, kind, families[n], seen = n, k, k, 0
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		if end < 0 {
			return bad("no value")
		}
		v, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil || kind != "gauge" && v < 0 {
			return bad("no value")
		}
		n, labels, has := strings.Cut(line[:end], "{")
		if n != family && !(kind == "summary" && (n == family+"_sum" || n == family+"_count")) {
			return bad("a sample of another family than %s", family)
		}
		if has {
			if err := strictLabels(labels); err != nil {
				return bad("%v", err)
			}
		}
		if samples[line[:end]] {
			return bad("twice")
		}
		samples[line[:end]] = true
		seen++
	}
	if seen == 0 {
		return fmt.Errorf("the family %s has no samples", family)
	}
	return nil
}

// strictLabels reads what stands behind the brace: NAME="VALUE",...}
func strictLabels(text string) error {
	label := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*="`)
	for {
		m := label.FindString(text)
		if m == "" {
			return fmt.Errorf("no label at %q", text)
		}
		text = text[len(m):]
		for {
			if text == "" || text[0] == '\n' {
				return fmt.Errorf("a label's value does not end")
			}
			c := text[0]
			text = text[1:]
			if c == '"' {
				break
			}
			if c == '\\' {
				if text == "" || !strings.Contains(`\"n`, text[:1]) {
					return fmt.Errorf("a backslash before %q", text)
				}
				text = text[1:]
			}
		}
		switch {
		case text == "}":
			return nil
		case strings.HasPrefix(text, ","):
			text = text[1:]
		default:
			return fmt.Errorf("%q behind a label", text)
		}
	}
}
