// Package protocol is the hand-off of a VM from node to node as data: its rules (Rules), what is seen of a VM on one
// node (View), and the tables by which an action decides (Look, Stop, Way, Start, MigrateFrom, Migrate, Status,
// Inquiry), with what follows when a node dies (Deaths, Crashes).
//
// The agents take their rows from these tables (internal/vm binds each Deed to what does it), the model of the protocol
// walks through the same rows (test/model), the tables of docs/handoff.md are printed from them, and lbm handoff tells
// by them what comes next. It opens no file, runs no tool and reads no clock.
//
//go:generate env UPDATE=1 go test -count=1 -run ^TestPageIsCurrent$ .
package protocol
