package ccs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The new file and the copy of the old one have the label, the owner and the mode of the file: it holds fence passwords.
func TestUpdateKeepsLabelAndOwner(t *testing.T) {
	const name = "security.selinux"
	path := write(t, t.TempDir(), oldConf)
	label := []byte("system_u:object_r:cluster_conf_t:s0\x00")
	if err := unix.Setxattr(path, name, label, 0); errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		t.Skipf("skipped: a security label cannot be set here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	owner := os.Getuid()
	if owner == 0 {
		owner = 1234
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	r, err := Update(context.Background(), path, Options{}, addVM("1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, r.Backup} {
		got := make([]byte, 256)
		n, err := unix.Getxattr(p, name, got)
		if err != nil || !bytes.Equal(got[:n], label) {
			t.Errorf("%s: label %q %v", p, got[:max(n, 0)], err)
		}
		var st unix.Stat_t
		if err := unix.Stat(p, &st); err != nil || int(st.Uid) != owner || st.Mode&0o777 != 0o604 {
			t.Errorf("%s: owner %d, mode %o, %v", p, st.Uid, st.Mode, err)
		}
	}
}
