package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/keyval"
)

// Facts are what a node says of itself in SHARED/lbvm/nodes/MEMBER. Zero means unknown but for Boot.
type Facts struct {
	Member   string
	Boot     string
	At       time.Time // when lblog measured; zero where only the boot was published
	Cores    int
	MemTotal int64 // bytes
	MemFree  int64 // bytes that a new guest could have
	Guests   []GuestFact
	Tools    map[string]string // tool -> version
	Config   uint64            // config_version with which the node runs; 0 unknown
	Arch     string            // of the machine: x86_64
	Kernel   string            // its release
	CPUFlags []string          // what every processor can do
	Bridges  []string          // network bridges
	Lists    []string          // types whose guests are all in Guests
	Restores []string          // types whose memory images can be used here
	Listens  map[string]string // type -> ADDRESS:PORT at which running guests are taken, or ListensNot
	// Technologies are those that an administrator has defined here (type vmexec) in files that can be used, by name.
	Technologies map[string]Technology
	VMs          []VMFact // the VMs of cluster.conf as this node sees them
}

// ListensNot says that a node takes no running guests.
const ListensNot = "off"

// Technology is what a relocator asks of one that an administrator has defined. Its guests move only between nodes with the
// same Digest.
type Technology struct {
	Digest   string // of its file
	Saves    bool   // keeps a guest's memory in an image
	Migrates bool   // moves a running guest
}

// VMFact tells whether a node could start a VM.
type VMFact struct {
	Type, Name string
	Mem        int64    // bytes, as configured; 0 unknown
	Lacks      []string // what is missing here, in words; empty: nothing is
	NotLive    string   // why it cannot be moved from or to this node while it runs, though its tool could; "" is nothing
	CPU        string   // the processor model that it is given by name, where this node has it whole; "" is all that its node can do
}

// GuestFact is one guest that the node runs.
type GuestFact struct {
	Type, Name string
	State      string
	Mem        int64              // bytes; 0 unknown
	CPU        float64            // share of the node, 0..1; negative is unknown
	Uses       map[string]float64 // of other resources, in the unit of the node's resource of that name; what is not in it is unknown
}

// NodesDir holds a file of facts for each member, below the shared storage.
const NodesDir = "lbvm/nodes"

// ReadFacts reads what member published. A member that never did is os.ErrNotExist.
func ReadFacts(shared, member string) (Facts, error) {
	if err := CheckName(member); err != nil {
		return Facts{}, err
	}
	b, err := os.ReadFile(filepath.Join(shared, NodesDir, member))
	if err != nil {
		return Facts{}, fmt.Errorf("reading the facts of %s: %w", member, err)
	}
	f, err := parseFacts(b)
	if err != nil {
		return Facts{}, fmt.Errorf("reading the facts of %s: %w", member, err)
	}
	if f.Member != member {
		return Facts{}, fmt.Errorf("the facts of %s speak of %q", member, f.Member)
	}
	return f, nil
}

// ReadLoad is ReadFacts without VMs. What a node says of each VM of cluster.conf is most of a large cluster's facts, and
// only who moves a VM asks for it.
func ReadLoad(shared, member string) (Facts, error) {
	if err := CheckName(member); err != nil {
		return Facts{}, err
	}
	file, err := os.Open(filepath.Join(shared, NodesDir, member))
	if err != nil {
		return Facts{}, fmt.Errorf("reading the facts of %s: %w", member, err)
	}
	defer file.Close()
	b, err := withoutVMs(file)
	if err != nil {
		return Facts{}, fmt.Errorf("reading the facts of %s: %w", member, err)
	}
	f, err := parseFacts(b)
	if err != nil {
		return Facts{}, fmt.Errorf("reading the facts of %s: %w", member, err)
	}
	if f.Member != member {
		return Facts{}, fmt.Errorf("the facts of %s speak of %q", member, f.Member)
	}
	return f, nil
}

