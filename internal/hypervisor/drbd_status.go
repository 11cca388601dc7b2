package hypervisor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parseDRBDStatus reads `drbdsetup status` of DRBD 9, with or without --verbose, by resource. Without --verbose a connection
// that is Connected and a replication that is Established are not said (drbd-utils user/v9/drbdsetup.c: resource_status,
// device_status, connection_status, peer_device_status).
func parseDRBDStatus(text []byte) (map[string][]drbdVolume, error) {
	out := map[string][]drbdVolume{}
	var now *drbdReport
	name := ""
	end := func() {
		if now != nil {
			out[name] = now.volumes()
		}
	}
	for _, i := range drbdItems(string(text)) {
		switch {
		case i.in == 0:
			end()
			if _, twice := out[i.name]; twice {
				return nil, fmt.Errorf("%w: resource %q stands twice", ErrAnswer, i.name)
			}
			if i.name == "" || i.said["role"] == "" || i.said["disk"]+i.said["peer-disk"] != "" {
				return nil, fmt.Errorf("%w: %q does not begin a resource of DRBD", ErrAnswer, i.line)
			}
			name, now = i.name, &drbdReport{role: i.said["role"]}
			if s := i.said["suspended"]; s != "" && s != "no" {
				now.busy = "its input and output is suspended"
			}
			out[name] = nil
		case now == nil:
			return nil, fmt.Errorf("%w: %q belongs to no resource of DRBD", ErrAnswer, i.line)
		case i.name != "" || i.said["node-id"] != "": // a connection without a name bears its number
			now.peer(i)
		case i.said["peer-disk"] != "" || i.said["replication"] != "":
			if len(now.peers) == 0 {
				return nil, fmt.Errorf("%w: %q belongs to no peer", ErrAnswer, i.line)
			}
			now.peers[len(now.peers)-1].volume(i)
		case i.said["disk"] != "":
			now.device(i)
		}
	}
	end()
	return out, nil
}

// drbdItem is what is said of one resource, device, peer or peer's device: `NAME key:value...`, of which the name may be
// missing.
type drbdItem struct {
	in   int // how far it stands in
	name string
	said map[string]string
	line string
}

// drbdItems are the items of a status. One that would be wider than the terminal, or than 80 columns where there is none,
// goes on in the next line, at least four columns further in (wrap_printf; an item's own parts stand two further in).
func drbdItems(text string) []drbdItem {
	var out []drbdItem
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		in := len(line) - len(strings.TrimLeft(line, " \t"))
		if last := len(out) - 1; last < 0 || in < out[last].in+4 {
			out = append(out, drbdItem{in: in, said: map[string]string{}, line: line})
		}
		i := &out[len(out)-1]
		for n, w := range words {
			switch key, value, ok := strings.Cut(w, ":"); {
			case ok:
				i.said[key] = value
			case n == 0 && len(i.said) == 0:
				i.name = w
			}
		}
	}
	return out
}

// drbdReport is a resource as its status tells of it.
type drbdReport struct {
	role, busy string
	own        []drbdVolume
	peers      []drbdPeer
}

type drbdPeer struct {
	connection, busy string
	disks            map[string]string // by volume
}

func (r *drbdReport) device(i drbdItem) {
	v := drbdVolume{minor: -1, disks: []string{i.said["disk"]}}
	if n, err := strconv.Atoi(i.said["minor"]); err == nil && n >= 0 {
		v.minor = n
	}
	if i.said["quorum"] == "no" {
		v.busy = "it has no quorum"
	}
	r.own = append(r.own, v)
}

func (r *drbdReport) peer(i drbdItem) {
	p := drbdPeer{connection: "Connected", disks: map[string]string{}}
	switch {
	case i.said["connection"] != "":
		p.connection = i.said["connection"]
	case i.said["role"] == "":
		p.connection = "unknown"
	}
	r.peers = append(r.peers, p)
}

func (p *drbdPeer) volume(i drbdItem) {
	p.disks[i.said["volume"]] = i.said["peer-disk"]
	if i.said["peer-disk"] == "" {
		p.disks[i.said["volume"]] = "DUnknown"
	}
	if s := i.said["replication"]; s != "" && s != "Established" {
		p.busy = "it is in state " + s
	}
	if s := i.said["resync-suspended"]; s != "" && s != "no" {
		p.busy = "its resynchronization is suspended"
	}
}

// volumes are the resource's own devices, with what is known of their other sides.
func (r *drbdReport) volumes() []drbdVolume {
	var out []drbdVolume
	for _, v := range r.own {
		v.role, v.connection = r.role, "Connected"
		if len(r.peers) == 0 {
			v.connection = "StandAlone"
		}
		if r.busy != "" {
			v.busy = r.busy
		}
		for _, p := range r.peers {
			if p.connection != "Connected" {
				v.connection = p.connection
			}
			if p.busy != "" {
				v.busy = p.busy
			}
			for _, disk := range p.disks {
				v.disks = append(v.disks, disk)
			}
			if len(p.disks) < len(r.own) { // a disk that is not shown is not known
				v.disks = append(v.disks, "DUnknown")
			}
		}
		slices.Sort(v.disks[1:])
		out = append(out, v)
	}
	return out
}
