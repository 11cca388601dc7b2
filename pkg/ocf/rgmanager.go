package ocf

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// verb gives the function that does an action; nil where the agent has none.
func verb(a Agent, c *Call, m *Metadata) func(context.Context) error {
	switch c.Action {
	case "start":
		return func(ctx context.Context) error { return a.Start(ctx, c) }
	case "stop":
		return func(ctx context.Context) error { return stopped(a.Stop(ctx, c)) }
	case "status", "monitor":
		return func(ctx context.Context) error { return a.Status(ctx, c) }
	case "migrate":
		if x, ok := a.(Migrator); ok {
			return func(ctx context.Context) error { return migrate(ctx, x, c) }
		}
	case "recover":
		if x, ok := a.(Recoverer); ok {
			return func(ctx context.Context) error { return x.Recover(ctx, c) }
		}
	case "reconfig":
		if x, ok := a.(Reconfigurer); ok {
			return func(ctx context.Context) error { return x.Reconfig(ctx, c) }
		}
	case "validate-all":
		return func(ctx context.Context) error { return validate(ctx, a, c, m) }
	}
	return nil
}

// runRGManager speaks rgmanager's dialect.
func runRGManager(w World, xml []byte, a Agent) Code {
	if len(w.Args) < 2 {
		usage(w.Stderr, w, xml)
		return CodeArgs
	}
	action := w.Args[1]
	switch action {
	case "meta-data":
		// Before anything else: an agent whose metadata fails takes all services of its type down.
		if _, err := w.Stdout.Write(xml); err != nil {
			logger(w, "ocf").Log(LevelError, "writing the metadata: "+err.Error(), "program", w.Args[0])
		}
		return CodeOK
	case "help", "-h", "--help":
		usage(w.Stdout, w, xml)
		return CodeOK
	}
	m, err := ParseMetadata(xml)
	if err != nil {
		logger(w, "ocf").Log(LevelCrit, err.Error(), "program", w.Args[0])
		return CodeGeneric
	}
	return act(w, m, a, action)
}

func act(w World, m *Metadata, a Agent, action string) Code {
	log := logger(w, m.Name)
	c := newCall(w, m, action, log)
	declared, ok := m.Action(action, c.Depth)
	do := verb(a, c, m)
	if do == nil || (!ok && action != "validate-all") {
		log.Log(LevelError, fmt.Sprintf("this agent has no action %q", action))
		return CodeUnimplemented
	}
	c.Timeout = declared.Timeout
	if t := metaTimeout(w); t > 0 {
		c.Timeout = t
	}
	primary, _ := m.Primary()
	for _, p := range m.Params {
		if (!p.Required && !p.Primary) || c.Params.Get(p.Name) != "" {
			continue
		}
		msg := fmt.Sprintf("%s: the parameter %q is missing", action, p.Name)
		log.Log(LevelError, msg)
		switch {
		case action != "stop":
			return CodeConfigured
		case p.Name == primary.Name:
			// No start was ever let through without a name, so nothing can run under none; an error
			// would make rgmanager give the service up.
			return CodeOK
		}
	}
	began := w.Now()
	err := perform(c.World, c.Timeout, do)
	return answer(c, err, w.Now().Sub(began))
}

// answer logs how an action ended and gives its code.
func answer(c *Call, err error, took time.Duration) Code {
	code := codeOf(err)
	what := c.Action + " of " + c.Instance
	var p *panicError
	switch {
	case errors.As(err, &p):
		logPanic(c.Log, what, p)
		return CodeGeneric
	case err != nil && code == CodeNotRunning && (c.Action == "status" || c.Action == "monitor"):
		c.Log.Log(LevelDebug, what+": not running here") // what every other node answers to an inquiry
	case err != nil:
		c.Log.Log(LevelError, fmt.Sprintf("%s failed: %v (exit %d)", what, err, int(code)))
	case c.Action == "start" || c.Action == "stop" || c.Action == "migrate":
		c.Log.Log(LevelInfo, fmt.Sprintf("%s done in %s", what, took.Round(10*time.Millisecond)))
	default:
		c.Log.Log(LevelDebug, what+": ok")
	}
	return code
}

func newCall(w World, m *Metadata, action string, log Logger) *Call {
	c := &Call{Action: action, Type: m.Name, Dialect: RGManager, Params: params(w, m), World: w, Log: log}
	if p, ok := m.Primary(); ok {
		c.Name = c.Params.Get(p.Name)
	}
	c.Instance = w.Getenv("OCF_RESOURCE_INSTANCE")
	if c.Instance == "" {
		c.Instance = m.Name + ":" + c.Name
	}
	c.Depth = max(0, atoi(w.Getenv("OCF_CHECK_LEVEL")))
	return c
}

// metaTimeout is the timeout that rgmanager names. It says 0 where there is none and, by an old fault, where it
// enforces one: then the metadata's counts.
func metaTimeout(w World) time.Duration {
	n, err := strconv.Atoi(w.Getenv(keyPrefix + "RGMANAGER_meta_timeout"))
	if err != nil || n <= 0 || int64(n) > maxSeconds {
		return 0
	}
	return time.Duration(n) * time.Second
}

// stopped lets an agent answer a stop with the plain ErrNotRunning. Anything wrapped around it may be a failure.
func stopped(err error) error {
	if err == ErrNotRunning {
		return nil
	}
	return err
}

// migrate checks the target. CodeConfigured leaves the resource with its owner; CodeArgs would be its loss.
func migrate(ctx context.Context, a Migrator, c *Call) error {
	if len(c.World.Args) < 3 || c.World.Args[2] == "" {
		return Errorf(CodeConfigured, "no target was named")
	}
	target := c.World.Args[2]
	if !validTarget(target) {
		return Errorf(CodeConfigured, "%q cannot be the name of a node", target)
	}
	return a.Migrate(ctx, c, target)
}

// validTarget tells whether a node can have that name: it will be part of a command line.
func validTarget(s string) bool {
	if s == "" || len(s) > 255 || s[0] == '-' || s[0] == '.' {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:", r) {
			return false
		}
	}
	return true
}

// validate checks what the metadata says of the values, then asks the agent.
func validate(ctx context.Context, a Agent, c *Call, m *Metadata) error {
	for _, p := range m.Params {
		v := c.Params.Get(p.Name)
		if v == "" {
			continue
		}
		switch p.Type {
		case "integer":
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				return Errorf(CodeConfigured, "%s=%q is not a number", p.Name, v)
			}
		case "boolean":
			if v != "0" && v != "1" && v != "yes" && v != "no" {
				return Errorf(CodeConfigured, "%s=%q is neither 1 nor 0", p.Name, v)
			}
		}
	}
	if x, ok := a.(Validator); ok {
		return x.Validate(ctx, c)
	}
	return nil
}

func programName(w World) string {
	if len(w.Args) == 0 {
		return "agent"
	}
	return filepath.Base(w.Args[0])
}
