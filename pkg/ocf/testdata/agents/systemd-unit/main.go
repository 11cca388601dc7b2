// Command systemd-unit is a resource agent by which the cluster starts and stops a unit of systemd.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/ocf"
)

//go:embed systemd-unit.xml
var metadata []byte

func main() { ocf.Main(metadata, agent{}) }

type agent struct{}

func (a agent) Start(ctx context.Context, c *ocf.Call) error {
	if a.Status(ctx, c) == nil {
		return nil
	}
	if err := ocf.Check(c.Change(ctx, "systemctl", "start", "--", c.Name)); err != nil {
		return err
	}
	return c.Await(ctx, time.Second, func(ctx context.Context) (bool, error) { return a.Status(ctx, c) == nil, nil })
}

func (a agent) Stop(ctx context.Context, c *ocf.Call) error {
	if a.Status(ctx, c) == ocf.ErrNotRunning {
		return nil
	}
	soft, cancel := c.Until(ctx, 2, 3)
	defer cancel()
	if err := ocf.Check(c.Change(soft, "systemctl", "stop", "--", c.Name)); err != nil {
		c.Log.Log(ocf.LevelWarning, "killing "+c.Name+": "+err.Error())
		if err := ocf.Check(c.Change(ctx, "systemctl", "kill", "--signal=KILL", "--", c.Name)); err != nil {
			return err
		}
	}
	return c.Await(ctx, time.Second, func(ctx context.Context) (bool, error) {
		return a.Status(ctx, c) == ocf.ErrNotRunning, nil
	})
}

func (agent) Status(ctx context.Context, c *ocf.Call) error {
	out, err := c.Query(ctx, "systemctl", "is-active", "--", c.Name)
	if err != nil {
		return err
	}
	switch now := strings.TrimSpace(string(out.Stdout)); now {
	case "active", "reloading":
		return nil
	case "inactive", "failed", "unknown": // systemd leaves no process of a failed unit alive
		return ocf.ErrNotRunning
	default: // activating, deactivating, or no word at all: nobody can tell
		return fmt.Errorf("%s is %q (%v)", c.Name, now, out.Err())
	}
}

// Explain needs no words of its own, since nothing is changed but by Change.
func (agent) Explain(ctx context.Context, _ *ocf.Call, do func(context.Context) error) error {
	return do(ctx)
}
