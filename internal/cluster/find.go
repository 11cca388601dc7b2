package cluster

import (
	"os"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
	lbvmconf "github.com/lbvm/lbvm/pkg/balance/conf"
)

// The managers by name, as lbvm.conf's statement `cluster` says them.
const (
	NameRGManager = "rgmanager"
	NamePacemaker = "pacemaker"
)

// Kind tells which manager this node has: what is named; else the one whose tools are installed, by clustat and crm_mon. In
// doubt, with both or none of them, it is what lbvm.conf's statement `cluster` says, else rgmanager where there is a
// cluster.conf, without which it cannot run, or no crm_mon.
func Kind(h host.Host, named string) string {
	if named != "" {
		return named
	}
	if kind := Installed(h); kind != "" {
		return kind
	}
	if named = word(h); named != "" {
		return named
	}
	return Unnamed(h)
}

// Unnamed is Kind in doubt and without lbvm.conf's word: of a node whose lbvm.conf lies on a share that hangs.
func Unnamed(h host.Host) string {
	if _, ok := h.Has("crm_mon"); ok {
		if _, err := os.Lstat(h.Path(host.ClusterXML)); os.IsNotExist(err) {
			return NamePacemaker
		}
	}
	return NameRGManager
}

// Installed is the manager whose tools are on this node; "" in doubt: both or none are.
func Installed(h host.Host) string {
	_, clustat := h.Has("clustat")
	_, crmMon := h.Has("crm_mon")
	switch {
	case clustat && !crmMon:
		return NameRGManager
	case crmMon && !clustat:
		return NamePacemaker
	}
	return ""
}

// word is the administrator's word in lbvm.conf; "" where there is none, or it cannot be read. The file may lie on a share
// that is away: it is read only in doubt.
func word(h host.Host) string {
	src, err := os.ReadFile(h.Path(host.ConfFile))
	if err != nil {
		return ""
	}
	f, _ := lbvmconf.Examine(host.ConfFile, src)
	return f.Cluster
}

// Of is this node's manager. named is the administrator's word, "" if it is to be found out.
func Of(h host.Host, r run.Runner, c clock.Clock, named string) Manager {
	if Kind(h, named) == NamePacemaker {
		return Pacemaker(h, r, c)
	}
	return RGManager(h, r, c)
}
