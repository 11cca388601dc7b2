package ocf

import (
	"context"
	"io"
	"strings"
	"time"
)

// Heartbeat's dialect: resource scripts of its version 1, called as `SCRIPT [PARAMETER...] start|stop|status`. The
// exit code of status is not read; its output is searched for "OK" and "running", and so "not running" would mean
// that it runs. A failed stop reboots the node.
func heartbeat() speech {
	return speech{
		call:    func(*Call) {},
		timeout: func(World) time.Duration { return 0 },
		verb:    heartbeatVerb,
		missing: func(c *Call, _ bool) Code {
			if c.Action == "start" {
				return CodeConfigured
			}
			if c.Action == "status" {
				return CodeNotRunning
			}
			return CodeOK
		},
		code: func(c *Call, err error) Code {
			code := codeOf(err)
			if code != CodeOK && c.Action != "status" {
				return CodeGeneric
			}
			return code
		},
		say: heartbeatSay,
	}
}

func heartbeatVerb(a Agent, c *Call, m *Metadata) (func(context.Context) error, Action) {
	declared, _ := m.Action(c.Action, 0)
	switch c.Action {
	case "start":
		return func(ctx context.Context) error { return a.Start(ctx, c) }, declared
	case "stop":
		return func(ctx context.Context) error { return stopped(a.Stop(ctx, c)) }, declared
	case "status":
		return func(ctx context.Context) error { return a.Status(ctx, c) }, declared
	}
	return nil, declared
}

// heartbeatSay answers status in Heartbeat's words. What is not certainly down is running: a second start is the worst
// that could follow.
func heartbeatSay(c *Call, code Code) {
	if c.Action != "status" {
		return
	}
	word := "running\n"
	if code == CodeNotRunning {
		word = "stopped\n"
	}
	if _, err := io.WriteString(c.World.Stdout, word); err != nil {
		c.Log.Log(LevelError, "answering status: "+err.Error())
	}
}

// heartbeatParams reads the parameters before the action: KEY=VALUE where KEY is a parameter, else the values in
// the metadata's order, so that the first is the name.
func heartbeatParams(p Params, m *Metadata, words []string) {
	var order []string
	if primary, ok := m.Primary(); ok {
		order = append(order, primary.Name)
	}
	for _, d := range m.Params {
		if (len(order) == 0 || d.Name != order[0]) && !policy(d.Name) {
			order = append(order, d.Name)
		}
	}
	for _, word := range words {
		if key, value, ok := strings.Cut(word, "="); ok {
			if _, known := m.Param(key); known {
				p.values[key] = value
				continue
			}
		}
		if len(order) > 0 {
			p.values[order[0]], order = word, order[1:]
		}
	}
}
