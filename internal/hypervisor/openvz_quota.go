package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Forbidder is a driver that knows what of a node's set-up makes any start of the VM on it unsafe, whoever asks for it.
type Forbidder interface {
	// Forbids is nil, or says what. shared is where the shared storage lies.
	Forbids(vm, shared string) error
}

var _ Forbidder = (*openVZ)(nil)

// Forbids looks where vzctl keeps its locks. A lock names a process id, which vzctl looks for in its own /proc: on shared
// storage a node takes another's lock for a dead one's and breaks it.
func (o *openVZ) Forbids(vm, shared string) error {
	text, err := os.ReadFile(o.tools.Host.Path(vzConf))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if locks := o.lockDir(parseVZConf(text)); shared != "" && below(o.tools.Host.Path(locks), shared) {
		return fmt.Errorf("%s: LOCKDIR=%s lies on the shared storage, where vzctl of one node breaks the locks of another; let it be a folder of this node", vzConf, locks)
	}
	return nil
}

func (o *openVZ) lockDir(node vzConfig) string {
	if dir := node.get("LOCKDIR"); dir != "" {
		return dir
	}
	return "/vz/lock"
}

const vzquota = "vzquota"

// dropQuota drops what this node counted when the container was last on it: vzctl would believe it, however old it is.
// Counted anew, a container has the right numbers and its start takes longer. It costs no start where it fails.
func (o *openVZ) dropQuota(ctx context.Context, vm string) {
	h := o.tools.Host
	if _, err := os.Lstat(h.Path("/var/vzquota/quota." + vm)); err != nil {
		return
	}
	var conf [2]vzConfig
	for i, file := range []string{filepath.Join(vzConfs, vm+".conf"), vzConf} {
		text, err := os.ReadFile(h.Path(file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			o.tools.note("its quota file is left as it is: %v", err)
			return
		}
		conf[i] = parseVZConf(text)
	}
	get := func(key string) string {
		if v := conf[0].get(key); v != "" {
			return v
		}
		return conf[1].get(key)
	}
	if get("DISK_QUOTA") == "no" {
		return
	}
	if n := get("QUOTAUGIDLIMIT"); n != "" && n != "0" { // limits of the container's own users lie in that file and nowhere else
		o.tools.note("QUOTAUGIDLIMIT=%s: this node's quota file of %s is kept, and may be older than the container; write DISK_QUOTA=no", n, vm)
		return
	}
	if err := o.tools.change(ctx, vzquota, "drop", vm); err != nil {
		o.tools.note("this node's old quota file of %s could not be dropped: %v", vm, err)
	}
}