// withoutVMs leaves the lines out that parseVMs reads. Behind the guests nothing else stands, and it is not even read; in a
// file of an older version the guests stand behind. A line that is cut off stays, and shows that the file is.
func withoutVMs(in io.Reader) ([]byte, error) {
	var out []byte
	r := bufio.NewReaderSize(in, 4<<10)
	guests := false
	for ofVM, begins := false, true; ; {
		piece, err := r.ReadSlice('\n')
		if begins {
			begin := string(piece[:min(len(piece), len("cpu_model="))])
			guests = guests || strings.HasPrefix(begin, "guest=")
			ofVM = strings.HasPrefix(begin, "vm=") || strings.HasPrefix(begin, "lacks=") || strings.HasPrefix(begin, "not_live=") || begin == "cpu_model="
			if ofVM && guests {
				return out, nil
			}
		}
		if !ofVM || errors.Is(err, io.EOF) {
			out = append(out, piece...)
		}
		begins = err == nil
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// WriteFacts publishes the facts of this node.
func WriteFacts(shared string, f Facts) error {
	if err := CheckName(f.Member); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(shared, NodesDir, f.Member), f.format(), atomicfile.Options{})
}

// FormatFacts is the text of facts, as they are published.
func FormatFacts(f Facts) []byte { return f.format() }

// ParseFacts reads what FormatFacts gave.
func ParseFacts(b []byte) (Facts, error) { return parseFacts(b) }

// PushedDir stands for the shared storage, on the nodes of a cluster that has none, for the facts that nodes send each
// other.
const PushedDir = "/var/lib/lbvm"

// PublishBoot makes sure that nodes/MEMBER shows this boot. Facts of an earlier boot are dropped: they are not true any more.
func (h Host) PublishBoot(shared, member string) error {
	boot, err := h.BootID()
	if err != nil {
		return err
	}
	old, err := ReadFacts(shared, member)
	if err == nil && old.Boot == boot {
		return nil
	}
	return WriteFacts(shared, Facts{Member: member, Boot: boot})
}

func (f Facts) format() []byte {
	p := keyval.Pairs{{Key: "format", Value: "1"}, {Key: "member", Value: f.Member}, {Key: "boot", Value: f.Boot}}
	add := func(k, v string) { p = append(p, keyval.Pair{Key: k, Value: v}) }
	if !f.At.IsZero() {
		add("at", f.At.Format(time.RFC3339))
	}
	if f.Cores > 0 {
		add("cores", strconv.Itoa(f.Cores))
	}
	if f.MemTotal > 0 {
		add("mem_total_bytes", strconv.FormatInt(f.MemTotal, 10))
		add("mem_free_bytes", strconv.FormatInt(f.MemFree, 10))
	}
	if f.Config > 0 {
		add("config_version", strconv.FormatUint(f.Config, 10))
	}
	for _, tool := range sortedKeys(f.Tools) {
		add("tool", tool+" "+f.Tools[tool])
	}
	for _, x := range []struct{ key, value string }{{"arch", f.Arch}, {"kernel", f.Kernel}, {"cpu_flags", strings.Join(f.CPUFlags, " ")}} {
		if x.value != "" {
			add(x.key, x.value)
		}
	}
	for _, b := range f.Bridges {
		add("bridge", b)
	}
	for _, t := range f.Lists {
		add("lists", t)
	}
	for _, t := range f.Restores {
		add("restores", t)
	}
	for _, t := range sortedKeys(f.Listens) {
		add("listens", t+" "+f.Listens[t])
	}
	for _, t := range sortedKeys(f.Technologies) {
		x := f.Technologies[t]
		text := t + " " + x.Digest
		if x.Saves {
			text += " saves"
		}
		if x.Migrates {
			text += " migrates"
		}
		add("technology", text)
	}
	for _, g := range f.Guests {
		state := strings.Join(strings.Fields(g.State), "-")
		if state == "" {
			state = "unknown"
		}
		add("guest", fmt.Sprintf("%s:%s %s %d %s", g.Type, g.Name, state, g.Mem, strconv.FormatFloat(g.CPU, 'f', 4, 64)))
		for _, name := range sortedKeys(g.Uses) {
			add("uses", name+" "+strconv.FormatFloat(g.Uses[name], 'g', -1, 64))
		}
	}
	for _, v := range f.VMs {
		add("vm", fmt.Sprintf("%s:%s %d", v.Type, v.Name, v.Mem))
		for _, lack := range v.Lacks {
			add("lacks", strings.Join(strings.Fields(lack), " "))
		}
		if v.CPU != "" {
			add("cpu_model", strings.Join(strings.Fields(v.CPU), " "))
		}
		if v.NotLive != "" {
			add("not_live", strings.Join(strings.Fields(v.NotLive), " "))
		}
	}
	return p.Format()
}

func parseFacts(b []byte) (Facts, error) {
	p, err := keyval.Parse(b)
	if err != nil {
		return Facts{}, err
	}
	if v := p.Get("format"); v != "1" {
		return Facts{}, fmt.Errorf("format %q is not known", v)
	}
	f := Facts{Member: p.Get("member"), Boot: p.Get("boot"), Tools: map[string]string{}}
	if f.Member == "" || f.Boot == "" {
		return Facts{}, errors.New("member= or boot= is missing")
	}
	var errs []error
	number := func(key string) int64 {
		v, ok := p.Lookup(key)
		if !ok {
			return 0
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			errs = append(errs, fmt.Errorf("%s=%q is not a number above 0", key, v))
			return 0
		}
		return n
	}
	f.Cores = int(min(number("cores"), 1<<20))
	f.MemTotal, f.MemFree = number("mem_total_bytes"), number("mem_free_bytes")
	f.Config = uint64(number("config_version"))
	if v, ok := p.Lookup("at"); ok {
		if f.At, err = time.Parse(time.RFC3339, v); err != nil {
			errs = append(errs, err)
		}
	}
	for _, v := range p.All("tool") {
		name, version, _ := strings.Cut(v, " ")
		f.Tools[name] = version
	}
	f.Arch, f.Kernel = p.Get("arch"), p.Get("kernel")
	if flags := strings.Fields(p.Get("cpu_flags")); len(flags) > 0 {
		f.CPUFlags = flags
	}
	f.Bridges, f.Lists, f.Restores = p.All("bridge"), p.All("lists"), p.All("restores")
	for _, v := range p.All("listens") {
		if f.Listens == nil {
			f.Listens = map[string]string{}
		}
		typ, at, _ := strings.Cut(v, " ")
		f.Listens[typ] = at
	}
	for _, v := range p.All("technology") {
		w := strings.Fields(v)
		if len(w) < 2 {
			errs = append(errs, fmt.Errorf("technology=%q names no digest", v))
			continue
		}
		if f.Technologies == nil {
			f.Technologies = map[string]Technology{}
		}
		f.Technologies[w[0]] = Technology{Digest: w[1], Saves: slices.Contains(w[2:], "saves"), Migrates: slices.Contains(w[2:], "migrates")}
	}
	if f.VMs, err = parseVMs(p); err != nil {
		errs = append(errs, err)
	}
	f.Guests, err = parseGuests(p)
	return f, errors.Join(append(errs, err)...)
}

// parseGuests reads `guest=` lines, each with the `uses=` lines behind it. One that cannot be read is left out and told.
func parseGuests(p keyval.Pairs) (out []GuestFact, err error) {
	var errs []error
	known := false // the last guest line could be read
	for _, x := range p {
		switch x.Key {
		case "guest":
			g, err := parseGuest(x.Value)
			if known = err == nil; known {
				out = append(out, g)
			}
			errs = append(errs, err)
		case "uses":
			name, text, ok := strings.Cut(x.Value, " ")
			v, err := strconv.ParseFloat(text, 64)
			if err := errors.Join(err, CheckName(name)); err != nil || !ok || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				errs = append(errs, fmt.Errorf("uses=%q is not RESOURCE VALUE", x.Value))
				continue
			}
			if !known {
				continue
			}
			last := &out[len(out)-1]
			if last.Uses == nil {
				last.Uses = map[string]float64{}
			}
			last.Uses[name] = v
		}
	}
	return out, errors.Join(errs...)
}

