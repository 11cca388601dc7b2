package handoff

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
)

// A memory image is a folder: image.T.part while it is made, image.T once it is published, claim.T.NODE from the
// moment that a start wants to use it, then nothing, or failed.T or discarded.T. Only renames lead from one to the
// next, so nobody can use an image twice.

// MemFile is the dump's name in an image.
const MemFile = "mem"

const noteFile, metaFile = "complete", "meta"

// Errors of images.
var (
	ErrNoImage  = errors.New("the memory image is not there")
	ErrBadImage = errors.New("the memory image cannot be used")
)

func partName(txn string) string        { return "image." + txn + ".part" }
func imageName(txn string) string       { return "image." + txn }
func claimName(txn, node string) string { return "claim." + txn + "." + node }

// Part makes the folder for a new image and gives the path of the dump in it.
func (l *Locked) Part(txn string) (mem string, err error) {
	if err := CheckTxn(txn); err != nil {
		return "", fmt.Errorf("making an image: %w", err)
	}
	err = l.step("part", func() error {
		if err := os.Mkdir(l.file(partName(txn)), 0o700); err != nil {
			return err
		}
		return atomicfile.FsyncDir(l.path)
	})
	if err != nil {
		return "", fmt.Errorf("making an image: %w", err)
	}
	return filepath.Join(l.file(partName(txn)), MemFile), nil
}

// Note writes down that the tool called the dump complete.
func (l *Locked) Note(txn string) error {
	size, err := sizeOf(filepath.Join(l.file(partName(txn)), MemFile))
	if err == nil {
		err = l.replace("note", filepath.Join(l.file(partName(txn)), noteFile), []byte(strconv.FormatInt(size, 10)+"\n"))
	}
	if err != nil {
		return fmt.Errorf("noting a complete dump: %w", err)
	}
	return nil
}

// Noted tells whether Note was done and the dump still has the size that it had then.
func (d *Dir) Noted(txn string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(d.file(partName(txn)), noteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking whether a dump is complete: %w", err)
	}
	size, err := sizeOf(filepath.Join(d.file(partName(txn)), MemFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking whether a dump is complete: %w", err)
	}
	return strconv.FormatInt(size, 10)+"\n" == string(text), nil
}

// PartFile is where the dump of an image that is not published lies, if it was begun.
func (d *Dir) PartFile(txn string) string { return filepath.Join(d.file(partName(txn)), MemFile) }

// Publish makes the dump durable, describes it by m (Txn, VM, Type and Size are filled in) and renames it to image.T.
func (l *Locked) Publish(txn string, m Meta) error {
	part := l.file(partName(txn))
	err := func() error {
		var size int64
		err := l.step("sync", func() (err error) {
			size, err = fsyncDump(filepath.Join(part, MemFile))
			return err
		})
		if err != nil {
			return err
		}
		m.Txn, m.VM, m.Type, m.Size = txn, l.vm, l.typ, size
		if err := l.replace("meta", filepath.Join(part, metaFile), m.format()); err != nil {
			return err
		}
		return l.move("publish", partName(txn), imageName(txn))
	}()
	if err != nil {
		return fmt.Errorf("publishing image %s: %w", txn, err)
	}
	return nil
}

// Refresh replaces the fingerprint of a published image, after its guest is off for good.
func (l *Locked) Refresh(txn, fingerprint string) error {
	path := filepath.Join(l.file(imageName(txn)), metaFile)
	m, err := readMeta(path)
	if err == nil {
		m.Fingerprint = fingerprint
		err = l.replace("refresh", path, m.format())
	}
	if err != nil {
		return fmt.Errorf("refreshing the fingerprint of image %s: %w", txn, err)
	}
	return nil
}

// HasImage tells whether image.T is published. An error means that nobody knows.
func (d *Dir) HasImage(txn string) (bool, error) {
	if err := CheckTxn(txn); err != nil {
		return false, err
	}
	fi, err := os.Lstat(d.file(imageName(txn)))
	if errors.Is(err, fs.ErrNotExist) && host.AsksAnew(d.path) {
		fi, err = os.Lstat(d.file(imageName(txn)))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for image %s: %w", txn, err)
	}
	return fi.IsDir(), nil
}

// Claim takes the published image for this node; nobody else can from then on. ErrNoImage if it is not there.
func (l *Locked) Claim(txn, node string) error {
	err := l.move("claim", imageName(txn), claimName(txn, node))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("claiming image %s: %w", txn, ErrNoImage)
	}
	if err != nil {
		return fmt.Errorf("claiming image %s: %w", txn, err)
	}
	return nil
}

