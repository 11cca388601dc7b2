package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/lbvm/lbvm/internal/real"
)

const (
	peerDir  = "/usr/lib/ocf/resource.d/heartbeat"
	sbin     = "/usr/sbin"
	peerPath = "/usr/sbin:/usr/bin:/sbin:/bin"
)

// peers are the rows of g's peer, with the unmodified agent.
func (g guest) peers(t testing.TB) []row {
	t.Helper()
	agent := filepath.Join(peerDir, g.peer.name)
	if why := noPeer(agent); why != "" {
		t.Logf("not measured: %s: %s", g.peer.name, why)
		return nil
	}
	dir := t.TempDir()
	params, file, text := g.peer.params(dir, g.vm)
	if file != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(append(pacemaker(g.peer.name), params...), "PATH="+peerPath)
	return []row{
		{program: program{g.peer.name + " monitor", []string{agent, "monitor"}, env}, tool: g.tool},
		{program: program{g.peer.name + " meta-data", []string{agent, "meta-data"}, []string{"OCF_ROOT=/usr/lib/ocf", "PATH=" + peerPath}}},
	}
}

// noPeer is why a peer cannot be measured; "" where it can.
func noPeer(agent string) string {
	if v, _ := os.LookupEnv(real.RequireVariable); v == "1" {
		return ""
	}
	if _, err := os.Stat(agent); err != nil {
		return err.Error()
	}
	if os.Geteuid() != 0 {
		return "only root can lay a tool over " + sbin
	}
	return ""
}

// withTools runs do where the peers find tools that answer at once: ManageVE calls /usr/sbin/vzctl by its path. They
// lie over /usr/sbin in a mount namespace that only do and what it starts can see. Ours run there as well.
func withTools(t *testing.T, do func(t *testing.T)) {
	t.Helper()
	tools := t.TempDir()
	any := false
	for _, g := range guests(t) {
		if noPeer(filepath.Join(peerDir, g.peer.name)) != "" {
			continue
		}
		any = true
		newTool(t, tools, g.tool, g.says)
		if g.peer.tool != "" {
			newTool(t, tools, g.peer.tool, g.peer.says)
		}
	}
	if err := os.Chmod(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	if any {
		// The thread is not given back: it ends with the test's goroutine, and the namespace with it.
		runtime.LockOSThread()
		if err := layOver(tools); err != nil {
			t.Fatalf("laying tools over %s: %v", sbin, err)
		}
	}
	do(t)
}

func layOver(tools string) error {
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return fmt.Errorf("a mount namespace: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if strings.ContainsAny(tools, ":,") {
		return fmt.Errorf("%q cannot be part of an overlay", tools)
	}
	if err := syscall.Mount("overlay", sbin, "overlay", 0, "lowerdir="+tools+":"+sbin); err != nil {
		return fmt.Errorf("an overlay: %w", err)
	}
	return nil
}
