package ocf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lbvm/lbvm/internal/real"
)

func writeBox(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func loadBox(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is no box of ours is taken as a new one.
func TestBoxIsMadeAnew(t *testing.T) {
	good := newBox(t)
	for range 5 {
		boxed(t, good, "start")
	}
	box := loadBox(t, good)
	for name, b := range map[string][]byte{
		"empty":         {},
		"rubbish":       bytes.Repeat([]byte("rubbish\x00\xff"), boxSize/9+1)[:boxSize],
		"short rubbish": []byte("#!/bin/sh\n"),
		"truncated":     box[:boxSize/2],
		"only a header": box[:boxSlotSize],
		"longer":        append(bytes.Clone(box), 'x'),
		"version 2":     bytes.Replace(box, []byte("lbvm-blackbox 1"), []byte("lbvm-blackbox 2"), 1),
		"zeros":         make([]byte, boxSize),
	} {
		path := newBox(t)
		writeBox(t, path, b)
		if code := boxed(t, path, "stop"); code != 0 {
			t.Errorf("%s: exit %d", name, code)
		}
		if got := briefs(readBox(t, path)); got != "stop toy:t1 0 notable" {
			t.Errorf("%s: %s", name, got)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o640 || fi.Size() != boxSize {
			t.Errorf("%s: %v, %v", name, fi, err)
		}
	}
}

// What is damaged is passed over, and the rest counts on.
func TestBoxDamaged(t *testing.T) {
	path := newBox(t)
	for range 5 {
		boxed(t, path, "status")
	}
	boxed(t, path, "start")
	box := loadBox(t, path)
	slot := func(i int) int { return boxSlotSize * (1 + i) }

	torn := bytes.Clone(box)
	copy(torn[slot(1)+boxSlotSize/8:slot(2)], make([]byte, boxSlotSize)) // its end was never written
	torn[slot(3)+boxSlotHead+40] ^= 1
	writeBox(t, path, torn)
	all := readBox(t, path)
	if len(all) != 4 || all[0].ID != 1 || all[1].ID != 3 || all[2].ID != 5 {
		t.Errorf("%s", briefs(all))
	}
	header := bytes.Clone(torn)
	copy(header[len(boxMagic):], "all=9")
	writeBox(t, path, header)
	boxed(t, path, "stop")
	all = readBox(t, path)
	if got := briefs(all); !strings.HasSuffix(got, "start toy:t1 0 notable; stop toy:t1 0 notable") || all[len(all)-1].ID != 7 {
		t.Errorf("after a damaged header: %s", got)
	}
	if n, ok := parseBoxHeader(loadBox(t, path)[:len(boxHeader([boxRings]uint64{}))]); !ok || n != [boxRings]uint64{7, 2} {
		t.Errorf("the header says %v, %v", n, ok)
	}
	// Without its first page it is no box to an agent, but a reader finds what is there.
	copy(header, make([]byte, boxSlotSize))
	writeBox(t, path, header)
	if all = readBox(t, path); len(all) != 4 {
		t.Errorf("%s", briefs(all))
	}
}

func TestBoxCannotBeWritten(t *testing.T) {
	try := func(name, path string) {
		t.Helper()
		began := time.Now()
		if code := boxed(t, path, "start"); code != 0 {
			t.Errorf("%s: exit %d", name, code)
		}
		if took := time.Since(began); took > patience {
			t.Errorf("%s: %s", name, took)
		}
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.Mkdir(at("dir"), 0o755), syscall.Mkfifo(at("fifo"), 0o600), os.WriteFile(at("mine"), []byte("mine"), 0o600), os.Symlink("mine", at("link"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dir", "fifo", "link", "mine/blackbox", "no/such/blackbox"} {
		try(name, at(name))
	}
	try("relative", "relative/blackbox")
	if _, err := os.Stat("relative"); err == nil {
		t.Error("a relative path was used")
	}
	try("no device", "/dev/null")
	try("proc", "/proc/no/blackbox")
	if b := loadBox(t, at("mine")); string(b) != "mine" {
		t.Errorf("a link was followed: %q", b)
	}
	for _, name := range []string{"dir", "fifo", "mine"} {
		if all, err := ReadBox(at(name)); err == nil {
			t.Errorf("%s: %v", name, all)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 4 {
		t.Errorf("%v, %v", entries, err)
	}
}

// A full disk: a new box leaves nothing behind, one that is there goes on. A read-only one stays as it is.
func TestBoxOnAFullDisk(t *testing.T) {
	real.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=600k,mode=755"); err != nil {
		t.Skipf("skipped: mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	fill := filepath.Join(dir, "fill")
	full := func(n int) {
		if err := os.WriteFile(fill, make([]byte, n), 0o600); n < 600<<10 && err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "lbvm", "blackbox")
	full(400 << 10)
	if code := boxed(t, path, "start"); code != 0 {
		t.Errorf("exit %d", code)
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() != 0 {
		t.Errorf("on a full disk: %v, %v", fi, err)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	boxed(t, path, "start")
	full(600 << 10)
	boxed(t, path, "stop", "OCF_RESKEY_do=fail")
	want := "start toy:t1 0 notable; stop toy:t1 1 notable"
	if got := briefs(readBox(t, path)); got != want {
		t.Errorf("after the disk has filled up: %s", got)
	}
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	var log testLog
	w := boxWorld(path, "start")
	w.Log = &log
	if code := Run(w, []byte(testXML), toy{}); code != 0 || strings.Contains(strings.ToLower(log.String()), "box") {
		t.Errorf("exit %d, logged %s", code, log.String())
	}
	if got := briefs(readBox(t, path)); got != want {
		t.Errorf("read-only: %s", got)
	}
}

func TestBoxOfNobody(t *testing.T) {
	real.NeedRoot(t)
	root := shortDir(t)
	if err := errors.Join(os.Chmod(root, 0o755), os.MkdirAll(filepath.Join(root, "var/lib"), 0o755)); err != nil {
		t.Fatal(err)
	}
	env := []string{"OCF_RESKEY_name=t1", RootVariable + "=" + root}
	run := func(uid uint32) int {
		return toyProcess(t, root, env, uid, "start").wait(t)
	}
	if code := run(65534); code != 0 {
		t.Errorf("exit %d", code)
	}
	if entries, err := os.ReadDir(filepath.Join(root, "var/lib")); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if code := run(0); code != 0 {
		t.Errorf("exit %d", code)
	}
	if code := run(65534); code != 0 {
		t.Errorf("exit %d", code)
	}
	if got := briefs(readBox(t, BoxFile(root))); got != "start toy:t1 0 notable" {
		t.Error(got)
	}
}

// lasts makes a check outlast the moment after which it is written down.
func lasts(c *Call) {
	c.box.mu.Lock()
	defer c.box.mu.Unlock()
	c.box.begun()
}

// Another process holds the lock and does not let go.
func TestBoxLockIsHeld(t *testing.T) {
	path := newBox(t)
	boxed(t, path, "status")
	w := boxWorld(path, "status")
	c := &Call{Action: "status", Type: "toy", Instance: "toy:t1", World: w, began: w.Now()}
	c.box = openBox(w, c)
	lasts(c)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := rawFile(f.Fd()).lock(syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if code := boxed(t, path, "start"); code != 0 {
		t.Errorf("exit %d", code)
	}
	c.Ran([]string{"/bin/x"}, 1, time.Second, nil)
	c.box.end(CodeGeneric, errors.New("no"), time.Second)
	if took := time.Since(began); took > patience {
		t.Errorf("it waited %s", took)
	}
	if err := rawFile(f.Fd()).lock(syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if got := briefs(readBox(t, path)); got != "status toy:t1 0; status toy:t1 1 notable" {
		t.Errorf("%s", got)
	}
	boxed(t, path, "stop")
	if all := readBox(t, path); len(all) != 3 {
		t.Errorf("the lock was kept: %s", briefs(all))
	}
}

// An action that outlasts a turn of the ring does not write over others, and its end is kept.
func TestBoxSlotIsLost(t *testing.T) {
	path := newBox(t)
	w := boxWorld(path, "status", "OCF_RESOURCE_INSTANCE=slow")
	c := &Call{Action: "status", Type: "toy", Instance: "slow", World: w, began: w.Now()}
	c.box = openBox(w, c)
	lasts(c)
	for range boxSlots + 10 {
		boxed(t, path, "status")
	}
	all := readBox(t, path)
	if got := brief(all[0]); got != "status slow" || len(all) != boxSlots+1 || !all[0].Lives {
		t.Errorf("%d records, the first %s", len(all), got)
	}
	c.Ran([]string{"/bin/x"}, 0, time.Second, nil)
	c.box.end(CodeOK, nil, time.Hour)
	all = readBox(t, path)
	if got := brief(all[0]); got != "status slow 0 notable" || len(all) != boxSlots+1 || strings.Count(briefs(all), "status toy:t1 0") != boxSlots {
		t.Errorf("%d records, the first %s", len(all), got)
	}
}

func TestBoundedEnds(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	began := time.Now()
	if err := bounded(boxDiskWait, func() error { <-never; return nil }); !errors.Is(err, errBoxHung) || time.Since(began) > patience {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if err := bounded(patience, func() error { panic("x") }); err == nil {
		t.Error("a panic is no error")
	}
}

func FuzzReadBox(f *testing.F) {
	path := newBox(f)
	boxed(f, path, "start")
	boxed(f, path, "status", "OCF_RESKEY_do=fail")
	box := loadBox(f, path)
	f.Add(box[:4*boxSlotSize], uint16(0), []byte(nil))
	f.Add(box[:3*boxSlotSize], uint16(boxSlotSize), []byte("at=2026-11-21T03:04:05.000Z\naction=stop\ntool=- - x\nwhy=y\ncode=1\ntook=1s\n"))
	f.Add([]byte("lbvm-blackbox 1\n"), uint16(9), []byte("id=-1\n"))
	f.Fuzz(func(t *testing.T, b []byte, at uint16, text []byte) {
		// A valid sum around any text, so that the parser behind it is reached.
		slot := &bytes.Buffer{}
		number := fmt.Sprintf("%020d", 1+binary.LittleEndian.Uint16(append(text[:min(2, len(text)):min(2, len(text))], 0, 0)))
		fmt.Fprintf(slot, "record %s %08x\n%s", number, boxSum([]byte(number), text), text)
		b = append(b[:min(len(b), int(at)/boxSlotSize*boxSlotSize)], append(slot.Bytes(), make([]byte, boxSlotSize)...)...)
		all, _ := parseBox(b)
		for i, r := range all {
			if r.Action == "" || i > 0 && r.At.Before(all[i-1].At) {
				t.Fatalf("%+v", all)
			}
			again, err := parseBoxText(r.text(boxText))
			if err != nil || again.ID != r.ID || again.Ended != r.Ended || again.Code != r.Code || again.PID != r.PID {
				t.Fatalf("%v: %+v became %+v", err, r, again)
			}
		}
	})
}
