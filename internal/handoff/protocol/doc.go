// Package protocol is the hand-off of a VM from node to node as data: its rules (Rules).
//
// It knows no file, no tool and no clock.
package protocol
