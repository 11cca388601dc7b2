package libvirt

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// What migrate says when it fails.
const (
	unsafeStorage = "Unsafe migration: Migration without shared storage is unsafe"
	unsafeCache   = "Unsafe migration: Migration may lead to data corruption if disks use cache != none or cache != directsync"
	jobFailed     = "operation failed: job 'migration out' failed: "
	jobCanceled   = "operation aborted: job 'migration out' canceled by client"
	sourceGone    = "operation failed: domain is not running"
	endOfFile     = "End of file while reading data: Input/output error"
)

// offer is what the source tells the target first.
type offer struct {
	Config     config `json:"config"`
	Persistent bool   `json:"persistent"`
}

// push is one migration, seen from its source.
type push struct {
	c      *call
	x      *domain
	r      *running
	g      *lab.Guest
	j      *job
	to     string
	token  string
	before state
	paused bool // it was, when the migration began
}

// ask calls the target's libvirtd.
func (p *push) ask(ctx context.Context, stdin []byte, verb string) (run.Result, error) {
	return lab.Call(ctx, p.c.n.Layout.NodeSocket(p.to), lab.Request{Node: p.c.n.Name, Argv: []string{"libvirtd", verb, p.token}, Stdin: stdin})
}

// migrate pushes a domain to another node's libvirtd. life is that of virsh, or of libvirtd with --p2p.
func (c *call) migrate(life context.Context, x *domain, w words) int {
	host, remote := hostOf(w["desturi"])
	switch {
	case !remote:
		return c.fail("internal error: Attempt to migrate guest to the same host " + hostUUID(c.n.Name))
	case c.missing(host) && strings.HasPrefix(w["desturi"], "qemu+ssh:"):
		return c.fail(noHost(host))
	case c.missing(host):
		return c.fail("unable to connect to server at '" + host + ":16509': Name or service not known")
	}
	r, g, err := c.idle(life, x)
	switch {
	case err != nil:
		return c.fail(err.Error())
	case g == nil:
		return c.fail(notRunning)
	}
	if text := c.unsafe(x); text != "" && !w.has("unsafe") {
		return c.fail(text)
	}
	if host == c.n.Name || c.n.Fault("virsh", "same-uuid", x.conf.Name) {
		return c.fail("internal error: Attempt to migrate guest to the same host " + hostUUID(c.n.Name))
	}
	j, ctx, err := c.d.beginJob(life, x, r, "migration out", "Outgoing migration")
	if err != nil {
		return c.fail(err.Error())
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		c.d.endJob(r, j)
		return c.fail(err.Error())
	}
	c.d.mu.Lock()
	if j.speed = r.speed; w.has("bandwidth") {
		fmt.Sscanf(w["bandwidth"], "%d", &j.speed)
	}
	p := &push{c: c, x: x, r: r, g: g, j: j, to: host, token: hex.EncodeToString(b[:]), before: r.state, paused: g.Frozen()}
	c.d.mu.Unlock()
	err = p.copy(ctx, w)
	if err == nil {
		err = p.switchOver(w)
	}
	c.d.endJob(r, j)
	if err != nil {
		return c.fail(err.Error())
	}
	if w.has("verbose") {
		c.errors.WriteString("\rMigration: [100 %]\n")
	}
	return 0
}

// unsafe is why libvirt would not migrate these disks.
func (c *call) unsafe(x *domain) string {
	if c.n.Fault("virsh", "unsafe", x.conf.Name) {
		return unsafeStorage
	}
	for _, d := range x.conf.Disks {
		if d.Writes && !d.Shared && d.Cache != "none" && d.Cache != "directsync" {
			return unsafeCache
		}
	}
	return ""
}

