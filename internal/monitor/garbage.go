package monitor

import "runtime/debug"

// What a process that makes one pass may keep before it looks for garbage: it ends within seconds.
const (
	garbagePercent = 400
	garbageLimit   = 128 << 20
)

// SpareGarbage lets this process collect its garbage less often, up to a memory of 128 MiB. It is for programs that
// make a pass and end, before they begin.
func SpareGarbage() {
	debug.SetGCPercent(garbagePercent)
	debug.SetMemoryLimit(garbageLimit)
}

// HoldGarbage is SpareGarbage for who answers one question: nothing is collected up to that memory.
func HoldGarbage() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(garbageLimit)
}
