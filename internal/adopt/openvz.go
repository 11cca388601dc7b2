package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lbvm/lbvm/internal/hypervisor"
)

const vzConfs, vzConf, vzNames = "/etc/vz/conf", "/etc/vz/vz.conf", "/etc/vz/names"

// actionScripts of a container travel with its configuration (vzctl(8)).
func actionScripts() []string {
	return []string{"premount", "mount", "start", "stop", "umount", "postumount"}
}

// inspectOpenVZ plans for /etc/vz/conf/N.conf.
func inspectOpenVZ(ctx context.Context, a Adopter, p *Plan, src []byte) error {
	base := filepath.Base(p.Config)
	p.VM = strings.TrimSuffix(base, ".conf")
	if filepath.Dir(p.Config) != vzConfs || p.VM+".conf" != base || strings.Trim(p.VM, "0123456789") != "" || p.VM == "" || p.VM == "0" {
		return fmt.Errorf("%s is no %s/N.conf, where alone vzctl looks", p.Config, vzConfs)
	}
	node, err := os.ReadFile(a.Host.Path(vzConf))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	places := map[string]string{}
	for _, key := range []string{"VE_PRIVATE", "VE_ROOT"} {
		value := keyValue(src, key)
		if value == "" {
			value = keyValue(node, key) // this node's own default, which another need not have
		}
		value = strings.NewReplacer("${VEID}", p.VM, "$VEID", p.VM).Replace(value)
		if !filepath.IsAbs(value) || strings.ContainsAny(value, "$`\\\"") {
			return fmt.Errorf("%s: %s=%q is not an absolute path", p.Config, key, value)
		}
		places[key] = filepath.Clean(value)
	}
	private := places["VE_PRIVATE"]
	p.Own = append(p.Own, private)
	p.Root = places["VE_ROOT"]
	there, err := a.onShared(private)
	if err != nil {
		return fmt.Errorf("the private area: %w", err)
	}
	if there != "" {
		private = there
	} else {
		to := a.sharedPath("openvz/private", p.VM)
		p.Copies = append(p.Copies, Copy{From: private, To: to, Tree: true})
		private = to
	}
	if old := keyValue(src, "DISK_QUOTA"); old != "no" {
		p.Notes = append(p.Notes, `DISK_QUOTA="no" is written: a node would believe what it counted when the container was last on it`)
	}
	text, err := setKeys(src, [2]string{"VE_ROOT", p.Root}, [2]string{"VE_PRIVATE", private}, [2]string{"ONBOOT", "no"}, [2]string{"DISK_QUOTA", "no"})
	if err != nil {
		return fmt.Errorf("%s: %w", p.Config, err)
	}
	add := func(path string, body, old []byte) {
		to := a.sharedPath("openvz/conf", filepath.Base(path))
		p.Retire = append(p.Retire, File{Path: path, Sum: sum(old)})
		p.Texts = append(p.Texts, Text{Path: to, Like: path, Body: body})
		p.Links = append(p.Links, Link{Path: path, To: to})
	}
	add(p.Config, text, src)
	for _, kind := range actionScripts() {
		path := filepath.Join(vzConfs, p.VM+"."+kind)
		body, err := os.ReadFile(a.Host.Path(path))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		add(path, body, body)
	}
	for _, card := range strings.Split(keyValue(src, "NETIF"), ";") {
		p.Bridges = append(p.Bridges, bridgesOf(card)...)
	}
	for _, dev := range strings.Fields(keyValue(src, "NETDEV")) {
		p.Nets = append(p.Nets, hypervisor.NetInterface+dev)
	}
	if name := keyValue(src, "NAME"); name != "" {
		if _, err := os.Lstat(a.Host.Path(filepath.Join(vzNames, name))); err == nil {
			p.Notes = append(p.Notes, fmt.Sprintf("on the other nodes the name %s is not made: there vzctl set %s --name %s --save", name, p.VM, name))
		}
	}
	return nil
}

// bridgesOf reads `mac=...,bridge=br0`.
func bridgesOf(card string) []string {
	var out []string
	for _, part := range strings.Split(card, ",") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(part), "bridge="); ok && name != "" {
			out = append(out, name)
		}
	}
	return out
}
