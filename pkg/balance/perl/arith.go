package perl

import (
	"errors"
	"math"
	"math/bits"
	"strings"
)

// please is SvIV_please: an NV with an exact integer below 2**53 takes part in integer arithmetic.
func please(v Value) Value {
	if v.k == kIV {
		return v
	}
	if v.k == kPV { // a string with trailing garbage ("3abc", "") never takes the integer path
		n, whole := grok(v.p.(string))
		if !whole {
			return Float(n.nv())
		}
		if n.k != kNV || !strings.ContainsAny(v.p.(string), "eE") { // "5.0" is no integer, "5e0" is one
			return n
		}
		return wholeString(n.f())
	}
	if v.k == kUndef { // undef takes the floating path
		return Float(0)
	}
	v = v.num()
	if v.k == kNV {
		if f := v.f(); f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return Int(int64(f))
		}
	}
	return v
}

// wholeString is the number of a string such as "1e16": unlike a float it may be
// any whole number that an integer can hold.
func wholeString(f float64) Value {
	switch {
	case f != math.Trunc(f):
	case f >= -1<<63 && f < 1<<63:
		return Int(int64(f))
	case f >= 1<<63 && f < 1<<64:
		return uintValue(uint64(f))
	}
	return Float(f)
}

// abs is the magnitude and sign of an integer value.
func (v Value) abs() (u uint64, neg bool) {
	if v.k == kIV && int64(v.n) < 0 {
		return -v.n, true
	}
	return v.n, false
}

func signed(u uint64, neg bool) (Value, bool) {
	if !neg {
		return uintValue(u), true
	}
	if u <= 1<<63 {
		return Int(-int64(u)), true
	}
	return Value{}, false
}

// signedOrFloat is a sum: below the integers it is the float of the exact magnitude.
func signedOrFloat(u uint64, neg bool) Value {
	if v, ok := signed(u, neg); ok {
		return v
	}
	return Float(-float64(u))
}

// lossless is perl 5.24+'s short cut: two NVs that are whole numbers from -2**62 to below 2**62 add as integers, even above 2**53.
func lossless(a, b Value) (x, y int64, ok bool) {
	f, isFloat := a.asFloat()
	g, both := b.asFloat()
	if !isFloat || !both || a.k != kNV && b.k != kNV {
		return
	}
	if f != math.Trunc(f) || g != math.Trunc(g) || f < -1<<62 || f >= 1<<62 || g < -1<<62 || g >= 1<<62 {
		return
	}
	return int64(f), int64(g), true
}

// asFloat is the value of a float, or of the result of a comparison, which is both.
func (v Value) asFloat() (float64, bool) {
	switch {
	case v.k == kNV:
		return v.f(), true
	case v.k == kNo:
		return 0, true
	}
	return 1, v.k == kIV && v.p != nil && v.n == 1
}

func add(a, b Value) Value {
	if a.k == kIV && b.k == kIV {
		x, y := int64(a.n), int64(b.n)
		if r := x + y; (r > x) == (y > 0) {
			return Value{k: kIV, n: uint64(r)}
		}
	}
	return addSlow(a, b, false)
}

func sub(a, b Value) Value {
	if a.k == kIV && b.k == kIV {
		x, y := int64(a.n), int64(b.n)
		if r := x - y; (r < x) == (y > 0) {
			return Value{k: kIV, n: uint64(r)}
		}
	}
	return addSlow(a, b, true)
}

// addSlow adds, or subtracts b, for all operands.
func addSlow(a, b Value, minus bool) Value {
	if x, y, ok := lossless(a, b); ok {
		if minus {
			return Int(x - y)
		}
		return Int(x + y)
	}
	x, y := please(a), please(b)
	if x.k != kNV && y.k != kNV {
		xu, xn := x.abs()
		yu, yn := y.abs()
		yn = yn != minus
		switch {
		case xn == yn:
			if s, carry := bits.Add64(xu, yu, 0); carry == 0 {
				return signedOrFloat(s, xn)
			}
		case xu >= yu:
			return signedOrFloat(xu-yu, xn)
		default:
			return signedOrFloat(yu-xu, yn)
		}
	}
	if minus {
		return Float(a.nv() - b.nv())
	}
	return Float(a.nv() + b.nv())
}

func mul(a, b Value) Value {
	if a.k == kIV && b.k == kIV {
		x, y := int64(a.n), int64(b.n)
		if x == int64(int32(x)) && y == int64(int32(y)) {
			return Value{k: kIV, n: uint64(x * y)}
		}
	}
	x, y := please(a), please(b)
	if x.k != kNV && y.k != kNV {
		xu, xn := x.abs()
		yu, yn := y.abs()
		if hi, lo := bits.Mul64(xu, yu); hi == 0 {
			if r, ok := signed(lo, xn != yn); ok {
				return r
			}
		}
	}
	return Float(a.nv() * b.nv())
}

//lint:ignore ST1005 perl's own words
var errDiv, errMod = errors.New("Illegal division by zero"), errors.New("Illegal modulus zero")

