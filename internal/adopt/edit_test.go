package adopt

import (
	"bytes"
	"strings"
	"testing"
)

// Taking a VM out of the list is the inverse of putting it in, to the byte.
func TestBalanceIsEditedByteExactly(t *testing.T) {
	for _, src := range []string{
		"", "balance 1;", "balance 1;\n", "balance 1 ,2\n ,\t3 ;# x\ndefault { algorithm { migrate(); } }", "# only a comment", "# only a comment\n",
		"logdir /x;\r\nbalance a,\r\n  b;\r\n", "balance openvz:1, # one\n  2; # two\n", "resources /gfs/r.conf; balance 7;",
		"balance ;", "# two:\n# balance 1, 2;\nbalance ;\ndefault { algorithm { migrate(); } }\n", "balance\n;\n",
	} {
		with, err := withBalance([]byte(src), "101")
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		if st, found, err := statement(with); err != nil || !found || place(st, "101") != len(st.Items)-1 {
			t.Errorf("%q became %q", src, with)
		}
		back, err := withoutBalance(with, "101")
		if err != nil || string(back) != src {
			t.Errorf("%q became %q, and that %q (%v)", src, with, back, err)
		}
	}
	for src, want := range map[string]string{
		"balance 101, 2;": "balance 2;", "balance 1, 101, 2;": "balance 1, 2;", "balance 101;\nlogdir /x;\n": "logdir /x;\n", "balance 2;\n": "balance 2;\n",
		"balance openvz:101, xen:101;": "balance xen:101;", "balance 101 ;": "balance ;",
	} {
		if got, err := withoutBalance([]byte(src), "openvz:101", "101"); err != nil || string(got) != want {
			t.Errorf("%q became %q, want %q (%v)", src, got, want, err)
		}
	}
	if _, err := withBalance([]byte("balance {"), "101"); err == nil {
		t.Error("a file with errors was edited")
	}
}

func TestSetKeys(t *testing.T) {
	for _, x := range []struct{ src, want string }{
		{"", "ONBOOT=\"no\"\n"},
		{"A=1", "A=1\nONBOOT=\"no\"\n"},
		{"ONBOOT=yes\n", "ONBOOT=\"no\"\n"},
		{"  ONBOOT=\"yes\"  \t# why\r\nB=2\r\n", "  ONBOOT=\"no\"  \t# why\r\nB=2\r\n"},
		{"ONBOOT=\"yes\"\nONBOOT=\"maybe\"\n", "ONBOOT=\"yes\"\nONBOOT=\"no\"\n"},
		{"#ONBOOT=\"yes\"\nONBOOT =yes\n", "#ONBOOT=\"yes\"\nONBOOT =yes\nONBOOT=\"no\"\n"},
		{"ONBOOT=\"no\"\n", "ONBOOT=\"no\"\n"},
		{"ONBOOT=no", "ONBOOT=no"},
		{"ONBOOT=\"yes\nX=\"1\"", "ONBOOT=\"yes\nX=\"1\"\nONBOOT=\"no\"\n"}, // a quote that does not end: vzctl passes the line over
	} {
		got, err := setKeys([]byte(x.src), [2]string{"ONBOOT", "no"})
		if err != nil || string(got) != x.want {
			t.Errorf("%q became %q, want %q (%v)", x.src, got, x.want, err)
		}
		again, err := setKeys(got, [2]string{"ONBOOT", "no"})
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("a second time it became %q (%v)", again, err)
		}
	}
	if _, err := setKeys(nil, [2]string{"VE_ROOT", "/a\"b"}); err == nil || !strings.Contains(err.Error(), "VE_ROOT") {
		t.Errorf("%v", err)
	}
}
