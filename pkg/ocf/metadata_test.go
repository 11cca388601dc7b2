package ocf

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestParseMetadata(t *testing.T) {
	m, err := ParseMetadata([]byte(testXML))
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "toy" || m.Short != "Toy agent" || m.MaxInstances != 1 || m.InitOnAdd || m.DestroyOnDelete || len(m.Params) != 5 || len(m.Actions) != 8 {
		t.Errorf("%+v", m)
	}
	if !bytes.Equal(m.XML(), []byte(testXML)) {
		t.Error("the text is not what was parsed")
	}
	if p, ok := m.Primary(); !ok || p.Name != "name" || !p.Required || !p.Unique || p.Reconfig || p.HasDefault {
		t.Errorf("primary %+v", p)
	}
	if p, ok := m.Param("size"); !ok || p.Default != "3" || p.Type != "integer" || !p.Reconfig || p.Short != "Size" {
		t.Errorf("size %+v", p)
	}
	if a, ok := m.Action("status", 3); !ok || a.Interval != 30*time.Second || a.Timeout != 20*time.Second {
		t.Errorf("status %+v", a)
	}
	if _, ok := m.Action("monitor", 0); ok {
		t.Error("found an action that is not there")
	}
}

const small = `<resource-agent name="x"><parameters><parameter name="n"/></parameters><actions><action name="start" timeout="5"/></actions></resource-agent>`

func TestParseSmall(t *testing.T) {
	m, err := ParseMetadata([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	// rgmanager's own defaults: both on, whatever its DTD says; the first parameter names the resource.
	if p, ok := m.Primary(); !m.InitOnAdd || !m.DestroyOnDelete || m.MaxInstances != 0 || !ok || p.Name != "n" {
		t.Errorf("%+v", m)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{small, "", "reading metadata"},
		{"<resource-agent", " text <resource-agent2", "reading metadata"},
		{`name="x"`, "", "cannot be the name"},
		{`name="x"`, `name="Action"`, "cannot be the name"},
		{`name="x"`, `name="x" xmlns="http://x"`, "namespace"},
		{`<parameter name="n"/>`, `<parameter/>`, "has no name"},
		{`<parameter name="n"/>`, `<parameter name="n"/><parameter name="n"/>`, "stands twice"},
		{`<parameter name="n"/>`, `<parameter name="n" primary="1"/><parameter name="m" primary="1"/>`, "both primary"},
		{`<parameter name="n"/>`, `<parameter name="n" required="1" inherit="a"/>`, "cannot inherit"},
		{`<action name="start" timeout="5"/>`, ``, "declares no action"},
		{`<action name="start" timeout="5"/>`, `<action/>`, "has no name"},
		{`<action name="start" timeout="5"/>`, `<action name="a"/><action name="a"/>`, "stands twice"},
		{`timeout="5"`, `timeout="soon"`, `"soon" is not a time`},
		{`timeout="5"`, `timeout=""`, "it is empty"},
		{`timeout="5"`, `interval="5f"`, `"5f" is not a time`},
	} {
		text := strings.Replace(small, tt.old, tt.new, 1)
		if text == small {
			t.Fatalf("%q is not in the text", tt.old)
		}
		if _, err := ParseMetadata([]byte(text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", text, err, tt.want)
		}
	}
}

func TestExpandTime(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "5": 5 * time.Second, "30s": 30 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "1H2": time.Hour + 2*time.Second,
		"2d": 48 * time.Hour, "1w": 168 * time.Hour, "1y": 31536000 * time.Second, "0s": 0,
	} {
		if got, err := expandTime(s); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "s", "-5", "5 s", "1.5h", "99999999999999999999", "101y", "90y90y"} {
		if got, err := expandTime(s); err == nil {
			t.Errorf("%q was read as %s", s, got)
		}
	}
}

func TestAtoi(t *testing.T) {
	for s, want := range map[string]int{"": 0, "1": 1, " 12x": 12, "-3": -3, "+4": 4, "true": 0, "x1": 0} {
		if got := atoi(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
	if got := atoi(strings.Repeat("9", 100)); got <= 0 {
		t.Errorf("a long number became %d", got)
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(testXML))
	f.Add([]byte(small))
	f.Add([]byte(`<resource-agent name="y" xmlns:a="b"><actions><action name="a" timeout="1h1" depth="-2"/></actions><special tag="rgmanager"/></resource-agent>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseMetadata(text)
		if err != nil {
			return
		}
		if m.Name == "" || len(m.Actions) == 0 || !bytes.Equal(m.XML(), text) {
			t.Fatalf("accepted %+v", m)
		}
		seen := map[string]bool{}
		for _, p := range m.Params {
			if p.Name == "" || seen[p.Name] {
				t.Fatalf("parameter %q", p.Name)
			}
			seen[p.Name] = true
		}
		for _, a := range m.Actions {
			got, ok := m.Action(a.Name, a.Depth)
			if !ok || got != a || a.Timeout < 0 || a.Interval < 0 {
				t.Fatalf("action %+v is found as %+v", a, got)
			}
		}
		w := World{Args: []string{"x", "status"}, Log: discard{}}
		Run(w, text, toy{})
	})
}