func div(a, b Value) (Value, error) {
	x, y := please(a), please(b)
	if x.k != kNV && y.k != kNV {
		xu, xn := x.abs()
		yu, yn := y.abs()
		if yu == 0 {
			return Value{}, errDiv
		}
		if xu >= yu && xu > 1<<53 && xu%yu == 0 {
			if r, ok := signed(xu/yu, xn != yn); ok {
				return r, nil
			}
		}
	}
	if b.nv() == 0 {
		return Value{}, errDiv
	}
	dividend := a.nv()
	if a.k == kPV && x.k != kNV && y.k != kNV { // "-0" has no sign as an integer
		dividend = x.nv()
	}
	return Float(dividend / b.nv()), nil
}

func mod(a, b Value) (Value, error) {
	if a.k == kIV && b.k == kIV && int64(a.n) >= 0 && int64(b.n) > 0 {
		return Value{k: kIV, n: a.n % b.n}, nil
	}
	parts := func(v Value) (u uint64, neg bool, d float64, big bool) {
		p := please(v)
		if p.k != kNV {
			u, neg = p.abs()
			return u, neg, float64(u), false
		}
		d = p.f()
		if neg = d < 0; neg {
			d = -d
		}
		if d < 18446744073709551616.0 {
			return uint64(d), neg, d, false
		}
		return 0, neg, d, true
	}
	yu, yn, yd, ybig := parts(b)
	xu, xn, xd, xbig := parts(a)
	if ybig || xbig {
		yd = math.Floor(yd + 0.5)
		if yd == 0 {
			return Value{}, errMod
		}
		r := math.Mod(xd, yd)
		if xn != yn && r != 0 {
			r = yd - r
		}
		if yn {
			r = -r
		}
		return Float(r), nil
	}
	if yu == 0 {
		return Value{}, errMod
	}
	r := xu % yu
	if xn != yn && r != 0 {
		r = yu - r
	}
	if yn {
		if r <= 1<<63 {
			return Int(-int64(r)), nil
		}
		return Float(-float64(r)), nil
	}
	return uintValue(r), nil
}

func pow(a, b Value) Value {
	x, y := please(a), please(b)
	if x.k != kNV && y.k != kNV && !(y.k == kIV && int64(y.n) < 0) {
		xu, xn := x.abs()
		odd := y.n&1 == 1
		if xu&(xu-1) == 0 { // 0 or a power of two: perl answers with an exact float
			r := math.Pow(float64(xu), float64(y.n))
			if xn && odd {
				r = -r
			}
			return Float(r)
		}
		if y.n <= 64 && y.n*uint64(bits.Len64(xu)) <= 64 {
			r := uint64(1)
			for i := uint64(0); i < y.n; i++ {
				r *= xu
			}
			if v, ok := signed(r, xn && odd); ok {
				return v
			}
			return Float(-float64(r))
		}
	}
	base := a.nv()
	if a.k == kPV && x.k != kNV && y.k != kNV { // "-0" has no sign as an integer
		base = x.nv()
	}
	return Float(powFloat(base, b.nv()))
}

func cmpNum(a, b Value) (int, bool) { // ok is false for NaN
	if a.k == kIV && b.k == kIV {
		x, y := int64(a.n), int64(b.n)
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
		return 0, true
	}
	if a.k == kNV && b.k == kNV {
		return cmpFloat(a.f(), b.f())
	}
	x, y := please(a), please(b)
	if x.k != kNV && y.k != kNV {
		xu, xn := x.abs()
		yu, yn := y.abs()
		switch {
		case xn && !yn:
			return -1, true
		case !xn && yn:
			return 1, true
		case xu == yu:
			return 0, true
		case (xu < yu) != xn:
			return -1, true
		}
		return 1, true
	}
	return cmpFloat(a.nv(), b.nv())
}

func cmpFloat(f, g float64) (int, bool) {
	switch {
	case f < g:
		return -1, true
	case f > g:
		return 1, true
	case f == g:
		return 0, true
	}
	return 0, false
}

// negate is unary minus; strings that begin like words keep their text.
func negate(v Value) Value {
	if v.k == kPV {
		s := v.p.(string)
		_, whole := grok(s)
		switch {
		case s == "":
			return Float(math.Copysign(0, -1))
		case s[0] == '_' || s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z':
			return String("-" + s)
		case s[0] == '+':
			return String("-" + s[1:])
		case s[0] == '-' && !whole:
			return String("+" + s[1:])
		}
	}
	if v.k == kNV {
		return Float(-v.f())
	}
	if x := please(v); x.k != kNV {
		u, neg := x.abs()
		if r, ok := signed(u, !neg); ok {
			return r
		}
	}
	return Float(-v.nv())
}

func absolute(v Value) Value {
	if x := please(v); x.k != kNV {
		u, _ := x.abs()
		return uintValue(u)
	}
	return Float(math.Abs(v.nv()))
}

// truncate is int().
func truncate(v Value) Value {
	if x := please(v); x.k != kNV {
		return x
	}
	f := v.nv()
	switch {
	case f >= 0 && f < 1<<64:
		return uintValue(uint64(f))
	case f < 0 && f > -1<<63: // perl leaves -2**63 a float
		return Int(int64(f))
	}
	return Float(math.Trunc(f))
}
