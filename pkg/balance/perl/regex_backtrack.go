package perl

import (
	"regexp/syntax"
	"unicode/utf8"
)

// attemptAt is a place in the program of a pattern and in the text, or a group's end to be put back.
type attemptAt struct {
	pc   uint32
	pos  int
	slot int // -1, or the group whose end was pos before
}

// notEmpty finds the match that begins at the offset and is not empty.
func (s *search) notEmpty(from int) []int {
	start := from
	if s.wide {
		start += countHigh(s.text[:from])
	}
	return s.attempt(start, false, map[uint64]bool{})
}

// byHand finds the first match that begins at a place of the subject or behind it.
func (s *search) byHand(start int) []int {
	seen := map[uint64]bool{} // what failed once fails from everywhere
	for ; start <= len(s.subject); start++ {
		if start < len(s.subject) && s.subject[start]&0xC0 == 0x80 {
			continue
		}
		if loc := s.attempt(start, true, seen); loc != nil {
			return loc
		}
	}
	return nil
}

// attempt finds the match that begins at a place of the subject, in perl's order. RE2 gives only the first of all
// matches; this one follows the same program by hand. No state is entered twice, so that it takes linear time, too.
// Unlike RE2's, its ^ under /m begins no line behind the last line end.
func (s *search) attempt(start int, empty bool, seen map[uint64]bool) []int {
	prog := s.r.program()
	loc := make([]int, prog.NumCap)
	for i := range loc {
		loc[i] = -1
	}
	loc[0] = start
	todo := []attemptAt{{uint32(prog.Start), start, -1}}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if at.slot >= 0 {
			loc[at.slot] = at.pos
			continue
		}
		for {
			key := uint64(at.pc)<<32 | uint64(at.pos)
			for _, g := range s.r.dollar { // with the line end that $ looked at, a match may be empty that is none without
				if loc[2*g] >= 0 && at.pos > loc[2*g] {
					key |= 1 << 63
				}
			}
			if seen[key] {
				break
			}
			seen[key] = true
			s.m.step(1)
			s.m.made(placeBytes)
			in := &prog.Inst[at.pc]
			ok := true
			switch in.Op {
			case syntax.InstAlt, syntax.InstAltMatch:
				todo = append(todo, attemptAt{in.Arg, at.pos, -1})
			case syntax.InstCapture:
				todo = append(todo, attemptAt{0, loc[in.Arg], int(in.Arg)})
				loc[in.Arg] = at.pos
			case syntax.InstEmptyWidth:
				ok = syntax.EmptyOp(in.Arg)&^emptyAt(s.subject, at.pos) == 0 &&
					(syntax.EmptyOp(in.Arg)&syntax.EmptyBeginLine == 0 || at.pos == 0 || at.pos < len(s.subject))
			case syntax.InstMatch:
				loc[1] = at.pos
				if out := s.r.narrow(append([]int(nil), loc...), s.text, s.wide); empty || out[1] > out[0] { // a line end that $ looked at does not count
					return out
				}
				ok = false
			case syntax.InstFail:
				ok = false
			case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
				r, n := utf8.DecodeRuneInString(s.subject[at.pos:])
				ok = n > 0 && in.MatchRune(r)
				at.pos += n
			}
			if !ok {
				break
			}
			at.pc = in.Out
		}
	}
	return nil
}

// emptyAt tells which conditions without length hold at a place.
func emptyAt(text string, pos int) syntax.EmptyOp {
	before, after := rune(-1), rune(-1)
	if pos > 0 {
		before, _ = utf8.DecodeLastRuneInString(text[:pos])
	}
	if pos < len(text) {
		after, _ = utf8.DecodeRuneInString(text[pos:])
	}
	return syntax.EmptyOpContext(before, after)
}

// program is the pattern as RE2 runs it.
func (r *regex) program() *syntax.Prog {
	r.progOnce.Do(func() {
		tree, err := syntax.Parse(r.translated, syntax.Perl)
		if err == nil {
			r.prog, err = syntax.Compile(tree.Simplify())
		}
		if err != nil {
			panic("a pattern that was compiled does not compile: " + err.Error())
		}
	})
	return r.prog
}
