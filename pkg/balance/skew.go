package balance

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// stamped is the newest sample of a node's logs, and when the file system says that it was written.
type stamped struct {
	stamp, written time.Time
	file           string
}

func newest(a, b stamped) stamped {
	if b.written.After(a.written) {
		return b
	}
	return a
}

// Skew is a clock that differs from the others.
type Skew struct {
	Node string
	By   time.Duration // ahead; negative is behind
	Text string
}

// Skews tells what the stamps of the logs that were read and their files' times say of the nodes' clocks at now, in the
// order of the nodes. A difference that only makes a sample half stale is none: samplers take their time. Where the
// file system takes its times from the node that writes (GFS), a clock that is behind looks like a node that is
// silent: its samples are stale. Where the file system's clock agrees with no node at all, its times say nothing.
func (l *Logs) Skews(now time.Time) []Skew {
	var out []Skew
	slack := l.stale / 2
	agrees := false
	for _, s := range l.stamps {
		agrees = agrees || s.stamp.Sub(s.written).Abs() <= slack
	}
	for node, s := range l.stamps {
		file, ours := s.stamp.Sub(s.written), s.stamp.Sub(now)
		k := Skew{Node: node}
		switch {
		case agrees && file.Abs() > slack:
			k.By = file
			k.Text = fmt.Sprintf("the newest sample in %s is stamped %s, and was written at %s by the clock of the file system", s.file, s.stamp.Format(time.RFC3339), s.written.Format(time.RFC3339))
		case ours > slack:
			k.By = ours
			k.Text = fmt.Sprintf("the newest sample in %s is stamped %s, which is to come", s.file, s.stamp.Format(time.RFC3339))
		default:
			continue
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b Skew) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

func (s Skew) String() string {
	way, by := "ahead", s.By
	if by < 0 {
		way, by = "behind", -by
	}
	return fmt.Sprintf("the clock of %s is %s %s: %s", s.Node, by.Round(time.Second), way, s.Text)
}
