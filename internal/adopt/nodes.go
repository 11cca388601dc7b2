package adopt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
	"github.com/lbvm/lbvm/internal/lockfile"
	"github.com/lbvm/lbvm/internal/run"
)

// Asked is what one node asks another of a VM that is to be adopted.
type Asked struct {
	Type, VM string
	Devices  []string
	Bridges  []string
	Nets     []string
	Own      []string // what no VM of that node may have
}

// Probe looks at this node on behalf of another: nothing of the VM is here, and all that it needs is. What is wrong is
// told in words; nothing is said where all is well.
func (a Adopter) Probe(ctx context.Context, q Asked) (wrong []string, devices []Device) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	d, err := hypervisor.New(q.Type, a.Driver)
	if err != nil {
		return []string{err.Error()}, nil
	}
	switch x, err := hypervisor.DetailOf(ctx, d, q.VM); {
	case err != nil:
		say("%v", err)
	case x.NoProgram:
		say("%v", hypervisor.ErrNoProgram)
	case x.State != hypervisor.Absent:
		say("it has a %s:%s of its own, which is %s", q.Type, q.VM, x.State)
	}
	if q.Type == "xen" {
		starts, err := a.xendomains(q.VM)
		if err != nil {
			say("%v", err)
		}
		for _, f := range starts {
			say("its xendomains would start %s from %s: move that away", q.VM, f.Path)
		}
	}
	for _, b := range q.Bridges {
		if _, err := os.Stat(a.Host.Path(filepath.Join("/sys/class/net", b, "bridge"))); err != nil || host.CheckName(b) != nil {
			say("it has no bridge %s%s", b, oneText)
		}
	}
	for _, n := range q.Nets {
		kind, name, _ := strings.Cut(n, " ")
		path := filepath.Join("/sys/class/net", name)
		if kind+" " == hypervisor.NetNetwork {
			path = filepath.Join(libvirtDir, "qemu/networks", name+".xml")
		}
		if there, err := exists(a.Host.Path(path)); err != nil || !there || host.CheckName(name) != nil {
			say("it has no %s%s", n, oneText)
		}
	}
	used, err := a.users(q.Type, q.VM, q.Own)
	if err != nil {
		say("%v", err)
	}
	wrong = append(wrong, used...)
	for _, path := range q.Devices {
		x, err := a.device(ctx, path)
		if err != nil {
			say("%v", err)
			continue
		}
		devices = append(devices, x)
	}
	return wrong, devices
}

// ask asks one other node.
func (a Adopter) ask(ctx context.Context, member string, p Plan) error {
	cure := fmt.Sprintf("see yourself that nothing of %s is there and that it sees %s, and say --checked %s", p.Ref(), a.ID.Shared, member)
	if a.Peer == nil {
		return fmt.Errorf("%s cannot be asked: %s", member, cure)
	}
	args := []string{"add", "--probe"}
	for _, b := range p.Bridges {
		args = append(args, "--bridge", b)
	}
	for _, d := range p.Devices {
		args = append(args, "--device", d)
	}
	for _, n := range p.Nets {
		args = append(args, "--net", strings.Replace(n, " ", ":", 1)) // as one word for its shell
	}
	for _, path := range p.Own {
		if there, err := a.onShared(path); err == nil && there != "" {
			path = there
		} else if !slices.Contains(p.Devices, path) {
			continue // of this node
		}
		args = append(args, "--own", path)
	}
	r, err := a.Peer(ctx, member, append(args, "--", p.Ref())...)
	if err != nil {
		return fmt.Errorf("%s cannot be asked (%w): %s", member, err, cure)
	}
	said := strings.Split(strings.TrimSpace(string(r.Stdout)), "\n")
	if r.Code != 0 || said[len(said)-1] != probeOK {
		said = slices.DeleteFunc(said, func(l string) bool { return strings.HasPrefix(l, deviceWord) })
		return fmt.Errorf("%s says: %s", member, strings.Join(strings.Fields(strings.Join(said, " ")+" "+string(r.Stderr)), " "))
	}
	for _, path := range p.Devices {
		own, err := a.device(ctx, path)
		if err != nil {
			return err
		}
		if !slices.Contains(said, own.String()) {
			return fmt.Errorf("%s has another device at %s: here it is %s, there %s", member, path, own, strings.Join(said[:len(said)-1], ", "))
		}
	}
	return nil
}

// oneText is what is to be done about what has another name on another node.
const oneText = " (a VM has one configuration for all nodes: give it that name there too)"

// probeOK ends the answer of a node on which all is well.
const probeOK = "ok"

// Answer is what a probed node says.
func Answer(wrong []string, devices []Device) string {
	var b strings.Builder
	for _, d := range devices {
		fmt.Fprintln(&b, d)
	}
	if len(wrong) == 0 {
		fmt.Fprintln(&b, probeOK)
	} else {
		fmt.Fprintln(&b, strings.Join(wrong, "; "))
	}
	return b.String()
}

