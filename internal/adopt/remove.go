package adopt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/host"
)

// Removed is the folder of the VMs that were given back, below the shared storage.
const Removed = "lbvm/removed"

const removedSuffix = ".lbvm-removed"

// Removal is what gives a VM back to one node.
type Removal struct {
	Element string   `json:"element"` // of cluster.conf, or of Pacemaker's resources, as it stands there
	Group   string   `json:"group"`   // that holds the VM alone, as the manager names it
	Name    string   `json:"name"`    // of lbvm.conf, as it stands there; "" is not there
	Files   []Text   `json:"files"`   // the configuration and what belongs to it: Path on this node, Like on the shared storage
	Asked   []string `json:"asked"`   // nodes that have links
	// Constraints of Pacemaker's that go with the resource.
	Constraints []string `json:"constraints,omitempty"`
}

// LookRemoval checks and plans how the VM is given back to this node. It changes nothing. That its service is disabled is
// for the caller to see to. Every error is ErrRefused.
func (a Adopter) LookRemoval(ctx context.Context, typ, vm string) (Plan, error) {
	p, err := a.lookRemoval(ctx, typ, vm)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return p, nil
}

func (a Adopter) lookRemoval(ctx context.Context, typ, vm string) (Plan, error) {
	p, err := a.Known(typ + ":" + vm)
	if err != nil {
		return p, err
	}
	if isDir(filepath.Join(a.Shared, Unfinished, p.key())) {
		if _, err := readPlan(filepath.Join(a.Shared, Unfinished, p.key())); err == nil {
			return p, fmt.Errorf("an adoption or a removal of %s is unfinished: lbm add --resume %s, or --undo", p.Ref(), vm)
		}
	}
	if p.Removal != nil {
		return p, fmt.Errorf("%s was given back to %s", p.Ref(), p.Member)
	}
	gone, err := a.registry().look(ctx, typ, vm)
	if err != nil {
		return p, err
	}
	p.Member, p.Manager, p.Removal, p.Publish, p.Start = a.ID.Member, a.Manager, &gone, false, false
	src, err := os.ReadFile(a.Host.Path(host.ConfFile))
	if err != nil {
		return p, err
	}
	list, _, err := statement(src)
	if err != nil {
		return p, err
	}
	if i := place(list, p.Ref(), p.Balance); i >= 0 {
		p.Removal.Name = list.Items[i].Text
	}
	for i, t := range p.Texts {
		body, err := os.ReadFile(a.Host.Path(t.Path))
		if err != nil {
			return p, err
		}
		path := t.Like // where it was before
		if i < len(p.Links) {
			path = p.Links[i].Path
		}
		if strings.HasPrefix(path, libvirtDir+"/") { // which is libvirtd's alone: a person defines it from here
			path = "/etc/kvm/" + p.VM + ".xml"
		}
		f := Text{Path: path, Like: t.Path, Body: body}
		if ours, err := a.isOurs(Link{Path: path, To: t.Path}); err != nil {
			return p, err
		} else if there, err := exists(a.Host.Path(path)); err != nil {
			return p, err
		} else if there && !ours {
			return p, fmt.Errorf("%s is there on this node, and is no link to %s", path, t.Path)
		}
		p.Removal.Files = append(p.Removal.Files, f)
	}
	nodes, err := a.registry().nodes(ctx)
	if err != nil {
		return p, err
	}
	for _, n := range nodes {
		if there, err := exists(a.joinedFile(p, n)); err != nil {
			return p, err
		} else if there && n != a.ID.Member {
			p.Removal.Asked = append(p.Removal.Asked, n)
		}
	}
	return p, a.mayLeave(ctx, p)
}

// mayLeave looks whether nothing of the VM would be lost or runs.
func (a Adopter) mayLeave(ctx context.Context, p Plan) error {
	dir, err := handoff.Open(a.Shared, p.Type, p.VM)
	if err != nil {
		return err
	}
	st, err := dir.Read()
	if err != nil {
		return err
	}
	if st.Phase != handoff.NoRecord && st.Phase != handoff.Down {
		return fmt.Errorf("its hand-off record says %s: let the cluster start it, give it on_stop=shutdown, and disable it again (lbm remove --help)", strings.TrimSpace(st.Phase.String()+" "+st.Node))
	}
	return a.down(ctx, p)
}

