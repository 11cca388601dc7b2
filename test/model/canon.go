package model

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

// Nodes and image slots have no meaning of their own: states that differ only in their names are one state.

const size = int(unsafe.Sizeof(State{}))

type bits [size]byte

// key is 128 bits of a state. Two states of one key would hide a state: at 1e8 states in 1 of 1e22 runs.
type key [2]uint64

// All fields of a State are bytes, so its memory is its encoding.
func encode(s *State) *bits { return (*bits)(unsafe.Pointer(s)) }

func (b *bits) key() key {
	x, y := uint64(0x9E3779B97F4A7C15), uint64(0xC2B2AE3D27D4EB4F)
	var buf [(size + 7) / 8 * 8]byte
	copy(buf[:], b[:])
	for i := 0; i < len(buf); i += 8 {
		w := binary.LittleEndian.Uint64(buf[i:])
		x = (x ^ w) * 0xFF51AFD7ED558CCD
		x ^= x >> 32
		y = (y + w) * 0xC4CEB9FE1A85EC53
		y ^= y >> 29
	}
	return key{x, y}
}

// permute renames the nodes; p[old] = new.
func (s *State) permute(p [4]uint8) State {
	t := *s
	t.St.Node, t.St.To = p[s.St.Node], p[s.St.To]
	for i := range t.Img {
		t.Img[i].Node = p[s.Img[i].Node]
	}
	t.Tk.Src, t.Tk.Tgt = p[s.Tk.Src], p[s.Tk.Tgt]
	for i := range s.N {
		n := s.N[i]
		n.A.Tgt, n.TTgt = p[n.A.Tgt], p[n.TTgt]
		t.N[p[i]] = n
	}
	v := &t.Sv
	v.Owner, v.Last, v.Act, v.Tgt, v.Orig = p[v.Owner], p[v.Last], p[v.Act], p[v.Tgt], p[v.Orig]
	v.Tried = 0
	for i := 0; i < nodes; i++ {
		if s.Sv.Tried&(1<<i) != 0 {
			v.Tried |= 1 << p[i]
		}
	}
	for i := range t.R {
		t.R[i].Tgt = p[s.R[i].Tgt]
	}
	t.Hand = p[s.Hand]
	return t
}

// sortImages gives the slots a fixed order.
func (s *State) sortImages() {
	weight := func(i int) int {
		m := s.Img[i]
		k := int(m.Loc)<<8 | int(m.Node)<<5
		for b, v := range []bool{m.Done, m.Noted, m.Stale, m.Hand} {
			if v {
				k |= 1 << b
			}
		}
		if int(s.St.T) == i+1 {
			k |= 16
		}
		if m.Loc != iNone {
			k |= 1 << 12
		}
		for j := range s.N {
			if int(s.N[j].A.Img) == i+1 || int(s.N[j].TImg) == i+1 {
				k |= 1 << (13 + j)
			}
		}
		return k
	}
	for i := 0; i < images; i++ {
		for j := i; j > 0 && weight(j) > weight(j-1); j-- {
			s.Img[j], s.Img[j-1] = s.Img[j-1], s.Img[j]
			swap := func(p *uint8) {
				switch int(*p) {
				case j + 1:
					*p = uint8(j)
				case j:
					*p = uint8(j + 1)
				}
			}
			swap(&s.St.T)
			for k := range s.N {
				swap(&s.N[k].A.Img)
				swap(&s.N[k].TImg)
			}
		}
	}
}

// canon is the least of the six renamings, and its key.
func canon(s *State) (key, State) {
	s.sortImages()
	best := *s
	for _, p := range [...][4]uint8{{0, 2, 1, 3}, {1, 0, 2, 3}, {1, 2, 0, 3}, {2, 0, 1, 3}, {2, 1, 0, 3}} {
		if t := s.permute(p); bytes.Compare(encode(&t)[:], encode(&best)[:]) < 0 {
			best = t
		}
	}
	return encode(&best).key(), best
}
