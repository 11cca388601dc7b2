package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// The manager's own reasons. A *Refusal is one of them.
var (
	ErrFailed        = errors.New("the operation failed")
	ErrAborted       = errors.New("aborted: the service has failed")
	ErrNoService     = errors.New("the manager knows no such service")
	ErrDeadlock      = errors.New("the service is being moved already")
	ErrTemporary     = errors.New("the service is in transition: try again")
	ErrDependency    = errors.New("an exclusive service, a failover domain or a dependency forbids it")
	ErrInvalid       = errors.New("the service cannot do that now, or its type never can")
	ErrNoQuorum      = errors.New("the cluster is not quorate")
	ErrFrozen        = errors.New("the service is frozen")
	ErrTargetDead    = errors.New("the target is dead or does not exist")
	ErrFencing       = errors.New("a node is still to be fenced: try again later")
	ErrScript        = errors.New("the manager's own script failed")
	ErrNotRunnable   = errors.New("the service cannot be run")
	ErrExclusive     = errors.New("the service is exclusive and cannot be run there")
	ErrOriginalOwner = errors.New("it failed, and the service runs on its old owner")
	ErrPermission    = errors.New("only root may do that")
	ErrClient        = errors.New("the manager could not be asked")
)

// Refusal is an answer of the manager other than success.
type Refusal struct {
	Op        string // "relocating openvz:101 to node2"
	By        string // the program that was asked; "" is clusvcadm
	Code      int    // exit code
	Text      string // what the manager printed
	Unchanged bool   // the manager refuses so before it touches the service
	Why       error  // one of the reasons above, or ErrAnswer
}

func (r *Refusal) Error() string {
	s := r.Op + ": " + r.Said()
	switch {
	case r.Unchanged:
		return s + "; nothing was changed"
	case r.By == "":
		return s + "; unknown: check with clustat"
	}
	return s + "; unknown: check with crm_mon -1r"
}

// Said is the reason with the program's own words.
func (r *Refusal) Said() string {
	switch {
	case r.By == "cibadmin": // an edit tells of itself
		return r.Text
	case r.Text != "":
		return fmt.Sprintf("%v (%s: %q, code %d)", r.Why, cmp.Or(r.By, "clusvcadm"), r.Text, r.Code)
	}
	return fmt.Sprintf("%v (%s ended with code %d)", r.Why, cmp.Or(r.By, "clusvcadm"), r.Code)
}

// Unwrap gives the reason.
func (r *Refusal) Unwrap() error { return r.Why }

// answer is one row of what clusvcadm can end with.
type answer struct {
	code      int
	text      string
	why       error
	unchanged bool
}

func answers() []answer {
	return []answer{
		{255, "Failure", ErrFailed, false},
		{254, "Aborted; service failed", ErrAborted, false},
		{252, "Service does not exist", ErrNoService, true},
		{251, "Operation would cause a deadlock", ErrDeadlock, true},
		{250, "Temporary failure; try again", ErrTemporary, true},
		{249, "Operation violates dependency rule", ErrDependency, true},
		{248, "Invalid operation for resource", ErrInvalid, true},
		{247, "Operation requires quorum", ErrNoQuorum, true},
		{245, "Failure: Service is frozen", ErrFrozen, true},
		{244, "Target node dead / nonexistent", ErrTargetDead, false},
		{243, "Fencing operation pending; try again later", ErrFencing, false},
		{242, "S/Lang Script Error", ErrScript, false},
		{241, "Service not runnable", ErrNotRunnable, false},
		{240, "Service not runnable: cannot run exclusive", ErrExclusive, false},
		{239, "Failed; service running on original owner", ErrOriginalOwner, false},
		{238, "Permissing denied", ErrPermission, true},
	}
}

// judge reads what clusvcadm printed and its exit code. service and target are what was asked for; target may be
// "". nil means that the manager claims to have done it.
func judge(op, service, target string, code int, stdout, stderr string) error {
	result := strings.TrimSpace(stdout)
	if _, after, ok := strings.Cut(stdout, "..."); ok {
		result, _, _ = strings.Cut(after, "\n")
		result = strings.TrimSpace(result)
	}
	if strings.Contains(stdout, "Closest match:") {
		// It has gone ahead with a member of a similar name.
		return &Refusal{Op: op, Code: code, Text: flat(stdout), Unchanged: false, Why: fmt.Errorf("%w: the manager took another node for %q", ErrElsewhere, target)}
	}
	if code == 0 {
		return judgeSuccess(op, service, target, result, stdout)
	}
	text := result
	if s := strings.TrimSpace(stderr); s != "" {
		text = strings.TrimSpace(text + " " + s)
	}
	for _, a := range answers() {
		if a.code == code {
			return &Refusal{Op: op, Code: code, Text: flat(text), Unchanged: a.unchanged, Why: a.why}
		}
	}
	if code == 1 { // the client gave up before it asked
		return &Refusal{Op: op, Code: code, Text: flat(text), Unchanged: true, Why: ErrClient}
	}
	return &Refusal{Op: op, Code: code, Text: flat(text), Unchanged: false, Why: ErrAnswer}
}

func judgeSuccess(op, service, target, result, stdout string) error {
	switch result {
	case "Success":
	case "Service is already running":
		return nil // a claim like another; where it runs is for Status to say
	default:
		return &Refusal{Op: op, Code: 0, Text: flat(stdout), Unchanged: false, Why: ErrAnswer}
	}
	for _, line := range strings.Split(stdout, "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "Warning:"))
		if node, ok := strings.CutPrefix(line, service+" is now running on "); ok && target != "" && !strings.EqualFold(strings.TrimSpace(node), target) {
			return &Refusal{Op: op, Code: 0, Text: line, Unchanged: false, Why: fmt.Errorf("%w: %s", ErrElsewhere, strings.TrimSpace(node))}
		}
	}
	return nil
}

// flat is a text on one line, of a length for a message.
func flat(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return s
}