// parseVMs reads `vm=TYPE:NAME BYTES` lines, each with the `lacks=` lines behind it.
func parseVMs(p keyval.Pairs) ([]VMFact, error) {
	var out []VMFact
	for _, x := range p {
		switch x.Key {
		case "vm":
			name, mem, _ := strings.Cut(x.Value, " ")
			typ, name, ok := strings.Cut(name, ":")
			n, err := strconv.ParseInt(mem, 10, 64)
			if err := errors.Join(err, CheckName(name)); err != nil || !ok || n < 0 {
				return nil, fmt.Errorf("vm=%q is not TYPE:NAME BYTES", x.Value)
			}
			out = append(out, VMFact{Type: typ, Name: name, Mem: n})
		case "lacks", "not_live", "cpu_model":
			if len(out) == 0 {
				return nil, fmt.Errorf("%s=%q belongs to no VM", x.Key, x.Value)
			}
			last := &out[len(out)-1]
			switch x.Key {
			case "not_live":
				last.NotLive = x.Value
			case "cpu_model":
				last.CPU = x.Value
			default:
				last.Lacks = append(last.Lacks, x.Value)
			}
		}
	}
	return out, nil
}

func parseGuest(v string) (GuestFact, error) {
	w := strings.Fields(v)
	if len(w) != 4 {
		return GuestFact{}, fmt.Errorf("guest=%q has not four words", v)
	}
	typ, name, ok := strings.Cut(w[0], ":")
	if !ok {
		return GuestFact{}, fmt.Errorf("guest=%q names no type", v)
	}
	mem, err1 := strconv.ParseInt(w[2], 10, 64)
	cpu, err2 := strconv.ParseFloat(w[3], 64)
	if err := errors.Join(err1, err2, CheckName(name)); err != nil {
		return GuestFact{}, fmt.Errorf("guest=%q: %w", v, err)
	}
	if mem < 0 || math.IsNaN(cpu) || math.IsInf(cpu, 0) {
		return GuestFact{}, fmt.Errorf("guest=%q: not a number that can be", v)
	}
	return GuestFact{Type: typ, Name: name, State: w[1], Mem: mem, CPU: cpu}, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
