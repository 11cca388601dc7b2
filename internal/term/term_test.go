package term

import (
	"bytes"
	"testing"
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
