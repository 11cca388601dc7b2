package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/hypervisor"
)

// A fingerprint is taken of what a boot of the guest would change. It is the only defence against a guest that was
// booted by hand after its memory was saved: the image is too old then, and resuming it would ruin the disks.

func (l *life) fingerprint(ctx context.Context) (string, error) {
	g, err := l.driver.Guest(ctx, l.vm, l.params())
	if err != nil {
		return "", err
	}
	return l.fingerprintOf(g)
}

func (l *life) fingerprintOf(g hypervisor.Guest) (string, error) {
	take := Fingerprint
	if l.a.Fingerprint != nil {
		take = l.a.Fingerprint
	}
	_, tree := l.driver.(hypervisor.Checkpointer)
	return take(l.host, g, tree)
}

// Fingerprint sums up a guest's witnesses. tree says that they are files in the guest's own tree: its symbolic links
// are the guest's and are not followed.
func Fingerprint(h host.Host, g hypervisor.Guest, tree bool) (string, error) {
	if len(g.Witnesses) == 0 {
		return "", fmt.Errorf("%s has no disk that would show a boot", g.Name)
	}
	base := "/"
	if tree {
		base = commonDir(g.Witnesses)
	}
	sum := sha256.New()
	for _, w := range g.Witnesses {
		var value string
		var err error
		switch {
		case w.Block:
			value, err = blockWitness(w.Path)
		case tree:
			value, err = treeWitness(base, w.Path)
		default:
			if value, err = fileWitness(os.Stat, w.Path, 0); err == nil && value == noFile { // a whole disk, not a file in one
				err = &fs.PathError{Op: "stat", Path: w.Path, Err: fs.ErrNotExist}
			}
		}
		if err != nil {
			return "", fmt.Errorf("taking the fingerprint of %s: %w", g.Name, err)
		}
		// The path as every node sees it, without this node's root.
		if _, err := fmt.Fprintf(sum, "%q %s\n", strings.TrimPrefix(w.Path, h.Root()), value); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// noFile is the value of a witness that is not there.
const noFile = "absent"

func fileWitness(stat func(string) (fs.FileInfo, error), path string, links int) (string, error) {
	fi, err := stat(path)
	if err == nil && fi.Mode().IsRegular() && asksAnew(path, links) {
		fi, err = stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return noFile, nil
	}
	if err != nil {
		return "", err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("%s has no times", path)
	}
	return fmt.Sprintf("%d %d %d", st.Size, syscall.TimespecToNsec(st.Mtim), syscall.TimespecToNsec(st.Ctim)), nil
}

// asksAnew opens a file, so that NFS asks its server for the times: of a file that nobody opens a node believes for up to a
// minute what it saw last (nfs(5): acregmin, close-to-open), for instance when its lblog looked whether the disk is there. A whole image would
// not fit its disk then, or one that is too old would. Who may not open it sees what stat says. links is O_NOFOLLOW in a guest's tree,
// where the guest may put a link to a device in the file's place.
func asksAnew(path string, links int) bool {
	fd, err := syscall.Open(path, links|syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	return err == nil && syscall.Close(fd) == nil
}

// unwrittenSince is nil unless a disk in a file was written after a dump. Where the disk lies on a server whose clock is ahead by more
// than the dump took, a good dump counts as too old: its guest boots. Of a device nobody knows when it was written.
func (l *life) unwrittenSince(ctx context.Context, dump string) error {
	g, err := l.driver.Guest(ctx, l.vm, l.params())
	if err != nil {
		return err
	}
	var saved time.Time
	err = filepath.WalkDir(dump, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err == nil && fi.ModTime().After(saved) {
			saved = fi.ModTime()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("asking when a dump was written: %w", err)
	}
	look, links := os.Stat, 0
	if _, tree := l.driver.(hypervisor.Checkpointer); tree { // its links are the guest's
		look, links = os.Lstat, syscall.O_NOFOLLOW
	}
	for _, w := range g.Witnesses {
		if w.Block {
			continue
		}
		fi, err := look(w.Path)
		if err == nil && fi.Mode().IsRegular() && asksAnew(w.Path, links) {
			fi, err = look(w.Path)
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("asking when a disk was written: %w", err)
		}
		if at := fi.ModTime(); at.After(saved) {
			return fmt.Errorf("%s was written at %s, after the memory was saved (%s): the guest has run since", w.Path, at.UTC().Format(time.RFC3339), saved.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// treeWitness looks at a file below base without following a link; a link on the way stands for what lies behind it.
func treeWitness(base, path string) (string, error) {
	rel, err := filepath.Rel(base, path)
	if err != nil {
		return "", err
	}
	at := base
	for _, name := range strings.Split(rel, "/") {
		at = filepath.Join(at, name)
		fi, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return noFile, nil
		}
		if err != nil {
			return "", err
		}
		if fi.Mode()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(at)
			return fmt.Sprintf("link %q", to), err
		}
	}
	return fileWitness(os.Lstat, path, syscall.O_NOFOLLOW)
}

// commonDir is the deepest folder that holds all witnesses: the top of the guest's tree.
func commonDir(ws []hypervisor.Witness) string {
	dir := filepath.Dir(ws[0].Path)
	for _, w := range ws {
		for dir != "/" && dir != "." && !strings.HasPrefix(w.Path, dir+"/") {
			dir = filepath.Dir(dir)
		}
	}
	return dir
}

const mib = 1 << 20

// blockWitness sums up the first MiB of a block device and of each of its partitions: a superblock changes when its
// file system is mounted.
func blockWitness(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// What this node has cached may be older than what another node has written.
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOSYS) {
		return "", err
	}
	head := make([]byte, mib)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	sum := sha256.New()
	sum.Write(head[:n])
	parts, err := partitions(f, head[:n])
	if err != nil {
		return "", err
	}
	for _, at := range parts {
		part := make([]byte, mib)
		n, err := f.ReadAt(part, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		sum.Write(part[:n])
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func sumFile(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// existing is the nearest folder above dir, or dir itself, that exists.
func existing(dir string) string {
	for dir != "/" && dir != "." {
		if fi, err := os.Lstat(dir); err == nil && fi.IsDir() {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

// syncFS writes out the file system that holds dir, or all of them where the kernel knows no syncfs (before 2.6.39).
func syncFS(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	err = unix.Syncfs(int(d.Fd()))
	if errors.Is(err, unix.ENOSYS) {
		unix.Sync()
		return nil
	}
	return err
}
