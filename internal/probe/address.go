package probe

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// address is a literal one.
type address struct {
	b  [16]byte // v4: the first four
	v4 bool
}

// parseAddress reads 192.0.2.1 and 2001:db8::1. An address with a zone is none.
func parseAddress(s string) (address, bool) {
	if !strings.ContainsRune(s, ':') {
		return parse4(s)
	}
	head, tail, gap := strings.Cut(s, "::")
	if gap && strings.Contains(tail, "::") {
		return address{}, false
	}
	front, ok := groups(head, gap, !gap)
	if !ok {
		return address{}, false
	}
	back, ok := groups(tail, true, true)
	if !ok || gap && len(front)+len(back) > 14 || !gap && len(front) != 16 {
		return address{}, false
	}
	var a address
	copy(a.b[:], front)
	copy(a.b[16-len(back):], back)
	return a, true
}

// groups are the bytes of hexadecimal groups, of which the last of an address may be written as IPv4. Nothing is no
// group, where that may be.
func groups(s string, mayBeNone, last bool) ([]byte, bool) {
	if s == "" {
		return nil, mayBeNone
	}
	var out []byte
	parts := strings.Split(s, ":")
	for i, p := range parts {
		if a, ok := parse4(p); ok && last && i == len(parts)-1 {
			out = append(out, a.b[:4]...)
			continue
		}
		if n, err := strconv.ParseUint(p, 16, 16); err == nil && len(p) <= 4 && p[0] != '+' {
			out = append(out, byte(n>>8), byte(n))
			continue
		}
		return nil, false
	}
	return out, len(out) <= 16
}

func parse4(s string) (address, bool) {
	a := address{v4: true}
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return address{}, false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil || len(p) > 1 && p[0] == '0' || p[0] == '+' { // 010 is eight to some
			return address{}, false
		}
		a.b[i] = byte(n)
	}
	return a, true
}

func (a address) family() int {
	if a.v4 {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func (a address) sockaddr(port int) unix.Sockaddr {
	if a.v4 {
		return &unix.SockaddrInet4{Port: port, Addr: [4]byte(a.b[:4])}
	}
	return &unix.SockaddrInet6{Port: port, Addr: a.b}
}

func (a address) String() string {
	if a.v4 {
		return fmt.Sprintf("%d.%d.%d.%d", a.b[0], a.b[1], a.b[2], a.b[3])
	}
	parts := make([]string, 0, 8)
	for i := 0; i < 16; i += 2 {
		parts = append(parts, strconv.FormatUint(uint64(a.b[i])<<8|uint64(a.b[i+1]), 16))
	}
	return strings.Join(parts, ":")
}

// hostsFile is the one place where names are looked up.
const hostsFile = "/etc/hosts"

// resolve makes an address of a name.
func (w World) resolve(name string) (address, error) {
	if a, ok := parseAddress(name); ok {
		return a, nil
	}
	file := w.Host.Path(hostsFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return address{}, fmt.Errorf("%w: looking for %s: %w", ErrUnmade, name, err)
	}
	if a, ok := findHost(text, name); ok {
		return a, nil
	}
	return address{}, fmt.Errorf("%w: %s does not hold %q, and no name server is asked for a check", ErrUnmade, file, name)
}

// findHost is the first address of a name in the text of /etc/hosts.
func findHost(text []byte, name string) (address, bool) {
	for _, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		for i := 1; i < len(f); i++ {
			if strings.EqualFold(f[i], name) {
				if a, ok := parseAddress(f[0]); ok {
					return a, true
				}
			}
		}
	}
	return address{}, false
}
