package ocf

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Pacemaker's dialect: OCF resource agents of versions 1.0 and 1.1. Timeouts are milliseconds, a migration is
// migrate_to on the source, migrate_from on the target and a stop on the source. A monitor of interval 0, or of none
// (resource-agents: ocf-shellfuncs), is a probe.
func pacemaker() speech {
	return speech{
		call: func(c *Call) {
			if v := c.World.Getenv(keyPrefix + "CRM_meta_interval"); c.Action == "monitor" && (v == "" || atoi(v) == 0) {
				c.Probe = true
			}
		},
		timeout: pacemakerTimeout,
		verb:    pacemakerVerb,
		missing: func(c *Call, primary bool) Code {
			switch {
			case c.Probe: // what is not configured was never started
				return CodeNotRunning
			case c.Action == "stop" && primary:
				return CodeOK // an error would have the node fenced
			}
			return CodeConfigured
		},
		code: pacemakerCode,
		say:  pacemakerSay,
	}
}

func pacemakerTimeout(w World) time.Duration {
	n, err := strconv.ParseInt(w.Getenv(keyPrefix+"CRM_meta_timeout"), 10, 64)
	if err != nil || n <= 0 || n > maxSeconds*1000 {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

func pacemakerVerb(a Agent, c *Call, m *Metadata) (func(context.Context) error, Action) {
	declared, ok := m.Action(pacemakerAction(c.Action, m), c.Depth)
	switch c.Action {
	case actionValidate:
		return func(ctx context.Context) error { return validate(ctx, a, c, m) }, declared
	case "reload", "reload-agent": // as the documents of OCF 1.0 and 1.1 declare them
		if c.Action == "reload" && allReloadable(m) || c.Action == "reload-agent" && reloadable(m) {
			return func(ctx context.Context) error { return reconfig(ctx, a, c) }, declared
		}
		return nil, declared
	}
	if !ok {
		return nil, declared
	}
	switch c.Action {
	case "start":
		return func(ctx context.Context) error { return a.Start(ctx, c) }, declared
	case "stop":
		return func(ctx context.Context) error { return stopped(a.Stop(ctx, c)) }, declared
	case "monitor", "status":
		return func(ctx context.Context) error { return a.Status(ctx, c) }, declared
	case "recover":
		if x, ok := a.(Recoverer); ok {
			return func(ctx context.Context) error { return x.Recover(ctx, c) }, declared
		}
	case "migrate_to":
		if x, ok := a.(Migrator); ok {
			target := c.World.Getenv(keyPrefix + "CRM_meta_migrate_target")
			return func(ctx context.Context) error { return migrate(ctx, x, c, target) }, declared
		}
	case "migrate_from":
		if _, ok := a.(Migrator); ok {
			source := c.World.Getenv(keyPrefix + "CRM_meta_migrate_source")
			return func(ctx context.Context) error { return arrive(ctx, a, c, source) }, declared
		}
	}
	return nil, declared
}

// pacemakerAction is rgmanager's name of one of Pacemaker's actions, under which the metadata declares it.
func pacemakerAction(name string, m *Metadata) string {
	switch name {
	case "monitor", "status":
		return monitorOf(m)
	case "migrate_to", "migrate_from":
		return "migrate"
	case "reload", "reload-agent":
		return "reconfig"
	}
	return name
}

// arrivalPoll is how often migrate_from asks whether the resource is here yet.
const arrivalPoll = 500 * time.Millisecond

// arrive waits for what was sent. Two thirds of the time must do, the rest is for the manager's recovery.
func arrive(ctx context.Context, a Agent, c *Call, source string) error {
	if x, ok := a.(Receiver); ok {
		return x.Arrive(ctx, c, source)
	}
	wait, cancel := c.Until(ctx, 2, 3)
	defer cancel()
	for {
		err := a.Status(wait, c)
		if err == nil {
			return nil
		}
		if !c.pause(wait, arrivalPoll) {
			return fmt.Errorf("waiting for what %s sent: %w", source, err)
		}
	}
}

// pacemakerCode is the exit code of an outcome. A probe runs on every node, also where nothing is installed; any
// answer but 0 and 7 would be recovered by a stop there, so what cannot be here is "not running".
//
// Some codes would do more harm than the error that they tell of. What is above 7 says to Pacemaker that the resource
// is active (8 and 9 promoted, 190 and 191 degraded). 7 of anything but a check is no failure to some of its versions.
// And 6 forbids the resource on all nodes: after a migration that failed, CodeGeneric has it stopped on both and
// started on one.
func pacemakerCode(c *Call, err error) Code {
	code := codeOf(err)
	check := c.Action == "monitor" || c.Action == "status"
	switch {
	case code > CodeNotRunning, code == CodeNotRunning && !check:
		return CodeGeneric
	case code == CodeConfigured && strings.HasPrefix(c.Action, "migrate_"):
		return CodeGeneric
	case c.Probe && (code == CodeInstalled || code == CodeConfigured):
		return CodeNotRunning
	}
	return code
}

// pacemakerSay gives the reason of a failure, which crm_mon shows beside the failed action, where the manager says how
// it wants to read it.
func pacemakerSay(c *Call, code Code, err error) {
	prefix := c.World.Getenv("OCF_EXIT_REASON_PREFIX")
	if err == nil || code == CodeOK || prefix == "" || code == CodeNotRunning && c.Action == "monitor" {
		return
	}
	if _, err := fmt.Fprintf(c.World.Stderr, "%s%s\n", prefix, ascii(err.Error())); err != nil {
		c.Log.Log(LevelDebug, "telling the reason: "+err.Error())
	}
}
