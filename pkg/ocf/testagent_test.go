package ocf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lbvm/lbvm/internal/run"
)

const testXML = `<?xml version="1.0"?>
<resource-agent name="toy" version="rgmanager 2.0">
  <version>1.0</version>
  <longdesc lang="en">A toy.</longdesc>
  <shortdesc lang="en">Toy agent</shortdesc>
  <parameters>
    <parameter name="name" primary="1" unique="1" required="1">
      <longdesc lang="en">Name.</longdesc><shortdesc lang="en">Name</shortdesc><content type="string"/>
    </parameter>
    <parameter name="do">
      <longdesc lang="en">What to do.</longdesc><shortdesc lang="en">Do</shortdesc><content type="string" default="ok"/>
    </parameter>
    <parameter name="file">
      <longdesc lang="en">File.</longdesc><shortdesc lang="en">File</shortdesc><content type="string"/>
    </parameter>
    <parameter name="size" reconfig="1">
      <longdesc lang="en">Size.</longdesc><shortdesc lang="en">Size</shortdesc><content type="integer" default="3"/>
    </parameter>
    <parameter name="flag">
      <longdesc lang="en">Flag.</longdesc><shortdesc lang="en">Flag</shortdesc><content type="boolean" default=""/>
    </parameter>
  </parameters>
  <actions>
    <action name="start" timeout="300"/>
    <action name="stop" timeout="1m"/>
    <action name="status" timeout="20" interval="30s"/>
    <action name="status" timeout="40" interval="5m" depth="10"/>
    <action name="migrate" timeout="600"/>
    <action name="recover" timeout="0"/>
    <action name="meta-data" timeout="5"/>
    <action name="validate-all" timeout="5"/>
  </actions>
  <special tag="rgmanager"><attributes maxinstances="1" init_on_add="0" destroy_on_delete="0"/></special>
</resource-agent>
`

// toy does what its parameter `do` says.
type toy struct{ seen func(context.Context, *Call) }

var (
	_ Agent     = toy{}
	_ Migrator  = toy{}
	_ Validator = toy{}
	_ Recoverer = toy{}
)

func (t toy) Start(ctx context.Context, c *Call) error    { return t.do(ctx, c) }
func (t toy) Stop(ctx context.Context, c *Call) error     { return t.do(ctx, c) }
func (t toy) Status(ctx context.Context, c *Call) error   { return t.do(ctx, c) }
func (t toy) Validate(ctx context.Context, c *Call) error { return t.do(ctx, c) }
func (t toy) Recover(ctx context.Context, c *Call) error  { return t.do(ctx, c) }

func (t toy) Migrate(ctx context.Context, c *Call, target string) error {
	if target != c.World.Args[2] {
		return fmt.Errorf("the target is %q", target)
	}
	return t.do(ctx, c)
}

func (t toy) do(ctx context.Context, c *Call) error {
	if t.seen != nil {
		t.seen(ctx, c)
	}
	switch what := c.Params.Get("do"); what {
	case "ok":
		return nil
	case "fail":
		return errors.New("it broke")
	case "perm":
		return fmt.Errorf("asking: %w", Errorf(CodePerm, "only root may"))
	case "gone":
		return ErrNotRunning
	case "wrapped-gone":
		return errors.Join(ErrNotRunning, errors.New("and the disk is busy"))
	case "still":
		return fmt.Errorf("xm said no: %w", ErrStillHere)
	case "code0":
		return Errorf(CodeOK, "an error that says it is none")
	case "code256":
		return Errorf(256, "an error that would be 0 as an exit code")
	case "nil":
		var e *Error
		return e
	case "panic":
		panic("the toy broke")
	case "panicnil":
		panic(nil)
	case "hang":
		select {}
	case "late": // notices its deadline and still says what happened
		<-ctx.Done()
		return Errorf(CodeInstalled, "too late: %w", ctx.Err())
	case "tell":
		return tell(ctx, c)
	default:
		return fmt.Errorf("do what? %q", what)
	}
}

// tell writes what the agent sees into a file.
func tell(ctx context.Context, c *Call) error {
	var b strings.Builder
	fmt.Fprintf(&b, "action=%s name=%s instance=%s timeout=%s depth=%d size=%s\n", c.Action, c.Name, c.Instance, c.Timeout, c.Depth, c.Params.Get("size"))
	if d, ok := ctx.Deadline(); ok {
		fmt.Fprintf(&b, "deadline in %s\n", time.Until(d).Round(time.Second))
	}
	fmt.Fprintf(&b, "PATH=%s HOME=%s\n", os.Getenv("PATH"), os.Getenv("HOME"))
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "dir=%s\n", dir)
	for fd := 0; fd < 3; fd++ {
		to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%d=%s\n", fd, to)
	}
	f, err := os.Create(c.Params.Get("file"))
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "next descriptor above 2: %t\n", f.Fd() > 2)
	_, err = f.WriteString(b.String())
	return errors.Join(err, f.Close())
}

// TestMain makes this test program the toy agent, or the kit, where it is called by that name, and a keeper of theirs.
func TestMain(m *testing.M) {
	run.KeeperMain()
	if os.Getenv(boxWriterVariable) != "" {
		os.Exit(boxWriter())
	}
	if os.Getenv(RootVariable) == "" && os.Setenv(NoBoxVariable, "1") != nil { // not the black box of this machine
		os.Exit(99)
	}
	switch filepath.Base(os.Args[0]) {
	case "toy.sh":
		Main([]byte(testXML), toy{})
	case "kit.sh":
		Main([]byte(kitXML), kit{})
	}
	os.Exit(m.Run())
}
