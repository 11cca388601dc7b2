package xen

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// signature begins every save file of xm, xlSignature those of xl; neither reads the other's.
const (
	signature   = "LinuxGuestRecord"
	xlSignature = "Xen saved domain"
)

// pack freezes the guest and gives its memory with its configuration.
func (x *xend) pack(d *domain, begin string) ([]byte, error) {
	g := x.guestOf(d)
	if err := g.Freeze(); err != nil {
		return nil, err
	}
	m, err := g.Memory()
	if err != nil {
		return nil, err
	}
	m.Config = d.conf.json()
	b, err := m.Format()
	return append([]byte(begin), b...), err
}

func unpack(b []byte, begin string) (lab.Memory, config, error) {
	rest, ok := bytes.CutPrefix(b, []byte(begin))
	if !ok {
		return lab.Memory{}, config{}, errors.New("no signature")
	}
	m, err := lab.ParseMemory(rest)
	if err != nil {
		return m, config{}, err
	}
	var c config
	if err := json.Unmarshal(m.Config, &c); err != nil || m.Type != "xen" {
		return m, config{}, errors.New("no configuration")
	}
	m.Config = nil
	return m, c, nil
}

func (c *call) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

func (c *call) save(life context.Context, w words) int {
	d := c.find(w.args[0])
	if d == nil || !c.x.depart(d, c.tool == "xm") {
		return c.noDomain(w.args[0], "save")
	}
	file := c.absolute(w.args[1])
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		c.x.stay(d)
		return c.fail(cannotWrite, file, err)
	}
	defer f.Close()
	b, err := c.x.pack(d, c.signature())
	if err == nil {
		_, err = f.Write(b[:len(b)/2])
	}
	if !wait(life, copyTakes(d.conf.bytes(), false)) {
		return 1
	}
	if err == nil && c.n.Fault("xl", "save-killed", d.conf.Name) {
		return 137
	}
	if err == nil && c.n.Fault(c.tool, "save-fails", d.conf.Name) {
		err = errors.New("xc_save failed")
	}
	if err == nil {
		_, err = f.Write(b[len(b)/2:])
	}
	if err != nil {
		c.x.stay(d)
		return c.fail(saveFailed, d.id, 0)
	}
	if !c.losesName(d) {
		c.x.drop(d)
	}
	return 0
}

func (c *call) restore(life context.Context, w words) int {
	file := c.absolute(w.args[len(w.args)-1])
	b, err := os.ReadFile(file)
	if err != nil {
		return c.fail(cannotRead, file)
	}
	m, conf, err := unpack(b, c.signature())
	if err != nil && !bytes.HasPrefix(b, []byte(c.signature())) {
		return c.failBy(6, notAnImage, err)
	}
	if err != nil {
		return c.failBy(3, restoreFailed)
	}
	d, code := c.add(conf)
	if d == nil {
		return code
	}
	if !wait(life, copyTakes(conf.bytes(), false)) {
		return 1
	}
	if c.n.Fault(c.tool, "restore-fails", conf.Name) {
		c.x.drop(d)
		return c.failBy(3, restoreFailed)
	}
	if c.x.fill(c.n, d, &m, true) != nil {
		return c.failBy(3, restoreFailed)
	}
	return 0
}

// migrate pushes a domain to another node's xend. Two calls go there: `receive`, which lasts as long as the
// migration and by whose end the target knows that it is over, and `deliver`, which brings the memory.
func (c *call) migrate(life context.Context, w words) int {
	d, target := c.find(w.args[0]), w.args[1]
	if d == nil {
		return c.noDomain(w.args[0], "migrate")
	}
	if _, err := os.Stat(c.n.Layout.Root(target)); err != nil || filepath.Base(target) != target {
		return c.fail(cannotConnect, "No address associated with hostname")
	}
	socket := c.n.Layout.NodeSocket(target)
	if _, err := lab.Call(life, socket, lab.Request{Node: c.n.Name, Argv: []string{"lab", "guests"}}); err != nil {
		return c.fail(cannotConnect, "Connection refused")
	}
	if c.n.Fault("xm", "migrate-rc3", d.conf.Name) {
		c.fail(noDomain, w.args[0], "migrate")
		return 3
	}
	if !c.x.depart(d, true) {
		return c.noDomain(w.args[0], "migrate")
	}
	fail := func() int {
		c.x.stay(d)
		return c.fail(saveFailed, d.id, 1)
	}
	var token [8]byte
	if _, err := rand.Read(token[:]); err != nil {
		return fail()
	}
	id := hex.EncodeToString(token[:])
	// The name was in the configuration before the domain was renamed: the target uses it at once.
	receiving, hangUp := context.WithCancel(life)
	defer hangUp()
	delivering, stop := context.WithCancel(life)
	defer stop()
	refused := make(chan struct{})
	c.n.Go(func(context.Context) {
		defer close(refused)
		// Its end says all: the target has refused, or the migration is over.
		r := lab.Request{Node: c.n.Name, Argv: []string{"xend", "receive", id}, Stdin: d.conf.json()}
		if _, err := lab.Call(receiving, socket, r); err != nil {
			stop() // nobody waits there for what is delivered
		}
	})
	copying, done := context.WithCancel(life)
	defer done()
	select {
	case <-refused:
		return fail()
	case <-passed(copying, copyTakes(d.conf.bytes(), true)):
	}
	if life.Err() != nil {
		return 1
	}
	if c.n.Fault("xm", "migrate-fails", d.conf.Name) {
		hangUp()
		<-refused
		return fail()
	}
	memory, err := c.x.pack(d, signature)
	if err != nil {
		return fail()
	}
	if c.n.Fault("xm", "migrate-lost", d.conf.Name) {
		hangUp()
		<-refused
		c.x.drop(d)
		return 0
	}
	r, err := lab.Call(delivering, socket, lab.Request{Node: c.n.Name, Argv: []string{"xend", "deliver", id}, Stdin: memory})
	if err == nil && r.Code == notExpected {
		return fail()
	}
	// What was sent may run there, whatever was answered: it must not run here again.
	c.x.drop(d)
	return 0
}