// Remove goes through all steps of a plan that LookRemoval has made. What fails is undone. Resume and Undo do for it what
// they do for an adoption.
func (a Adopter) Remove(ctx context.Context, p Plan) (err error) {
	w, err := a.locked(ctx, p, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.lock.Close()) }()
	now, err := a.LookRemoval(ctx, p.Type, p.VM) // the lock is held now
	if err != nil {
		return err
	}
	if err := os.RemoveAll(w.dir); err != nil { // without a plan it means nothing
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	now.Publish = p.Publish
	w.p = now
	if err := now.write(w.dir, w.at); err != nil {
		var d died
		if errors.As(err, &d) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrRefused, errors.Join(err, os.RemoveAll(w.dir)))
	}
	return w.forward(ctx, true)
}

// removalSteps give a VM back. The service goes first: no start comes from the cluster any more once that is published, and
// until then the disabled service keeps it off.
func (w *work) removalSteps() []step {
	return []step{
		{"cluster", w.registering(), func() (bool, error) { there, err := w.registered(); return !there, err }, w.unregister, w.reinsert},
		{"lbvm.conf", "update lbvm.conf", w.unlisted, w.unlist, w.relist},
		{"nodes", "remove the links of the other nodes", w.othersLeft, w.askLeave, w.askJoin},
		{"local", "put the configuration on this node", w.local, w.localize, w.relink},
		{"shared", "rename the configuration on the shared storage", w.sharedAway, w.renameShared, w.sharedBack},
		{"record", "put its hand-off record away", w.recordAway, w.putRecordAway, w.recordBack},
		{"finish", "close the journal", w.finished, w.finishRemoval, nothing},
	}
}

func (w *work) reinsert(ctx context.Context) error {
	if there, err := w.registered(); err != nil || there {
		return err
	}
	if err := w.at("undo:cluster/update"); err != nil {
		return err
	}
	return w.registry().restore(ctx, *w.p.Removal)
}

func (w *work) unlisted() (bool, error) {
	listed, err := w.balanced()
	return !listed, err
}

func (w *work) unlist(context.Context) error {
	return w.editConf("lbvm.conf", func(src []byte) ([]byte, error) { return withoutBalance(src, w.p.Balance, w.p.Ref()) })
}

func (w *work) relist(context.Context) error {
	if listed, err := w.balanced(); err != nil || listed || w.p.Removal.Name == "" {
		return err
	}
	return w.editConf("undo:lbvm.conf", func(src []byte) ([]byte, error) { return withBalance(src, w.p.Removal.Name) })
}

func (w *work) leftFile(member string) string { return filepath.Join(w.dir, "left."+member) }

func (w *work) stillLinked(member string) string {
	return fmt.Sprintf("%s could not be asked to remove its links: run there lbm add --leave %s", member, w.p.Ref())
}

func (w *work) othersLeft() (bool, error) {
	for _, n := range w.p.Removal.Asked {
		if there, err := exists(w.leftFile(n)); err != nil || !there && !slices.Contains(w.left, w.stillLinked(n)) {
			return false, err
		}
	}
	return true, nil
}

func (w *work) askLeave(ctx context.Context) error {
	for _, n := range w.p.Removal.Asked {
		if there, err := exists(w.leftFile(n)); err != nil {
			return err
		} else if there {
			continue
		}
		if err := w.at("nodes/" + n); err != nil {
			return err
		}
		if w.Peer != nil {
			if r, err := w.Peer(ctx, n, "add", "--leave", "--", w.p.Ref()); err == nil && r.Code == 0 {
				if err := os.WriteFile(w.leftFile(n), nil, 0o600); err != nil {
					return err
				}
				continue
			} else if err == nil && r.Code != noCommand {
				return fmt.Errorf("%s: %s", n, lastLines(r.Stderr))
			}
		}
		w.left = append(w.left, w.stillLinked(n)) // a link that leads nowhere starts nothing
	}
	return nil
}

// askJoin asks all that had links: one may have removed them for a run that was killed before it could note so.
func (w *work) askJoin(ctx context.Context) error {
	for _, n := range w.p.Removal.Asked {
		if err := w.at("undo:nodes/" + n); err != nil {
			return err
		}
		if w.Peer != nil {
			if r, err := w.Peer(ctx, n, "add", "--join", "--", w.p.Ref()); err == nil && r.Code == 0 {
				continue
			}
		}
		w.left = append(w.left, w.lacks(n))
	}
	return nil
}

