package pacemaker

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	var err error
	role := strings.Fields(os.Getenv(roleVariable))
	switch {
	case filepath.Base(os.Args[0]) == fenceAgent:
		err = beFenceAgent(os.Stdin, os.Stdout)
	case len(role) == 0:
		os.Exit(m.Run())
	case role[0] == "node":
		err = beNode(role[1:])
	case role[0] == "switch": // it only keeps its network
		fmt.Println("namespaces")
		_, err = io.Copy(io.Discard, os.Stdin)
	default:
		err = fmt.Errorf("no role: %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
