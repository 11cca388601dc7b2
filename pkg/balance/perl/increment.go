package perl

// stepValue is ++ and --.
func stepValue(v Value, up bool) Value {
	if v.k == kPV && !(up && magical(v.p.(string))) && !v.IsNumber() { // "3abc" counts as a float
		if up {
			return Float(v.nv() + 1)
		}
		return Float(v.nv() - 1)
	}
	if !up && v.k == kNV { // ++ makes an integer of a whole float, -- does not
		return Float(v.f() - 1)
	}
	if !up {
		return sub(numeric(v), Int(1))
	}
	return increment(v)
}

// numeric is the number that a value counts as in ++ and --.
func numeric(v Value) Value {
	switch v.k {
	case kUndef:
		return Int(0)
	case kPV:
		return please(v)
	}
	return v
}

// increment is ++ with the magic for strings such as a9, Zz and 007.
func increment(v Value) Value {
	if v.k == kPV {
		s := v.p.(string)
		if magical(s) {
			return String(nextString(s))
		}
	}
	return add(numeric(v), Int(1))
}

// magical tells whether a string is letters followed by digits.
func magical(s string) bool {
	i := 0
	for i < len(s) && isLetter(s[i]) && s[i] != '_' {
		i++
	}
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i == len(s) && s != ""
}

func nextString(s string) string {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		switch b[i] {
		case '9':
			b[i] = '0'
		case 'z':
			b[i] = 'a'
		case 'Z':
			b[i] = 'A'
		default:
			b[i]++
			return string(b)
		}
	}
	first := b[0]
	if first == '0' {
		first = '1'
	}
	return string(first) + string(b)
}