// local tells whether each file is this node's own.
func (w *work) local() (bool, error) {
	for _, f := range w.p.Removal.Files {
		fi, err := os.Lstat(w.Host.Path(f.Path))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil || !fi.Mode().IsRegular() {
			return false, err
		}
	}
	return true, nil
}

// localize puts a file in the place of each link, by one rename.
func (w *work) localize(context.Context) error {
	for _, f := range w.p.Removal.Files {
		path := w.Host.Path(f.Path)
		if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() {
			continue
		}
		like := w.Host.Path(f.Like)
		fresh := path + partSuffix
		if err := os.MkdirAll(filepath.Dir(fresh), 0o755); err != nil {
			return err
		}
		if err := removeTemps(fresh); err != nil {
			return err
		}
		if err := atomicfile.Write(fresh, f.Body, atomicfile.Options{Like: like, At: func(x atomicfile.Point) error { return w.at("local/" + filepath.Base(path) + "/" + string(x)) }}); err != nil {
			return err
		}
		if err := w.at("local/rename:" + filepath.Base(path)); err != nil {
			return err
		}
		if err := os.Rename(fresh, path); err != nil { // over the link
			return err
		}
		if err := atomicfile.FsyncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// relink puts the links back where there were some, and keeps what was edited here meanwhile.
func (w *work) relink(context.Context) error {
	for _, f := range w.p.Removal.Files {
		path := w.Host.Path(f.Path)
		if err := removeTemps(path + partSuffix); err != nil {
			return err
		}
		if err := os.Remove(path + partSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		fi, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(b, f.Body) {
			if err := w.rename("undo:local", path, path+editedSuffix); err != nil {
				return err
			}
		} else {
			if err := w.at("undo:local/remove:" + filepath.Base(path)); err != nil {
				return err
			}
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return w.Adopter.makeLinks(w.p, func(point string) error { return w.at("undo:local/" + point) })
}

func (w *work) sharedAway() (bool, error) {
	for _, f := range w.p.Removal.Files {
		if there, err := exists(w.Host.Path(f.Like)); err != nil || there {
			return false, err
		}
	}
	return true, nil
}

func (w *work) renameShared(context.Context) error {
	for _, f := range w.p.Removal.Files {
		path := w.Host.Path(f.Like)
		if there, err := exists(path); err != nil {
			return err
		} else if !there {
			continue
		}
		if err := os.RemoveAll(path + removedSuffix); err != nil { // of an earlier removal
			return err
		}
		if err := w.rename("shared", path, path+removedSuffix); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) sharedBack(context.Context) error {
	for _, f := range w.p.Removal.Files {
		path := w.Host.Path(f.Like)
		if there, err := exists(path); err != nil {
			return err
		} else if there {
			continue
		}
		if err := w.rename("undo:shared", path+removedSuffix, path); err != nil {
			return err
		}
	}
	return nil
}

// recordFolders are where the hand-off's folder and that of the adoption are, and where they are put.
func (w *work) recordFolders() [][2]string {
	return [][2]string{
		{filepath.Join(w.Shared, handoff.Folder, w.p.key()), filepath.Join(w.dir, "handoff")},
		{filepath.Join(w.Shared, Finished, w.p.key()), filepath.Join(w.dir, "adopted", w.p.key())},
	}
}

func (w *work) recordAway() (bool, error) {
	for _, f := range w.recordFolders() {
		if there, err := exists(f[0]); err != nil || there {
			return false, err
		}
	}
	return true, nil
}

func (w *work) putRecordAway(ctx context.Context) error {
	if err := w.mayLeave(ctx, w.p); err != nil { // nobody has started it meanwhile
		return err
	}
	for _, f := range w.recordFolders() {
		if there, err := exists(f[0]); err != nil {
			return err
		} else if there {
			if err := os.MkdirAll(filepath.Dir(f[1]), 0o700); err != nil {
				return err
			}
			if err := w.rename("record", f[0], f[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *work) recordBack(context.Context) error {
	for _, f := range w.recordFolders() {
		if there, err := exists(f[1]); err != nil {
			return err
		} else if there {
			if err := w.rename("undo:record", f[1], f[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *work) finishRemoval(context.Context) error {
	if err := w.log("done", "finish", ""); err != nil {
		return err
	}
	to := filepath.Join(w.Shared, Removed, w.p.key())
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil { // of an earlier removal
		return err
	}
	return w.rename("finish", w.dir, to)
}
