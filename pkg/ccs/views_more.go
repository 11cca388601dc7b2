package ccs

// FenceMethod is one way to fence a node. The methods of a node are tried in their order until one works; all
// devices of a method must.
type FenceMethod struct {
	Name    string
	Devices []FenceUse
	Line    int
}

// FenceUse is how a method uses a fence device: Name is the device's, Attrs are what it is given beside the
// device's own attributes: a port, an action.
type FenceUse struct {
	Name  string
	Attrs map[string]string
	Line  int
}

// FenceDevice is a device that fences nodes. Attrs may hold a password.
type FenceDevice struct {
	Name, Agent string
	Attrs       map[string]string
	Line        int
}

func fenceMethods(node Element) []FenceMethod {
	var out []FenceMethod
	for _, m := range node.child("fence").named("method") {
		x := FenceMethod{}
		x.Name, _ = m.Attr("name") // it may have none
		x.Line, _ = m.Position()
		for _, e := range m.named("device") {
			u := FenceUse{Attrs: attrMap(e)}
			u.Name = u.Attrs["name"]
			delete(u.Attrs, "name")
			u.Line, _ = e.Position()
			x.Devices = append(x.Devices, u)
		}
		out = append(out, x)
	}
	return out
}

// FenceDevices gives the fence devices in the order of the file.
func (d *Document) FenceDevices() []FenceDevice {
	var out []FenceDevice
	for _, e := range d.Root().child("fencedevices").named("fencedevice") {
		x := FenceDevice{Attrs: attrMap(e)}
		x.Name, x.Agent = x.Attrs["name"], x.Attrs["agent"]
		delete(x.Attrs, "name")
		delete(x.Attrs, "agent")
		x.Line, _ = e.Position()
		out = append(out, x)
	}
	return out
}

// Definitions gives what <resources> defines, in the order of the file. It gives what the file says.
func (d *Document) Definitions() []Resource {
	var out []Resource
	for _, e := range d.rm().child("resources").Children() {
		r := Resource{Type: e.Tag(), Attrs: attrMap(e)}
		r.Name = r.Attrs[primaryOf(r.Type)]
		r.Line, _ = e.Position()
		out = append(out, r)
	}
	return out
}

// References tells which groups refer to a definition of <resources>, by their ids, in the order of the file.
func (d *Document) References(typ, name string) []string {
	var out []string
	for _, s := range d.Services() {
		for _, r := range collect(nil, Resource{Type: s.Type, Name: s.Name, Children: s.Children, Ref: s.Ref}, []string{typ}) {
			if r.Ref == name && r.Ref != "" {
				out = append(out, s.ID())
				break
			}
		}
	}
	return out
}

// CMAN gives the attributes of <cman>: two_node, expected_votes and others.
func (d *Document) CMAN() map[string]string { return attrMap(d.Root().child("cman")) }
