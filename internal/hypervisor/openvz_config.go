package hypervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/host"
)

// Guest reads the container's configuration.
func (o *openVZ) Guest(ctx context.Context, vm string, _ map[string]string) (Guest, error) {
	if err := checkVZName(vm); err != nil {
		return Guest{}, err
	}
	if err := ctx.Err(); err != nil {
		return Guest{}, err
	}
	h := o.tools.Host
	path := h.Path(filepath.Join(vzConfs, vm+".conf"))
	b, err := os.ReadFile(path)
	if err != nil {
		return Guest{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	conf := parseVZConf(b)
	private := conf.get("VE_PRIVATE")
	if private == "" { // the node's own default then, as vzctl does
		global, err := os.ReadFile(h.Path(vzConf))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Guest{}, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		private = parseVZConf(global).get("VE_PRIVATE")
	}
	private = strings.NewReplacer("${VEID}", vm, "$VEID", vm).Replace(private)
	if !strings.HasPrefix(private, "/") || strings.ContainsAny(private, "$`") {
		return Guest{}, fmt.Errorf("%w: %s: VE_PRIVATE=%q is not an absolute path", ErrConfig, path, private)
	}
	g := Guest{Name: vm, Config: path, Mem: conf.memory()}
	for _, w := range vzWitnesses() {
		g.Witnesses = append(g.Witnesses, Witness{Path: within(h.Path(private), w)})
	}
	return g, nil
}

// vzWitnesses are files below the private area that a boot of a usual distribution writes, or vzctl when it sets the
// container up. One that does not exist is a witness too. They belong to the guest: do not follow a link there.
func vzWitnesses() []string {
	return []string{
		"etc/mtab", "etc/resolv.conf", "etc/hosts", "etc/sysconfig/network", "etc/network/interfaces",
		"etc/sysconfig/network-scripts/ifcfg-venet0:0", "etc/blkid/blkid.tab",
		"var/run/utmp", "run/utmp", "var/log/wtmp", "var/log/lastlog", "var/log/boot.log", "var/log/dmesg", "var/log/messages", "var/log/syslog",
		"var/lib/random-seed", "var/lib/urandom/random-seed", "var/lib/systemd/random-seed", "var/lock/subsys/local",
		"root.hdd/root.hdd", "root.hdd/DiskDescriptor.xml", // ploop: the whole guest is in here
	}
}

// vzConfig is the text of a container's or the global configuration; the last line of a key counts.
type vzConfig map[string]string

func (c vzConfig) get(key string) string { return c[key] }

// parseVZConf reads KEY=value lines as vzctl does: a comment is a line that begins with #, a value may stand between
// quotes, what stands behind the last quote is passed over, and so is a line that is not KEY=value.
func parseVZConf(b []byte) vzConfig {
	conf := vzConfig{}
	for _, line := range bytes.Split(b, []byte("\n")) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
		if !ok || key == "" || key[0] == '#' || strings.ContainsAny(key, " \t") {
			continue
		}
		if rest, quoted := strings.CutPrefix(value, `"`); quoted {
			end := strings.LastIndexByte(rest, '"')
			if end < 0 {
				continue
			}
			value = rest[:end]
		}
		conf[key] = unescape(value)
	}
	return conf
}

func unescape(s string) string {
	if !strings.ContainsRune(s, '\\') {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// memory is what the container may use at most: PHYSPAGES where it is limited (vswap), else PRIVVMPAGES (older
// containers), else RAM. 0 is unknown or unlimited.
func (c vzConfig) memory() int64 {
	for _, key := range []string{"PHYSPAGES", "PRIVVMPAGES"} {
		if n := vzSize(c[key], vzPage); n > 0 {
			return n
		}
	}
	return vzSize(c["RAM"], 1)
}

// vzSize reads `barrier:limit` or `limit`, in units or with a suffix that means bytes. Beyond 64 TiB it is no limit.
func vzSize(v string, unit int64) int64 {
	const most = 64 << 40
	if _, limit, ok := strings.Cut(v, ":"); ok {
		v = limit
	}
	if v == "" {
		return 0
	}
	switch v[len(v)-1] {
	case 'g', 'G':
		unit = 1 << 30
	case 'm', 'M':
		unit = 1 << 20
	case 'k', 'K':
		unit = 1 << 10
	case 'p', 'P':
		unit = vzPage
	case 'b', 'B':
		unit = 1
	}
	n, err := strconv.ParseInt(strings.TrimRight(v, "gGmMkKpPbB"), 10, 64)
	if err != nil || n <= 0 || n == 1<<31-1 || n > most/unit { // 2^31-1 is how a 32-bit vzctl writes unlimited
		return 0
	}
	return n * unit
}

// Guests are the containers that run here.
func (o *openVZ) Guests(ctx context.Context) ([]host.GuestFact, error) {
	r, err := o.tools.ask(ctx, vzlist, "-H", "-o", "ctid,status,physpages")
	if said(err, "ctid") { // before 3.0.23 the column was called veid
		r, err = o.tools.ask(ctx, vzlist, "-H", "-o", "veid,status,physpages")
	}
	if said(err, "(s) not found") { // none runs; newer ones end with 0 then
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	return parseVZList(r.Stdout)
}

// Version is vzctl's.
func (o *openVZ) Version(ctx context.Context) (tool, version string, err error) {
	r, err := o.tools.ask(ctx, vzctl, "--version")
	if err != nil {
		return vzctl, "", err
	}
	version, err = parseVZVersion(r.Stdout)
	return vzctl, version, err
}

// FreeMemory is not OpenVZ's to say: the kernel's free memory is what a container could have.
func (o *openVZ) FreeMemory(context.Context) (int64, error) { return 0, nil }
