package protocol

// Row is one line of a table.
type Row struct {
	Name  string          // that logs, journals, tests and documents use
	Fits  func(View) bool // the first row that fits counts
	Do    Deed
	Words string // what it means, and what is done
	Rules []int  // that it keeps
}

// Find is the row for a view. A view without one gets a row that refuses.
func Find(table []Row, v View) Row {
	for i := range table {
		if table[i].Fits(v) {
			return table[i]
		}
	}
	return Row{Name: "no row", Do: RefuseStrange, Words: "nobody knows what this is: nothing is done"}
}

// Deed is what is done for a row.
type Deed uint8

// The deeds. "Look again" means another row, after another look.
const (
	RefuseStrange Deed = iota // no row fits: fail, nothing is done

	// Nothing of the guest and of the record is changed.
	Nothing         // succeed
	GoOn            // take the lock, look again and go on with the next table
	RefuseDouble    // fail, loudly: two nodes may have the VM
	RefuseElsewhere // fail: another node may have the VM
	RefuseArriving  // fail: something arrives that is not announced
	RefuseTorso     // fail: it is being received from a living node
	RefuseUnread    // fail: the record cannot be read
	RefuseUnsent    // fail: nothing is sent to this node
	RefuseMigrate   // fail in a way that keeps the service where it is
	RefuseAlien     // fail so that the manager tries another node

	// Wait until the guest has become something else, then look again. What follows if it does not:
	AwaitOrDestroy // destroy it, look again
	AwaitOrRefuse  // fail
	AwaitSender    // without the lock; fail
	AwaitOrBoot    // boot it without its memory

	DestroyAndLook // destroy and unmount what is left, look again

	// A stop that finds nothing running.
	RecordDown      // the record becomes down, succeed
	RecordLost      // the same, and say loudly that the memory is lost
	RecordSent      // the record becomes sent, succeed
	RecordSuspended // the record becomes suspended, succeed
	PublishDump     // publish the dump, then as RecordSuspended
	FailImages      // put the images aside, then as RecordLost

	// A stop that finds the guest.
	TakeArrival // the record becomes running here, look again
	TakeOver    // discard the images, the record becomes running here, look again
	KillHeld    // kill the frozen guest, unmount, the record becomes suspended
	HoldAndKill // the record becomes held, then as KillHeld
	ThawAndLook // discard the images, thaw, the record becomes running here, look again; what cannot be thawed is stopped cold
	ChooseWay   // the table Way says how
	ReadTicket  // look at the ticket and use it up, then choose again
	ColdStop    // images go out of use, shut down, destroy what does not go, the record becomes down
	SendLive    // the record becomes sending, push; then sent, or running again and look again, or it stays sending
	KeepMemory  // the record becomes suspending, freeze and dump, held, kill, suspended; what fails is taken back and stopped cold

	// A start.
	Adopt         // the record becomes running here, tidy
	ThawAndAdopt  // discard the images, thaw, then as Adopt
	TakeAndAdopt  // the same, loudly: nobody had it by the record
	Boot          // discard the images, the record becomes starting, boot, verify, running, tidy
	BootLost      // the same, and say loudly that the memory is lost
	Resume        // claim the image, the record becomes resuming, restore, running, tidy; what is of no use is put aside, then as Boot
	AnswerRunning // status: it runs here
	AnswerAbsent  // status: it does not run here
	AnswerFailed  // status: it has failed here
	CountSilence  // status: as a check without an answer: running a few times, then failed
	Inquire       // status: look at the record
	deeds
)

// Deeds is how many there are.
const Deeds = int(deeds)
