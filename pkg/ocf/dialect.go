package ocf

import "strings"

// Dialect is which kind of manager calls.
type Dialect int

// The dialects. The zero value is the one that this package speaks.
const (
	RGManager Dialect = iota
	Pacemaker
	Heartbeat
)

// String is the manager's name.
func (d Dialect) String() string {
	switch d {
	case RGManager:
		return "rgmanager"
	case Pacemaker:
		return "Pacemaker"
	case Heartbeat:
		return "Heartbeat"
	}
	return "unknown manager"
}

// dialectOf tells who calls by where the program lies: rgmanager passes no variable of its own to meta-data, so
// the path is all that there is.
func dialectOf(program string) Dialect {
	switch {
	case strings.Contains(program, "/ocf/resource.d/"):
		return Pacemaker
	case strings.Contains(program, "/ha.d/resource.d/"):
		return Heartbeat
	}
	return RGManager
}
