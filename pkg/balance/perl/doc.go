// Package perl runs the rules of lbvm.conf: a small, closed subset of Perl 5
// that gives perl's answers without perl's reach.
//
// An algorithm is compiled once and run many times:
//
//	prog, diags := perl.Compile(src, perl.Position{File: "lbvm.conf", Line: 12, Col: 16}, funcs)
//	for _, d := range diags {
//		fmt.Println(d.Format())
//	}
//	if prog != nil {
//		value, err := prog.Run(ctx, perl.Options{Host: host, Now: now, Zone: zone})
//	}
//
// A Program is immutable and may be run by many goroutines at once. The world
// reaches a rule only through what the caller hands in: host functions (Func),
// the instant (Options.Now), limits and an output. There are no files, no
// processes, no environment and no clock behind it.
//
// The way of a rule: lexer.go cuts tokens, parse*.go build the tree of ast.go,
// resolve.go turns names into slots, lint.go looks for traps, and compile*.go
// makes closures that run.go executes. arith.go and number.go hold perl's
// number rules, which are exact. Start reading at Compile in program.go.
//
// A broken text gives all its errors at once: recover.go reads on behind a
// statement or a condition that makes no sense. What a run may take is bounded
// by Limits; memory.go counts each value where it is made, so that a run never
// holds more than Limits.Memory. Options.Trace asks for every comparison, match
// and logical operator (trace.go), for which the rule is compiled a second time:
// a run without it has nothing of it. The same holds for use warnings (warn.go).
package perl
