package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// machines compares balance and the blocks with the VMs that cluster.conf names. It takes out what was said of blocks
// without that knowledge: a block may name a VM by another of its names than balance does. Where not the whole file
// could be read, nothing is missed in it.
func (in Input) machines(f *conf.File, diags []conf.Diagnostic, whole bool) []conf.Diagnostic {
	if !whole && len(f.Balance) == 0 { // it may be balance that could not be read
		return slices.DeleteFunc(diags, unbalanced)
	}
	if in.Machines == nil {
		return diags
	}
	named := map[string]string{} // TYPE:NAME -> the word of balance
	used := map[*conf.Block]bool{}
	rivals := map[*conf.Block]string{} // blocks of a balanced VM that another block keeps out
	var more []conf.Diagnostic
	say := func(span conf.Span, sev conf.Severity, hint, format string, args ...any) {
		more = append(more, diagnostic(f, span, sev, hint, format, args...))
	}
	for _, item := range items(f) {
		s, err := in.find(item.Text)
		if err != nil {
			say(item.Span, conf.Error, "take it out, or name the VM as "+in.where()+" does: NAME, TYPE:NAME or its service", "%v: it is not balanced", err)
			continue
		}
		id := s.VMType + ":" + s.VM
		if word, twice := named[id]; twice {
			if word != item.Text { // else it was said already
				say(item.Span, conf.Warning, "take one of the two out", "%q is the VM that stands in balance as %q", item.Text, word)
			}
			continue
		}
		named[id] = item.Text
		for _, other := range in.Machines {
			if name := other.VMType + ":" + other.VM; other.ID == s.ID && name != id && !in.listed(f, name) {
				say(item.Span, conf.Warning, "add "+name+" to balance, or give it a service of its own", "%s goes with its service %s, which holds %s as well; that is not in balance and holds it where it is", id, s.ID, name)
			}
		}
		blocks := in.blocks(f, s, item.Text)
		switch {
		case len(blocks) > 0:
			used[blocks[0]] = true
			for _, b := range blocks[1:] {
				rivals[b] = blocks[0].VM
			}
		case f.Default == nil && whole:
			say(item.Span, conf.Warning, "write default { algorithm { ... } }, or veid "+item.Text+" { algorithm { ... } }", "VM %q has no rule: it has no block, and there is no default", item.Text)
		}
	}
	diags = slices.DeleteFunc(diags, func(d conf.Diagnostic) bool {
		return unbalanced(d) && slices.ContainsFunc(f.Blocks, func(b *conf.Block) bool {
			return used[b] && d.Line == b.Head.Line && d.Col == b.Head.Col
		})
	})
	for _, b := range f.Blocks {
		if other, is := rivals[b]; is && !used[b] {
			say(b.Head.Span, conf.Warning, "keep one of the two", "the block %q has no effect: the block %q names the same VM more closely", b.VM, other)
		}
	}
	return append(append(diags, more...), in.neighbours(f)...)
}

// neighbours looks at what apart and together name: a word that means no VM keeps nothing apart, and is not missed until both
// are on the node that fails.
func (in Input) neighbours(f *conf.File) (out []conf.Diagnostic) {
	for _, st := range f.Statements {
		key := st.Key.Text
		if key != "apart" && key != "together" {
			continue
		}
		holds := map[string]string{} // service -> the word that named it
		for _, item := range st.Items {
			s, err := in.find(item.Text)
			if err != nil {
				out = append(out, diagnostic(f, item.Span, conf.Error, "name the VM as "+in.where()+" does: NAME, TYPE:NAME or its service", "%v: %s means nothing for it", err, key))
				continue
			}
			if other, is := holds[s.ID]; is && key == "apart" {
				out = append(out, diagnostic(f, item.Span, conf.Error, "give each a service of its own", "%s and %s are in one service, %s: they are always on one node", other, item.Text, s.ID))
			}
			holds[s.ID] = item.Text
		}
	}
	return out
}

// unbalanced tells whether a diagnostic says that the VM of a block is not in balance.
func unbalanced(d conf.Diagnostic) bool {
	return d.Severity == conf.Warning && strings.Contains(d.Text, "is not in balance")
}

// items are the words of balance that could be read.
func items(f *conf.File) []conf.Value {
	s, _ := f.Statement("balance")
	return slices.DeleteFunc(slices.Clone(s.Items), func(v conf.Value) bool { return !slices.Contains(f.Balance, v.Text) })
}

// find is the VM that a word names, by the order in which the balancer looks.
func (in Input) find(word string) (cluster.Service, error) {
	for _, is := range []func(cluster.Service) bool{
		func(s cluster.Service) bool { return s.VMType+":"+s.VM == word },
		func(s cluster.Service) bool { return s.VM == word },
		func(s cluster.Service) bool { return s.ID == word },
		func(s cluster.Service) bool { return s.ID == "service:"+word },
	} {
		var found []cluster.Service
		for _, s := range in.Machines {
			if is(s) {
				found = append(found, s)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return cluster.Service{}, fmt.Errorf("%q may be %s:%s or %s:%s", word, found[0].VMType, found[0].VM, found[1].VMType, found[1].VM)
		}
	}
	return cluster.Service{}, fmt.Errorf("%s has no VM %q", in.where(), word)
}

// listed tells whether a VM, TYPE:NAME, stands in balance.
func (in Input) listed(f *conf.File, id string) bool {
	return slices.ContainsFunc(f.Balance, func(word string) bool {
		s, err := in.find(word)
		return err == nil && s.VMType+":"+s.VM == id
	})
}

// blocks are those that could be the VM's, the one that counts first: as balance.Config chooses its rule.
func (in Input) blocks(f *conf.File, s cluster.Service, written string) []*conf.Block {
	var out []*conf.Block
	_, service, _ := strings.Cut(s.ID, ":")
	for _, name := range []string{s.VMType + ":" + s.VM, s.VM, written, s.ID, service} {
		if b := f.Block(name); b != nil && name != "" && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	return out
}
