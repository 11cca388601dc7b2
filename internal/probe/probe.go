// Package probe asks a running guest whether it does its work: an administrator's check, made once.
//
// A check is one line: "tcp:HOST:PORT", "ping:HOST" or "exec:/path arg arg". Start at Parse.
//
// It tells two failures apart. A guest that does not answer is one; ErrUnmade is the other: the check itself could not
// be made (no such program, a name that this node does not know), which says nothing of the guest and must not cost
// it.
//
// HOST is an address or a name in /etc/hosts. No name server is asked: while it is down, every guest would seem
// to be. The package links no net, which would cost each status of an agent more than all of this.
package probe

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// Kind is how a guest is asked. The zero Kind is none.
type Kind int

// The kinds.
const (
	TCP  Kind = iota + 1 // a connection is opened and closed
	Ping                 // ICMP echo, by the system's ping
	Exec                 // a program of the administrator's: exit code 0 is well
)

// Check is what Parse understood.
type Check struct {
	Kind Kind
	Host string   // TCP, Ping: an address or a name
	Port int      // TCP
	Argv []string // Exec: the program, a path below the root, and its arguments
}

// Errors of a check.
var (
	// ErrSyntax says that the text is no check.
	ErrSyntax = errors.New(`a check is "tcp:HOST:PORT", "ping:HOST" or "exec:/path arg arg"`)
	// ErrUnmade says that the check could not be made: nothing is known of the guest.
	ErrUnmade = errors.New("the check cannot be made")
	// ErrNoAnswer says that the guest did not answer in time, or not well.
	ErrNoAnswer = errors.New("the guest does not answer its check")
)

// Parse reads a check. Arguments of exec are separated by blanks; there are no quotes and no shell.
func Parse(text string) (Check, error) {
	kind, rest, ok := strings.Cut(strings.TrimSpace(text), ":")
	if !ok {
		return Check{}, fmt.Errorf("%q: %w", text, ErrSyntax)
	}
	bad := func(why string) (Check, error) { return Check{}, fmt.Errorf("%q: %s; %w", text, why, ErrSyntax) }
	switch kind {
	case "tcp":
		i := strings.LastIndexByte(rest, ':')
		if i < 0 {
			return bad("it has no port")
		}
		name, err := checkHost(rest[:i])
		if err != nil {
			return bad(err.Error())
		}
		port, err := strconv.Atoi(rest[i+1:])
		if err != nil || port < 1 || port > 65535 {
			return bad(fmt.Sprintf("%q is not a port", rest[i+1:]))
		}
		return Check{Kind: TCP, Host: name, Port: port}, nil
	case "ping":
		name, err := checkHost(rest)
		if err != nil {
			return bad(err.Error())
		}
		return Check{Kind: Ping, Host: name}, nil
	case "exec":
		argv := strings.Fields(rest)
		if len(argv) == 0 || !path.IsAbs(argv[0]) {
			return bad("the program is not an absolute path")
		}
		return Check{Kind: Exec, Argv: argv}, nil
	}
	return bad(fmt.Sprintf("%q is not known", kind))
}

// checkHost takes an address, one of IPv6 in brackets or not, or a name.
func checkHost(s string) (string, error) {
	if in, ok := strings.CutPrefix(s, "["); ok {
		in, ok = strings.CutSuffix(in, "]")
		if a, is := parseAddress(in); !ok || !is || a.v4 {
			return "", fmt.Errorf("%q is not an address", s)
		}
		return in, nil
	}
	if _, ok := parseAddress(s); ok {
		return s, nil
	}
	if err := host.CheckName(s); err != nil {
		return "", err
	}
	if strings.ContainsRune(s, ':') { // a name has none, and an address would have been one
		return "", fmt.Errorf("%q is not an address", s)
	}
	if last := s[strings.LastIndexByte(s, '.')+1:]; last != "" && strings.Trim(last, "0123456789") == "" {
		return "", fmt.Errorf("%q is not an address", s)
	}
	return s, nil
}

