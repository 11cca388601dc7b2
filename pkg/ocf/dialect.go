package ocf

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Dialect is which kind of manager calls.
type Dialect int

// The dialects. The zero value is the one that this package takes where nothing tells.
const (
	RGManager Dialect = iota
	Pacemaker
	Heartbeat // resource scripts of its version 1
)

// String is the manager's name.
func (d Dialect) String() string {
	switch d {
	case RGManager:
		return "rgmanager"
	case Pacemaker:
		return "pacemaker"
	case Heartbeat:
		return "heartbeat"
	}
	return "unknown manager"
}

// DialectVariable names the variable that overrides what path and environment say; the option --dialect overrides both.
const DialectVariable = "LBVM_DIALECT"

func parseDialect(name string) (Dialect, error) {
	for _, d := range []Dialect{RGManager, Pacemaker, Heartbeat} {
		if name == d.String() {
			return d, nil
		}
	}
	return RGManager, fmt.Errorf("%q is no dialect; there are rgmanager, pacemaker and heartbeat", name)
}

// dialectOf tells who calls. For meta-data the path is all that there is: rgmanager passes no variable of its own
// to it (resrules.c:read_resource_agent_metadata). An action's environment tells more than the path. An override that
// is no dialect is passed over, with an error: it may not cost the metadata, nor a stop.
func dialectOf(w World, action string) (d Dialect, doubt error) {
	if name := w.Getenv(DialectVariable); name != "" {
		d, err := parseDialect(name)
		if err == nil {
			return d, nil
		}
		doubt = fmt.Errorf("%s: %w", DialectVariable, err)
	}
	if action != actionMetaData {
		var crm, rgm bool
		for _, e := range w.Env {
			crm = crm || strings.HasPrefix(e, keyPrefix+"CRM_meta_")
			rgm = rgm || strings.HasPrefix(e, keyPrefix+"RGMANAGER_meta_")
		}
		switch { // both: one was started below the other, and the order tells nothing
		case crm && !rgm:
			return Pacemaker, doubt
		case rgm && !crm:
			return RGManager, doubt
		}
	}
	return dialectOfPath(programPath(w)), doubt
}

func dialectOfPath(program string) Dialect {
	switch {
	case strings.Contains(program, "/ocf/resource.d/"):
		return Pacemaker
	case strings.Contains(program, "/ha.d/resource.d/"):
		return Heartbeat
	}
	return RGManager
}

// speech is how one kind of manager is read and answered.
type speech struct {
	// call fills in what the manager says of this call beyond action and parameters.
	call func(*Call)
	// timeout is what the manager allows; 0 where it does not say.
	timeout func(World) time.Duration
	// verb finds the function that does the action, and what the metadata declares for it; nil where there is none.
	verb func(Agent, *Call, *Metadata) (do func(context.Context) error, declared Action)
	// missing is the answer where a parameter that must be there is not.
	missing func(c *Call, primary bool) Code
	// code is the exit code of an outcome.
	code func(c *Call, err error) Code
	// say prints what the manager wants to read; nil: it wants silence.
	say func(c *Call, code Code, err error)
}

func speechOf(d Dialect) speech {
	switch d {
	case Pacemaker:
		return pacemaker()
	case Heartbeat:
		return heartbeat()
	case RGManager:
	}
	return rgmanager()
}