// notExpected: the target's xend does not know, or no longer, what is delivered.
const notExpected = 2

// arrival is a domain whose memory is on its way.
type arrival struct {
	known  chan struct{}   // closed when its `receive` has come, which other calls of the source may overtake
	d      *domain         // nil if that was refused; set before known is closed
	memory chan lab.Memory // taken at most once
	filled chan error
	over   chan struct{} // nothing is taken any more
	stays  atomic.Bool   // what has arrived is not dropped when the source goes (xl)
}

// arriving is what a token stands for, also before the call that says so.
func (x *xend) arriving(token string) *arrival {
	x.mu.Lock()
	defer x.mu.Unlock()
	a := x.arrivals[token]
	if a == nil {
		a = &arrival{known: make(chan struct{}), memory: make(chan lab.Memory), filled: make(chan error, 1), over: make(chan struct{})}
		x.arrivals[token] = a
	}
	return a
}

// announced waits for the `receive` of a token, and is nil where that was refused or is over.
func (x *xend) announced(ctx context.Context, token string) *arrival {
	a := x.arriving(token)
	select {
	case <-a.known:
	case <-ctx.Done():
		return nil
	}
	select {
	case <-a.over:
		return nil
	default:
		return a
	}
}

// relocation answers another node's xend.
func (x *xend) relocation(ctx context.Context, n *lab.Node, r lab.Request) run.Result {
	if len(r.Argv) < 3 {
		return run.Result{Code: 1}
	}
	switch token := r.Argv[2]; r.Argv[1] {
	case "receive":
		return x.receive(ctx, n, token, r.Stdin, len(r.Argv) > 3)
	case "go", "leave":
		return x.last(ctx, r.Argv[1], token)
	case "deliver":
		return x.deliver(ctx, token, r.Stdin)
	}
	return run.Result{Code: 1}
}

func (x *xend) receive(ctx context.Context, n *lab.Node, token string, conf []byte, byXL bool) run.Result {
	var c config
	if err := json.Unmarshal(conf, &c); err != nil {
		return run.Result{Code: 1}
	}
	name := c.Name
	if byXL {
		name += incoming
	}
	a := x.arriving(token)
	defer close(a.over) // the token stays known: nothing waits for it again
	d, err := x.add(n, c, name)
	if err != nil {
		close(a.known)
		return run.Result{Code: 1}
	}
	a.d = d
	close(a.known)
	for {
		select {
		case <-ctx.Done(): // the source gave up or died
			if !a.stays.Load() {
				x.drop(d)
			}
			return run.Result{Code: 1}
		case <-d.gone: // destroyed by hand
			return run.Result{Code: 1}
		case m := <-a.memory:
			a.filled <- x.fill(n, d, &m, !byXL)
			if !byXL {
				return run.Result{}
			}
		}
	}
}

func (x *xend) deliver(ctx context.Context, token string, b []byte) run.Result {
	m, _, err := unpack(b, signature)
	if err != nil {
		return run.Result{Code: notExpected}
	}
	a := x.announced(ctx, token)
	if a == nil {
		return run.Result{Code: notExpected}
	}
	select {
	case a.memory <- m:
	case <-a.over:
		return run.Result{Code: notExpected}
	case <-ctx.Done():
		return run.Result{Code: notExpected}
	}
	if err := <-a.filled; err != nil {
		return run.Result{Code: 1}
	}
	return run.Result{}
}
