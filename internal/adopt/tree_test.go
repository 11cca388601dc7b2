package adopt

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/real"
)

// hostile is a tree with all that a guest may have made. Only root can make it.
func hostile(t *testing.T, dir string) {
	t.Helper()
	put(t, filepath.Join(dir, "plain"), "text")
	for _, name := range []string{"new\nline", "-rf", "--delete", "*", "a b", "\"quote'", "$(reboot)", "\xff\xfe", "back\\slash", "tab\t", strings.Repeat("l", 255), ".hidden", " "} {
		put(t, filepath.Join(dir, "names", name), name)
	}
	must(t, os.Link(filepath.Join(dir, "plain"), filepath.Join(dir, "hard1")))
	must(t, os.Link(filepath.Join(dir, "plain"), filepath.Join(dir, "names/hard2")))
	for name, to := range map[string]string{"abs": "/etc/passwd", "up": "../../../../../etc", "nowhere": "nowhere", "loop": "loop"} {
		must(t, os.Symlink(to, filepath.Join(dir, name)))
	}
	sparse := filepath.Join(dir, "sparse")
	put(t, sparse, "head")
	must(t, os.Truncate(sparse, 64<<20))
	must(t, unix.Mknod(filepath.Join(dir, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(filepath.Join(dir, "disk"), unix.S_IFBLK|0o640, int(unix.Mkdev(7, 300))))
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	short := filepath.Join(t.TempDir(), "s") // a socket's path is short
	l, err := net.Listen("unix", short)
	must(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	must(t, l.Close())
	must(t, unix.Mknod(filepath.Join(dir, "socket"), unix.S_IFSOCK|0o700, 0))
	put(t, filepath.Join(dir, "setuid"), "x")
	must(t, os.Chown(filepath.Join(dir, "setuid"), 12345, 54321))
	must(t, unix.Chmod(filepath.Join(dir, "setuid"), 0o6755))
	must(t, os.Lchown(filepath.Join(dir, "abs"), 3, 4))
	put(t, filepath.Join(dir, "capable"), "x")
	// cap_net_raw+ep, as setcap writes it (linux/capability.h, revision 2).
	must(t, unix.Lsetxattr(filepath.Join(dir, "capable"), "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	// user::rw- user:12345:r-- group::r-- mask::r-- other::--- (linux/posix_acl_xattr.h).
	acl := "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\x39\x30\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	put(t, filepath.Join(dir, "acl"), "x")
	must(t, unix.Lsetxattr(filepath.Join(dir, "acl"), "system.posix_acl_access", []byte(acl), 0))
	must(t, os.Mkdir(filepath.Join(dir, "sticky"), 0o755))
	must(t, unix.Chmod(filepath.Join(dir, "sticky"), 0o1777))
	must(t, unix.Lsetxattr(filepath.Join(dir, "sticky"), "system.posix_acl_default", []byte(acl), 0))
	must(t, unix.Lsetxattr(filepath.Join(dir, "plain"), "trusted.x", []byte("\x00\xff"), 0))
	must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700))
	old := time.Unix(1200000000, 123456789)
	for _, name := range []string{"setuid", "sparse", "empty", "fifo", "names"} {
		must(t, os.Chtimes(filepath.Join(dir, name), old, old))
	}
	ts := unix.NsecToTimespec(old.UnixNano())
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, "abs"), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
}

// A tree with everything in it arrives equal, by each tool; and by whatever one thing a copy differs, Compare sees it.
func TestHostileTree(t *testing.T) {
	real.NeedRoot(t)
	for _, tool := range []string{"cp", "rsync"} {
		t.Run(tool, func(t *testing.T) {
			path := real.Need(t, tool)
			b := newBench(t, openvzKind())
			if tool == "rsync" {
				must(t, os.Symlink(path, filepath.Join(b.dir, "node1/bin/rsync")))
			}
			from := filepath.Join(b.dir, "node1/vz/private/101")
			hostile(t, from)
			a := b.adopter("node1")
			a.Query = really{a.Query}
			if c, err := a.copier(context.Background()); err != nil || c.rsync != (tool == "rsync") {
				t.Fatalf("chosen: %+v, %v", c, err)
			}
			p, err := a.Look(context.Background(), b.request())
			must(t, err)
			must(t, a.Add(context.Background(), p))
			if wrong := b.wholeNew(t); len(wrong) > 0 {
				t.Fatal(strings.Join(wrong, "\n"))
			}
			to := filepath.Join(b.dir, "shared/openvz/private/101")
			if m, err := Measure(context.Background(), to, true); err != nil || m.Bytes > 4<<20 {
				t.Errorf("the copy takes %+v, %v", m, err)
			}
			for name, spoil := range spoilers(t, to) {
				mend := spoil()
				if err := Compare(context.Background(), from+origSuffix, to, true); !errors.Is(err, ErrDiffers) {
					t.Errorf("%s: not seen: %v", name, err)
				}
				mend()
				if err := Compare(context.Background(), from+origSuffix, to, true); err != nil {
					t.Fatalf("%s: not mended: %v", name, err)
				}
			}
		})
	}
}

// spoilers make a copy differ by one thing each, and give what mends it.
func spoilers(t *testing.T, to string) map[string]func() (mend func()) {
	at := func(name string) string { return filepath.Join(to, name) }
	keepTimes := func(name string, do func()) { // times are another spoiler's
		var st, dir unix.Stat_t
		must(t, errors.Join(unix.Lstat(at(name), &st), unix.Lstat(filepath.Dir(at(name)), &dir)))
		do()
		for path, s := range map[string]unix.Stat_t{at(name): st, filepath.Dir(at(name)): dir} {
			if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{s.Atim, s.Mtim}, unix.AT_SYMLINK_NOFOLLOW); err != nil && !errors.Is(err, unix.ENOENT) {
				t.Fatal(err)
			}
		}
	}
	swap := func(name string, there, back func()) func() func() {
		return func() func() {
			keepTimes(name, there)
			return func() { keepTimes(name, back) }
		}
	}
	write := func(name, text string) func() {
		return func() {
			f, err := os.OpenFile(at(name), os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString(text)
			must(t, errors.Join(err, f.Close()))
		}
	}
	xattr := func(name, attr, value string) func() {
		return func() { must(t, unix.Lsetxattr(at(name), attr, []byte(value), 0)) }
	}
	get := func(name, attr string) string {
		all, err := attributes(at(name))
		must(t, err)
		return all[attr]
	}
	return map[string]func() func(){
		"content":            swap("names/-rf", write("names/-rf", "-rF"), write("names/-rf", "-rf")),
		"late content":       swap("sparse", write("sparse", "heaD"), write("sparse", "head")),
		"mode":               swap("setuid", func() { must(t, unix.Chmod(at("setuid"), 0o755)) }, func() { must(t, unix.Chmod(at("setuid"), 0o6755)) }),
		"owner":              swap("plain", func() { must(t, os.Lchown(at("plain"), 1, 0)) }, func() { must(t, os.Lchown(at("plain"), 0, 0)) }),
		"owner of a link":    swap("abs", func() { must(t, os.Lchown(at("abs"), 0, 4)) }, func() { must(t, os.Lchown(at("abs"), 3, 4)) }),
		"attribute":          swap("plain", xattr("plain", "trusted.x", "other"), xattr("plain", "trusted.x", "\x00\xff")),
		"one more attribute": swap("acl", xattr("acl", "trusted.y", "1"), func() { must(t, unix.Lremovexattr(at("acl"), "trusted.y")) }),
		"no capability": func() func() {
			old := get("capable", "security.capability")
			must(t, unix.Lremovexattr(at("capable"), "security.capability"))
			return xattr("capable", "security.capability", old)
		},
		"no default access list": func() func() {
			old := get("sticky", "system.posix_acl_default")
			must(t, unix.Lremovexattr(at("sticky"), "system.posix_acl_default"))
			return xattr("sticky", "system.posix_acl_default", old)
		},
		"one more name": swap("plain", func() { put(t, at("more"), "") }, func() { must(t, os.Remove(at("more"))) }),
		"a hard link that is none": func() func() {
			keepTimes("plain", func() {
				must(t, os.Rename(at("hard1"), at("h")))
				must(t, os.WriteFile(at("hard1"), []byte("text"), 0o644))
				must(t, unix.Lsetxattr(at("hard1"), "trusted.x", []byte("\x00\xff"), 0))
				var st unix.Stat_t
				must(t, unix.Lstat(at("h"), &st))
				must(t, unix.UtimesNanoAt(unix.AT_FDCWD, at("hard1"), []unix.Timespec{st.Atim, st.Mtim}, 0))
				must(t, os.Rename(at("h"), filepath.Join(filepath.Dir(to), "h")))
			})
			return func() {
				keepTimes("plain", func() { must(t, os.Rename(filepath.Join(filepath.Dir(to), "h"), at("hard1"))) })
			}
		},
		"device": swap("null", func() {
			must(t, os.Remove(at("null")))
			must(t, unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
			must(t, unix.Chmod(at("null"), 0o666&^0o022))
		}, func() {
			must(t, os.Remove(at("null")))
			must(t, unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
			must(t, unix.Chmod(at("null"), 0o666&^0o022))
		}),
		"time": func() func() {
			var st unix.Stat_t
			must(t, unix.Lstat(at("fifo"), &st))
			must(t, os.Chtimes(at("fifo"), time.Unix(1, 0), time.Unix(1, 0)))
			return func() {
				must(t, unix.UtimesNanoAt(unix.AT_FDCWD, at("fifo"), []unix.Timespec{st.Atim, st.Mtim}, 0))
			}
		},
		"holes": func() func() {
			keepTimes("sparse", func() {
				f, err := os.OpenFile(at("sparse"), os.O_WRONLY, 0)
				must(t, err)
				_, err = f.WriteAt(make([]byte, 63<<20), 1<<20)
				must(t, errors.Join(err, f.Close()))
			})
			return func() {
				keepTimes("sparse", func() {
					f, err := os.OpenFile(at("sparse"), os.O_WRONLY, 0)
					must(t, err)
					must(t, errors.Join(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 1<<20, 63<<20), f.Close()))
				})
			}
		},
	}
}
