package hypervisor

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// drbdVolume is one replicated device as the kernel sees it. What is empty was not said.
type drbdVolume struct {
	minor      int // -1: not said
	connection string
	role       string   // here
	disks      []string // here and on every peer
	busy       string   // a resynchronization or a verification, or suspended
}

// procDRBD is what /proc/drbd says: the version of the module, and with 8.x every device.
type procDRBD struct {
	major   int
	volumes map[int]drbdVolume
}

// parseProcDRBD reads /proc/drbd: ` 1: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----`, with st: for ro:
// up to 8.2 (drbd-8.0 drbd_proc.c, drbd-8.4 drbd_proc.c). From 9 on it holds the version only.
func parseProcDRBD(text []byte) (procDRBD, error) {
	p := procDRBD{volumes: map[int]drbdVolume{}}
	for _, line := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "version:"); ok {
			major, _, _ := strings.Cut(strings.TrimSpace(v), ".")
			n, err := strconv.Atoi(major)
			if err != nil {
				return p, fmt.Errorf("%w: %q is no version of DRBD", ErrAnswer, v)
			}
			p.major = n
			continue
		}
		number, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		minor, err := strconv.Atoi(number)
		if !ok || err != nil || minor < 0 || !strings.HasPrefix(rest, " cs:") {
			continue // the other lines are counters, and how far it has come
		}
		if _, twice := p.volumes[minor]; twice {
			return p, fmt.Errorf("%w: device %d stands twice in /proc/drbd", ErrAnswer, minor)
		}
		v := drbdVolume{minor: minor}
		words := strings.Fields(rest)
		for _, w := range words {
			key, value, ok := strings.Cut(w, ":")
			switch {
			case !ok:
			case key == "cs":
				v.connection = value
			case key == "ro" || key == "st":
				v.role, _, _ = strings.Cut(value, "/")
			case key == "ds":
				v.disks = strings.Split(value, "/")
			}
		}
		if flags := words[len(words)-1]; strings.HasPrefix(flags, "s") && strings.Trim(flags, "sapudbn-") == "" {
			v.busy = "its input and output is suspended"
		}
		p.volumes[minor] = v
	}
	if p.major == 0 {
		return p, fmt.Errorf("%w: /proc/drbd names no version", ErrAnswer)
	}
	return p, nil
}

// parseDRBDStatus reads `drbdsetup status`, with or without --verbose, and `drbdadm status` of DRBD 9: resources at the
// margin, what belongs to one further in. Without --verbose a connection that is Connected and a replication that is
// Established are not said (drbd-utils user/v9/drbdsetup.c: connection_status, peer_device_status).
func parseDRBDStatus(text []byte) (map[string][]drbdVolume, error) {
	out := map[string][]drbdVolume{}
	name, role, busy := "", "", ""
	var own []drbdVolume
	type peer struct {
		connection string
		volumes    map[string]string // volume -> disk
		busy       string
	}
	var peers []peer
	end := func() {
		for _, v := range own {
			v.role, v.busy, v.connection = role, busy, "Connected"
			if len(peers) == 0 {
				v.connection = "StandAlone"
			}
			for _, p := range peers {
				if p.connection != "Connected" {
					v.connection = p.connection
				}
				if p.busy != "" {
					v.busy = p.busy
				}
				for _, disk := range p.volumes {
					v.disks = append(v.disks, disk)
				}
				if len(p.volumes) < len(own) { // a disk that is not shown is not known
					v.disks = append(v.disks, "DUnknown")
				}
			}
			slices.Sort(v.disks[min(1, len(v.disks)):])
			out[name] = append(out[name], v)
		}
		own, peers, role, busy = nil, nil, "", ""
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		said := map[string]string{}
		for _, w := range words {
			if key, value, ok := strings.Cut(w, ":"); ok {
				said[key] = value
			}
		}
		in := len(line) - len(strings.TrimLeft(line, " \t"))
		named := !strings.Contains(words[0], ":")
		switch {
		case in == 0:
			if name != "" {
				end()
			}
			if name = words[0]; !named || said["role"] == "" {
				return nil, fmt.Errorf("%w: %q does not begin a resource of DRBD", ErrAnswer, line)
			}
			if _, twice := out[name]; twice {
				return nil, fmt.Errorf("%w: resource %q stands twice", ErrAnswer, name)
			}
			role = said["role"]
			if s := said["suspended"]; s != "" && s != "no" {
				busy = "its input and output is suspended"
			}
			out[name] = nil
		case name == "":
			return nil, fmt.Errorf("%w: %q belongs to no resource of DRBD", ErrAnswer, line)
		case named: // a peer
			p := peer{connection: "Connected", volumes: map[string]string{}}
			switch {
			case said["connection"] != "":
				p.connection = said["connection"]
			case said["role"] == "":
				p.connection = "unknown"
			}
			peers = append(peers, p)
		case said["peer-disk"] != "" || said["replication"] != "":
			if len(peers) == 0 {
				return nil, fmt.Errorf("%w: %q belongs to no peer", ErrAnswer, line)
			}
			p := &peers[len(peers)-1]
			disk := said["peer-disk"]
			if disk == "" {
				disk = "DUnknown"
			}
			p.volumes[said["volume"]] = disk
			if r := said["replication"]; r != "" && r != "Established" {
				p.busy = "it is in state " + r
			}
			if r := said["resync-suspended"]; r != "" && r != "no" {
				p.busy = "its resynchronization is suspended"
			}
		case said["disk"] != "":
			v := drbdVolume{minor: -1, disks: []string{said["disk"]}}
			if n, err := strconv.Atoi(said["minor"]); err == nil && n >= 0 {
				v.minor = n
			}
			own = append(own, v)
		}
	}
	if name != "" {
		end()
	}
	return out, nil
}

