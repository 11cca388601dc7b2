package cluster

import (
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// The managers by name, as lbvm.conf's statement `cluster` says them.
const (
	NameRGManager = "rgmanager"
	NamePacemaker = "pacemaker"
)

// Kind tells which manager this node has: what is named, or else Pacemaker where crm_mon is installed and clustat is not.
func Kind(h host.Host, named string) string {
	if named != "" {
		return named
	}
	if _, ok := h.Has("clustat"); !ok {
		if _, ok := h.Has("crm_mon"); ok {
			return NamePacemaker
		}
	}
	return NameRGManager
}

// Of is this node's manager. named is the administrator's word, "" if it is to be found out.
func Of(h host.Host, r run.Runner, c clock.Clock, named string) Manager {
	if Kind(h, named) == NamePacemaker {
		return Pacemaker(h, r, c)
	}
	return RGManager(h, r, c)
}
