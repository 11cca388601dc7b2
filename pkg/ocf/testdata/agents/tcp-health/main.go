// Command tcp-health is a resource agent that watches a TCP service. It starts and stops nothing: start waits until
// the service answers, status fails when it no longer does, and so the group that holds the resource is recovered.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/lbvm/lbvm/pkg/ocf"
)

//go:embed tcp-health.xml
var metadata []byte

func main() { ocf.Main(metadata, agent{}) }

type agent struct{}

// mark is the file that says that this node watches. /var/run is emptied when the node boots.
func mark(c *ocf.Call) string { return c.World.Path("/var/run/tcp-health." + url.PathEscape(c.Name)) }

func (agent) Start(ctx context.Context, c *ocf.Call) error {
	var last error
	err := c.Await(ctx, time.Second, func(ctx context.Context) (bool, error) {
		last = healthy(ctx, c)
		return last == nil, nil
	})
	if err != nil {
		return errors.Join(last, err)
	}
	return os.WriteFile(mark(c), nil, 0o600)
}

func (agent) Stop(_ context.Context, c *ocf.Call) error {
	if err := os.Remove(mark(c)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (agent) Status(ctx context.Context, c *ocf.Call) error {
	if _, err := os.Stat(mark(c)); errors.Is(err, fs.ErrNotExist) {
		return ocf.ErrNotRunning
	} else if err != nil {
		return err
	}
	return healthy(ctx, c)
}

func (agent) Validate(_ context.Context, c *ocf.Call) error {
	if _, _, err := net.SplitHostPort(c.Params.Get("address")); err != nil {
		return ocf.Errorf(ocf.CodeConfigured, "address: %w", err)
	}
	return nil
}

// healthy connects; a status of depth 10 also reads what the service says first.
func healthy(ctx context.Context, c *ocf.Call) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.Params.Get("address"))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	want := c.Params.Get("banner")
	if c.Depth < 10 || want == "" {
		return nil
	}
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		return fmt.Errorf("%s says %q, not %q (%v)", c.Params.Get("address"), got[:n], want, err)
	}
	return nil
}
