package rgmanager

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/ccs"
)

// resource is an instance of a type in a group's tree, as pkg/ccs reads it.
type resource = ccs.Instance

// get is the value of a parameter, "" where it has none.
func get(r *resource, name string) string {
	v, _ := r.Value(name) // none is empty
	return v
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// environment is what rgmanager builds for an action, in its order, and the lab's root behind it.
func environment(r *resource, root string, depth, refcnt int, timeout time.Duration) []string {
	var env []string
	for _, v := range r.Values {
		env = append(env, "OCF_RESKEY_"+v.Name+"="+v.Value)
	}
	meta := seconds(timeout)
	if r.EnforceTimeouts { // inverted in rgmanager, too
		meta = 0
	}
	return append(env,
		"OCF_RA_VERSION_MAJOR=1",
		"OCF_RA_VERSION_MINOR=0",
		"OCF_ROOT="+agentDir,
		"OCF_RESOURCE_INSTANCE="+r.ID(),
		"OCF_RESOURCE_TYPE="+r.Type.Name,
		fmt.Sprintf("OCF_CHECK_LEVEL=%d", depth),
		fmt.Sprintf("OCF_RESKEY_RGMANAGER_meta_refcnt=%d", refcnt),
		fmt.Sprintf("OCF_RESKEY_RGMANAGER_meta_timeout=%d", meta),
		rootVariable+"="+root)
}

// loadRules reads what the agents printed. The lab's own service comes first: it is a group of resources that does
// nothing by itself. say gets what rgmanager would complain of.
func loadRules(agents []ccs.Agent, say func(string)) ccs.Rules {
	rules, notes := ccs.LoadRules(agents)
	for _, n := range notes {
		if n.Agent != "" {
			say(n.String())
		}
	}
	for name, t := range rules {
		switch {
		case strings.EqualFold(name, serviceType): // the lab plays that type itself, without a process
			delete(rules, name)
		case len(t.Actions) == 0: // rgmanager would crash
			delete(rules, name)
		}
	}
	service := *ccs.DefaultRules()[serviceType]
	service.Partial = false
	rules[serviceType] = &service
	return rules
}

const serviceType = "service"

// atoi is C's: leading blanks, a sign and digits; 0 where there are none.
func atoi(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}
