package perl

import (
	"fmt"
	"math"
	"strconv"
)

type kind uint8

const (
	kUndef kind = iota
	kNo         // perl's false: "" as a string, 0 as a number
	kIV         // int64 in n
	kUV         // uint64 above the range of int64 in n
	kNV         // float64 bits in n
	kPV         // string in p
	kArr        // reference: *array in p
	kHash       // *hash
	kCode       // *code
	kRef        // *Value: reference to a scalar
	kRegex      // *regex, from qr//
	kLate       // name of a capture, a loan, or an array whose last index counts, in p: only on the way into a list
)

// Value is one perl scalar. The zero Value is undef. It is small and passed by value.
type Value struct {
	k kind
	n uint64
	p any
}

// truth marks the 1 of a comparison, which is a float to perl as well.
type truth struct{}

var (
	valYes = Value{k: kIV, n: 1, p: truth{}}
	valNo  = Value{k: kNo}
)

// Undef is perl's undef.
func Undef() Value { return Value{} }

// Int is an integer.
func Int(i int64) Value { return Value{k: kIV, n: uint64(i)} }

// Float is a floating point number.
func Float(f float64) Value { return Value{k: kNV, n: math.Float64bits(f)} }

// String is a byte string.
func String(s string) Value { return Value{k: kPV, p: s} }

// Bool is the result of a comparison: 1, or perl's false.
func Bool(b bool) Value {
	if b {
		return valYes
	}
	return valNo
}

func uintValue(u uint64) Value {
	if u <= math.MaxInt64 {
		return Value{k: kIV, n: u}
	}
	return Value{k: kUV, n: u}
}

// IsUndef tells whether the value is undef.
func (v Value) IsUndef() bool { return v.k == kUndef }

// IsNumber tells whether the value is a number, or a string that is one from end to end.
func (v Value) IsNumber() bool {
	switch v.k {
	case kIV, kUV, kNV, kNo:
		return true
	case kPV:
		_, whole := grok(v.str())
		return whole
	}
	return false
}

// Bool is perl's truth: false are undef, "", "0" and 0.
func (v Value) Bool() bool {
	switch v.k {
	case kUndef, kNo:
		return false
	case kIV, kUV:
		return v.n != 0
	case kNV:
		return v.f() != 0 // NaN is true
	case kPV:
		s := v.p.(string)
		return s != "" && s != "0"
	}
	return true
}

// Float64 is the value as a number.
func (v Value) Float64() float64 { return v.nv() }

// Int64 is the value as an integer, cut towards zero and kept within the range of int64.
func (v Value) Int64() int64 {
	if v.nv() >= 1<<63 {
		return math.MaxInt64
	}
	return v.iv()
}

// String is the value as a string.
func (v Value) String() string { return v.str() }

// GoString shows the value as a program would write it: a string in quotes, undef, a number as it is.
func (v Value) GoString() string {
	switch v.k {
	case kUndef:
		return "undef"
	case kPV:
		return strconv.Quote(v.p.(string))
	}
	return v.str()
}

// Ref is what perl's ref says of the value: "ARRAY", "HASH", "Regexp"; "" for what is no reference.
func (v Value) Ref() string { return v.refName() }

func (v Value) f() float64  { return math.Float64frombits(v.n) }
func (v Value) isRef() bool { return v.k >= kArr }

func (v Value) str() string {
	switch v.k {
	case kPV:
		return v.p.(string)
	case kIV:
		return strconv.FormatInt(int64(v.n), 10)
	case kUV:
		return strconv.FormatUint(v.n, 10)
	case kNV:
		return formatFloat(v.f())
	case kUndef, kNo:
		return ""
	case kRegex:
		return v.p.(*regex).String()
	}
	return fmt.Sprintf("%s(0x%x)", v.refName(), v.address())
}

// refName is what ref() says of the value.
func (v Value) refName() string {
	switch v.k {
	case kArr:
		return "ARRAY"
	case kHash:
		return "HASH"
	case kCode:
		return "CODE"
	case kRegex:
		return "Regexp"
	case kRef:
		if v.p.(*Value).isRef() {
			return "REF"
		}
		return "SCALAR"
	}
	return ""
}

// address is the number that a reference counts as.
func (v Value) address() uint64 {
	var a uint64
	_, _ = fmt.Sscanf(fmt.Sprintf("%p", v.p), "0x%x", &a)
	return a
}
