package sample

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// Where nodes see no common folder of logs, each sends the others what it has measured, by ssh: a packet goes to the
// standard input of `lblog --receive` there. It names no file. The receiver makes the names of the members and resources
// that it knows itself, and takes all of a packet or nothing.

// Packet is what a node has measured once.
type Packet struct {
	Member string
	Lines  []Line
	Facts  *host.Facts // nil where they reach the others by the shared storage
}

// Line is a line of one log.
type Line struct {
	Log   string // the last part of the log's name
	At    time.Time
	Value string
}

// NewPacket is made of readings; those without a value are left out.
func NewPacket(member string, at time.Time, readings []Reading) Packet {
	p := Packet{Member: member}
	for _, r := range readings {
		if r.Err == nil {
			p.Lines = append(p.Lines, Line{strings.TrimPrefix(r.Resource.LogName(member), member+"-"), at, r.Value})
		}
	}
	return p
}

// MaxPacket bounds a packet: the facts of a node with some thousand guests fit in.
const MaxPacket = 1 << 20

const (
	packetHead  = "lbvm-push 1 "
	packetFacts = "facts"
	packetEnd   = "end"
)

// Format is the packet's text. Its last line proves that it is whole.
func (p Packet) Format() []byte {
	var b strings.Builder
	b.WriteString(packetHead + p.Member + "\n")
	for _, l := range p.Lines {
		fmt.Fprintf(&b, "%s %d %s\n", l.Log, l.At.Unix(), l.Value)
	}
	if p.Facts != nil {
		b.WriteString(packetFacts + "\n")
		b.Write(host.FormatFacts(*p.Facts))
	}
	b.WriteString(packetEnd + "\n")
	return []byte(b.String())
}

// ErrPacket says that a packet is not taken: it is not whole, or names what is not known here.
var ErrPacket = errors.New("the packet is refused")

// ParsePacket reads a packet. members are those whom it may come from, logs the last parts of the names of the logs that there are.
func ParsePacket(b []byte, members, logs []string) (Packet, error) {
	bad := func(format string, args ...any) (Packet, error) {
		return Packet{}, fmt.Errorf("%w: %s", ErrPacket, fmt.Sprintf(format, args...))
	}
	if len(b) > MaxPacket {
		return bad("it is longer than %d bytes", MaxPacket)
	}
	body, whole := strings.CutSuffix(string(b), "\n"+packetEnd+"\n")
	first, rest, _ := strings.Cut(body, "\n")
	member, ok := strings.CutPrefix(first, packetHead)
	switch {
	case !whole:
		return bad("it breaks off")
	case !ok:
		return bad("it begins with %.60q", first)
	case host.CheckName(member) != nil || !slices.Contains(members, member):
		return bad("%.100q is no other member of this cluster", member)
	}
	p := Packet{Member: member}
	seen := map[string]bool{}
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if line == packetFacts {
			f, err := host.ParseFacts([]byte(rest + "\n"))
			if err != nil {
				return bad("its facts: %v", err)
			}
			if f.Member != member {
				return bad("its facts speak of %.100q", f.Member)
			}
			p.Facts = &f
			break
		}
		w := strings.Split(line, " ")
		if len(w) != 3 {
			return bad("%.100q is not LOG TIME VALUE", line)
		}
		stamp, err := strconv.ParseUint(w[1], 10, 36)
		switch {
		case !slices.Contains(logs, w[0]):
			return bad("there is no resource here with the log %.100q", w[0])
		case seen[w[0]]:
			return bad("the log %s is in it twice", w[0])
		case err != nil || stamp == 0:
			return bad("%.100q is no time", w[1])
		}
		if _, err := parseValue([]byte(w[2])); err != nil {
			return bad("%v", err)
		}
		seen[w[0]] = true
		p.Lines = append(p.Lines, Line{w[0], time.Unix(int64(stamp), 0), w[2]})
	}
	return p, nil
}

// Take writes a packet that was read: a line to each log in logDir, and the facts below dir. A value whose stamp stands in the log
// already is not written again; seen tells whether all were there: the sender writes into the same folder.
func (p Packet) Take(logDir, dir string) (seen bool, err error) {
	var errs []error
	there := 0
	for _, l := range p.Lines {
		file, stamp := filepath.Join(logDir, p.Member+"-"+l.Log), strconv.FormatInt(l.At.Unix(), 10)
		if has, err := hasStamp(file, stamp); err != nil || has {
			if has {
				there++
			}
			errs = append(errs, err)
			continue
		}
		if err := atomicfile.Append(file, []byte(stamp+" "+l.Value+"\n"), 0o640, false); err != nil {
			errs = append(errs, fmt.Errorf("recording what %s has measured: %w", p.Member, err))
		}
	}
	if p.Facts != nil {
		errs = append(errs, host.WriteFacts(dir, *p.Facts))
	}
	return there > 0 && there == len(p.Lines), errors.Join(errs...)
}

// stampBack is how far back a log is searched for a stamp: what it could repeat is its last line.
const stampBack = 4 << 10

// hasStamp tells whether a value with that stamp is among the last of a log.
func hasStamp(file, stamp string) (bool, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	b := make([]byte, min(size, stampBack))
	if n, err := f.ReadAt(b, size-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	} else {
		b = b[:n]
	}
	return bytes.HasPrefix(b, []byte(stamp+" ")) || bytes.Contains(b, []byte("\n"+stamp+" ")), nil
}

// Seen is what `lblog --receive` prints where all values of a packet were in its logs already.
const Seen = "seen"

// ErrSeen says that a peer sees the same folder of logs: nothing need be sent to it.
var ErrSeen = errors.New("it sees the same logdir")

// Limits of pushing. All of it has pushLimit, so that a peer that is down, or hangs, costs no more.
const (
	pushLimit   = 10 * time.Second
	connectTime = 5 // seconds that ssh waits for a peer
	pushAtOnce  = 16
)

// Push sends a packet to peers, some at once, and tells of each to whom it did not get, or need not (ErrSeen). It asks ssh, which must not ask a
// person; the command is the same for all and names nothing.
func (s Sampler) Push(ctx context.Context, p Packet, peers []string) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, pushLimit)
	defer cancel()
	text := p.Format()
	var mu sync.Mutex
	failed := map[string]error{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, pushAtOnce)
	for _, peer := range peers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := host.CheckName(peer)
			if err == nil {
				select {
				case slots <- struct{}{}:
					err = s.pushTo(ctx, peer, text)
					<-slots
				case <-ctx.Done():
					err = ctx.Err()
				}
			}
			if err != nil {
				mu.Lock()
				failed[peer] = err
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return failed
}

func (s Sampler) pushTo(ctx context.Context, peer string, text []byte) error {
	if len(text) > MaxPacket {
		return fmt.Errorf("%w: it is longer than %d bytes", ErrPacket, MaxPacket)
	}
	ssh, err := s.Host.Lookup("ssh")
	if err != nil {
		return err
	}
	res, err := s.Run.Run(ctx, run.Command{
		Argv:  []string{ssh, "-T", "-oBatchMode=yes", "-oConnectTimeout=" + strconv.Itoa(connectTime), "--", peer, host.LibexecDir + "/lblog", "--receive"},
		Env:   s.Host.ShellEnviron(), // ssh looks for its keys in HOME
		Stdin: text, MaxOutput: 4 << 10,
	})
	if err != nil {
		return err
	}
	if res.Code != 0 {
		return fmt.Errorf("exit code %d: %s", res.Code, firstLine(res.Stderr))
	}
	if firstLine(res.Stdout) == Seen {
		return ErrSeen
	}
	return nil
}
