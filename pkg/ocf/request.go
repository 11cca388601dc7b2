package ocf

import (
	"fmt"
	"strings"
)

const (
	actionMetaData = "meta-data"
	actionValidate = "validate-all"
)

// request is what the arguments ask for.
type request struct {
	dialect Dialect
	action  string
	rest    []string // after the action; for Heartbeat before it
	explain bool
	help    bool
}

// parseRequest reads the arguments: options, then ACTION and what belongs to it. Heartbeat's are NAME [KEY=VALUE ...] ACTION.
func parseRequest(w World) (request, error) {
	var r request
	var named string
	args := w.Args[min(1, len(w.Args)):]
	for ; len(args) > 0 && strings.HasPrefix(args[0], "-"); args = args[1:] {
		switch name, value, _ := strings.Cut(args[0], "="); name {
		case "-h", "--help":
			r.help = true
		case "--explain":
			r.explain = true
		case "--dialect":
			named = value
			if value == "" && len(args) > 1 {
				named, args = args[1], args[1:]
			}
		default:
			return r, fmt.Errorf("unknown option %s", args[0])
		}
	}
	var err error
	if named != "" {
		r.dialect, err = parseDialect(named)
	} else {
		first := ""
		if len(args) > 0 {
			first = args[0]
		}
		r.dialect, err = dialectOf(w, first)
	}
	if err != nil || len(args) == 0 {
		return r, err
	}
	if r.dialect == Heartbeat {
		r.action, r.rest = args[len(args)-1], args[:len(args)-1]
	} else {
		r.action, r.rest = args[0], args[1:]
	}
	r.help = r.help || r.action == "help" || r.action == "usage"
	return r, nil
}

func programPath(w World) string {
	if len(w.Args) == 0 {
		return "agent"
	}
	return w.Args[0]
}
