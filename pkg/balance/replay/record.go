package replay

// silent notes that nothing is recorded of a node's VMs in a minute.
func (r *runner) silent(node, tick int) {
	for i, owner := range r.owner {
		if owner != node {
			continue
		}
		if n := len(r.unheard[i]); n > 0 && r.unheard[i][n-1][1] == tick {
			r.unheard[i][n-1][1]++
		} else {
			r.unheard[i] = append(r.unheard[i], [2]int{tick, tick + 1})
		}
	}
}

// recorded is the mean of a VM's use over the minutes before the one named to, of those that were recorded.
func (r *runner) recorded(vm, to, minutes int) (mean float64, ok bool) {
	k := len(r.w.VMs)
	used := func(from, to int) float64 { return r.used[to*k+vm] - r.used[from*k+vm] }
	from := max(0, to-minutes)
	sum, n := used(from, to), to-from
	for _, x := range r.unheard[vm] {
		if a, b := max(x[0], from), min(x[1], to); a < b {
			sum -= used(a, b)
			n -= b - a
		}
	}
	if n <= 0 {
		return 0, false
	}
	return sum / float64(n), true
}

// lastKnown is recorded, or what it was when something was recorded last.
func (r *runner) lastKnown(vm, to, minutes int) float64 {
	list := r.unheard[vm]
	for {
		mean, ok := r.recorded(vm, to, minutes)
		if ok || len(list) == 0 {
			return mean
		}
		to, list = list[len(list)-1][0], list[:len(list)-1]
	}
}
