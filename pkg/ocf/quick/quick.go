// Package quick makes an agent start with less. Import it for its effect, in the agent's main package alone:
//
//	import _ "github.com/lbvm/lbvm/pkg/ocf/quick"
//
// An agent that is asked for its metadata or a status lives for three milliseconds, and a good part of that goes to
// what Go's runtime sets up for long programs: threads for every processor, and stacks that grow by doubling. It is
// spared when it is refused before other packages begin. Packages begin in the order of their import paths as far as
// their own imports allow (the Go specification, "Program initialization"), and this one imports nothing but runtime.
//
// The program has one processor from then on. ocf.Main gives an action that changes something all of them.
package quick

import "runtime"

func init() {
	runtime.GOMAXPROCS(1)
	deepen(false)
}

// stack is what an action needs. Stacks below 32 KiB come from lists that are made for many of them.
const stack = 20 << 10

// deepen has the stack of the main goroutine grow once, while there is next to nothing on it. Memory that is not used
// is not touched either: a page of it costs two microseconds.
//
//go:noinline
func deepen(use bool) byte {
	if !use {
		return 0
	}
	var room [stack]byte
	return touch(&room)
}

//go:noinline
func touch(room *[stack]byte) byte { return room[0] }
