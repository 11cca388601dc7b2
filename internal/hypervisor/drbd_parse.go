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

// drbdResource is one of drbdadm dump.
type drbdResource struct {
	name    string
	devices []string // /dev/drbd1, and every other name that it is given
	minors  []int
	net     drbdNet
	peers   []drbdNet // of its connections (9), as far as they say something themselves
}

// drbdNet are the options of a connection, "" where nothing is said.
type drbdNet struct{ two, protocol string }

// over is n where it says something, and what it inherits otherwise.
func (n drbdNet) over(from drbdNet) drbdNet {
	if n.two == "" {
		n.two = from.two
	}
	if n.protocol == "" {
		n.protocol = from.protocol
	}
	return n
}

// connections are the options of each: those of the whole resource where no connection has its own.
func (r drbdResource) connections() []drbdNet {
	if len(r.peers) == 0 {
		return []drbdNet{r.net}
	}
	out := make([]drbdNet, len(r.peers))
	for i, n := range r.peers {
		out[i] = n.over(r.net)
	}
	return out
}

// parseDRBDDump reads `drbdadm dump` of 8.3 to 9 (adm_dump; user/v9/drbdadm_dump.c of drbd-utils): words, `{ }` and `;`.
// What stands in common is in each resource too.
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
		var body []drbdStatement
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
			r := drbdResource{name: head[1], net: common.net}
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
				word, rest, ok := drbdQuoted(line[1:])
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

// drbdQuoted is the text up to the quote that ends it, and what is behind that. drbdadm writes a backslash before a quote
// and a backslash (esc, drbd-utils user/shared/shared_tool.c).
func drbdQuoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// drbdStatement is one statement of a section.
type drbdStatement struct {
	within  []string // heads of the sections that it stands in, the outermost first
	section int      // counts those outermost sections: two may have the same head
	words   []string
}

// drbdSection takes `head { body }` or `head;` from the front.
func drbdSection(words []string) (head []string, body []drbdStatement, rest []string, err error) {
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
	section := 0
	for i++; i < len(words); i++ {
		switch w := words[i]; w {
		case "{":
			if len(within) > 20 {
				return nil, nil, nil, fmt.Errorf("%w: too deep", ErrAnswer)
			}
			if len(within) == 0 {
				section++
			}
			within, now = append(within, strings.Join(now, " ")), nil
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
				body = append(body, drbdStatement{slices.Clone(within), section, now})
			}
			now = nil
		default:
			now = append(now, strings.TrimPrefix(w, "\""))
		}
	}
	return nil, nil, nil, fmt.Errorf("%w: the configuration of DRBD ends too early", ErrAnswer)
}

// of is the kind of the outermost section that a statement stands in, and what stands behind the kind: `on HOST...`.
func (s drbdStatement) of() (kind string, names []string) {
	if len(s.within) == 0 {
		return "", nil
	}
	w := strings.Fields(s.within[0])
	if len(w) == 0 {
		return "", nil
	}
	return w[0], w[1:]
}

// read takes the statements of a resource in.
func (r *drbdResource) read(body []drbdStatement, host string) {
	mine := slices.ContainsFunc(body, func(s drbdStatement) bool {
		kind, names := s.of()
		return kind == "on" && slices.Contains(names, host)
	})
	peers := map[int]*drbdNet{} // connections, by section
	for _, s := range body {
		kind, names := s.of()
		if kind == "on" && mine && !slices.Contains(names, host) {
			continue
		}
		to := &r.net
		if strings.HasPrefix(kind, "connection") { // or connection-mesh
			if peers[s.section] == nil {
				peers[s.section] = &drbdNet{}
			}
			to = peers[s.section]
		}
		switch s.words[0] {
		case "allow-two-primaries":
			to.two = "yes" // to 8.3 the word alone says it
			if len(s.words) > 1 {
				to.two = s.words[1]
			}
		case "protocol":
			to.protocol = strings.Join(s.words[1:], " ")
		case "device":
			r.device(s.words[1:])
		}
	}
	for _, n := range peers {
		r.peers = append(r.peers, *n)
	}
}

// device reads `/dev/drbd1 minor 1`, of which each may be missing.
func (r *drbdResource) device(words []string) {
	for i := 0; i < len(words); i++ {
		if words[i] == "minor" && i+1 < len(words) {
			if n, err := strconv.Atoi(words[i+1]); err == nil {
				r.minors = append(r.minors, n)
			}
			i++
		} else if strings.HasPrefix(words[i], "/") {
			r.devices = append(r.devices, path.Clean(words[i]))
		}
	}
	if len(words) > 0 && !slices.Contains(words, "minor") {
		if n, err := strconv.Atoi(strings.TrimPrefix(path.Base(words[0]), "drbd")); err == nil {
			r.minors = append(r.minors, n)
		}
	}
}