// String is the check as Parse takes it.
func (c Check) String() string {
	name := c.Host
	if strings.ContainsRune(name, ':') {
		name = "[" + name + "]"
	}
	switch c.Kind {
	case TCP:
		return "tcp:" + name + ":" + strconv.Itoa(c.Port)
	case Ping:
		return "ping:" + name
	case Exec:
		return "exec:" + strings.Join(c.Argv, " ")
	}
	return ""
}

// answerMost is how long an answer of the network is waited for, whatever time there is.
const answerMost = 10 * time.Second

// World is what a check is made with.
type World struct {
	Host   host.Host
	Clock  clock.Clock
	Runner run.Runner // ends the whole process group of a program that takes too long
	Env    []string   // added to the environment of an exec check
}

// Make makes the check once, within limit: nil, ErrNoAnswer or ErrUnmade. If ctx ends, what was found out until
// then is ErrUnmade: whoever ended it knows better than to blame the guest.
func (c Check) Make(ctx context.Context, w World, limit time.Duration) error {
	if c.Kind != Exec {
		limit = min(limit, answerMost)
	}
	bounded, cancel := w.Clock.WithTimeout(ctx, limit)
	defer cancel()
	var err error
	switch c.Kind {
	case TCP:
		err = c.connect(bounded, w)
	case Ping:
		err = c.ping(bounded, w, limit)
	case Exec:
		err = c.exec(bounded, w)
	default:
		return fmt.Errorf("%w: there is none", ErrUnmade)
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrUnmade) {
		return fmt.Errorf("%w: told to end: %w", ErrUnmade, context.Cause(ctx))
	}
	return err
}

// exec runs the administrator's program.
func (c Check) exec(ctx context.Context, w World) error {
	argv := append([]string{w.Host.Path(c.Argv[0])}, c.Argv[1:]...)
	return c.runs(ctx, w, run.Command{Argv: argv, Env: append(w.Host.ShellEnviron(), w.Env...), MaxOutput: 4096})
}

// ping has the system's ping ask until one answer has come or the time is over. It needs no right of ours to a raw socket.
func (c Check) ping(ctx context.Context, w World, limit time.Duration) error {
	a, err := w.resolve(c.Host)
	if err != nil {
		return err
	}
	tool := "ping"
	if !a.v4 {
		if _, ok := w.Host.Has("ping6"); ok { // where ping asks IPv4 only
			tool = "ping6"
		}
	}
	program, err := w.Host.Lookup(tool)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnmade, err)
	}
	seconds := max(1, int(limit/time.Second)-1)
	return c.runs(ctx, w, run.Command{Argv: []string{program, "-n", "-q", "-c", "1", "-w", strconv.Itoa(seconds), a.String()}, Env: w.Host.Environ(), MaxOutput: 4096})
}

func (c Check) runs(ctx context.Context, w World, cmd run.Command) error {
	r, err := w.Runner.Run(ctx, cmd)
	switch {
	case errors.Is(err, run.ErrDeadline), errors.Is(err, run.ErrSignal):
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnmade, err)
	case r.Code == 126 || r.Code == 127: // a shell's words for what it could not run
		return fmt.Errorf("%w: %s: exit %d: %s", ErrUnmade, c, r.Code, gist(r))
	case r.Code == 2 && c.Kind == Ping: // 1 is no answer; 2 is everything else
		return fmt.Errorf("%w: %s: exit 2: %s", ErrUnmade, c, gist(r))
	case r.Code != 0:
		return fmt.Errorf("%w: %s: exit %d: %s", ErrNoAnswer, c, r.Code, gist(r))
	}
	return nil
}

// gist is the last line that a program wrote, errors first.
func gist(r run.Result) string {
	for _, text := range [][]byte{r.Stderr, r.Stdout} {
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
			if len(last) > 200 {
				last = last[:200] + "..."
			}
			return strings.ToValidUTF8(last, "?")
		}
	}
	return "it says nothing"
}