// PutBack undoes Claim where not even the record has followed it: as long as st, which was read before Claim, still
// stands, nobody has used the image.
func (l *Locked) PutBack(st State, node string) error {
	now, err := l.Read()
	if err == nil && now != st {
		err = fmt.Errorf("the state is %s", now.Phase)
	}
	if err == nil {
		err = l.move("putback", claimName(st.Image, node), imageName(st.Image))
	}
	if err != nil {
		return fmt.Errorf("putting image %s back: %w", st.Image, err)
	}
	return nil
}

// CheckClaim gives the dump of an image that this node has claimed, if the image is whole and the guest's
// witnesses still have the fingerprint that they had when it was made: ErrBadImage otherwise.
func (l *Locked) CheckClaim(txn, node, fingerprint string) (mem string, err error) {
	dir := l.file(claimName(txn, node))
	if err := l.checkImage(dir, txn, fingerprint); err != nil {
		return "", err
	}
	return filepath.Join(dir, MemFile), nil
}

// Usable is nil if a start may resume the VM from the image that st speaks of.
func (d *Dir) Usable(st State, fingerprint string) error {
	if st.Phase != Suspended {
		return fmt.Errorf("%w: the VM is %s", ErrBadImage, st.Phase)
	}
	ok, err := d.HasImage(st.Image)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: %s", ErrNoImage, st.Image)
	}
	return d.checkImage(d.file(imageName(st.Image)), st.Image, fingerprint)
}

// Unclaim deletes a claim whose guest runs.
func (l *Locked) Unclaim(txn, node string) error {
	if err := l.step("unclaim", func() error { return os.RemoveAll(l.file(claimName(txn, node))) }); err != nil {
		return fmt.Errorf("deleting a used image: %w", err)
	}
	return nil
}

// Discard takes every image, claim and part out of use: they become discarded.T.
func (l *Locked) Discard() error { return l.retire("discarded") }

// Fail is Discard for images that proved bad: they become failed.T.
func (l *Locked) Fail() error { return l.retire("failed") }

func (l *Locked) retire(as string) error {
	names, err := l.names(live)
	if err == nil {
		err = l.present() // behind the look: that there is nothing must be true of the folder that was locked
	}
	if err != nil {
		return fmt.Errorf("taking images out of use: %w", err)
	}
	for _, name := range names {
		to := as + "." + txnOf(name)
		var err error
		if _, old := os.Lstat(l.file(to)); old == nil {
			err = l.step("prune", func() error { return os.RemoveAll(l.file(to)) })
		}
		if err == nil {
			err = l.move(as, name, to)
		}
		if err != nil {
			return fmt.Errorf("taking %s out of use: %w", name, err)
		}
	}
	return nil
}

// Litter tells whether any image, claim or part is left.
func (d *Dir) Litter() (bool, error) {
	names, err := d.names(live)
	return len(names) > 0, err
}

// Prune deletes what was taken out of use, but for the newest keep, and the temporary files of writers that were killed:
// only who holds the lock writes in this folder.
func (l *Locked) Prune(keep int) error {
	strays, err := l.names(func(name string) bool { return strings.HasPrefix(name, atomicfile.TempPrefix) })
	if err != nil {
		return fmt.Errorf("deleting stray files: %w", err)
	}
	for _, n := range strays {
		if err := l.step("prune", func() error { return os.Remove(l.file(n)) }); err != nil {
			return fmt.Errorf("deleting stray file %s: %w", n, err)
		}
	}
	names, err := l.names(retired)
	if err != nil {
		return fmt.Errorf("deleting old images: %w", err)
	}
	age := map[string]int64{}
	for _, n := range names {
		if age[n], err = changed(l.file(n)); err != nil {
			return fmt.Errorf("deleting old images: %w", err)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(age[b], age[a]) })
	for i, n := range names {
		if i < keep {
			continue
		}
		if err := l.step("prune", func() error { return os.RemoveAll(l.file(n)) }); err != nil {
			return fmt.Errorf("deleting old image %s: %w", n, err)
		}
	}
	return nil
}

func live(name string) bool {
	return strings.HasPrefix(name, "image.") || strings.HasPrefix(name, "claim.") || strings.HasSuffix(name, ".part")
}

func retired(name string) bool {
	return strings.HasPrefix(name, "discarded.") || strings.HasPrefix(name, "failed.")
}

// names lists the entries that want wants, sorted. A missing folder has none.
func (d *Dir) names(want func(string) bool) ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if want(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// txnOf is the transaction in an entry's name, or the whole name where there is none.
func txnOf(name string) string {
	for _, w := range strings.Split(name, ".") {
		if CheckTxn(w) == nil {
			return w
		}
	}
	return name
}

// changed is when the entry was last renamed, as far as the file system tells. It only orders what is deleted.
func changed(path string) (int64, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return syscall.TimespecToNsec(st.Ctim), nil
	}
	return fi.ModTime().UnixNano(), nil
}
