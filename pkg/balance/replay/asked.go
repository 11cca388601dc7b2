package replay

import (
	"maps"
	"slices"
	"time"

	"github.com/lbvm/lbvm/pkg/balance"
)

// asked are the samples that a configuration's rules see. The busy share of the processors, whatever that configuration calls it, is
// the model's. Of every other resource it is what was recorded: no move of the model changes it.
type asked struct {
	model    balance.Samples
	cpu      map[string]bool
	recorded balance.Samples // nil: there is nothing
	had      map[string]bool // the other resources that were asked for: whether there was ever a value
}

// askedOf is nil where the rules can ask for nothing but what the model has under its own name.
func askedOf(c *balance.Config, recorded balance.Samples) *asked {
	a := &asked{cpu: map[string]bool{}, recorded: recorded, had: map[string]bool{}}
	own := true
	for _, r := range c.Resources {
		a.cpu[r.Name] = r.CPU
		own = own && r.CPU && r.Name == resource
	}
	if own {
		return nil
	}
	return a
}

var _ balance.Samples = (*asked)(nil)

// Window is balance.Samples.Window.
func (a *asked) Window(node, name string, from, to time.Time) ([]balance.Sample, error) {
	if a.cpu[name] {
		return a.model.Window(node, resource, from, to)
	}
	if a.recorded == nil {
		a.had[name] = false
		return nil, &balance.DataError{Node: node, Resource: name, Err: balance.ErrNoData}
	}
	list, err := a.recorded.Window(node, name, from, to)
	a.had[name] = a.had[name] || err == nil
	return list, err
}

// others are the resources besides the processors' share that rules asked for: those that were taken as recorded, and those of which
// there was nothing, so that who asked for them stayed.
func (a *asked) others() (taken, missing []string) {
	if a == nil {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(a.had)) {
		if a.had[name] {
			taken = append(taken, name)
		} else {
			missing = append(missing, name)
		}
	}
	return taken, missing
}
