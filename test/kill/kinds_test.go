package kill

import (
	"fmt"

	"github.com/lbvm/lbvm/pkg/ocf"
)

// kind is a changing action in a situation, and how many of a hundred kills fall on it.
type kind struct {
	typ, name string
	share     int
	// prepare brings about the situation and gives the action to be killed.
	prepare func(e *episode) call
}

func (k kind) String() string { return k.typ + " " + k.name }

func kinds() []kind {
	return []kind{
		{"openvz", "start, cold", 6, startCold},
		{"openvz", "start, resume", 10, startResume},
		{"openvz", "stop, image", 13, stopImage},
		{"openvz", "stop, shutdown", 2, stopShutdown},
		{"openvz", "stop, ticket", 4, stopTicket},
		{"openvz", "stop, absent", 1, stopAbsent},
		{"xen", "start, cold", 2, startCold},
		{"xen", "start, resume", 6, startResume},
		{"xen", "start, adopt after live", 2, startAdopt},
		{"xen", "stop, image", 8, stopImage},
		{"xen", "stop, shutdown", 2, stopShutdown},
		{"xen", "stop, live ticket", 6, stopTicket},
		{"xen", "stop, absent", 1, stopAbsent},
		{"xen", "migrate", 5, migrate},
		{"xen", "migrate_from", 2, migrateFrom},
		{"kvm", "start, cold", 2, startCold},
		{"kvm", "start, resume", 3, startResume},
		{"kvm", "start, adopt after live", 1, startAdopt},
		{"kvm", "stop, image", 4, stopImage},
		{"kvm", "stop, shutdown", 1, stopShutdown},
		{"kvm", "stop, live ticket", 3, stopTicket},
		{"kvm", "stop, absent", 1, stopAbsent},
		{"kvm", "migrate", 2, migrate},
		{"kvm", "migrate_from", 1, migrateFrom},
		{"vmexec", "start, cold", 1, startCold},
		{"vmexec", "start, resume", 2, startResume},
		{"vmexec", "stop, image", 3, stopImage},
		{"vmexec", "stop, shutdown", 1, stopShutdown},
		{"vmexec", "stop, live ticket", 2, stopTicket},
		{"vmexec", "stop, absent", 1, stopAbsent},
		{"lbvm", "start", 1, nil},
		{"lbvm", "stop", 1, nil},
	}
}

// deck is a hundred kinds, each as often as its share.
func deck(all []kind) []kind {
	var out []kind
	for _, k := range all {
		for range k.share {
			out = append(out, k)
		}
	}
	return out
}

// dialect is who calls: mostly rgmanager.
func (e *episode) dialect() ocf.Dialect {
	switch n := e.r.Intn(20); {
	case n < 5:
		return ocf.Pacemaker
	case n < 8:
		return ocf.Heartbeat
	}
	return ocf.RGManager
}

func (e *episode) call(action, node string) call {
	return call{c: e.v.c, typ: e.v.typ, name: e.v.name, node: node, action: action, dialect: e.dialect()}
}

func (e *episode) anywhere() string { return members[e.r.Intn(len(members))] }

func (e *episode) elsewhere(not string) string {
	for {
		if n := e.anywhere(); n != not {
			return n
		}
	}
}

func startCold(e *episode) call {
	if e.s.rec.phase != "none" {
		stop := e.call("stop", e.at())
		stop.shutdown = true
		e.must(stop)
	}
	return e.call("start", e.anywhere())
}

func startResume(e *episode) call {
	e.must(e.call("stop", e.at()))
	return e.call("start", e.anywhere())
}

func startAdopt(e *episode) call {
	m := e.migration()
	e.must(m)
	return e.call("start", m.target)
}

func stopImage(e *episode) call { return e.call("stop", e.at()) }

func stopShutdown(e *episode) call {
	c := e.call("stop", e.at())
	c.shutdown = true
	return c
}

func stopTicket(e *episode) call {
	source := e.at()
	r, err := e.v.relocates(fmt.Sprintf("%016x%016x", e.r.Uint64(), e.r.Uint64()), source, e.elsewhere(source), e.s.rec.seq)
	if err != nil {
		e.v.t.Fatal(err)
	}
	e.relocator = r
	return e.call("stop", source)
}

func stopAbsent(e *episode) call {
	node := e.at()
	e.v.c.ask(node, "lab", "crash", e.v.plays+":"+e.v.name)
	e.tell("the guest crashes on %s", node)
	return e.call("stop", node)
}

func migrate(e *episode) call { return e.migration() }

// migrateFrom is the target's side of Pacemaker's migration.
func migrateFrom(e *episode) call {
	m := e.migration()
	e.must(m)
	c := e.call("migrate_from", m.target)
	c.dialect, c.target = ocf.Pacemaker, m.node
	return c
}

func (e *episode) migration() call {
	c := e.call("migrate", e.at())
	if c.dialect == ocf.Heartbeat { // which knows no migration
		c.dialect = ocf.RGManager
	}
	c.target = e.elsewhere(c.node)
	return c
}
