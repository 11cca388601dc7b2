package ocf

// actionStack is what an action needs. Stacks below 32 KiB come from lists that are made for many of them.
const actionStack = 20 << 10

// deepen has the stack of a new goroutine grow at once to what an action needs. Growing by doubling, each time from
// deep within, costs a short action five parts in a hundred of its time: every frame is looked up and copied.
//
//go:noinline
func deepen(use bool) byte {
	if !use { // the frame is this function's all the same; what is not touched costs nothing
		return 0
	}
	var room [actionStack]byte
	return touch(&room)
}

//go:noinline
func touch(room *[actionStack]byte) byte { return room[0] }
