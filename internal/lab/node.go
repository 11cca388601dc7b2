package lab

import (
	"context"

	"github.com/lbvm/lbvm/internal/run"
)

// Tool is one emulated program. It runs inside the node's daemon; ctx ends when the caller is killed.
type Tool func(ctx context.Context, n *Node, r Request) run.Result

// Node is one machine of the lab: its guests, its loads and the faults that are set on it.
type Node struct{ Name string }

// RunNode is the whole life of a node's daemon.
func RunNode(ctx context.Context, l Layout, node string, guestProgram string, tools map[string]Tool) error {
	<-ctx.Done()
	return nil
}

// KillNode is a power cut.
func KillNode(l Layout, node string) error { return nil }

// NewBoot gives a node a new boot id and an empty var/run.
func NewBoot(l Layout, node string) error { return nil }
