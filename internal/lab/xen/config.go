package xen

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
)

// config is what the emulation keeps of a domain's configuration. It travels with the memory.
type config struct {
	Name   string   `json:"name"`
	MemMiB int64    `json:"memory"`
	VCPUs  int      `json:"vcpus"`
	Disks  []string `json:"disks"` // files that the domain writes, the node's own paths
}

func (c config) bytes() int64 { return c.MemMiB << 20 }

func (c config) json() json.RawMessage {
	b, err := json.Marshal(c)
	if err != nil { // numbers and strings can always be written
		panic(err)
	}
	return b
}

// parseConfig reads the assignments of a configuration file, then those of the command line: a line more to xl, which wants
// quotation marks around a string, and bare words to xm, to which they are a part of it.
func parseConfig(tool, path string, text []byte, overrides []string) (config, error) {
	values := map[string][]string{}
	for _, statement := range statements(string(text)) {
		key, value, ok := strings.Cut(statement, "=")
		if !ok {
			return config{}, refuse(badSyntax, statement)
		}
		list, err := literals(value)
		if err != nil {
			return config{}, err
		}
		values[strings.TrimSpace(key)] = list
	}
	for _, o := range overrides {
		key, value, _ := strings.Cut(o, "=")
		bare := strings.Trim(value, `"'`)
		switch _, err := strconv.Atoi(value); {
		case tool == "xl" && bare == value && err != nil:
			return config{}, refuse(badSyntax, "config parsing error near `"+value+"'")
		case tool == "xm" && bare != value && key == "name":
			return config{}, refuse(badName, value)
		}
		values[key] = []string{bare}
	}
	if tool == "xl" && values["name"] == nil {
		return config{}, refusal(texts[noName][2])
	}
	c := config{Name: filepath.Base(path), MemMiB: 128, VCPUs: 1, Disks: []string{}}
	if v := values["name"]; len(v) == 1 {
		c.Name = v[0]
	}
	var err error
	if v := values["memory"]; len(v) == 1 {
		if c.MemMiB, err = strconv.ParseInt(v[0], 10, 31); err != nil || c.MemMiB < 1 {
			return config{}, refuse(badNumber, v[0])
		}
	}
	if v := values["vcpus"]; len(v) == 1 {
		if c.VCPUs, err = strconv.Atoi(v[0]); err != nil || c.VCPUs < 1 {
			return config{}, refuse(badNumber, v[0])
		}
	}
	for _, d := range values["disk"] {
		if tool == "xl" && !strings.Contains(strings.SplitN(d, ",", 2)[0], ":") {
			if path, writes := xlDisk(d); writes {
				c.Disks = append(c.Disks, path)
			}
			continue
		}
		part := strings.Split(d, ",")
		if len(part) < 3 {
			return config{}, refuse(badDisk, d)
		}
		path := part[0][strings.LastIndex(part[0], ":")+1:]
		if strings.HasPrefix(part[0], "phy:") && !strings.HasPrefix(path, "/") {
			path = "/dev/" + path
		}
		if strings.HasPrefix(part[2], "w") {
			c.Disks = append(c.Disks, path)
		}
	}
	return c, nil
}

// xlDisk reads TARGET,FORMAT,DEVICE,ACCESS, or the same as NAME=VALUE with the target last.
func xlDisk(d string) (path string, writes bool) {
	at := 0
	place := [...]string{"target", "format", "vdev", "access"}
	values := map[string]string{"access": "rw"}
	for d != "" {
		item, rest, _ := strings.Cut(d, ",")
		key, value, named := strings.Cut(strings.TrimSpace(item), "=")
		if !named && at < len(place) {
			key, value = place[at], key
			at++
		}
		if d = rest; key == "target" && named && rest != "" {
			value, d = value+","+rest, ""
		}
		values[key] = value
	}
	return values["target"], strings.Contains(values["access"], "w") && values["target"] != ""
}

// statements splits a file at line ends that are in no bracket, without comments.
func statements(text string) []string {
	var all []string
	var b strings.Builder
	depth, quote, comment := 0, rune(0), false
	end := func() {
		if s := strings.TrimSpace(b.String()); s != "" {
			all = append(all, s)
		}
		b.Reset()
	}
	for _, r := range text {
		switch {
		case r == '\n' && quote == 0:
			comment = false
			if depth == 0 {
				end()
				continue
			}
		case comment:
			continue
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '#':
			comment = true
			continue
		case r == '[' || r == '(':
			depth++
		case r == ']' || r == ')':
			depth--
		}
		b.WriteRune(r)
	}
	end()
	return all
}

// literals reads a string, a number, or a list of them.
func literals(s string) ([]string, error) {
	s = strings.TrimSpace(s)
	inner, ok := strings.CutPrefix(s, "[")
	if !ok {
		return []string{strings.Trim(s, `"'`)}, nil
	}
	if inner, ok = strings.CutSuffix(inner, "]"); !ok {
		return nil, refuse(badSyntax, s)
	}
	list := []string{}
	for inner = strings.TrimLeft(inner, " \t\n,"); inner != ""; inner = strings.TrimLeft(inner, " \t\n,") {
		q := inner[0]
		end := -1
		if q == '"' || q == '\'' {
			end = strings.IndexByte(inner[1:], q)
		}
		if end < 0 {
			return nil, refuse(badSyntax, s)
		}
		list = append(list, inner[1:1+end])
		inner = inner[2+end:]
	}
	return list, nil
}
