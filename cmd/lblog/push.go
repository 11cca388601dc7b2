package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/sample"
)

// peers are the other members of the cluster's configuration.
func (w world) peers(ctx context.Context, own string) ([]string, error) {
	c, err := cluster.Configured(ctx, w.host, w.run, "")
	if err != nil {
		return nil, fmt.Errorf("asking who the other members are: %w", err)
	}
	return slices.DeleteFunc(c.Nodes, func(n string) bool { return strings.EqualFold(n, own) || host.CheckName(n) != nil }), nil
}

// push sends the others what was measured (logs push;). What comes of it is told, and spoils nothing that was written here.
func (w world) push(ctx context.Context, s sample.Sampler, p sample.Packet) {
	log := w.log()
	peers, err := w.peers(ctx, p.Member)
	if err != nil {
		log.WithError(err).Error("nothing was sent to the other members")
		return
	}
	failed := s.Push(ctx, p, peers)
	if err := w.tellPushed(log, failed); err != nil {
		log.WithError(err).Error("to whom nothing could be sent was not noted")
	}
}

// keepFacts publishes this node's own facts on a node that shares nothing.
func (w world) keepFacts(f host.Facts) error {
	dir := w.host.Path(host.PushedDir)
	if err := os.MkdirAll(filepath.Join(dir, host.NodesDir), 0o755); err != nil {
		return err
	}
	return host.WriteFacts(dir, f)
}

// failedFile notes to whom nothing could be sent: it is told once, not each minute. One that said for the first time that it sees
// the same logdir stands there with seenOnce: it says so, too, of the second of two runs in one second.
const (
	failedFile = host.RunDir + "/push.failed"
	seenOnce   = "?"
)

func (w world) tellPushed(log logrus.FieldLogger, failed map[string]error) error {
	file := w.host.Path(failedFile)
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	before := strings.Fields(string(b))
	var now []string
	for _, peer := range slices.Sorted(maps.Keys(failed)) {
		word := peer
		switch log := log.WithField("member", peer); {
		case slices.Contains(before, peer):
		case errors.Is(failed[peer], sample.ErrSeen) && !slices.Contains(before, seenOnce+peer):
			word = seenOnce + peer
		case errors.Is(failed[peer], sample.ErrSeen):
			log.Warn("logs push; is not needed: this member sees the same logdir, and drops what is sent; take it out of lbvm.conf")
		default:
			log.WithError(failed[peer]).Error("what was measured could not be sent: root must reach it by ssh without a question")
		}
		now = append(now, word)
	}
	for _, peer := range before {
		if !slices.Contains(now, peer) && !strings.HasPrefix(peer, seenOnce) {
			log.WithField("member", peer).Info("what is measured is sent again")
		}
	}
	if slices.Equal(before, now) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(file, []byte(strings.Join(now, "\n")+"\n"), atomicfile.Options{Mode: 0o644})
}

// receive takes what another member has measured, from standard input.
func (w world) receive(ctx context.Context, config string) error {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	id, err := w.host.Identity()
	if err != nil {
		return err
	}
	set, err := w.configuration(config)
	if err != nil {
		return err
	}
	if !set.push {
		return errors.New("lbvm.conf of this node does not say logs push; nothing was written")
	}
	peers, err := w.peers(ctx, id.Member)
	if err != nil {
		return err
	}
	text, err := w.sent(ctx)
	if err != nil {
		return fmt.Errorf("reading what is sent: %w; nothing was written", err)
	}
	var logs []string
	for _, r := range set.resources {
		logs = append(logs, strings.TrimPrefix(r.LogName(id.Member), id.Member+"-"))
	}
	p, err := sample.ParsePacket(text, peers, logs)
	if err != nil {
		return fmt.Errorf("%w; nothing was written", err)
	}
	dir, err := w.shared(id)
	if err != nil {
		return err
	}
	if dir != "" {
		p.Facts = nil // each node writes its own there
	}
	facts := w.host.Path(host.PushedDir)
	if p.Facts != nil {
		if err := os.MkdirAll(filepath.Join(facts, host.NodesDir), 0o755); err != nil {
			return err
		}
	}
	seen, err := p.Take(w.host.Path(set.logDir), facts)
	if err == nil && seen {
		fmt.Fprintln(w.stdout, sample.Seen)
	}
	return err
}

// receiveLimit is how long a sender may take: no sender waits longer.
const receiveLimit = 20 * time.Second

// sent is what another member sends. One that sends nothing, and does not hang up, is not waited for.
func (w world) sent(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, receiveLimit, fmt.Errorf("nothing came to an end within %s", receiveLimit))
	defer cancel()
	type answer struct {
		text []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(w.stdin, sample.MaxPacket+1))
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		return a.text, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