// copy brings the memory to the target, while the guest runs on. After an error the domain is as it was before.
func (p *push) copy(ctx context.Context, w words) (err error) {
	c, name := p.c, p.x.conf.Name
	text, err := json.Marshal(offer{p.x.conf, w.has("persistent")})
	if err != nil {
		return err
	}
	answer, err := p.ask(ctx, text, "prepare")
	if err != nil {
		return refusal(noRoute(p.to))
	}
	if answer.Code != 0 {
		return refusal(string(answer.Stderr))
	}
	holding, hangUp := context.WithCancel(ctx)
	lost := make(chan struct{})
	c.n.Go(func(context.Context) {
		defer close(lost)
		if _, err := p.ask(holding, nil, "hold"); err != nil {
			return // its end says all
		}
	})
	defer func() {
		if err != nil {
			hangUp()
			<-lost
			c.d.stay(p.x, p.r, p.before, p.paused)
		} else { // the target is told by what comes next
			p.c.n.Go(func(context.Context) { <-lost; hangUp() })
		}
	}()
	copying, stop := context.WithCancel(ctx)
	defer stop()
	c.n.Go(func(context.Context) {
		select {
		case <-lost:
			stop()
		case <-copying.Done():
		}
	})
	if !c.copies(copying, p.r, p.j, min(copyTakes(p.j.bytes)+70*time.Millisecond, 300*time.Millisecond)) {
		c.d.mu.Lock()
		asked := p.j.asked
		c.d.mu.Unlock()
		switch {
		case !p.g.Alive() || closed(p.r.gone):
			return refusal(sourceGone)
		case asked:
			return refusal(jobCanceled)
		case ctx.Err() != nil: // virsh was killed
			return ctx.Err()
		}
		return refusal(jobFailed + "Unable to write to socket: Connection reset by peer")
	}
	switch {
	case c.n.Fault("virsh", "migrate-fails", name):
		return refusal(jobFailed + "Input/output error")
	case c.n.Fault("virsh", "daemon-dies", name):
		return refusal("Disconnected from qemu:///system due to end of file\nerror: " + endOfFile)
	case c.n.Fault("virsh", "source-lost", name):
		c.d.kill(p.x, p.r, "crashed")
		return refusal(sourceGone)
	case c.n.Fault("virsh", "incoming-stays", name):
		if _, err := p.ask(ctx, nil, "leave"); err != nil {
			fmt.Fprintln(os.Stderr, "lab: nothing stays on", p.to)
		}
		return refusal(jobFailed + "Input/output error")
	}
	return nil
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// switchOver stops the guest here and lets it go on there. Nobody can break it off: virsh may be killed meanwhile.
func (p *push) switchOver(w words) error {
	c := p.c
	ctx := c.n.Life()
	paused := p.g.Frozen()
	b, err := pack(p.g, p.x.conf)
	if err != nil {
		c.d.kill(p.x, p.r, "crashed")
		return refusal(sourceGone)
	}
	c.d.mu.Lock()
	if p.r.unlock(); p.x.run == p.r && !paused {
		p.r.state = state{isPaused, migrating}
	}
	c.d.mu.Unlock()
	verb := "deliver"
	if paused || w.has("suspend") {
		verb = "deliver-paused"
	}
	answer, err := p.ask(ctx, b, verb)
	silent := c.n.Fault("virsh", "finish-lost", p.x.conf.Name)
	if err != nil || silent || answer.Code != 0 {
		// libvirt takes a target that does not answer for one that does not run it; only the locks of the images are between.
		c.d.stay(p.x, p.r, p.before, paused)
		if err != nil || silent {
			return refusal(endOfFile)
		}
		return refusal(string(answer.Stderr))
	}
	if w.has("undefinesource") {
		c.d.mu.Lock()
		p.x.persistent = false
		c.d.mu.Unlock()
	}
	c.d.kill(p.x, p.r, "migrated")
	return nil
}

// notExpected: the target does not know, or no longer, what is delivered.
const notExpected = 2

// arrival is a domain whose memory is on its way.
type arrival struct {
	x          *domain
	r          *running
	persistent bool
	held       atomic.Bool   // the source has taken hold of it
	taken      atomic.Bool   // its memory has come
	stays      atomic.Bool   // it is left where it is when the source goes
	over       chan struct{} // closed when it runs
}

// prepareWait is how long a target waits for its source.
const prepareWait = 5 * time.Second

// remote answers another node's libvirtd.
func (d *daemon) remote(ctx context.Context, n *lab.Node, r lab.Request) run.Result {
	if len(r.Argv) != 3 {
		return run.Result{Code: 1}
	}
	d.fresh.Do(func() { clean(n) })
	verb, token := r.Argv[1], r.Argv[2]
	if verb == "prepare" {
		if err := d.prepare(n, token, r.Stdin); err != nil {
			return run.Result{Code: 1, Stderr: []byte(err.Error())}
		}
		return run.Result{}
	}
	d.mu.Lock()
	a := d.arrivals[token]
	d.mu.Unlock()
	if a == nil {
		return run.Result{Code: notExpected, Stderr: []byte("operation failed: migration was not prepared")}
	}
	switch verb {
	case "hold":
		a.held.Store(true)
		select {
		case <-ctx.Done(): // the source gave up or died
			if !a.stays.Load() && a.taken.CompareAndSwap(false, true) {
				d.kill(a.x, a.r, "failed")
			}
		case <-a.r.gone: // destroyed by hand
		case <-a.over:
		}
		d.mu.Lock()
		delete(d.arrivals, token)
		d.mu.Unlock()
	case "leave":
		a.stays.Store(true)
	case "deliver", "deliver-paused":
		if err := d.finish(n, a, r.Stdin, verb == "deliver-paused"); err != nil {
			return run.Result{Code: 1, Stderr: []byte(err.Error())}
		}
	}
	return run.Result{}
}

// prepare makes the domain that memory shall come to: paused, under its own name.
func (d *daemon) prepare(n *lab.Node, token string, text []byte) error {
	var o offer
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	if n.Fault("virsh", "libvirtd-down", "*") {
		return refusal("unable to connect to server at '" + n.Name + ":16509': Connection refused")
	}
	x, r, err := d.place(n, o.Config, false, state{isPaused, migrating})
	if err != nil {
		return err
	}
	if err := d.fits(n, x); err != nil {
		d.kill(x, r, "failed")
		return err
	}
	a := &arrival{x: x, r: r, persistent: o.Persistent, over: make(chan struct{})}
	d.mu.Lock()
	d.arrivals[token] = a
	d.mu.Unlock()
	n.Go(func(life context.Context) {
		if wait(life, prepareWait) && !a.held.Load() {
			d.kill(x, r, "failed")
		}
	})
	return nil
}

// finish lets a domain go on whose memory has come.
func (d *daemon) finish(n *lab.Node, a *arrival, b []byte, paused bool) error {
	m, _, err := unpack(b)
	if err != nil || !a.taken.CompareAndSwap(false, true) {
		return refusal("operation failed: domain is not running")
	}
	defer close(a.over)
	err = d.fill(n, a.x, a.r, &m)
	if err == nil && paused {
		err = d.claim(a.x, a.r)
	} else if err == nil {
		err = d.goOn(a.x, a.r, "migrated")
	}
	if err != nil {
		d.kill(a.x, a.r, "failed")
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.x.run == a.r && paused {
		a.r.state = state{isPaused, userPaused}
	}
	if a.persistent {
		a.x.persistent = true
	}
	a.x.moved = &stats{operation: "Incoming migration", began: a.r.since, took: time.Since(a.r.since), bytes: a.x.conf.bytes()}
	return nil
}