// drbdResource is one of drbdadm dump.
type drbdResource struct {
	name    string
	devices []string // /dev/drbd1, and every other name that it is given
	minors  []int
	two     bool // two nodes may be primary
	c       bool // it waits for the other node's disk: protocol C
}

// parseDRBDDump reads `drbdadm dump` of 8.3 to 9: words, `{ }` and `;`. What stands in common is in each resource too.
// host chooses the `on` section whose devices count; where no section has that name, all do.
func parseDRBDDump(text []byte, host string) ([]drbdResource, error) {
	words, err := drbdWords(string(text))
	if err != nil {
		return nil, err
	}
	var out []drbdResource
	common := drbdResource{}
	for len(words) > 0 {
		var head []string
		var body [][]string
		if head, body, words, err = drbdSection(words); err != nil {
			return nil, err
		}
		if len(head) == 0 {
			continue
		}
		switch head[0] {
		case "common":
			common.read(body, host)
		case "resource":
			if len(head) < 2 {
				return nil, fmt.Errorf("%w: a resource has no name", ErrAnswer)
			}
			r := drbdResource{name: head[1], two: common.two, c: common.c}
			r.read(body, host)
			out = append(out, r)
		}
	}
	return out, nil
}

// drbdWords are the words of a configuration, with comments away and quotes taken off; { } ; stand alone.
func drbdWords(text string) ([]string, error) {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		for line != "" {
			switch c := line[0]; {
			case c == '#':
				line = ""
			case c == ' ' || c == '\t' || c == '\r':
				line = line[1:]
			case c == '{' || c == '}' || c == ';':
				out, line = append(out, line[:1]), line[1:]
			case c == '"':
				word, rest, ok := strings.Cut(line[1:], `"`)
				if !ok {
					return nil, fmt.Errorf("%w: a quote is not closed", ErrAnswer)
				}
				out, line = append(out, "\""+word), rest // so that a quoted brace is none
			default:
				end := strings.IndexAny(line, " \t\r{};\"#")
				if end < 0 {
					end = len(line)
				}
				out, line = append(out, line[:end]), line[end:]
			}
		}
	}
	return out, nil
}

// drbdSection takes `head { body }` or `head;` from the front. The body is flat: each statement begins with the heads of
// the sections that it stands in, a "/" behind each.
func drbdSection(words []string) (head []string, body [][]string, rest []string, err error) {
	i := 0
	for ; i < len(words) && words[i] != "{" && words[i] != ";"; i++ {
		if words[i] == "}" {
			return nil, nil, nil, fmt.Errorf("%w: a brace too many", ErrAnswer)
		}
		head = append(head, strings.TrimPrefix(words[i], "\""))
	}
	if i == len(words) {
		return nil, nil, nil, fmt.Errorf("%w: the configuration of DRBD ends too early", ErrAnswer)
	}
	if words[i] == ";" {
		return head, nil, words[i+1:], nil
	}
	var within []string // heads
	var now []string
	for i++; i < len(words); i++ {
		switch w := words[i]; w {
		case "{":
			if len(within) > 20 {
				return nil, nil, nil, fmt.Errorf("%w: too deep", ErrAnswer)
			}
			within, now = append(within, strings.Join(now, " ")+"/"), nil
		case "}":
			if len(now) > 0 {
				return nil, nil, nil, fmt.Errorf("%w: %q does not end", ErrAnswer, strings.Join(now, " "))
			}
			if len(within) == 0 {
				return head, body, words[i+1:], nil
			}
			within = within[:len(within)-1]
		case ";":
			if len(now) > 0 {
				body = append(body, append(slices.Clone(within), now...))
			}
			now = nil
		default:
			now = append(now, strings.TrimPrefix(w, "\""))
		}
	}
	return nil, nil, nil, fmt.Errorf("%w: the configuration of DRBD ends too early", ErrAnswer)
}

// read takes the statements of a resource in.
func (r *drbdResource) read(body [][]string, host string) {
	mine := slices.ContainsFunc(body, func(s []string) bool { return s[0] == "on "+host+"/" })
	for _, s := range body {
		var within []string
		for len(s) > 0 && strings.HasSuffix(s[0], "/") && len(s) > 1 {
			within, s = append(within, s[0]), s[1:]
		}
		if len(within) > 0 && strings.HasPrefix(within[0], "on ") && mine && within[0] != "on "+host+"/" {
			continue
		}
		switch s[0] {
		case "allow-two-primaries":
			r.two = len(s) == 1 || s[1] == "yes"
		case "protocol":
			r.c = len(s) > 1 && s[1] == "C"
		case "device":
			for i := 1; i < len(s); i++ {
				if s[i] == "minor" && i+1 < len(s) {
					if n, err := strconv.Atoi(s[i+1]); err == nil {
						r.minors = append(r.minors, n)
					}
					i++
				} else if strings.HasPrefix(s[i], "/") {
					r.devices = append(r.devices, path.Clean(s[i]))
				}
			}
			if len(s) > 1 && !slices.Contains(s, "minor") {
				if n, err := strconv.Atoi(strings.TrimPrefix(path.Base(s[1]), "drbd")); err == nil {
					r.minors = append(r.minors, n)
				}
			}
		}
	}
}
