package ocf

import "testing"

// Every action pays for this.
func BenchmarkKeepCrash(b *testing.B) {
	n := newNode(b, "")
	n.write("var/lib/lbvm/x", "", 0o600)
	w := World{Env: []string{RootVariable + "=" + n.root}}
	for i := 0; i < b.N; i++ {
		keepCrash(w)
	}
	if !n.exists("var/lib/lbvm/crash") {
		b.Error("nothing is kept")
	}
}
