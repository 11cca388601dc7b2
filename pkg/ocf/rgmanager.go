package ocf

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// rgmanager's dialect: every action but meta-data has its variables, a migration's target is an argument, a status
// check must not say more than its code (reference: restree.c:res_exec, rg_state.c:svc_migrate).
func rgmanager() speech {
	return speech{
		call:    func(*Call) {},
		timeout: rgmanagerTimeout,
		verb:    rgmanagerVerb,
		missing: func(c *Call, primary bool) Code {
			if c.Action == "stop" && primary {
				// No start was ever let through without a name, so nothing can run under none; an error
				// would make rgmanager give the service up.
				return CodeOK
			}
			return CodeConfigured
		},
		code: func(_ *Call, err error) Code { return codeOf(err) },
	}
}

// rgmanagerTimeout is the timeout that rgmanager names. It says 0 where there is none and, by an old fault, where it
// enforces one: then the metadata's counts.
func rgmanagerTimeout(w World) time.Duration {
	n, err := strconv.Atoi(w.Getenv(keyPrefix + "RGMANAGER_meta_timeout"))
	if err != nil || n <= 0 || int64(n) > maxSeconds {
		return 0
	}
	return time.Duration(n) * time.Second
}

func rgmanagerVerb(a Agent, c *Call, m *Metadata) (func(context.Context) error, Action) {
	declared, ok := m.Action(c.Action, c.Depth)
	if c.Action == actionValidate { // rgmanager never calls it; a human may, whatever the metadata says
		return func(ctx context.Context) error { return validate(ctx, a, c, m) }, declared
	}
	if !ok {
		return nil, declared
	}
	switch c.Action {
	case "start":
		return func(ctx context.Context) error { return a.Start(ctx, c) }, declared
	case "stop":
		return func(ctx context.Context) error { return stopped(a.Stop(ctx, c)) }, declared
	case "status", "monitor":
		return func(ctx context.Context) error { return a.Status(ctx, c) }, declared
	case "migrate":
		if x, ok := a.(Migrator); ok {
			target := ""
			if len(c.args) > 0 {
				target = c.args[0]
			}
			return func(ctx context.Context) error { return migrate(ctx, x, c, target) }, declared
		}
	case "recover":
		if x, ok := a.(Recoverer); ok {
			return func(ctx context.Context) error { return x.Recover(ctx, c) }, declared
		}
	case "reconfig":
		return func(ctx context.Context) error { return reconfig(ctx, a, c) }, declared
	}
	return nil, declared
}

// stopped lets an agent answer a stop with the plain ErrNotRunning. Anything wrapped around it may be a failure.
func stopped(err error) error {
	if err == ErrNotRunning {
		return nil
	}
	return err
}

// migrate checks the target. CodeConfigured leaves the resource with its owner; to rgmanager CodeArgs would be its loss.
func migrate(ctx context.Context, a Migrator, c *Call, target string) error {
	if target == "" {
		return Errorf(CodeConfigured, "no target was named")
	}
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

func reconfig(ctx context.Context, a Agent, c *Call) error {
	if x, ok := a.(Reconfigurer); ok {
		return x.Reconfig(ctx, c)
	}
	return nil
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
