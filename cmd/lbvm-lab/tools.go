package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// tool is an emulated program, if name is one's: it asks the node's daemon or the cluster manager and prints
// the answer.
func tool(ctx context.Context, name string, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) (code int, done bool) {
	ofNode := slices.Contains(lab.NodeTools(), name)
	if !ofNode && !slices.Contains(lab.ManagerTools(), name) {
		return 0, false
	}
	h, err := host.FromEnviron(environ)
	if err == nil && h.Root() == "" {
		err = fmt.Errorf("this is the lab's own %s, and %s does not say of which node: use lbvm-lab run NODE %s", name, host.RootVariable, name)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1, true
	}
	l, node, err := lab.OfRoot(h.Root())
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1, true
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	socket := l.ManagerSocket()
	if ofNode {
		socket = l.NodeSocket(node)
	}
	r := lab.Request{Node: node, Argv: append([]string{name}, args...), Dir: dir}
	if name == "fence_ack_manual" && len(args) > 0 {
		fmt.Fprintf(stdout, "About to override fencing for %s.\nImproper use of this command can cause severe file system damage.\n\nContinue [NO/absolutely]? ", args[len(args)-1])
		if r.Stdin, err = io.ReadAll(io.LimitReader(lineReader{stdin}, 100)); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", name, err)
			return 1, true
		}
	}
	answer, err := lab.Call(ctx, socket, r)
	if err != nil {
		answer = deaf(name)
	}
	if err := print(stdout, stderr, answer); err != nil {
		return 1, true
	}
	return answer.Code, true
}

// lineReader reads up to the first end of a line.
type lineReader struct{ io.Reader }

func (l lineReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := l.Reader.Read(p[:1])
	if n == 1 && p[0] == '\n' {
		return 0, io.EOF
	}
	return n, err
}

func print(stdout, stderr io.Writer, r run.Result) error {
	if _, err := stdout.Write(r.Stdout); err != nil {
		return err
	}
	_, err := stderr.Write(r.Stderr)
	return err
}

// deaf is what the real programs say when what they talk to is not there.
func deaf(name string) run.Result {
	text, code := "", 1
	switch name {
	case "vzctl", "vzlist", "vz":
		code = 5
		text = "Unable to open /dev/vzctl: No such file or directory\nPlease check that vzdev kernel module is loaded and you have sufficient permissions to access the file.\n"
	case "xm":
		text = "Error: Unable to connect to xend: Connection refused. Is xend running?\n"
	case "xl":
		text = "libxl: error: libxl.c:102:libxl_ctx_alloc: cannot open libxc handle: No such file or directory\ncannot init xl context\n"
	case "virsh":
		text = "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory\n"
	case "clustat":
		text = "Could not connect to CMAN: Connection refused\n"
	case "clusvcadm":
		text = "Could not connect to cluster service\n"
	case "cman_tool":
		text = "cman_tool: Cannot open connection to cman, is it running ?\n"
	case "ccs_tool":
		text = "Unable to connect to the CCS daemon: Connection refused\n\nFailed to update config file.\n"
	}
	return run.Result{Stderr: []byte(text), Code: code}
}
