package ccs

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestBump(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{`"1"`, `"2"`}, {`'41'`, `'42'`}, {`"0"`, `"1"`}, {`"9"`, `"10"`}, {`"007"`, `"008"`}, {`"009"`, `"010"`}, {`"999"`, `"1000"`}, {`"0099"`, `"0100"`},
		{`"&#52;2"`, `"43"`}, {`"2147483646"`, `"2147483647"`}, {`"00000000000000000000000000012"`, `"00000000000000000000000000013"`},
	} {
		src := "<cluster  name='x'\n config_version = " + c.from + "\t/>"
		d := parse(t, src)
		bump, err := d.Bump()
		if err != nil {
			t.Errorf("%s: %v", c.from, err)
			continue
		}
		got, err := d.Apply(bump)
		if want := strings.Replace(src, c.from, c.to, 1); err != nil || string(got.src) != want {
			t.Errorf("%s: %q %v, want %q", c.from, got.src, err, want)
		}
	}
}

func TestBumpRefuses(t *testing.T) {
	for _, attr := range []string{
		"", `config_version=""`, `config_version=" 42"`, `config_version="42 "`, `config_version="+42"`, `config_version="-1"`, `config_version="4.2"`, `config_version="0x10"`,
		`config_version="1e3"`, "config_version=\"\u0664\u0662\"", `config_version="two"`, `config_version="2147483647"`, `config_version="2147483648"`,
		`config_version="18446744073709551617"`, `config_version="99999999999999999999999999"`, `Config_Version="1"`,
	} {
		src := "<cluster name=\"x\" " + attr + ">\n  <rm/>\n</cluster>\n"
		if _, err := parse(t, src).Bump(); !errors.Is(err, ErrVersion) || !strings.HasPrefix(err.Error(), "cluster.conf:1:1: ") {
			t.Errorf("%s: %v", attr, err)
		}
		path := write(t, t.TempDir(), src)
		r, err := Update(context.Background(), path, Options{}, addVM("1"))
		if !errors.Is(err, ErrVersion) || !strings.HasSuffix(err.Error(), "nothing was changed") || r.Written {
			t.Errorf("%s: %+v %v", attr, r, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != src {
			t.Errorf("%s: %q %v", attr, got, err)
		}
	}
}

// One transaction raises the version by one, however many edits it makes.
func TestOneBumpForAllEdits(t *testing.T) {
	path := write(t, t.TempDir(), "<cluster name=\"x\" config_version=\"07\">\n  <rm/>\n</cluster>\n")
	r, err := Update(context.Background(), path, Options{}, func(d *Document) ([]Edit, error) {
		rm := d.rm()
		return []Edit{Insert{rm, Into, "<openvz name='1'/>"}, Insert{rm, Into, "<openvz name='2'/>"}, SetAttr{rm, "log_level", "5"}, SetAttr{d.Root(), "alias", "y"}}, nil
	})
	want := "<cluster name=\"x\" config_version=\"08\" alias=\"y\">\n  <rm log_level=\"5\">\n    <openvz name=\"1\"/>\n    <openvz name=\"2\"/>\n  </rm>\n</cluster>\n"
	if got, rerr := os.ReadFile(path); err != nil || rerr != nil || string(got) != want || r.Old != 7 || r.New != 8 {
		t.Errorf("%d to %d: %s %v %v", r.Old, r.New, got, err, rerr)
	}
	// Nor may an edit do it itself.
	_, err = Update(context.Background(), path, Options{}, func(d *Document) ([]Edit, error) {
		bump, err := d.Bump()
		return []Edit{bump}, err
	})
	if got, rerr := os.ReadFile(path); err == nil || rerr != nil || string(got) != want {
		t.Errorf("%s %v %v", got, err, rerr)
	}
}
