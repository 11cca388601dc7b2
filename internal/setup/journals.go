package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/run"
)

// Journals is a GFS or GFS2 that is mounted here. Each node that mounts it needs a journal of its own.
type Journals struct {
	Kind  string // gfs, gfs2
	Mount string
	Have  int // 0: it could not be told, Err says why
	Err   error
}

// ErrJournals says that nobody could tell how many journals there are.
var ErrJournals = errors.New("how many journals there are is not known")

const gfsTimeout = 5 * time.Minute

// CountJournals asks each GFS and GFS2 of this node how many journals it has: `gfs2_tool journals` and `gfs_tool df`.
// Newer releases of gfs2-utils have no gfs2_tool; gfs2_edit -p jindex tells there, to a person.
func CountJournals(ctx context.Context, h host.Host, r run.Runner) ([]Journals, error) {
	b, err := os.ReadFile(h.Path("/proc/mounts"))
	if errors.Is(err, os.ErrNotExist) && h.Root() != "" {
		return nil, nil // a lab node has no mounts
	}
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	var out []Journals
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if len(w) < 4 || !slices.Contains([]string{"gfs", "gfs2"}, w[2]) || slices.Contains(strings.Split(w[3], ","), "lockproto=lock_nolock") {
			continue
		}
		j := Journals{Kind: w[2], Mount: w[1]}
		j.Have, j.Err = j.count(ctx, h, r)
		out = append(out, j)
	}
	return out, nil
}

func (j Journals) count(ctx context.Context, h host.Host, r run.Runner) (int, error) {
	argv, form := []string{"gfs_tool", "df", j.Mount}, `(?m)^\s*Journals = (\d+)$`
	if j.Kind == "gfs2" {
		argv, form = []string{"gfs2_tool", "journals", j.Mount}, `(?m)^(\d+) journal\(s\) found\.$`
	}
	out, err := tool(ctx, h, r, argv)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrJournals, err)
	}
	m := regexp.MustCompile(form).FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%w: %s says %q", ErrJournals, argv[0], strings.Join(strings.Fields(out), " "))
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%w: %s says %q", ErrJournals, argv[0], m[0])
	}
	return n, nil
}

// AddCommand is what adds n journals.
func (j Journals) AddCommand(n int) []string {
	return []string{j.Kind + "_jadd", "-j", strconv.Itoa(n), j.Mount}
}

// Add gives a file system so many journals as nodes need. It counts again first, and afterwards. The tool writes into the
// mounted file system of all nodes: once begun it is waited for, however long it takes, whatever ends ctx meanwhile.
func (j Journals) Add(ctx context.Context, h host.Host, r run.Runner, nodes int) error {
	have, err := j.count(ctx, h, r)
	if err != nil || have >= nodes {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("nothing was begun: %w", err)
	}
	argv := j.AddCommand(nodes - have)
	ctx = context.WithoutCancel(ctx)
	if _, err := answer(ctx, h, r, argv); err != nil {
		if j.Kind == "gfs" {
			err = fmt.Errorf("%w (GFS takes room for journals behind its end: lvextend its volume first, by 128 MiB for each)", err)
		}
		return err
	}
	if now, err := j.count(ctx, h, r); err != nil || now < nodes {
		return errors.Join(err, fmt.Errorf("%s has ended, and %s has %d journals", strings.Join(argv, " "), j.Mount, now))
	}
	return nil
}

// tool is answer within gfsTimeout, for what only reads.
func tool(ctx context.Context, h host.Host, r run.Runner, argv []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gfsTimeout)
	defer cancel()
	return answer(ctx, h, r, argv)
}

// answer runs a program and gives what it printed. Another exit code than 0 is an error.
func answer(ctx context.Context, h host.Host, r run.Runner, argv []string) (string, error) {
	path, err := h.Lookup(argv[0])
	if err != nil {
		return "", err
	}
	out, err := r.Run(ctx, run.Command{Argv: append([]string{path}, argv[1:]...), Env: h.Environ()})
	if err != nil {
		return "", err
	}
	if out.Code != 0 {
		return "", fmt.Errorf("%s: exit %d: %s", strings.Join(argv, " "), out.Code, strings.Join(strings.Fields(string(out.Stderr)+" "+string(out.Stdout)), " "))
	}
	return string(out.Stdout), nil
}
