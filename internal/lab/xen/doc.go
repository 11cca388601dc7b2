// Package xen emulates xm and xend on a lab node. Start at Tools.
package xen

import "github.com/lbvm/lbvm/internal/lab"

// Tools gives the programs of one node, by name. The table of domains is this node's own.
func Tools() map[string]lab.Tool { return map[string]lab.Tool{} }