// Device is what a VM needs on every node and what is not copied: a block device, a kernel, a DRBD resource; told by what
// every node must see alike.
type Device struct {
	Path  string
	Bytes int64
	Head  string // of its first 64 KiB
}

func (d Device) String() string { return fmt.Sprintf(deviceWord+"%s %d %s", d.Path, d.Bytes, d.Head) }

const deviceWord = "device "

// drbdPrefix stands before the name of a DRBD resource in the place of a path.
const drbdPrefix = "drbd:"

func (a Adopter) device(ctx context.Context, path string) (Device, error) {
	if name, ok := strings.CutPrefix(path, drbdPrefix); ok {
		return Device{Path: path, Head: "known"}, a.drbd(ctx, name)
	}
	f, err := os.Open(a.Host.Path(path))
	if errors.Is(err, unix.EMEDIUMTYPE) || errors.Is(err, unix.EROFS) { // a DRBD device that is secondary here
		return Device{Path: path, Head: "secondary"}, nil
	}
	if err != nil {
		return Device{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return Device{}, err
	}
	d := Device{Path: path}
	switch {
	case fi.Mode().Type() == fs.ModeDevice && unix.Major(uint64(fi.Sys().(*syscall.Stat_t).Rdev)) == drbdMajor:
		return Device{Path: path, Head: "secondary"}, nil // of which one node may read, and the other not
	case fi.Mode().Type() == fs.ModeDevice:
		// What this node has read before may be older than what is there.
		if err := unix.IoctlSetInt(int(f.Fd()), unix.BLKFLSBUF, 0); err != nil && !errors.Is(err, unix.EACCES) {
			return d, fmt.Errorf("%s: %w", path, err)
		}
	case !fi.Mode().IsRegular():
		return Device{}, fmt.Errorf("%s is neither a block device nor a file", path)
	}
	if d.Bytes, err = f.Seek(0, io.SeekEnd); err != nil {
		return d, err
	}
	head := make([]byte, min(d.Bytes, 64<<10))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return d, err
	}
	d.Head = sum(head)[:16]
	return d, nil
}

// drbdMajor is the device number that DRBD has in every kernel.
const drbdMajor = 147

// drbd looks whether this node knows a resource.
func (a Adopter) drbd(ctx context.Context, name string) error {
	program, err := a.Host.Lookup("drbdadm")
	if err != nil {
		return fmt.Errorf("DRBD resource %s: %w", name, err)
	}
	r, err := a.Query.Run(ctx, run.Command{Argv: []string{program, "role", name}, Env: a.Host.Environ()})
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("DRBD resource %s: drbdadm role: exit %d: %s", name, r.Code, lastLines(r.Stderr))
	}
	return nil
}

func sameFS(a, b string) (bool, error) {
	var x, y unix.Stat_t
	if err := errors.Join(unix.Lstat(a, &x), unix.Lstat(b, &y)); err != nil {
		return false, err
	}
	return x.Dev == y.Dev, nil
}

// Join makes this node's links to a VM that another node has adopted, or is adopting. That it begins is noted on the
// shared storage first: an undo must know of links that a killed run has asked for.
func (a Adopter) Join(ctx context.Context, p Plan) (err error) {
	lock, err := lockfile.Acquire(ctx, a.Wait, filepath.Join(a.Shared, joinLock), "lbm add --join "+p.Ref()+" on "+a.ID.Member)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	file := a.joinedFile(p, a.ID.Member)
	// What was read before the lock may be taken back by now.
	if _, err := readPlan(filepath.Dir(file)); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if back, err := exists(filepath.Join(filepath.Dir(file), backFile)); err != nil || back {
		return errors.Join(fmt.Errorf("%w: the adoption of %s is being taken back", ErrRefused, p.Ref()), err)
	}
	there, err := a.linked(p)
	if err != nil {
		return err
	}
	if !there {
		d, err := hypervisor.New(p.Type, a.Driver)
		if err != nil {
			return err
		}
		begun, err := exists(file)
		if err != nil {
			return err
		}
		if x, err := hypervisor.DetailOf(ctx, d, p.VM); !begun && (err != nil || x.State != hypervisor.Absent) {
			return errors.Join(fmt.Errorf("%w: this node has a %s of its own, which is %s", ErrRefused, p.Ref(), x.State), err)
		}
	}
	if err := removeTemps(file); err != nil { // of a run that was killed here
		return err
	}
	if err := atomicfile.Write(file, nil, atomicfile.Options{Mode: 0o600}); err != nil {
		return err
	}
	if err := a.makeLinks(p, func(string) error { return nil }); err != nil {
		return err
	}
	return atomicfile.Write(file, []byte(hasLinks), atomicfile.Options{Mode: 0o600})
}

