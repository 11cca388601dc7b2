package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/pkg/balance"
)

// notes are those of the nodes that are meant.
func (f *fleet) notes(node string) ([]host.Evacuation, error) {
	if f.shared == "" {
		return nil, nil
	}
	if node != "" {
		e, there, err := host.ReadEvacuation(f.shared, node)
		if err != nil {
			return nil, refused(err)
		}
		if !there {
			return nil, nil
		}
		return []host.Evacuation{e}, nil
	}
	list, err := host.Evacuations(f.shared)
	if err != nil {
		return nil, refused(err)
	}
	return list, nil
}

// locks are those of nodes, by their names.
type locks map[string]nodeLock

func (l locks) close() {
	for _, x := range l {
		x.close()
	}
}

// take takes the lock of a node, if mine has it not. If another has it: with skip that is said, else it is an error.
func (f *fleet) take(mine locks, node string, skip bool) (took bool, err error) {
	if _, there := mine[node]; there {
		return true, nil
	}
	l, err := f.try(node, "lbm failback "+node)
	switch {
	case skip && errors.Is(err, lockfile.ErrHeld):
		f.say(fmt.Sprintf("lbm: %s is left as it is: %v", node, err))
		return false, nil
	case err != nil:
		return false, refused(err)
	}
	mine[node] = l
	return true, nil
}

// own gives the notes of the nodes that are meant, read with the locks of their nodes held: nobody else writes them until
// these are given back. Without NODE, nodes that are off or that another empties or fills are left out.
func (f *fleet) own(mine locks, v balance.View, node string) ([]host.Evacuation, error) {
	names := []string{node}
	if node == "" {
		names = nil
		list, err := f.notes("")
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			online := slices.ContainsFunc(v.Nodes, func(n balance.Node) bool { return n.Name == e.Member && n.Online })
			if !online {
				if e.Holds(f.shared) {
					f.say(fmt.Sprintf("lbm: %s is not online: it stays closed", e.Member))
				}
				continue
			}
			names = append(names, e.Member)
		}
	}
	var out []host.Evacuation
	for _, n := range names {
		took, err := f.take(mine, n, node == "")
		if err != nil {
			return nil, err
		}
		if !took {
			continue
		}
		e, err := f.notes(n)
		if err != nil {
			return nil, err
		}
		out = append(out, e...)
	}
	return out, nil
}

// open takes back that nothing is sent to these nodes. What has not come home stays noted.
func (f *fleet) open(notes []host.Evacuation) error {
	for _, e := range notes {
		e.Open = true
		if err := host.WriteEvacuation(f.shared, e); err != nil {
			return err
		}
	}
	return nil
}

// settle notes what is still to come home, and drops the notes of nodes to which nothing is. It gives what is not home.
func (f *fleet) settle(ctx context.Context, notes []host.Evacuation) ([]string, error) {
	rest := []string{}
	if len(notes) == 0 {
		return rest, nil
	}
	st, err := f.w.manager().Status(context.WithoutCancel(ctx))
	if err != nil {
		return rest, err
	}
	var errs []error
	for _, e := range notes {
		now, there, err := host.ReadEvacuation(f.shared, e.Member)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !there || !now.Open { // taken away, or evacuated anew, though its lock was held: a share that was lost
			continue
		}
		e = now
		e.VMs = slices.DeleteFunc(slices.Clone(e.VMs), func(vm string) bool {
			for _, s := range st.Services {
				if s.VMType+":"+s.VM == vm {
					return s.Owner == e.Member
				}
			}
			return true // it is in the cluster no more
		})
		rest = append(rest, e.VMs...)
		if len(e.VMs) == 0 {
			errs = append(errs, host.DropEvacuation(f.shared, e.Member))
		} else {
			errs = append(errs, host.WriteEvacuation(f.shared, e))
		}
	}
	return rest, errors.Join(errs...)
}

// anew tells whether nodes were evacuated since their notes were read first.
func (f *fleet) anew(first, now []host.Evacuation) bool {
	return slices.ContainsFunc(now, func(e host.Evacuation) bool {
		return e.Holds(f.shared) && !slices.ContainsFunc(first, func(b host.Evacuation) bool {
			return b.Member == e.Member && !b.Open && b.Boot == e.Boot && b.Since.Equal(e.Since)
		})
	})
}
