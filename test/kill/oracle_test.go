package kill

// This is the table of HANDOFF.md, sections 6 (stop), 7 (start) and 8 (migrate), once more: written from its text,
// for a cluster in which every node lives (nobody is GONE), and for a moment at which no tool works.

// verdict is what an action must answer, and what it must leave.
type verdict struct {
	row  string
	code int
	want record // phase, node, to
	// same: the record and the hand-off folder stay as they are.
	same bool
	// cold: the guest was booted anew by it; otherwise what runs afterwards has its memory.
	cold bool
	// used: the ticket tells this stop what to do.
	used bool
}

// ticket is what a relocator lays (section 4).
type ticket struct {
	txn, source, target string
	seq                 int
	alive               bool // its relocator
}

// valid: section 5.
func (t *ticket) valid(me string, r record, there string) bool {
	return t != nil && t.alive && t.source == me && t.target != me && t.seq == r.seq && t.txn == there
}

func refuse(row string) verdict  { return verdict{row: row, code: 1, same: true} }
func nothing(row string) verdict { return verdict{row: row, same: true} }

func leaves(row, phase, node, to string) verdict {
	return verdict{row: row, want: record{phase: phase, node: node, to: to}}
}

// expects is the verdict on a call at the moment of a snapshot.
func expects(c call, s snapshot, t *ticket, boot string) verdict {
	switch c.action {
	case "stop":
		return expectsStop(c, s, t, boot)
	case "start":
		return expectsStart(c.node, s)
	case "migrate_from": // as `sent`: what has arrived is adopted, nothing is booted
		if s.on[c.node] == running && (s.rec.names(c.node) || s.rec.phase == "sending" && s.rec.to == c.node) {
			return leaves("migrate_from", "running", c.node, "")
		}
		return refuse("migrate_from: nothing has arrived")
	}
	if s.on[c.node] == running && (s.rec.phase == "none" || s.rec.phase == "running" && s.rec.node == c.node) {
		return leaves("migrate", "sent", "", c.target)
	}
	v := refuse("migrate refused")
	if v.code = 150; c.dialect != 0 {
		v.code = 1
	}
	return v
}

// other: the record names a node that is not me; all of them live.
func (r record) other(me string) bool {
	return !r.names(me) && r.phase != "none" && r.phase != "down" && r.phase != "suspended"
}

func expectsStop(c call, s snapshot, t *ticket, boot string) verdict {
	me, r := c.node, s.rec
	image := s.has("image." + r.image)
	here := s.on[me] == running || s.on[me] == frozen
	if !here && !r.names(me) {
		switch {
		case s.on[me] == torso && (r.phase == "sending" || r.phase == "sent") && r.to == me:
			return refuse("stop: a torso that is announced")
		case s.on[me] == absent:
			return nothing("stop: bystander")
		}
		return nothing("stop: bystander with remains")
	}
	if !here { // absent, or remains, which are destroyed first
		switch r.phase {
		case "starting", "running", "resuming", "sent":
			return leaves("stop: absent, "+r.phase, "down", "", "")
		case "sending":
			return leaves("stop: absent, sending", "sent", "", r.to)
		case "suspending":
			proved := (c.typ == "openvz" && s.noted || c.typ == "kvm" && s.saved) && r.boot == boot
			if image || proved {
				return leaves("stop: absent, suspending, image whole", "suspended", "", "")
			}
			return leaves("stop: absent, suspending, no proof", "down", "", "")
		case "held":
			if image {
				return leaves("stop: absent, held", "suspended", "", "")
			}
			return leaves("stop: absent, held, image lost", "down", "", "")
		}
		return refuse("stop: no row")
	}
	// What was sent here is whole, and its sender's tool has ended: who stops it here takes it.
	announced := r.phase == "sending" && r.to == me && s.on[me] == running
	if r.other(me) && !announced {
		return refuse("stop: here, another has it")
	}
	row := "stop: " + string(s.on[me]) + ", " + r.phase
	// Frozen with a published image it is killed and suspended; frozen otherwise, or running in suspending or held,
	// it goes on and is stopped then, the ticket being void by the write. OpenVZ's tools do not show which of the two
	// it is, so that an agent may thaw it in either case: what is left is the same.
	fresh := r.phase != "suspending" && r.phase != "held" && s.on[me] == running && r.names(me)
	switch {
	case c.shutdown:
		return leaves(row+", shutdown", "down", "", "")
	case fresh && t.valid(me, r, s.ticket) && c.typ != "openvz":
		v := leaves(row+", live ticket", "sent", "", t.target)
		v.used = true
		return v
	case fresh && t.valid(me, r, s.ticket): // it cannot be pushed: an image
		v := leaves(row+", ticket", "suspended", "", "")
		v.used = true
		return v
	}
	return leaves(row, "suspended", "", "")
}

func expectsStart(me string, s snapshot) verdict {
	r := s.rec
	adopt := leaves("start: here, "+r.phase, "running", me, "")
	cold := leaves("start: "+r.phase, "running", me, "")
	cold.cold = true
	announced := (r.phase == "sending" || r.phase == "sent") && r.to == me
	switch s.on[me] {
	case running, frozen:
		if r.other(me) && !announced {
			return refuse("start: here, another has it")
		}
		return adopt
	case torso:
		if announced {
			return refuse("start: torso of a living source")
		}
	}
	if s.on[me] != absent && (r.other(me) || r.phase == "sending") {
		return refuse("start: remains, another has it")
	}
	switch r.phase {
	case "none", "down":
		return cold
	case "starting", "running", "resuming", "suspending":
		if r.node == me {
			return cold
		}
	case "suspended":
		cold.cold = !s.has("image." + r.image)
		return cold
	case "held":
		if r.node == me {
			cold.cold = !s.has("image." + r.image)
			return cold
		}
	case "sent":
		if r.to == me { // after two thirds of the time
			return cold
		}
	}
	return refuse("start: " + r.phase + " elsewhere")
}
