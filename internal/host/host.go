// Package host is this node as our programs see it: the root below which everything
// lies, its name and boot, the cluster it belongs to, the shared storage, and the facts
// that it publishes there and reads of others.
//
// Every absolute path is joined with the root (Path). A process takes the root from one
// variable, LBVM_ROOT, empty on a real node. Agents learn who they are from the
// node-local /etc/cluster/lbvm.id alone, which `lbm init` writes.
package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// RootVariable names the one variable from which a process takes its root.
const RootVariable = "LBVM_ROOT"

// Host is a node below a root. The zero value is the machine itself.
type Host struct{ root string }

// New is the node below root. A relative root is refused.
func New(root string) (Host, error) {
	if root == "" {
		return Host{}, nil
	}
	if !filepath.IsAbs(root) {
		return Host{}, fmt.Errorf("%s=%q is not an absolute path", RootVariable, root)
	}
	if root = filepath.Clean(root); root == "/" {
		return Host{}, nil
	}
	return Host{root}, nil
}

// FromEnviron finds the root in an environment.
func FromEnviron(environ []string) (Host, error) {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, RootVariable+"="); ok {
			return New(v)
		}
	}
	return Host{}, nil
}

// Root is "" on a real node.
func (h Host) Root() string { return h.root }

// Path is where an absolute path of the node lies. No ".." leads out of the root.
func (h Host) Path(abs string) string {
	if h.root == "" {
		return abs
	}
	return filepath.Join(h.root, filepath.Clean("/"+abs))
}

// Paths of ours on every node.
const (
	IDFile     = "/etc/cluster/lbvm.id"
	RunDir     = "/var/run/lbvm"
	ConfFile   = "/etc/cluster/lbvm.conf"
	ClusterXML = "/etc/cluster/cluster.conf"
	LibexecDir = "/usr/libexec/lbvm"
	AgentDir   = "/usr/share/cluster"
)

// Name is the node's own name, from /etc/hostname.
func (h Host) Name() (string, error) {
	b, err := os.ReadFile(h.Path("/etc/hostname"))
	if err != nil {
		if h.root == "" && errors.Is(err, os.ErrNotExist) { // CentOS 5 and 6 have no such file
			return os.Hostname()
		}
		return "", fmt.Errorf("reading this node's name: %w", err)
	}
	name := strings.TrimSpace(string(b))
	if err := CheckName(name); err != nil {
		return "", fmt.Errorf("this node's name in %s: %w", h.Path("/etc/hostname"), err)
	}
	return name, nil
}

// BootID is the kernel's id of this boot.
func (h Host) BootID() (string, error) {
	b, err := os.ReadFile(h.Path("/proc/sys/kernel/random/boot_id"))
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	id := string(bytes.TrimSpace(b))
	if id == "" {
		return "", errors.New("reading the boot id: it is empty")
	}
	return id, nil
}

var programDirs = [...]string{"/sbin", "/bin", "/usr/sbin", "/usr/bin"}

// Lookup finds a program in /sbin, /bin, /usr/sbin and /usr/bin below the root.
func (h Host) Lookup(program string) (string, error) {
	if p, ok := h.Has(program); ok {
		return p, nil
	}
	return "", fmt.Errorf("%s: %w in %s below %q", program, os.ErrNotExist, strings.Join(programDirs[:], " "), h.root+"/")
}

// Has is Lookup for what need not be there: every status check of a guest asks so, and an error that nobody reads costs
// it more than the looking.
func (h Host) Has(program string) (path string, ok bool) {
	if strings.ContainsRune(program, '/') {
		return "", false // a name is asked for, and no ".." leads out of the root
	}
	for _, dir := range programDirs {
		p := h.root + dir + "/" + program
		if fi, err := os.Stat(p); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return p, true
		}
	}
	return "", false
}

// Environ is the environment of the programs that we run: rgmanager gives us neither PATH nor HOME, and ssh
// and vzmigrate need both.
func (h Host) Environ() []string {
	r := h.root // at once: every status check of a guest makes one
	return h.environ("PATH=" + r + programDirs[0] + ":" + r + programDirs[1] + ":" + r + programDirs[2] + ":" + r + programDirs[3])
}

// ShellEnviron is the environment of an administrator's own command: the machine's programs are found behind the root's.
func (h Host) ShellEnviron() []string {
	dirs := make([]string, 0, 2*len(programDirs))
	for _, d := range programDirs {
		dirs = append(dirs, h.Path(d))
	}
	if h.root != "" {
		dirs = append(dirs, programDirs[:]...)
	}
	return h.environ("PATH=" + strings.Join(dirs, ":"))
}

func (h Host) environ(path string) []string {
	env := append(make([]string, 0, 4), path, "HOME=/root", "LC_ALL=C")
	if h.root != "" {
		env = append(env, RootVariable+"="+h.root)
	}
	return env
}

// ErrName says that a name cannot be one of a node, VM or service.
var ErrName = errors.New("not a valid name")

// MaxName is the longest name in bytes; rgmanager keeps TYPE:NAME in 64.
const MaxName = 50

// CheckName tells whether a name may be part of a path, a journal and a command line: letters, digits and
// `_ . : + -`, not beginning with `.` or `-`.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName || name[0] == '.' || name[0] == '-' {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_.:+-", r):
		default:
			return fmt.Errorf("%w: %q holds %q", ErrName, name, r)
		}
	}
	return nil
}
