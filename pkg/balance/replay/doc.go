// Package replay is a world of numbers in which the balancer runs: nodes, VMs with a load
// for each minute, and moves that take time and cost. What decides is balance.Decide, or
// a policy that stands beside it for comparison.
//
//	w := replay.Scenarios()[0].World(1) // or ReadTrace, or what the logs recorded
//	score, err := replay.Run(ctx, w, replay.Balancer(cfg), replay.DefaultModel())
//
// A world is deterministic: the same world and policy give the same Score. A policy sees
// what a real one would: samples of the minutes that are over, the cluster's view, and
// the journal.
package replay
