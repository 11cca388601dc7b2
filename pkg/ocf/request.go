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
	doubt   error // of an override that is no dialect, and was passed over
}

// parseRequest reads the arguments: ACTION and what belongs to it; Heartbeat's are NAME [KEY=VALUE ...] ACTION. Options
// may stand anywhere: whoever adds --explain to a stop must not see it done.
func parseRequest(w World) (request, error) {
	var r request
	var named string
	var words []string
	for args := w.Args[min(1, len(w.Args)):]; len(args) > 0; args = args[1:] {
		switch name, value, _ := strings.Cut(args[0], "="); {
		case name == "-h" || name == "--help":
			r.help = true
		case name == "--explain":
			r.explain = true
		case name == "--dialect":
			named = value
			if value == "" && len(args) > 1 {
				named, args = args[1], args[1:]
			}
		case len(words) == 0 && strings.HasPrefix(name, "-"):
			return r, fmt.Errorf("unknown option %s", args[0])
		default:
			words = append(words, args[0])
		}
	}
	var err error
	if named != "" {
		r.dialect, err = parseDialect(named)
	} else {
		first := ""
		if len(words) > 0 {
			first = words[0]
		}
		r.dialect, r.doubt = dialectOf(w, first)
	}
	if err != nil || len(words) == 0 {
		return r, err
	}
	if r.dialect == Heartbeat {
		r.action, r.rest = words[len(words)-1], words[:len(words)-1]
	} else {
		r.action, r.rest = words[0], words[1:]
	}
	r.help = r.help || r.action == "help" || r.action == "usage"
	if r.dialect != Heartbeat && r.action != "migrate" { // whose target is checked for itself
		for _, word := range r.rest {
			if strings.HasPrefix(word, "-") {
				return r, fmt.Errorf("unknown option %s", word)
			}
		}
	}
	return r, nil
}

func programPath(w World) string {
	if len(w.Args) == 0 {
		return "agent"
	}
	return w.Args[0]
}
