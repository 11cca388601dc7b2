package balance

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

// errScan says that a text is no pass, or is cut off.
var errScan = errors.New("it is no whole pass")

// scanUses adds to list the VMs of a line of passes.log: Name, Type, Owner and Cores. It reads up to their end and tells where that is.
// names keeps each text once.
func scanUses(list []VM, line []byte, names map[string]string) ([]VM, int, error) {
	s := &scanner{text: line, names: names}
	s.object(func(key string) {
		if key != "vms" {
			s.skip()
			return
		}
		s.array(func() {
			var vm VM
			s.object(func(key string) {
				switch key {
				case "name":
					vm.Name = s.string()
				case "type":
					vm.Type = s.string()
				case "owner":
					vm.Owner = s.string()
				case "cpu_cores":
					vm.Cores = s.number()
				default:
					s.skip()
				}
			})
			list = append(list, vm)
		})
		s.done = true
	})
	if s.failed || !s.done {
		return nil, 0, errScan
	}
	return list, s.pos, nil
}

// scanner reads JSON from the front. What is wrong ends it.
type scanner struct {
	text   []byte
	pos    int
	failed bool
	done   bool // the rest need not be read
	names  map[string]string
}

// next is the next byte that is no blank; 0 is the end.
func (s *scanner) next() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	s.failed = true
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) must(c byte) {
	if !s.take(c) {
		s.failed = true
	}
}

// object calls for the value of each key.
func (s *scanner) object(value func(key string)) {
	s.must('{')
	if s.take('}') {
		return
	}
	for !s.failed {
		key := s.string()
		s.must(':')
		if s.failed {
			return
		}
		if value(key); s.done || s.failed {
			return
		}
		if !s.take(',') {
			s.must('}')
			return
		}
	}
}

func (s *scanner) array(value func()) {
	s.must('[')
	if s.take(']') {
		return
	}
	for !s.failed {
		value()
		if !s.take(',') {
			s.must(']')
			return
		}
	}
}

// quoted is a string with its quotes.
func (s *scanner) quoted() []byte {
	if s.next() != '"' {
		s.failed = true
		return nil
	}
	for at := s.pos + 1; ; {
		i := bytes.IndexAny(s.text[at:], "\"\\")
		if i < 0 {
			s.failed = true
			return nil
		}
		if at += i; s.text[at] == '"' {
			out := s.text[s.pos : at+1]
			s.pos = at + 1
			return out
		}
		if at += 2; at >= len(s.text) {
			s.failed = true
			return nil
		}
	}
}

// string is a string, or "" of null.
func (s *scanner) string() string {
	if s.next() == 'n' {
		s.skip()
		return ""
	}
	q := s.quoted()
	if s.failed {
		return ""
	}
	if known, ok := s.names[string(q)]; ok {
		return known
	}
	var text string
	if err := json.Unmarshal(q, &text); err != nil {
		s.failed = true
		return ""
	}
	s.names[string(q)] = text
	return text
}

// number is a number, or 0 of null.
func (s *scanner) number() float64 {
	if s.next() == 'n' {
		s.skip()
		return 0
	}
	begin := s.pos
	s.word()
	v, err := strconv.ParseFloat(string(s.text[begin:s.pos]), 64)
	s.failed = s.failed || err != nil
	return v
}

// word goes behind a number, true, false or null.
func (s *scanner) word() {
	begin := s.pos
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ',', '}', ']', ' ', '\t', '\n', '\r', '"', '{', '[', ':':
			s.failed = s.failed || s.pos == begin
			return
		}
		s.pos++
	}
	s.failed = true // a text ends in a bracket
}

// skip goes behind a value.
func (s *scanner) skip() {
	switch s.next() {
	case '"':
		s.quoted()
	case '{', '[':
		depth := 0
		for !s.failed {
			switch s.next() {
			case '"':
				s.quoted()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if s.pos++; depth == 0 {
				return
			}
		}
	default:
		s.word()
	}
}