// Leave removes this node's links.
func (a Adopter) Leave(ctx context.Context, p Plan) (err error) {
	lock, err := lockfile.Acquire(ctx, a.Wait, filepath.Join(a.Shared, joinLock), "lbm add --leave "+p.Ref()+" on "+a.ID.Member)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	d, err := hypervisor.New(p.Type, a.Driver)
	if err != nil {
		return err
	}
	if x, err := hypervisor.DetailOf(ctx, d, p.VM); err == nil && !x.State.Clean() { // started by hand, by those links
		return fmt.Errorf("%w: %s is %s on %s: shut it down first", ErrRefused, p.Ref(), x.State, a.ID.Member)
	}
	if err := a.removeLinks(p, func(string) error { return nil }); err != nil {
		return err
	}
	if err := os.Remove(a.joinedFile(p, a.ID.Member)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// noCommand is the exit code of a shell that knows no lbm.
const noCommand = 127

const (
	joinLock = "lbvm/lock/adopt-join" // held while a node makes or removes its links
	hasLinks = "linked\n"             // what a node has noted when its links are there
	backFile = "undo"                 // beside the plan: it is being taken back, no node makes links any more
)

// hasJoined tells whether a node has noted that its links are there.
func (w *work) hasJoined(member string) (bool, error) {
	b, err := os.ReadFile(w.joinedFile(w.p, member))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return string(b) == hasLinks, err
}

// joinedFile notes on the shared storage that a node has its links.
func (a Adopter) joinedFile(p Plan, member string) string {
	for _, dir := range []string{Unfinished, Finished} {
		if path := filepath.Join(a.Shared, dir, p.key()); dir == Finished || isPlan(path) {
			return filepath.Join(path, "joined."+member)
		}
	}
	return ""
}

// isPlan: a folder without a plan is of a run that has not begun, or was taken back.
func isPlan(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "plan"))
	return err == nil
}

func isDir(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.IsDir()
}

// peers are the other nodes that need links.
func (w *work) peers() ([]string, error) {
	if len(w.p.Links) == 0 || w.p.Type != "openvz" {
		return nil, nil
	}
	nodes, err := w.registry().nodes(context.Background())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(nodes, func(n string) bool { return n == w.ID.Member }), nil
}

// joined is never taken for granted: each run asks once more, those that have said so are left alone.
func (w *work) joined() (bool, error) {
	peers, err := w.peers()
	if err != nil {
		return false, err
	}
	for _, n := range peers {
		if there, err := w.hasJoined(n); err != nil || !there && !slices.Contains(w.left, w.lacks(n)) {
			return false, err
		}
	}
	return true, nil
}

func (w *work) lacks(member string) string {
	return fmt.Sprintf("%s has no link yet: run there lbm add --join %s", member, w.p.Ref())
}

func (w *work) joinAll(ctx context.Context) error {
	peers, err := w.peers()
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(w.dir, backFile)); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an undo that was broken off
		return err
	}
	for _, n := range peers {
		if there, err := w.hasJoined(n); err != nil {
			return err
		} else if there {
			continue
		}
		if err := w.at("nodes/" + n); err != nil {
			return err
		}
		if w.Peer != nil && !slices.Contains(w.p.Vouched, n) {
			if r, err := w.Peer(ctx, n, "add", "--join", "--", w.p.Ref()); err == nil && r.Code == 0 {
				if there, err := w.hasJoined(n); err != nil {
					return err
				} else if there {
					continue
				}
			}
		}
		w.left = append(w.left, w.lacks(n)) // a start there fails, and the manager tries another node
	}
	return nil
}

// leaveAll removes the links of the nodes that have told of theirs.
func (w *work) leaveAll(ctx context.Context) error {
	peers, err := w.peers()
	if err != nil {
		return err
	}
	if len(peers) == 0 {
		return nil
	}
	if err := w.noMoreJoins(ctx); err != nil {
		return err
	}
	for _, n := range peers {
		file := w.joinedFile(w.p, n)
		if there, err := exists(file); err != nil {
			return err
		} else if !there {
			continue
		}
		if err := w.at("undo:nodes/" + n); err != nil {
			return err
		}
		if w.Peer != nil {
			if r, err := w.Peer(ctx, n, "add", "--leave", "--", w.p.Ref()); err == nil && r.Code == 0 {
				continue
			} else if err == nil && r.Code != noCommand {
				return fmt.Errorf("%s: %s", n, lastLines(r.Stderr))
			}
		}
		// A link that leads nowhere starts nothing.
		var paths []string
		for _, l := range w.p.Links {
			paths = append(paths, l.Path)
		}
		w.left = append(w.left, fmt.Sprintf("%s could not be asked to remove its links, which lead nowhere now: run there rm %s", n, strings.Join(paths, " ")))
	}
	return nil
}

// noMoreJoins waits for a node that makes its links at this moment, asked by a run that was killed, and lets none begin.
func (w *work) noMoreJoins(ctx context.Context) error {
	if err := w.at("undo:nodes/mark"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.dir, backFile), nil, 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	lock, err := lockfile.Acquire(ctx, w.Wait, filepath.Join(w.Shared, joinLock), "lbm add --undo "+w.p.Ref()+" on "+w.ID.Member)
	if err != nil {
		return err
	}
	return lock.Close()
}
