package model

import (
	"slices"

	"github.com/lbvm/lbvm/internal/handoff/protocol"
)

// Options are the bounds of one run, and what is taken away from the protocol in it.
type Options struct {
	OpenVZ bool // freeze, dump, kill; else Xen: save, and live migration
	Sees   bool // the tool shows a frozen guest; vzctl does not
	Faults uint8
	Max    int    // states after which it is given up
	Only   string // only faults whose text contains this
	Until  string // the first violation of this name ends the search; "" is none

	Off, On []Switch
	Without []int  // mends that are taken away; see Mends
	Tables  Tables // that the agents choose their rows in; left out: those of the real agents
}

// Tables are what an agent decides by.
type Tables struct {
	Look, Stop, Way, Start, Migrate, Status, Inquiry []protocol.Row
}

// Shared are the tables of the real agents.
func Shared() Tables {
	return Tables{protocol.Look(), protocol.Stop(), protocol.Way(), protocol.Start(), protocol.Migrate(), protocol.Status(), protocol.Inquiry()}
}

// Switch is something that may happen.
type Switch uint8

// What happens unless it is switched off.
const (
	Kill       Switch = iota // agents are killed
	Crash                    // guests crash
	Sick                     // guests become sick
	Death                    // nodes die
	Leave                    // nodes leave in order
	NewGroup                 // stop runs on a member that has nothing to do with the VM
	Disable                  // clusvcadm -d
	Restart                  // clusvcadm -R
	Migration                // clusvcadm -M
	Relocate                 // a relocator with tickets
	BootScript               // the boot id is published at boot
	NoStop                   // clusvcadm -d of a failed service runs no stop
	SomeStop                 // it runs a stop somewhere
	NoSpace                  // no room for a stop's last write

	// What happens only where it is switched on.

	Hand       // boots by hand
	LocalLocks // locks stay on their node
	OneLoss    // never two nodes lost and unfenced
	KeepMemory // to lose memory is a violation
	Zombie     // agents of a lost node go on
	Keeper     // keepers are killed
	Share      // the share goes away in mid-action, and comes back
	TwoMovers  // two relocators at once
	InPlace    // restarts in place, by a cold ticket
	OldFencing // the fence daemon's answer may be of an earlier fencing
	Unmarked   // a node leaves and cannot mark its records
	switches
)

var switchNames = [switches]string{"kill", "crash", "sick", "death", "leave", "newgroup", "disable", "restart", "migrate", "reloc",
	"bootscript", "dnone", "dstop", "nospace", "hand", "nolock", "oneloss", "keepmem", "zombie", "keeper", "share", "two", "inplace",
	"oldfence", "unmarked"}

// String is the switch's name.
func (s Switch) String() string { return switchNames[s] }

// Mend is something of the protocol that is no row of a table, and can be taken away in the model.
type Mend struct {
	Number int
	Rule   int // that it keeps
	Text   string
}

// mends bounds their numbers.
const mends = 18

// Mends are what Options.Without names.
func Mends() []Mend {
	return []Mend{
		{1, 4, "a keeper holds the lock until its tool has ended"},
		{2, 15, "images go before the guest goes on"},
		{3, 19, "a start whose image is gone boots"},
		{6, 11, "no boot id speaks for a target"},
		{8, 30, "a start tidies, and a relocator takes its ticket back"},
		{11, 17, "the fingerprint of a block device shows a boot by hand"},
		{12, 27, "lbm take comes before a boot by hand"},
		{13, 12, "who leaves in order marks the record of a VM that stays on it"},
		{14, 4, "a tool dies with its keeper"},
		{15, 3, "who lost the share in mid-action writes no more"},
		{17, 4, "who has the node's lock ends what the tool of a killed keeper left behind"},
		{18, 12, "who leaves notes so before it looks what is sent to it, and who sends looks for that note"},
		{16, 12, "a target that leaves in order takes the VM as its own, with the mark"},
	}
}

// world is Options in the form in which the steps ask for them, and where they leave what may come next.
type world struct {
	*Options
	mend [mends + 1]bool
	on   [switches]bool
	out  []next
}

func (o *Options) world() *world {
	if o.Tables.Stop == nil {
		o.Tables = Shared()
	}
	w := &world{Options: o}
	for i := range w.mend {
		w.mend[i] = !slices.Contains(o.Without, i)
	}
	for s := range switches {
		w.on[s] = (s < Hand || slices.Contains(o.On, s)) && !slices.Contains(o.Off, s)
	}
	return w
}
