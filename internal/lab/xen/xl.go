package xen

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// xl has no daemon: who kills it in the middle leaves the domain as it was then, maybe suspended. It takes almost the
// words of xm.
func (x *xend) xl(ctx context.Context, n *lab.Node, r lab.Request) run.Result {
	c := &call{x: x, n: n, dir: r.Dir, tool: "xl", v: versionOf(n.Setting(xlVersionFile, "4.17"))}
	if n.Fault("xl", "libxl-down", "*") {
		return c.result(c.fail(libxlDown))
	}
	if len(r.Argv) > 1 && exists(n.Path(lab.XendLock)) && !slices.Contains([]string{"list", "info", "domid"}, r.Argv[1]) {
		return c.result(c.fail(xendRuns))
	}
	all := verbs()
	all["shutdown"] = verb{[]string{"-w", "-F", "-a"}, nil, 1, 1, "1 argument", (*call).shutdown}
	all["save"] = verb{[]string{"-c", "-p"}, nil, 2, 3, "2 arguments", (*call).save}
	all["restore"] = verb{[]string{"-p", "-e", "-d"}, nil, 1, 2, "1 argument", (*call).restore}
	all["migrate"] = verb{[]string{"-e", "-p", "-D", "--debug", "--live"}, []string{"-s", "-C"}, 2, 2, "2 arguments", (*call).xlMigrate}
	return c.run(ctx, r, all)
}

// rebootTakes is how long a rebooting guest is away.
const rebootTakes = 1500 * time.Millisecond

const (
	handshakeFailed = "** Migration failed during final handshake **\nDomain state is now undefined !\n" +
		"Please CHECK AT BOTH ENDS for running instances, before renaming and\n resuming at most one instance.  Two simultaneous instances of the domain\n" +
		" would probably result in SEVERE DATA LOSS and it is now your\n responsibility to avoid that.  Sorry.\n"
	senderResumed = "Migration failed, resuming at sender.\n"
	targetFailed  = "migration sender: Target reports startup failure (status code 3).\nmigration sender: Trying to resume at our end.\n" +
		"migration sender: Resumed OK.\nMigration failed due to problems at target.\n"
)

// xlMigrate pushes a domain: all memory first, then two words between the sides, each of which may be lost.
func (c *call) xlMigrate(life context.Context, w words) int {
	d, target := c.find(w.args[0]), w.args[1]
	if d == nil {
		return c.noDomain(w.args[0], "migrate")
	}
	name := d.conf.Name
	rc := func(old int) int { // until 4.6 libxl's own number
		if c.v.before(4, 7) {
			return old
		}
		return 1
	}
	tell := func(text string, code int) int {
		c.errors.WriteString(text)
		return code
	}
	socket := c.n.Layout.NodeSocket(target)
	ask := func(ctx context.Context, stdin []byte, argv ...string) (run.Result, error) {
		return lab.Call(ctx, socket, lab.Request{Node: c.n.Name, Argv: append([]string{"xend"}, argv...), Stdin: stdin})
	}
	if _, err := os.Stat(c.n.Layout.Root(target)); err != nil || filepath.Base(target) != target {
		return tell(fmt.Sprintf("ssh: Could not resolve hostname %s: Name or service not known\nlibxl: error: libxl_utils.c:408:libxl_read_exactly: file/stream truncated reading ipc msg header from migration receiver stream\n", target), rc(3))
	}
	if !c.x.depart(d, false) {
		return c.noDomain(w.args[0], "migrate")
	}
	stay := func(text string) int {
		c.x.stay(d)
		return tell(text, rc(3))
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return stay(senderResumed)
	}
	token := hex.EncodeToString(b[:])
	receiving, hangUp := context.WithCancel(life)
	defer hangUp()
	delivering, stop := context.WithCancel(life)
	defer stop()
	refused := make(chan struct{})
	c.n.Go(func(context.Context) {
		defer close(refused)
		if _, err := ask(receiving, d.conf.json(), "receive", token, "xl"); err != nil {
			stop() // nobody waits there for what is delivered
		}
	})
	tell("migration target: Ready to receive domain.\nSaving to migration stream new xl format (info 0x3/0x0/1234)\n", 0)
	copying, done := context.WithCancel(life)
	defer done()
	select {
	case <-refused:
		return stay(senderResumed)
	case <-passed(copying, copyTakes(d.conf.bytes(), true)):
	}
	if life.Err() != nil {
		c.x.stay(d) // it has not been suspended yet
		return 1
	}
	leave := func() {
		if r, err := ask(life, nil, "leave", token); err != nil || r.Code != 0 {
			fmt.Fprintln(os.Stderr, "lab: nothing stays on", target)
		}
	}
	stays := c.n.Fault("xl", "incoming-stays", name)
	if stays {
		leave()
	}
	memory, err := c.x.pack(d, signature)
	if err != nil || stays || c.n.Fault("xl", "migrate-fails", name) {
		hangUp()
		<-refused
		return stay(senderResumed)
	}
	if r, err := ask(delivering, memory, "deliver", token); err != nil || r.Code != 0 {
		return stay(senderResumed)
	}
	c.x.rename(d, name+away)
	tell("migration sender: Target has acknowledged transfer.\nmigration sender: Giving target permission to start.\n", 0)
	switch {
	case c.n.Fault("xl", "handshake-torso", name):
		leave()
		return tell(handshakeFailed, rc(7))
	case c.n.Fault("xl", "migrate-target", name):
		hangUp()
		<-refused
		return stay(targetFailed)
	}
	undefined := c.n.Fault("xl", "handshake-undefined", name)
	r, err := ask(life, nil, "go", token)
	switch {
	case err != nil || undefined: // it may run there
		return tell(handshakeFailed, rc(7))
	case r.Code != 0:
		hangUp()
		<-refused
		return stay(targetFailed)
	}
	c.x.drop(d)
	return tell("migration sender: Target reports successful startup.\nMigration successful.\n", 0)
}

// last is the source's last word to xl's receiver: go, or (the lab's own) leave what has arrived where it is.
func (x *xend) last(ctx context.Context, word, token string) run.Result {
	a := x.announced(ctx, token)
	if a == nil {
		return run.Result{Code: notExpected}
	}
	a.stays.Store(true)
	if word == "leave" {
		return run.Result{}
	}
	x.mu.Lock()
	other, g := x.findLocked(a.d.conf.Name), a.d.guest
	if other == nil && g != nil {
		a.d.name = a.d.conf.Name
	}
	x.mu.Unlock()
	if other != nil || g == nil {
		a.stays.Store(false)
		return run.Result{Code: 3, Stderr: []byte(fmt.Sprintf("libxl: error: Domain with name %q already exists.\n", a.d.conf.Name))}
	}
	if err := g.Thaw(); err != nil && !errors.Is(err, lab.ErrGone) {
		return run.Result{Code: 3, Stderr: []byte(strings.ToLower(err.Error()))}
	}
	return run.Result{}
}
