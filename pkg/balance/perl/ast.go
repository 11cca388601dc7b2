package perl

// A node is one piece of the tree. One type serves for all kinds, which keeps
// the resolver and the lint rules short; the comments tell what the kids are.
type node struct {
	kind   nodeKind
	sigil  byte    // of variables and dereferences
	paren  bool    // stood in parentheses
	post   bool    // postfix ++, do {} while, statement modifier
	not    bool    // !~, until, unless
	warn   bool    // of a statement: use warnings is in force
	must   bool    // use strict: the variable must be declared
	global bool    // a package variable, or the call of a sub of the program, which may change any variable; set by the resolver, as sym and slot
	off    int     // where it begins in the source
	end    int     // just past it
	name   string  // operator, function, variable or label
	val    Value   // of a constant
	kids   []*node // see the kinds
	regex  *regexNode
	sub    *subInfo
	sym    *symbol // nil for a package variable
	slot   int     // in the frame, or among the package variables
	has    uint64  // the kinds of this node and of all below it, a bit each, not looking into subs; 0: not counted
}

type nodeKind uint8

const (
	nConst     nodeKind = iota // val
	nWord                      // a bareword used as a value: name
	nInterp                    // parts of a string, to be joined
	nVar                       // sigil and name
	nCapture                   // $1, $& and their kin: name
	nArrayLen                  // $#a: array
	nIndex                     // array, index
	nKey                       // hash, key
	nSlice                     // array, list
	nKeySlice                  // hash, list
	nPairSlice                 // %h{...}, %a[...]: hash or array, list
	nListSlice                 // list, list of indexes
	nDeref                     // sigil; expression giving the reference
	nMy                        // name is my, our or state; variables
	nLocal                     // variable
	nAnonArray                 // items
	nAnonHash                  // items
	nAnonSub                   // sub
	nRef                       // operand
	nList                      // items
	nAssign                    // name is the operator; left, right
	nBinary                    // name is the operator; left, right
	nChain                     // a < b < c: nBinary nodes, each sharing an operand with the next
	nAnd                       // left, right
	nOr                        // left, right
	nDor                       // left, right
	nXor                       // left, right
	nNot                       // operand
	nCond                      // condition, then, else
	nUnary                     // name is the operator; operand
	nIncDec                    // name is the operator; operand
	nMatch                     // regex; target or nothing
	nSubst                     // regex; target or nothing
	nTrans                     // regex; target or nothing
	nRange                     // from, to
	nCall                      // user or host function name; arguments
	nDynCall                   // code, arguments
	nFunc                      // built-in function name; arguments
	nPrint                     // name is print, printf or say; arguments; val is the handle
	nSort                      // block, expression or nil; items
	nMap                       // name is map or grep, or first, any, ... ; block or expression; items
	nDo                        // block
	nEval                      // block
	nReturn                    // value or nothing
	nNext                      // name is the label, or empty
	nLast                      // name is the label, or empty
	nWantarray                 //
	nBlock                     // statements; a scope of its own
	nIf                        // condition, block, condition, block, ..., else block
	nWhile                     // name is the label; condition or nil, body, continue block or nil
	nFor                       // name is the label; init, condition, step, body: each may be nil but the body
	nForeach                   // name is the label; variable, list, body, continue block or nil
	nSub                       // named sub: sub
)

const _ = uint(63 - nSub) // node.has has a bit for each

// regexNode is what a match, substitution or transliteration carries.
type regexNode struct {
	pattern *node  // nConst or nInterp
	flags   string // as written
	repl    *node  // of s///
	from    string // of tr///, with ranges written out
	to      string
	op      int // its number among the matches of the program, from 1; 0: none yet
}

// symbol is one lexical variable.
type symbol struct {
	sigil    byte
	name     string // without its sigil
	slot     int
	owner    *subInfo
	captured bool // a closure or a reference may outlive the scope
	loop     bool // a foreach makes it an alias
	field    int  // of localtime, from 1, where it was set from there; 0: from elsewhere
}

// subInfo is a sub, or the main program.
type subInfo struct {
	name     string
	body     *node
	outer    *subInfo
	slots    [3]int // scalars, arrays, hashes of a frame
	captures []capture
	matches  bool // holds a regex: the captures are restored at its end
	height   int  // how deep its expressions and blocks lie in each other
	index    int
	code     *proto
}

// capture says which cell of the outer frame becomes which cell of the inner.
type capture struct {
	kind         int // 0 scalar, 1 array, 2 hash
	outer, inner int
	sym          *symbol
}

func slotKind(sigil byte) int {
	switch sigil {
	case '@':
		return 1
	case '%':
		return 2
	}
	return 0
}

// each calls f for every kid and for what a regex holds.
func (n *node) each(f func(*node)) {
	for _, k := range n.kids {
		if k != nil {
			f(k)
		}
	}
	if n.regex != nil {
		if n.regex.pattern != nil {
			f(n.regex.pattern)
		}
		if n.regex.repl != nil {
			f(n.regex.repl)
		}
	}
}

// kinds is has; what was made after parsing is counted here.
func (n *node) kinds() uint64 {
	if n.has != 0 || n.kind == nAnonSub || n.kind == nSub {
		return n.has
	}
	set := uint64(1) << n.kind
	n.each(func(k *node) { set |= k.kinds() })
	return set
}

func (n *node) isVar(sigil byte) bool { return n != nil && n.kind == nVar && n.sigil == sigil }
func (n *node) isConst() bool         { return n != nil && n.kind == nConst }
