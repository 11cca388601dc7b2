package perl

import (
	"math"
	"math/big"
)

// powPrec is the precision in bits that powers are worked out with, so that
// they round as glibc's pow does. Go's math.Pow is off in the last digits.
const powPrec = 192

func powFloat(x, y float64) float64 {
	switch {
	case x == 0 || y == 0 || x == 1 || y == 1 || math.IsInf(x, 0) || math.IsNaN(x) || math.IsInf(y, 0) || math.IsNaN(y),
		x < 0 && y != math.Trunc(y), math.Abs(y) > 1<<20, math.Abs(y*math.Log2(math.Abs(x))) > 1100:
		return math.Pow(x, y)
	}
	whole, part := math.Modf(math.Abs(y))
	ax := newBig(math.Abs(x))
	r := bigPow(ax, int(whole))
	if part != 0 {
		r.Mul(r, bigExp(new(big.Float).SetPrec(powPrec).Mul(newBig(part), bigLog(ax))))
	}
	if y < 0 {
		r.Quo(newBig(1), r)
	}
	f, _ := r.Float64()
	if x < 0 && math.Mod(whole, 2) == 1 {
		f = -f
	}
	return f
}

func newBig(f float64) *big.Float { return new(big.Float).SetPrec(powPrec).SetFloat64(f) }

func bigPow(x *big.Float, n int) *big.Float {
	r, base := newBig(1), new(big.Float).SetPrec(powPrec).Set(x)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			r.Mul(r, base)
		}
		base.Mul(base, base)
	}
	return r
}

// bigLog is the natural logarithm of a positive number: x = m * 2**e with m near 1.
func bigLog(x *big.Float) *big.Float {
	m := new(big.Float).SetPrec(powPrec)
	e := x.MantExp(m)
	if m.Cmp(newBig(math.Sqrt2/2)) < 0 {
		m.SetMantExp(m, 1)
		e--
	}
	r := atanhTwice(m)
	return r.Add(r, new(big.Float).SetPrec(powPrec).Mul(newBig(float64(e)), atanhTwice(newBig(2))))
}

// atanhTwice is 2*atanh((m-1)/(m+1)), which is ln(m).
func atanhTwice(m *big.Float) *big.Float {
	z := new(big.Float).SetPrec(powPrec).Quo(new(big.Float).SetPrec(powPrec).Sub(m, newBig(1)), new(big.Float).SetPrec(powPrec).Add(m, newBig(1)))
	zz := new(big.Float).SetPrec(powPrec).Mul(z, z)
	sum, term := new(big.Float).SetPrec(powPrec).Set(z), new(big.Float).SetPrec(powPrec).Set(z)
	for k := 3; term.Sign() != 0 && term.MantExp(nil) > sum.MantExp(nil)-powPrec; k += 2 {
		term.Mul(term, zz)
		sum.Add(sum, new(big.Float).SetPrec(powPrec).Quo(term, newBig(float64(k))))
	}
	return sum.SetMantExp(sum, 1)
}

// bigExp is e**x: the series for x/2**k, squared k times.
func bigExp(x *big.Float) *big.Float {
	k := max(x.MantExp(nil), 0) + 8
	y := new(big.Float).SetPrec(powPrec).SetMantExp(x, -k)
	sum, term := newBig(1), newBig(1)
	for n := 1; term.Sign() != 0 && term.MantExp(nil) > -powPrec; n++ {
		term.Mul(term, y)
		term.Quo(term, newBig(float64(n)))
		sum.Add(sum, term)
	}
	for ; k > 0; k-- {
		sum.Mul(sum, sum)
	}
	return sum
}
