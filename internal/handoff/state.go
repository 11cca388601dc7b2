package handoff

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/keyval"
)

// State is a state record. Its zero value is unknown.
type State struct {
	VM, Type string
	Seq      uint64 // one more at every write
	Phase    Phase
	Node     string // who has the VM; "" in down, suspended and sent
	Boot     string // the boot of Node, written by Node itself
	To       string // whom it is sent to
	Txn      string // of the hand-off; in running, of the one that brought the memory here: "" after a boot
	Image    string // transaction of the memory image, in suspending, held, suspended and resuming
	Left     bool   // Node left the cluster cleanly with the VM running: no fencing speaks for it
	Why      string // for humans
	Agent    string // who wrote it, for humans
}

// ErrState says that a record cannot be believed: the VM may be anywhere.
var ErrState = errors.New("the state record cannot be believed")

// Names tells whether the state names member: it has the VM, or the VM was sent to it.
func (s State) Names(member string) bool {
	switch s.Phase {
	case Starting, Running, Suspending, Held, Resuming, Sending:
		return s.Node == member
	case Sent:
		return s.To == member
	}
	return false
}

// check tells what is wrong with a record: which fields a phase has is fixed.
func (s State) check() error {
	if err := errors.Join(host.CheckName(s.VM), host.CheckName(s.Type)); err != nil {
		return err
	}
	var node, to, image bool
	switch s.Phase {
	case Down:
	case Starting, Running:
		node = true
	case Suspending, Held, Resuming:
		node, image = true, true
	case Suspended:
		image = true
	case Sending:
		node, to = true, true
	case Sent:
		to = true
	default:
		return fmt.Errorf("phase %q stands in no record", s.Phase)
	}
	for _, f := range []struct {
		name, value string
		want        bool
		ok          func(string) error
	}{
		{"node", s.Node, node, host.CheckName}, {"boot", s.Boot, node, notEmpty},
		{"to", s.To, to, host.CheckName}, {"image", s.Image, image, CheckTxn},
	} {
		if !f.want && f.value != "" {
			return fmt.Errorf("%s=%q has no place in phase %s", f.name, f.value, s.Phase)
		}
		if f.want {
			if err := f.ok(f.value); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
	}
	if (s.Phase == Sending || s.Phase == Sent || s.Txn != "") && CheckTxn(s.Txn) != nil {
		return fmt.Errorf("txn: %w", CheckTxn(s.Txn))
	}
	if s.Phase == Sending && s.Node == s.To {
		return fmt.Errorf("%q sends to itself", s.Node)
	}
	return nil
}

func notEmpty(v string) error {
	if v == "" {
		return errors.New("is empty")
	}
	return nil
}

func (s State) format() []byte {
	p := keyval.Pairs{{Key: "format", Value: "1"}, {Key: "vm", Value: s.VM}, {Key: "type", Value: s.Type},
		{Key: "seq", Value: strconv.FormatUint(s.Seq, 10)}, {Key: "phase", Value: s.Phase.String()}}
	for _, f := range s.optional() {
		if *f.value != "" {
			p = append(p, keyval.Pair{Key: f.key, Value: *f.value})
		}
	}
	if s.Left {
		p = append(p, keyval.Pair{Key: "left", Value: "1"})
	}
	return seal(p.Format())
}

type field struct {
	key   string
	value *string
}

func (s *State) optional() []field {
	return []field{{"node", &s.Node}, {"boot", &s.Boot}, {"to", &s.To}, {"txn", &s.Txn}, {"image", &s.Image}, {"why", &s.Why}, {"agent", &s.Agent}}
}

// parseState believes a record only if every line of it makes sense.
func parseState(text []byte, typ, vm string) (State, error) {
	s, err := decodeState(text)
	if err == nil && (s.VM != vm || s.Type != typ) {
		err = fmt.Errorf("it speaks of %s:%s", s.Type, s.VM)
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	return s, nil
}

func decodeState(text []byte) (State, error) {
	p, err := unseal(text)
	if err != nil {
		return State{}, err
	}
	var s State
	known := map[string]*string{"vm": &s.VM, "type": &s.Type}
	for _, f := range s.optional() {
		known[f.key] = f.value
	}
	for _, x := range p {
		switch x.Key {
		case "format":
		case "seq":
			if s.Seq, err = strconv.ParseUint(x.Value, 10, 64); err != nil {
				return State{}, fmt.Errorf("seq=%q is not a number", x.Value)
			}
		case "phase":
			s.Phase = parsePhase(x.Value)
		case "left":
			s.Left = x.Value == "1"
		default:
			v := known[x.Key]
			if v == nil {
				return State{}, fmt.Errorf("key %q is not known", x.Key)
			}
			*v = x.Value
		}
	}
	if s.Seq == 0 {
		return State{}, errors.New("seq is missing")
	}
	return s, nil
}

// seal adds the sum of the lines to them.
func seal(lines []byte) []byte {
	return append(lines, fmt.Sprintf("sum=%08x\n", sumOf(lines))...)
}

// sumOf is the CRC-32 of IEEE 802.3. hash/crc32 fills its tables in every program that links it, which costs a status
// check of an agent more than all that is ever summed up here.
func sumOf(b []byte) uint32 {
	sum := ^uint32(0)
	for _, c := range b {
		sum ^= uint32(c)
		for range 8 {
			sum = sum>>1 ^ 0xedb88320&-(sum&1)
		}
	}
	return ^sum
}

// unseal is the lines of a sealed file whose sum and format are right, each key once.
func unseal(text []byte) (keyval.Pairs, error) {
	at := bytes.LastIndex(text, []byte("\nsum="))
	if at < 0 {
		return nil, errors.New("it has no sum")
	}
	if !bytes.Equal(seal(bytes.Clone(text[:at+1])), text) {
		return nil, errors.New("its sum is wrong")
	}
	p, err := keyval.Parse(text[:at+1])
	if err != nil {
		return nil, err
	}
	if f := p.Get("format"); f != "1" {
		return nil, fmt.Errorf("format %q is not known", f)
	}
	seen := map[string]bool{}
	for _, x := range p {
		if seen[x.Key] {
			return nil, fmt.Errorf("key %q stands twice", x.Key)
		}
		seen[x.Key] = true
	}
	return p, nil
}
