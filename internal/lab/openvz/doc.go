// Package openvz emulates vzctl and vzlist on a lab node. Start at Tools.
package openvz

import "github.com/lbvm/lbvm/internal/lab"

// Tools gives the programs of one node, by name. Their tables of mounts and guests are this node's own.
func Tools() map[string]lab.Tool { return map[string]lab.Tool{} }
