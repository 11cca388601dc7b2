package balance

// row is a rail that is on for the VMs of a rule.
type row struct {
	*Rail
	bit uint32
}

// rowsOf are the rails that may hold the VM at hand.
func (r *round) rowsOf() []row {
	if list, ok := r.rows[r.rule]; ok {
		return list
	}
	list := make([]row, 0, len(r.rails))
	for i := range r.rails {
		if r.rails[i].asked || r.on(r.rails[i].Name) {
			list = append(list, row{&r.rails[i], 1 << i})
		}
	}
	r.rows[r.rule] = list
	return list
}

// holds is what a rail says where nobody asks for its reason.
const holds = "it is held"

// wordless tells whether only that a rail holds matters, and not why.
func (r *round) wordless() bool { return r.brief || r.in.Terse }

// settleTersely makes a verdict of what a rule asked for, as settle does, and tells no reasons. In a terse pass it notes which rails
// hold the VM; else only whether it moves matters, and where.
func (r *round) settleTersely(vm *VM, d *Decision) {
	wanted := r.saidOf(d.Candidates, SaidMigrate)
	if len(wanted) == 0 {
		if !r.brief {
			report := said(d.Candidates, SaidReport)
			r.measure(vm, d.Candidates, report)
			rank(d.Candidates, report)
			d.Verdict, d.Target, d.Line = ReportOnly, d.Candidates[report[0]].Node, d.Candidates[report[0]].Line
		}
		return
	}
	rows := r.rowsOf()
	for _, x := range rows {
		if x.vm != nil && d.held&x.bit == 0 && x.vm(r, vm) != "" {
			d.held |= x.bit
			if r.brief {
				return
			}
		}
	}
	stays := d.held != 0
	by := r.comparedBy(d.Candidates, wanted)
	free := wanted[:0]
	for _, i := range wanted {
		c := &d.Candidates[i]
		if by != nil {
			if w := r.window(r.nodes[c.Node], by.Resource, by.Minutes); w.err == nil {
				c.Measured = &w.read
			}
		}
		if !r.heldThere(vm, d, c, rows) {
			free = append(free, i)
		}
	}
	if stays || len(free) == 0 {
		return
	}
	r.measureBy(by, vm, d.Candidates, free)
	rank(d.Candidates, free)
	best := &d.Candidates[free[0]]
	d.Verdict, d.Target, d.Line = Migrate, best.Node, best.Line
	r.goes(vm, r.nodes[vm.Owner], r.nodes[best.Node])
}

// heldThere asks the rails on one candidate. Those that hold the VM anyway need no second answer once another holds it here.
func (r *round) heldThere(vm *VM, d *Decision, c *Candidate, rows []row) bool {
	held := false
	for _, x := range rows {
		if x.target == nil || held && d.held&x.bit != 0 || x.target(r, vm, c) == "" {
			continue
		}
		if held = true; r.brief {
			return true
		}
		d.held |= x.bit
	}
	return held
}

// saidOf is said with a list that is good up to the next call.
func (r *round) saidOf(list []Candidate, what Said) []int {
	out := r.free[:0]
	for i := range list {
		if list[i].Said == what && list[i].Err == nil {
			out = append(out, i)
		}
	}
	r.free = out
	return out
}
