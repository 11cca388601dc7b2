package perl

// builtin describes a function of perl's for the parser and, where it takes
// plain values, does its work.
type builtin struct {
	name     string
	min, max int  // arguments; max < 0: a list
	unary    bool // binds tighter than a comparison
	topic    bool // without an argument: $_
	one      func(m *machine, at site, v Value) Value
	many     func(m *machine, at site, a []Value) Value // all arguments, as a list where max < 0
	list     func(m *machine, at site, a []Value)       // the same in list context, pushing the results
}

// builtins holds perl's functions. Those without a func are compiled by name in compile_func.go.
var builtins = [...]builtin{
	{name: "abs", max: 1, unary: true, topic: true, one: func(_ *machine, _ site, v Value) Value { return absolute(v) }},
	{name: "int", max: 1, unary: true, topic: true, one: func(_ *machine, _ site, v Value) Value { return truncate(v) }},
	{name: "sqrt", max: 1, unary: true, topic: true, one: squareRoot},
	{name: "sin", max: 1, unary: true, topic: true, one: sine},
	{name: "cos", max: 1, unary: true, topic: true, one: cosine},
	{name: "exp", max: 1, unary: true, topic: true, one: exponential},
	{name: "log", max: 1, unary: true, topic: true, one: logarithm},
	{name: "hex", max: 1, unary: true, topic: true, one: hexadecimal},
	{name: "oct", max: 1, unary: true, topic: true, one: octal},
	{name: "lc", max: 1, unary: true, topic: true, one: stringFunc(lower)},
	{name: "uc", max: 1, unary: true, topic: true, one: stringFunc(upper)},
	{name: "lcfirst", max: 1, unary: true, topic: true, one: stringFunc(func(s string) string { return firstCase(s, false) })},
	{name: "ucfirst", max: 1, unary: true, topic: true, one: stringFunc(func(s string) string { return firstCase(s, true) })},
	{name: "quotemeta", max: 1, unary: true, topic: true, one: stringFunc(quotemeta)},
	{name: "length", max: 1, unary: true, topic: true, one: length},
	{name: "chr", max: 1, unary: true, topic: true, one: character},
	{name: "ord", max: 1, unary: true, topic: true, one: ordinal},
	{name: "ref", max: 1, unary: true, topic: true, one: func(_ *machine, _ site, v Value) Value {
		if !v.isRef() {
			return valNo
		}
		return String(v.refName())
	}},
	{name: "rand", max: 1, unary: true},
	{name: "srand", max: 1, unary: true},
	{name: "time"},
	{name: "localtime", max: 1, unary: true},
	{name: "gmtime", max: 1, unary: true},
	{name: "defined", max: 1, unary: true, topic: true},
	{name: "scalar", min: 1, max: 1, unary: true},
	{name: "undef", max: 1, unary: true},
	{name: "chomp", max: -1, unary: true, topic: true},
	{name: "chop", max: -1, unary: true, topic: true},
	{name: "exists", min: 1, max: 1, unary: true},
	{name: "delete", min: 1, max: 1, unary: true},
	{name: "each", min: 1, max: 1, unary: true},
	{name: "keys", min: 1, max: 1, unary: true},
	{name: "values", min: 1, max: 1, unary: true},
	{name: "pop", max: 1, unary: true},
	{name: "shift", max: 1, unary: true},
	{name: "push", min: 1, max: -1},
	{name: "unshift", min: 1, max: -1},
	{name: "splice", min: 1, max: -1},
	{name: "split", max: 3},
	{name: "reverse", max: -1},
	{name: "die", max: -1},
	{name: "warn", max: -1},
	{name: "substr", min: 2, max: 4},
	{name: "join", min: 1, max: -1, many: joinList},
	{name: "sprintf", min: 1, max: -1, many: formatList},
	{name: "atan2", min: 2, max: 2, many: arcTangent},
	{name: "index", min: 2, max: 3, many: indexOf},
	{name: "rindex", min: 2, max: 3, many: lastIndexOf},
	{name: "List::Util::sum", max: -1, many: sumOf},
	{name: "List::Util::sum0", max: -1, many: sumOrZero},
	{name: "List::Util::product", max: -1, many: productOf},
	{name: "List::Util::min", max: -1, many: extreme(func(a, b Value) bool { return a.nv() < b.nv() })},
	{name: "List::Util::max", max: -1, many: extreme(func(a, b Value) bool { return !(a.nv() < b.nv()) })},
	{name: "List::Util::minstr", max: -1, many: extreme(func(a, b Value) bool { return a.str() < b.str() })},
	{name: "List::Util::maxstr", max: -1, many: extreme(func(a, b Value) bool { return a.str() > b.str() })},
	{name: "List::Util::uniq", max: -1, many: uniqueCount, list: unique},
	{name: "List::Util::shuffle", max: -1, many: countOf, list: shuffle},
	{name: "Scalar::Util::looks_like_number", min: 1, max: 1, many: looksLikeNumber},
	{name: "POSIX::floor", min: 1, max: 1, many: floorOf},
	{name: "POSIX::ceil", min: 1, max: 1, many: ceilOf},
	{name: "POSIX::fmod", min: 2, max: 2, many: floatModulus},
	{name: "POSIX::strftime", min: 7, max: -1, many: formatTime},
}

func builtinFor(name string) *builtin {
	for i := range builtins {
		if builtins[i].name == name {
			return &builtins[i]
		}
	}
	return nil
}
