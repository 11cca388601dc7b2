package model

import "github.com/lbvm/lbvm/internal/handoff"

const (
	nodes  = 3
	nobody = 3 // where a node is expected
	images = 4 // slots; to run out of them is reported
)

// The phases of the record, as bytes.
const (
	pNone       = uint8(handoff.NoRecord)
	pDown       = uint8(handoff.Down)
	pStarting   = uint8(handoff.Starting)
	pRunning    = uint8(handoff.Running)
	pSuspending = uint8(handoff.Suspending)
	pHeld       = uint8(handoff.Held)
	pSuspended  = uint8(handoff.Suspended)
	pResuming   = uint8(handoff.Resuming)
	pSending    = uint8(handoff.Sending)
	pSent       = uint8(handoff.Sent)
)

// A node's life as membership sees it.
const (
	up       uint8 = iota // member, rgmanager runs
	joining               // member, the stop of every VM at rgmanager's start is still to finish
	unfenced              // lost: no member, not yet fenced; its guests go on
	down                  // fenced, off
	left                  // left the cluster in order; its guests go on
	downLeft              // left in order, then switched off
)

// What the hypervisor of a node holds.
const (
	gNone   uint8 = iota
	gRun          // a writer
	gFrozen       // stands still, its memory is here
	gMig          // being sent or saved: still a writer
	gIn           // incoming, memory on its way
	gArr          // incoming, all memory here, source gone or stopped for good
	gHalf         // half a copy at the source after a handshake that broke
)

// Where an image is.
const (
	iNone uint8 = iota
	iPart
	iPub
	iClaim
)

// Tools that outlive the agent that started them.
const (
	tNone uint8 = iota
	tBoot
	tRestore
	tShutdown
	tDump
	tSave
	tMig
)

// Kinds of agent action.
const (
	aNone uint8 = iota
	aStop
	aStart
	aMigrate
)

// rgmanager's record of the service.
const (
	svStarted uint8 = iota
	svStopped
	svDisabled
	svFailed
)

// What rgmanager works on, and how far it is.
const (
	oNone uint8 = iota
	oReloc
	oDisable
	oEnable
	oRestart
	oRecover
	oMigrate
	oFailover
)

const (
	phStop uint8 = iota + 1
	phPick
	phStart
	phRecStop
	phMig
)

// A relocator's progress.
const (
	rIdle uint8 = iota
	rRead
	rLinked
	rAsked
	rDone
)

// Record is the state record. Its number is not kept: every write makes Relocator.Fresh and Ticket.OK false and
// Agent.Stale true, which is all that anybody compares it for.
type Record struct {
	Phase, Node, To uint8
	T               uint8 // image slot + 1; 0 is none, lost names one that is no more
	Boot, ToBoot    uint8 // boot of Node; of To, only without mend 6
	Left            bool
}

const lost = 9

// Image is one memory image, wherever it lies.
type Image struct {
	Loc, Node uint8
	Done      bool // the dump is whole
	Noted     bool // and its tool's success is noted beside it
	Stale     bool // the guest ran after this dump
	Hand      bool // and by hand, so that the disk's fingerprint shows it
}

// Ticket is the file of that name.
type Ticket struct {
	There    bool
	Cold     bool // kind cold, target = source: a restart in place
	Src, Tgt uint8
	By       uint8 // relocator
	OK       bool  // its number is still the record's
	Live     bool  // its relocator holds its lock
}

// Agent is an action at work on a node.
type Agent struct {
	Kind, PC uint8
	Init     bool  // the stop at rgmanager's start: its result is not the service's
	Tgt      uint8 // of a migration
	Img      uint8 // slot + 1 of the image it works on
	Own      bool  // the record named this node, or the guest was here, when it looked under the lock
	Lost     bool  // the share was away since it took the lock
	Stale    bool  // another has written since
}

// Node is one member.
type Node struct {
	Life, Boot uint8
	File       uint8 // boot id that the share shows
	Affirmed   bool  // the fence daemon remembers a fencing, of whatever time
	G          uint8
	Mounted    bool
	Here, Sick bool  // marks
	Lock       uint8 // the VM's lock is held from here: 0 no, 1 by the agent, 2 by an orphan tool's keeper
	Away       bool  // the share is not there
	A          Agent
	Tool, TTgt uint8
	TImg       uint8
	Loose      bool  // the tool's keeper was killed
	RC         uint8 // of the last tool: 0 none yet, 1 success, 2 failure
}

// Service is what rgmanager knows.
type Service struct {
	St, Owner, Last  uint8
	Op, Ph, Act      uint8
	Tgt, Orig, Tried uint8
	Dead             bool // the owner's incarnation is gone, or it left
}

// Relocator is lbm or the monitor on its way through a relocation.
type Relocator struct {
	St, Tgt uint8
	Fresh   bool // the record has not changed since it was read
	Cold    bool
}

// State is everything. It has only fields of one byte.
type State struct {
	St     Record
	Img    [images]Image
	Tk     Ticket
	Used   uint8 // ticket.used: relocator + 1
	N      [nodes]Node
	Sv     Service
	R      [2]Relocator
	Faults uint8
	Hand   uint8 // node on which an administrator booted by hand, or nobody
}

func (o *Options) initial() State {
	var s State
	for i := range s.N {
		s.N[i].A.Tgt, s.N[i].TTgt = nobody, nobody
	}
	for i := range s.Img {
		s.Img[i].Node = nobody
	}
	s.St = Record{Phase: pRunning, Node: 0, To: nobody}
	s.N[0].G, s.N[0].Here, s.N[0].Mounted = gRun, true, o.OpenVZ
	s.Sv = Service{St: svStarted, Act: nobody, Tgt: nobody, Orig: nobody}
	s.Tk = noTicket()
	for i := range s.R {
		s.R[i].Tgt = nobody
	}
	s.Hand = nobody
	return s
}

func noTicket() Ticket { return Ticket{Src: nobody, Tgt: nobody} }
