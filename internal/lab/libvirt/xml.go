package libvirt

import (
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// config is what the emulation keeps of a domain's XML. It travels with the memory.
type config struct {
	Name  string `json:"name"`
	UUID  string `json:"uuid"`
	KiB   int64  `json:"memory_kib"`
	VCPUs int    `json:"vcpus"`
	Kind  string `json:"kind"` // kvm or qemu
	OS    string `json:"os"`
	Disks []disk `json:"disks"`
	XML   string `json:"xml"` // as it was given, with the uuid
}

// disk is a file or device that the domain writes to; the path is the node's own.
type disk struct {
	Path   string `json:"path"`
	Target string `json:"target"`
	Cache  string `json:"cache"`
	Writes bool   `json:"writes"`
	Shared bool   `json:"shared"`
}

func (c config) bytes() int64 { return c.KiB << 10 }

func (c config) json() json.RawMessage {
	b, err := json.Marshal(c)
	if err != nil { // numbers and strings can always be written
		panic(err)
	}
	return b
}

// written are the paths of the disks that the domain writes to.
func (c config) written() []string {
	out := []string{}
	for _, d := range c.Disks {
		if d.Writes {
			out = append(out, d.Path)
		}
	}
	return out
}

type document struct {
	XMLName xml.Name `xml:"domain"`
	Type    string   `xml:"type,attr"`
	Name    string   `xml:"name"`
	UUID    string   `xml:"uuid"`
	Memory  struct {
		Unit string `xml:"unit,attr"`
		Text string `xml:",chardata"`
	} `xml:"memory"`
	VCPU string `xml:"vcpu"`
	OS   string `xml:"os>type"`
	Disk []struct {
		Device string `xml:"device,attr"`
		Driver struct {
			Cache string `xml:"cache,attr"`
		} `xml:"driver"`
		Source struct {
			File string `xml:"file,attr"`
			Dev  string `xml:"dev,attr"`
		} `xml:"source"`
		Target struct {
			Dev string `xml:"dev,attr"`
		} `xml:"target"`
		ReadOnly  *struct{} `xml:"readonly"`
		Shareable *struct{} `xml:"shareable"`
	} `xml:"devices>disk"`
}

// isUUID: 8-4-4-4-12 digits.
func isUUID(s string) bool {
	groups := strings.Split(s, "-")
	if len(groups) != 5 || strings.Trim(s, "0123456789abcdef-") != "" {
		return false
	}
	for i, n := range [...]int{8, 4, 4, 4, 12} {
		if len(groups[i]) != n {
			return false
		}
	}
	return true
}

// parse reads a domain's XML. One without a uuid gets a new one each time.
func parse(text []byte) (config, error) {
	var x document
	if err := xml.Unmarshal(text, &x); err != nil {
		return config{}, fmt.Errorf("(domain_definition):1: %w", err)
	}
	c := config{Name: strings.TrimSpace(x.Name), UUID: strings.ToLower(strings.TrimSpace(x.UUID)), Kind: x.Type, OS: strings.TrimSpace(x.OS), VCPUs: 1, Disks: []disk{}, XML: string(text)}
	switch {
	case c.Kind == "":
		return config{}, errors.New("missing domain type attribute")
	case c.Kind != "kvm" && c.Kind != "qemu":
		return config{}, fmt.Errorf("unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support virt type '%s'", c.Kind)
	case c.Name == "":
		return config{}, errors.New("XML error: missing name element")
	case c.OS == "":
		return config{}, errors.New("XML error: an os <type> must be specified")
	}
	if strings.Contains(c.Name, "/") {
		return config{}, fmt.Errorf("XML error: name %s cannot contain '/'", c.Name)
	}
	if c.UUID == "" {
		u, err := newUUID()
		if err != nil {
			return config{}, err
		}
		c.UUID = u
		c.XML = strings.Replace(c.XML, "</name>", "</name>\n  <uuid>"+u+"</uuid>", 1)
	}
	if !isUUID(c.UUID) {
		return config{}, errors.New("internal error: malformed uuid element")
	}
	n, err := strconv.ParseInt(strings.TrimSpace(x.Memory.Text), 10, 64)
	unit := map[string]int64{"": 1 << 10, "KiB": 1 << 10, "k": 1 << 10, "MiB": 1 << 20, "M": 1 << 20, "GiB": 1 << 30, "G": 1 << 30, "b": 1, "bytes": 1}[x.Memory.Unit]
	if err != nil || unit == 0 || n < 1 || n > 1<<40/unit {
		return config{}, errors.New("XML error: memory: missing element or invalid value")
	}
	c.KiB = max(n*unit>>10, 1)
	if v := strings.TrimSpace(x.VCPU); v != "" {
		if c.VCPUs, err = strconv.Atoi(v); err != nil || c.VCPUs < 1 {
			return config{}, errors.New("XML error: maximum vcpus must be an integer")
		}
	}
	for _, d := range x.Disk {
		path := d.Source.File + d.Source.Dev
		if path == "" {
			continue // an empty drive
		}
		if d.Target.Dev == "" {
			return config{}, fmt.Errorf("unknown error: missing target information for device '%s'", path)
		}
		cdrom := d.Device == "cdrom" || d.Device == "floppy"
		c.Disks = append(c.Disks, disk{path, d.Target.Dev, d.Driver.Cache, d.ReadOnly == nil && !cdrom, d.Shareable != nil})
	}
	return c, nil
}

func newUUID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
