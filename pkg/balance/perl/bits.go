package perl

func bitop(op byte, a, b Value) Value {
	if (a.k == kPV || a.k == kUndef) && (b.k == kPV || b.k == kUndef) { // neither is a number
		x, y := []byte(a.str()), []byte(b.str())
		if len(x) < len(y) {
			x, y = y, x
		}
		n := len(y)
		out := append([]byte{}, x...)
		switch op {
		case '&':
			out = out[:n]
			for i := range out {
				out[i] &= y[i]
			}
		case '|':
			for i := range y {
				out[i] |= y[i]
			}
		case '^':
			for i := range y {
				out[i] ^= y[i]
			}
		}
		return String(string(out))
	}
	x, y := a.uv(), b.uv()
	switch op {
	case '&':
		x &= y
	case '|':
		x |= y
	default:
		x ^= y
	}
	return uintValue(x)
}

func shift(a, b Value, left bool) Value {
	n := b.Int64()
	if n < 0 {
		left = !left
		n = -n
	}
	x := a.uv()
	if n >= 64 || n < 0 {
		return Int(0)
	}
	if left {
		return uintValue(x << uint(n))
	}
	return uintValue(x >> uint(n))
}

// complement is ~.
func complement(v Value) Value {
	if v.k == kPV || v.k == kUndef {
		b := []byte(v.str())
		for i := range b {
			b[i] = ^b[i]
		}
		return String(string(b))
	}
	return uintValue(^v.uv())
}
