package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/clock"
	"github.com/lbvm/lbvm/internal/handoff"
	"github.com/lbvm/lbvm/internal/lockfile"
)

// exercises are what this program does in a machine with our own packages. Each prints one line of what it found.
var exercises = map[string]func(args []string) error{
	"hold": hold, "try": try, "count": count, "replace": replace, "read": readWhole, "append": appendLines, "records": records, "locks": manyLocks, "counter": counter,
}

// hold takes a lock and keeps it until it is killed.
func hold(args []string) error {
	l, err := lockfile.Try(args[0], "hold, pid "+strconv.Itoa(os.Getpid()))
	if err != nil {
		return err
	}
	fmt.Println("held", os.Getpid())
	if err := os.WriteFile(args[1], []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil { // on the node itself
		return err
	}
	time.Sleep(time.Hour)
	return l.Close()
}

// try takes a lock at once or says who has it.
func try(args []string) error {
	began := time.Now()
	l, err := lockfile.Try(args[0], "try")
	took := time.Since(began).Seconds()
	if errors.Is(err, lockfile.ErrHeld) {
		fmt.Printf("refused after %.3f s: %v\n", took, err)
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Printf("taken after %.3f s\n", took)
	return l.Close()
}

// count adds to a number in a file, each time under the lock. Two nodes that do so lose nothing only if the lock reaches both.
func count(args []string) error {
	file, n := args[0], number(args[1])
	var took []time.Duration
	for range n {
		began := time.Now()
		ctx, done := context.WithTimeout(context.Background(), 5*time.Minute)
		l, err := lockfile.Acquire(ctx, clock.System(), file+".lock", "count")
		done()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		old, _ := strconv.Atoi(string(b)) // no file is 0
		if err := atomicfile.Write(file, []byte(strconv.Itoa(old+1)), atomicfile.Options{}); err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	fmt.Printf("counted %d times, each under the lock: %s\n", n, spread(took))
	return nil
}

// document is a text that tells whether it is whole. Every second one is longer than a block.
func document(n int) []byte {
	body := []byte(strings.Repeat(fmt.Sprintf("version %d\n", n), 10+900*(n%2)))
	return append([]byte(fmt.Sprintf("%d %d %08x\n", n, len(body), crc32.ChecksumIEEE(body))), body...)
}

func whole(b []byte) (int, error) {
	head, body, _ := bytes.Cut(b, []byte("\n"))
	var n, size int
	var sum uint32
	if _, err := fmt.Sscanf(string(head), "%d %d %08x", &n, &size, &sum); err != nil {
		return 0, fmt.Errorf("a head of %d bytes: %w", len(head), err)
	}
	if size != len(body) || sum != crc32.ChecksumIEEE(body) {
		return n, fmt.Errorf("version %d has %d bytes of %d, or other ones", n, len(body), size)
	}
	return n, nil
}

// replace writes a file anew so often; 0 is for ever.
func replace(args []string) error {
	file, n := args[0], number(args[1])
	var took []time.Duration
	for i := 1; i <= n || n == 0; i++ {
		began := time.Now()
		if err := atomicfile.Write(file, document(i), atomicfile.Options{}); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	fmt.Printf("replaced %d times: %s\n", n, spread(took))
	return atomicfile.Write(file+".end", []byte("end\n"), atomicfile.Options{})
}

// readWhole reads a file until its writer has ended, or once, and finds every version whole, and none older than the one before.
func readWhole(args []string) error {
	file, once := args[0], len(args) > 1
	reads, last, versions := 0, 0, 0
	for {
		_, ended := os.Stat(file + ".end")
		b, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) && reads == 0 && !once {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		n, err := whole(b)
		if err != nil {
			return fmt.Errorf("read %d: %w", reads, err)
		}
		if n < last {
			return fmt.Errorf("read %d: version %d came after version %d", reads, n, last)
		}
		if n > last {
			versions++
		}
		last = n
		if reads++; ended == nil || once {
			fmt.Printf("read %d times, whole each time: %d versions, the last is %d\n", reads, versions, last)
			return nil
		}
	}
}

// appendLines writes lines to a journal that another writes to at the same time.
func appendLines(args []string) error {
	var took []time.Duration
	for i := range number(args[2]) {
		began := time.Now()
		if err := atomicfile.Append(args[0], []byte(fmt.Sprintf("%s %d %s\n", args[1], i, strings.Repeat("x", 60))), 0o644, true); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	fmt.Println("appended", args[2], "lines:", spread(took))
	return nil
}

// records walks a VM's record through a hand-over by image so often, with a dump of a MiB, as the agents do.
func records(args []string) error {
	dir, me, n := args[0], args[1], number(args[2])
	d, err := handoff.Open(dir, "try", "record")
	if err != nil {
		return err
	}
	var lock, write, publish []time.Duration
	timed := func(to *[]time.Duration, do func() error) error {
		began := time.Now()
		err := do()
		*to = append(*to, time.Since(began))
		return err
	}
	step := func() error {
		var l *handoff.Locked
		ctx, done := context.WithTimeout(context.Background(), 2*time.Minute)
		defer done()
		if err := timed(&lock, func() (err error) { l, err = d.Lock(ctx, clock.System(), me); return err }); err != nil {
			return err
		}
		defer l.Unlock()
		txn, err := handoff.NewTxn()
		if err != nil {
			return err
		}
		put := func(s handoff.State) error {
			return timed(&write, func() error { _, err := l.Write(s); return err })
		}
		if err := put(handoff.State{Phase: handoff.Running, Node: me, Boot: "boot"}); err != nil {
			return err
		}
		if err := put(handoff.State{Phase: handoff.Suspending, Node: me, Boot: "boot", Image: txn, Txn: txn}); err != nil {
			return err
		}
		mem, err := l.Part(txn)
		if err != nil {
			return err
		}
		if err := os.WriteFile(mem, make([]byte, 1<<20), 0o600); err != nil {
			return err
		}
		if err := timed(&publish, func() error { return l.Publish(txn, handoff.Meta{Fingerprint: "f"}) }); err != nil {
			return err
		}
		if err := put(handoff.State{Phase: handoff.Suspended, Image: txn, Txn: txn}); err != nil {
			return err
		}
		if err := l.Discard(); err != nil {
			return err
		}
		return l.Prune(0)
	}
	for range n {
		if err := step(); err != nil {
			return err
		}
	}
	fmt.Printf("%d hand-overs; lock: %s; write of the record: %s; publishing an image of 1 MiB: %s\n", n, spread(lock), spread(write), spread(publish))
	return nil
}

// manyLocks takes a lock that nobody else wants, so often.
func manyLocks(args []string) error {
	var took []time.Duration
	for range number(args[1]) {
		began := time.Now()
		l, err := lockfile.Try(args[0], "")
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
		if err := l.Close(); err != nil {
			return err
		}
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(args[0]), &st); err != nil {
		return err
	}
	fmt.Printf("taken %s times: %s; statfs: %#x\n", args[1], spread(took), st.Type)
	return nil
}

func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	d = slices.Clone(d)
	slices.Sort(d)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("median %.1f ms, longest %.1f ms", ms(d[len(d)/2]), ms(d[len(d)-1]))
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}
