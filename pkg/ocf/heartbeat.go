package ocf

import (
	"context"
	"io"
	"strings"
	"time"
)

// Heartbeat's dialect: resource scripts of its version 1, called as `SCRIPT [PARAMETER...] start|stop|status`. The
// exit code of status is not read; its output is searched for "OK" and "running", and so "not running" would mean
// that it runs. The output may be that of both descriptors, so nothing else is ever printed to them but on a terminal.
// A failed stop reboots the node.
func heartbeat() speech {
	return speech{
		call:    func(*Call) {},
		timeout: func(World) time.Duration { return 0 },
		verb:    heartbeatVerb,
		missing: func(c *Call, _ bool) Code {
			switch c.Action {
			case "status": // nothing was ever started without it
				return CodeNotRunning
			case "stop":
				return CodeOK
			}
			return CodeGeneric
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
	case actionValidate: // Heartbeat never calls it; a human may
		return func(ctx context.Context) error { return validate(ctx, a, c, m) }, declared
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
func heartbeatSay(c *Call, code Code, _ error) {
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
// the metadata's order, so that the first is the name. It gives back the words for which no parameter is left.
func heartbeatParams(p *Params, m *Metadata, words []string) (over []string) {
	named := map[string]bool{}
	var values []string
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if _, known := m.Param(key); ok && known {
			p.set(key, value)
			named[key] = true
			continue
		}
		values = append(values, word)
	}
	primary, _ := m.Primary()
	for _, d := range append([]Param{primary}, m.Params...) {
		if len(values) == 0 || named[d.Name] || policy(d.Name) || d.Name == "" {
			continue
		}
		p.set(d.Name, values[0])
		named[d.Name] = true
		values = values[1:]
	}
	return values
}
