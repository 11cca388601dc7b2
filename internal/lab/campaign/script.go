package campaign

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Run is one run of the drive: all that happens in it follows from these values.
type Run struct {
	Type  string   // openvz, xen, kvm or vmexec
	Seed  int64    // who goes next
	Steps []string // what is asked for, and what goes wrong
}

// String is the run as the command line takes it.
func (r Run) String() string {
	return fmt.Sprintf("%s %d %s", r.Type, r.Seed, strings.Join(r.Steps, "; "))
}

// ParseRun reads what String wrote.
func ParseRun(text string) (Run, error) {
	w := strings.SplitN(text, " ", 3)
	switch {
	case len(w) < 3:
		return Run{}, fmt.Errorf("run %q is not of the form TYPE SEED STEP; STEP", text)
	case !slices.Contains(technologies[:], w[0]):
		return Run{}, fmt.Errorf("run %q: there is no type %q; there are %s", text, w[0], strings.Join(technologies[:], ", "))
	}
	seed, err := strconv.ParseInt(w[1], 10, 64)
	if err != nil {
		return Run{}, fmt.Errorf("run %q: the seed is not a number", text)
	}
	r := Run{Type: w[0], Seed: seed}
	for _, s := range strings.Split(w[2], ";") {
		s = strings.TrimSpace(s)
		if err := checkStep(s); err != nil {
			return Run{}, err
		}
		r.Steps = append(r.Steps, s)
	}
	return r, nil
}

func first(s string) string { w, _, _ := strings.Cut(s, " "); return w }
