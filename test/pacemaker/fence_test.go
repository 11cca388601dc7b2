package pacemaker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fencePath is where the nodes reach the fence device, fenceAgent how its agent is called.
const (
	fencePath  = "/fence"
	fenceAgent = "fence_bench"
)

// beFenceAgent is a fence agent: options on its standard input, as fenced gives them. It asks the device on the host.
func beFenceAgent(stdin io.Reader, stdout io.Writer) error {
	options := map[string]string{"action": "reboot"}
	for s := bufio.NewScanner(stdin); s.Scan(); {
		if key, value, ok := strings.Cut(strings.TrimSpace(s.Text()), "="); ok {
			options[key] = value
		}
	}
	for _, a := range os.Args[1:] { // pacemaker asks for the metadata by -o
		if slices.Contains([]string{"metadata", "--metadata"}, a) {
			options["action"] = "metadata"
		}
	}
	name := options["plug"]
	if name == "" {
		name = options["nodename"]
	}
	switch options["action"] {
	case "metadata", "meta-data":
		fmt.Fprint(stdout, fenceMetadata)
		return nil
	case "list":
		for _, n := range names() {
			fmt.Fprintf(stdout, "%s,\n", n)
		}
		return nil
	case "validate-all":
		return nil
	}
	me, err := os.Hostname()
	if err != nil {
		return err
	}
	c, err := net.DialTimeout("unix", fencePath+"/device", 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	var a fenceAnswer
	if err := errors.Join(c.SetDeadline(time.Now().Add(time.Minute)), json.NewEncoder(c).Encode(fenceRequest{me, options["action"], name}), json.NewDecoder(c).Decode(&a)); err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}

const fenceMetadata = `<?xml version="1.0" ?>
<resource-agent name="fence_bench" shortdesc="The power switch of the bench">
<longdesc>Ends all processes of a node.</longdesc>
<vendor-url>none</vendor-url>
<parameters>
	<parameter name="action" unique="0" required="1"><getopt mixed="-o, --action=[action]"/><content type="string" default="reboot"/><shortdesc lang="en">Action</shortdesc></parameter>
	<parameter name="plug" unique="0" required="1" obsoletes="port"><getopt mixed="-n, --plug=[name]"/><content type="string"/><shortdesc lang="en">The node</shortdesc></parameter>
</parameters>
<actions>
	<action name="on" automatic="0"/><action name="off"/><action name="reboot"/><action name="status"/><action name="monitor"/><action name="list"/><action name="metadata"/>
</actions>
</resource-agent>
`

type fenceRequest struct{ From, Action, Node string }

type fenceAnswer struct{ Error string }

// fencing is a request that the device has carried out or refused.
type fencing struct {
	fenceRequest
	asked, done time.Time
	err         error
}

// device is the power switch on the host. It ends a node's first process, and with it all others, and says so when they are gone.
type device struct {
	t       *testing.T
	kill    func(node string) error // ends the node, and returns when it is over
	reaches func(from string) error // whether that node has a way to the device
	mu      sync.Mutex
	refuse  error // what it answers instead, while it is out of order
	done    []fencing
}

// newDevice begins a device that listens in that folder.
func newDevice(t *testing.T, dir string, kill func(string) error, reaches func(string) error) *device {
	t.Helper()
	d := &device{t: t, kill: kill, reaches: reaches}
	l, err := net.Listen("unix", filepath.Join(dir, "device"))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Add(1)
	go func() {
		defer all.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Add(1)
			go func() { defer all.Done(); d.serve(c) }()
		}
	}()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Log(err)
		}
		all.Wait()
	})
	return d
}

func (d *device) serve(c net.Conn) {
	defer c.Close()
	var r fenceRequest
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if err := json.NewDecoder(c).Decode(&r); err != nil {
		return
	}
	var a fenceAnswer
	if err := d.act(r); err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(c).Encode(a)
}

func (d *device) act(r fenceRequest) error {
	if err := d.reaches(r.From); err != nil {
		return err
	}
	switch r.Action {
	case "status", "monitor", "on":
		return nil
	case "off", "reboot":
	default:
		return fmt.Errorf("the device cannot %q", r.Action)
	}
	f := fencing{fenceRequest: r, asked: time.Now()}
	d.mu.Lock()
	f.err = d.refuse
	d.mu.Unlock()
	if f.err == nil {
		f.err = d.kill(r.Node)
	}
	f.done = time.Now()
	d.mu.Lock()
	d.done = append(d.done, f)
	d.mu.Unlock()
	return f.err
}

// order sets what the device answers to off and reboot; nil: it does what it is asked.
func (d *device) order(refuse error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = refuse
}

// fencings are the requests so far.
func (d *device) fencings() []fencing {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.done)
}
