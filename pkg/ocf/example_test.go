package ocf_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lbvm/lbvm/pkg/ocf"
)

// web is a resource that one program starts, stops and asks for.
type web struct{}

func (web) Start(ctx context.Context, c *ocf.Call) error {
	return ocf.Check(c.Change(ctx, "webctl", "start", c.Name))
}

func (web) Stop(ctx context.Context, c *ocf.Call) error {
	return ocf.Check(c.Change(ctx, "webctl", "stop", c.Name))
}

func (web) Status(ctx context.Context, c *ocf.Call) error {
	out, err := c.Query(ctx, "webctl", "status", c.Name)
	if err == nil && out.ExitCode == 3 { // webctl's word for: certainly not
		return ocf.ErrNotRunning
	}
	return ocf.Check(out, err)
}

func (web) Explain(ctx context.Context, _ *ocf.Call, do func(context.Context) error) error {
	return do(ctx)
}

var _ ocf.Explainer = web{}

// webXML is what the agent says of itself, usually a file by go:embed.
const webXML = `<?xml version="1.0"?>
<resource-agent name="web" version="rgmanager 2.0">
  <version>1.0</version>
  <longdesc lang="en">A web server.</longdesc>
  <shortdesc lang="en">Web server</shortdesc>
  <parameters>
    <parameter name="name" primary="1" unique="1" required="1">
      <longdesc lang="en">Its name.</longdesc><shortdesc lang="en">Name</shortdesc><content type="string"/>
    </parameter>
  </parameters>
  <actions>
    <action name="start" timeout="60"/>
    <action name="stop" timeout="60"/>
    <action name="status" timeout="20" interval="30s"/>
    <action name="meta-data" timeout="5"/>
    <action name="validate-all" timeout="5"/>
  </actions>
</resource-agent>
`

// A whole agent: its main function, and the three methods of web, which run one program.
func Example() {
	main := func() { ocf.Main([]byte(webXML), web{}) }
	_ = main // Main ends the process
}

// node makes a folder that stands for a node in tests, with a program webctl that is a shell script.
func node(webctl string) (root string, remove func()) {
	root, err := os.MkdirTemp("", "node")
	if err == nil {
		err = os.MkdirAll(filepath.Join(root, "usr/sbin"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "usr/sbin/webctl"), []byte("#!/bin/sh\n"+webctl), 0o755)
	}
	if err != nil {
		panic(err)
	}
	return root, func() {
		if err := os.RemoveAll(root); err != nil {
			panic(err)
		}
	}
}

// Tests call an agent by Run: the arguments and the environment are the manager's, the node is a folder.
func ExampleRun() {
	root, remove := node("exit 3")
	defer remove()
	code := ocf.Run(ocf.World{
		Args:   []string{"/usr/share/cluster/web.sh", "status"},
		Env:    []string{"OCF_RESKEY_name=w1", ocf.RootVariable + "=" + root},
		Stdout: os.Stdout,
		Human:  true,
	}, []byte(webXML), web{})
	fmt.Println(int(code))
	// Output:
	// status of web:w1: does not run here (exit 7)
	// 7
}

// An agent that changes its resource by Change alone explains itself.
func ExampleRun_explain() {
	root, remove := node("exit 0")
	defer remove()
	var out strings.Builder
	ocf.Run(ocf.World{
		Args:   []string{"/usr/share/cluster/web.sh", "--explain", "start"},
		Env:    []string{"OCF_RESKEY_name=w1", ocf.RootVariable + "=" + root},
		Stdout: &out,
	}, []byte(webXML), web{})
	fmt.Print(strings.ReplaceAll(out.String(), root, ""))
	// Output:
	// start of web:w1, as rgmanager calls it. Nothing is changed.
	//   name=w1
	//   time: 1m0s; what still runs after 58s is told to end
	//   would run: /usr/sbin/webctl start w1
	// end: ok (exit 0)
}

// call is what a method of an agent gets from Run.
func call(root string) *ocf.Call {
	return &ocf.Call{Action: "stop", Type: "web", Name: "w1", Instance: "web:w1", Timeout: time.Minute,
		World: ocf.World{Env: []string{ocf.RootVariable + "=" + root}, Now: time.Now}, Log: quiet{}}
}

type quiet struct{}

func (quiet) Log(ocf.Level, string, ...any) {}

// The exit code is an answer; a program that does not exist is an error.
func ExampleCall_Query() {
	root, remove := node(`echo "$2 is down"; exit 3`)
	defer remove()
	c := call(root)
	out, err := c.Query(context.Background(), "webctl", "status", c.Name)
	fmt.Printf("%s%d %v\n", out.Stdout, out.ExitCode, err)

	_, err = c.Query(context.Background(), "webctl2")
	var coded *ocf.Error
	fmt.Println(err, errors.As(err, &coded) && coded.Code == ocf.CodeInstalled)
	// Output:
	// w1 is down
	// 3 <nil>
	// webctl2 is not installed here true
}

// Let the gentle way end at two thirds of the time, and use the rest for the hard one.
func ExampleCall_Change() {
	root, remove := node(`[ "$1" = kill ] || { echo "it does not stop" >&2; exit 1; }`)
	defer remove()
	stop := func(ctx context.Context, c *ocf.Call) error {
		soft, cancel := c.Until(ctx, 2, 3)
		defer cancel()
		err := ocf.Check(c.Change(soft, "webctl", "stop", c.Name))
		if err == nil {
			return nil
		}
		fmt.Println(strings.ReplaceAll(err.Error(), root, ""))
		return ocf.Check(c.Change(ctx, "webctl", "kill", c.Name))
	}
	fmt.Println(stop(context.Background(), call(root)))
	// Output:
	// /usr/sbin/webctl stop w1: exit code 1: it does not stop
	// <nil>
}
