package adopt

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// Asked is what one node asks another of a VM that is to be adopted.
type Asked struct {
	Type, VM string
	Devices  []string
	Bridges  []string
	Nets     []string
	Own      []string // what no VM of that node may have
}

// Probe looks at this node on behalf of another: nothing of the VM is here, and all that it needs is. What is wrong is
// told in words; nothing is said where all is well.
func (a Adopter) Probe(ctx context.Context, q Asked) (wrong []string, devices []Device) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	d, err := hypervisor.New(q.Type, a.Driver)
	if err != nil {
		return []string{err.Error()}, nil
	}
	switch x, err := hypervisor.DetailOf(ctx, d, q.VM); {
	case err != nil:
		say("%v", err)
	case x.NoProgram:
		say("%v", hypervisor.ErrNoProgram)
	case x.State != hypervisor.Absent:
		say("it has a %s:%s of its own, which is %s", q.Type, q.VM, x.State)
	}
	if q.Type == "xen" {
		starts, err := a.xendomains(q.VM)
		if err != nil {
			say("%v", err)
		}
		for _, f := range starts {
			say("its xendomains would start %s from %s: move that away", q.VM, f.Path)
		}
	}
	for _, b := range q.Bridges {
		if _, err := os.Stat(a.Host.Path(filepath.Join("/sys/class/net", b, "bridge"))); err != nil || host.CheckName(b) != nil {
			say("it has no bridge %s%s", b, oneText)
		}
	}
	for _, n := range q.Nets {
		kind, name, _ := strings.Cut(n, " ")
		path := filepath.Join("/sys/class/net", name)
		if kind+" " == hypervisor.NetNetwork {
			path = filepath.Join(libvirtDir, "qemu/networks", name+".xml")
		}
		if there, err := exists(a.Host.Path(path)); err != nil || !there || host.CheckName(name) != nil {
			say("it has no %s%s", n, oneText)
		}
	}
	used, err := a.users(q.Type, q.VM, q.Own)
	if err != nil {
		say("%v", err)
	}
	wrong = append(wrong, used...)
	for _, path := range q.Devices {
		x, err := a.device(ctx, path)
		if err != nil {
			say("%v", err)
			continue
		}
		devices = append(devices, x)
	}
	return wrong, devices
}

// ask asks one other node.
func (a Adopter) ask(ctx context.Context, member string, p Plan) error {
	cure := fmt.Sprintf("see yourself that nothing of %s is there and that it sees %s, and say --checked %s", p.Ref(), a.ID.Shared, member)
	if a.Peer == nil {
		return fmt.Errorf("%s cannot be asked: %s", member, cure)
	}
	args := []string{"add", "--probe"}
	for _, b := range p.Bridges {
		args = append(args, "--bridge", b)
	}
	for _, d := range p.Devices {
		args = append(args, "--device", d)
	}
	for _, n := range p.Nets {
		args = append(args, "--net", strings.Replace(n, " ", ":", 1)) // as one word for its shell
	}
	for _, path := range p.Own {
		if there, err := a.onShared(path); err == nil && there != "" {
			path = there
		} else if !slices.Contains(p.Devices, path) {
			continue // of this node
		}
		args = append(args, "--own", path)
	}
	r, err := a.Peer(ctx, member, append(args, "--", p.Ref())...)
	if err != nil {
		return fmt.Errorf("%s cannot be asked (%w): %s", member, err, cure)
	}
	said := strings.Split(strings.TrimSpace(string(r.Stdout)), "\n")
	if r.Code != 0 || said[len(said)-1] != probeOK {
		said = slices.DeleteFunc(said, func(l string) bool { return strings.HasPrefix(l, deviceWord) })
		return fmt.Errorf("%s says: %s", member, strings.Join(strings.Fields(strings.Join(said, " ")+" "+string(r.Stderr)), " "))
	}
	for _, path := range p.Devices {
		own, err := a.device(ctx, path)
		if err != nil {
			return err
		}
		if !slices.Contains(said, own.String()) {
			return fmt.Errorf("%s has another device at %s: here it is %s, there %s", member, path, own, strings.Join(said[:len(said)-1], ", "))
		}
	}
	return nil
}

// oneText is what is to be done about what has another name on another node.
const oneText = " (a VM has one configuration for all nodes: give it that name there too)"

// probeOK ends the answer of a node on which all is well.
const probeOK = "ok"

// Answer is what a probed node says.
func Answer(wrong []string, devices []Device) string {
	var b strings.Builder
	for _, d := range devices {
		fmt.Fprintln(&b, d)
	}
	if len(wrong) == 0 {
		fmt.Fprintln(&b, probeOK)
	} else {
		fmt.Fprintln(&b, strings.Join(wrong, "; "))
	}
	return b.String()
}
