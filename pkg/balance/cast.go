package balance

// cast is what of a cluster does not change from pass to pass: who the VMs are, which go together, and whose rule is whose.
type cast struct {
	config *Config
	vms    []VM // View.VMs of the pass that it was made of: a later one must lie there, too
	names  []name
	index  *index
	groups map[string]*group // by service, or by the VM's ID
	of     map[string]*group // by the VM's ID
	known  map[*VM]knownVM
	used   []*group   // those that hold something of a pass
	crowds bool       // some service holds several VMs
	queue  []balanced // in the order of balance; made when it is asked for
	queued bool
}

// name is by what a VM is known.
type name struct{ name, kind, service string }

// knownVM is what is asked of a VM again and again.
type knownVM struct {
	id    string
	group *group
	at    int // index in View.VMs
}

// group is a service with all its VMs: it moves as one.
type group struct {
	id     string
	vms    []*VM
	used   bool
	moves  []Move // of any of its VMs, in the order of their begin
	moving string // why it is on its way, or ""
}

func newCast(in Input) *cast {
	c := &cast{config: in.Config, vms: in.View.VMs, names: make([]name, len(in.View.VMs)), index: newIndex(&in.View), groups: map[string]*group{},
		of: map[string]*group{}, known: make(map[*VM]knownVM, len(in.View.VMs))}
	for i := range c.vms {
		vm := &c.vms[i]
		c.names[i] = name{vm.Name, vm.Type, vm.Service}
		id := vm.ID()
		service := vm.Service
		if service == "" {
			service = id
		}
		g := c.groups[service]
		if g == nil {
			g = &group{id: service}
			c.groups[service] = g
		}
		c.of[id] = g
		g.vms = append(g.vms, vm)
		c.crowds = c.crowds || len(g.vms) > 1
		c.known[vm] = knownVM{id: id, at: i}
	}
	for vm, k := range c.known { // two of one ID are in the group of the last
		k.group = c.of[k.id]
		c.known[vm] = k
	}
	return c
}

// fits tells whether a pass may be made with it, and forgets the last one.
func (c *cast) fits(in Input) bool {
	if c == nil || c.config != in.Config || len(c.vms) != len(in.View.VMs) || len(c.vms) > 0 && &c.vms[0] != &in.View.VMs[0] {
		return false
	}
	for i := range c.names {
		vm, n := &c.vms[i], &c.names[i]
		if vm.Name != n.name || vm.Type != n.kind || vm.Service != n.service {
			return false
		}
	}
	for _, g := range c.used {
		g.used, g.moves, g.moving = false, g.moves[:0], ""
	}
	c.used = c.used[:0]
	return true
}

// touch notes that a group holds something of this pass.
func (c *cast) touch(g *group) {
	if !g.used {
		g.used = true
		c.used = append(c.used, g)
	}
}

// id is VM.ID.
func (c *cast) id(vm *VM) string {
	if k, ok := c.known[vm]; ok {
		return k.id
	}
	return vm.ID()
}

// group is that of a VM, or nil.
func (c *cast) group(vm *VM) *group {
	if k, ok := c.known[vm]; ok {
		return k.group
	}
	return c.of[vm.ID()]
}

// balanced is a VM that stands in balance, as it is written there. vm is nil where the cluster has none, and err says so.
type balanced struct {
	vm   *VM
	at   int // index in View.VMs
	id   string
	name string
	rule *Rule // not compiled perhaps; nil where there is none
	err  error
}

// balanced are the VMs in the order of balance.
func (r *round) balanced() []balanced {
	if r.queued {
		return r.queue
	}
	out := make([]balanced, 0, len(r.in.Config.Balance))
	seen := map[*VM]bool{}
	for _, name := range r.in.Config.Balance {
		b := balanced{name: name}
		if b.vm, b.err = r.index.find(name); b.err != nil {
			b.vm = nil
		} else if seen[b.vm] { // named twice: 101 and openvz:101
			continue
		}
		if b.vm != nil {
			k := r.known[b.vm]
			b.at, b.id, b.rule = k.at, k.id, r.in.Config.uncompiled(b.vm, name)
		}
		seen[b.vm] = true
		out = append(out, b)
	}
	r.queue, r.queued = out, true
	return out
}
