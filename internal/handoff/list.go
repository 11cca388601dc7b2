package handoff

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Records are the state records of all VMs, in the order of their folders. What cannot be believed is told in the
// error, and does not keep the others back.
func Records(shared string) ([]State, error) {
	entries, err := os.ReadDir(filepath.Join(shared, Folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the state records: %w", err)
	}
	var out []State
	var errs []error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		path := filepath.Join(shared, Folder, e.Name(), "state")
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var s State
		if err == nil {
			s, err = decodeState(text)
		}
		if err == nil && s.Type+"-"+s.VM != e.Name() {
			err = fmt.Errorf("it speaks of %s:%s", s.Type, s.VM)
		}
		if err == nil {
			err = s.check()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("reading %s: %w: %w", path, ErrState, err))
			continue
		}
		out = append(out, s)
	}
	return out, errors.Join(errs...)
}

// Leave notes in the record that its node leaves the cluster in order and that the VM stays on it: from then on no
// fencing speaks for the node. The phase stays what it is; a node that is not the record's is refused.
func (l *Locked) Leave(node, boot, why, agent string) (State, error) {
	return l.mark(true, node, boot, why, agent)
}

// Return takes the note of Leave back: the node is a member again, in the same boot, and a fencing that comes now speaks
// for it.
func (l *Locked) Return(node, boot, why, agent string) (State, error) {
	return l.mark(false, node, boot, why, agent)
}

func (l *Locked) mark(left bool, node, boot, why, agent string) (State, error) {
	st, err := l.Read()
	if err == nil && !slices.Contains([]Phase{Starting, Running, Suspending, Held, Resuming, Sending}, st.Phase) {
		err = fmt.Errorf("%w: %s has no node that could leave", ErrTransition, st.Phase)
	}
	if err == nil && (st.Node != node || st.Boot != boot) {
		err = fmt.Errorf("%w: it is on %s, boot %s", ErrTransition, st.Node, st.Boot)
	}
	point, does := "state:left", "leaves"
	if !left {
		point, does = "state:returned", "is back"
	}
	if err == nil {
		st.Seq, st.Left, st.Why, st.Agent = st.Seq+1, left, why, agent
		err = l.put(point, st)
	}
	if err != nil {
		return State{}, fmt.Errorf("noting that %s %s with %s:%s: %w", node, does, l.typ, l.vm, err)
	}
	return st, nil
}
