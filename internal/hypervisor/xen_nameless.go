package hypervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// A domain that dies loses its name before its devices: xl lists it as "(null)". It is known by its number then, which no
// other domain gets before the node boots anew. The numbers of a VM are noted on the node when it is started and before
// anything ends it, so that the next agent knows them too.

// nameless is what xl prints where a domain has no name (of a null pointer).
const nameless = "(null)"

// numbers are those of one VM's domains.
type numbers struct {
	vm   string
	ids  []int // seen under its name since this driver was made
	keep bool  // what is seen is noted on the node
}

// file holds the numbers that earlier agents have seen.
func (x *xen) numbersFile(vm string) string {
	return x.tools.Host.Path(host.RunDir + "/xen-" + vm + ".domids")
}

// see takes in the number of a domain that bears vm's name.
func (x *xen) see(vm string, id int) {
	if x.seen.vm != vm {
		x.seen = numbers{vm: vm, keep: x.seen.keep}
	}
	if id <= 0 || slices.Contains(x.seen.ids, id) {
		return
	}
	x.seen.ids = append(x.seen.ids, id)
	if x.seen.keep {
		x.note()
	}
}

// keeps notes what is known of vm's domains, and from now on what is seen.
func (x *xen) keeps(vm string) {
	if x.tool() != xl || x.tools.Rehearsal != nil { // xend renames what dies, to Zombie-NAME
		return
	}
	if x.seen.keep = true; x.seen.vm == vm && len(x.seen.ids) > 0 {
		x.note()
	}
}

func (x *xen) note() {
	var text strings.Builder
	for _, id := range x.seen.ids {
		fmt.Fprintln(&text, id)
	}
	path := x.numbersFile(x.seen.vm)
	if old, err := os.ReadFile(path); err == nil && string(old) == text.String() {
		return
	}
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text.String()), 0o644)
	}
	if err != nil { // this agent knows them all the same
		x.tools.note("the numbers of %s's domains cannot be noted: %v", x.seen.vm, err)
	}
}

// was tells whether a domain without a name is one of vm's.
func (x *xen) was(vm string, id int) bool {
	if x.seen.vm == vm && slices.Contains(x.seen.ids, id) {
		return true
	}
	text, err := os.ReadFile(x.numbersFile(vm))
	return err == nil && slices.Contains(strings.Fields(string(text)), strconv.Itoa(id))
}

// handle is what the tool is told a domain by.
func (r xenRow) handle() string {
	if r.name == nameless {
		return strconv.Itoa(r.id)
	}
	return r.name
}
