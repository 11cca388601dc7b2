package term

import (
	"bytes"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, []string{"VM", "NODE"}, [][]string{{"101", "node1"}, {"web\t1", ""}}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "VM     NODE\n101    node1\nweb 1  -\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, struct {
		VM string `json:"vm"`
	}{"<101>"}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "{\n  \"vm\": \"<101>\"\n}\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPlainFlags(t *testing.T) {
	off, on := &cli.BoolFlag{Name: "off"}, &cli.BoolFlag{Name: "on", Value: true}
	PlainFlags([]cli.Flag{on}, []*cli.Command{{Subcommands: []*cli.Command{{Flags: []cli.Flag{off}}}}})
	if s := off.String(); strings.Contains(s, "default") {
		t.Error(s)
	}
	if s := on.String(); !strings.Contains(s, "default: true") {
		t.Error(s)
	}
}
