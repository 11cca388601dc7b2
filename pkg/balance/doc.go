// Package balance decides which VM moves where. Values in, values out: Decide is the
// only place where a move is chosen; the monitor, explain and replay all call it.
//
//	cfg, diags := balance.NewConfig(file, resources) // of pkg/balance/conf
//	pass, err := balance.Decide(ctx, balance.Input{At: now, Config: cfg, View: view,
//		Samples: cfg.Logs(logdir), Recent: moves})
//
// A View is the cluster at one instant. Each VM that is balanced has an administrator's
// rule; it is evaluated for every node that the VM could go to (evaluate.go). Between a
// rule that says migrate and a move stand the rails (rails.go), then the rank (rank.go).
// What speaks for safety is the zero value: an unknown state stays, a missing value
// moves nothing. Decide reads no clock, starts nothing and writes nothing.
//
// The package also keeps what decisions rest on and leave behind: the logs of samples
// (logs.go), the journal of moves (journal.go), the reports (report.go) and the
// record of each pass (passlog.go).
package balance
