package openvz

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/lab"
	"github.com/lbvm/lbvm/internal/run"
)

// column is one field that vzlist prints.
type column struct {
	head, format string
	value        func(row) string
}

type row struct {
	id, status string
	conf       config
	g          *lab.Guest
}

func columns(old bool) map[string]column {
	id := column{"CTID", "%10s", func(r row) string { return r.id }}
	ifRuns := func(value func(row) string) func(row) string {
		return func(r row) string {
			if r.g == nil {
				return "-"
			}
			return value(r)
		}
	}
	orDash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	pages := ifRuns(func(r row) string { return strconv.FormatInt(r.g.MemBytes/page, 10) })
	all := map[string]column{
		"ctid":     id,
		"status":   {"STATUS", "%-9s", func(r row) string { return r.status }},
		"numproc":  {"NPROC", "%10s", ifRuns(func(row) string { return "1" })},
		"laverage": {"LAVERAGE", "%14s", ifRuns(func(r row) string { return fmt.Sprintf("%.2f/%.2[1]f/%.2[1]f", r.g.Load()) })},
		"ip":       {"IP_ADDR", "%-15s", func(r row) string { return orDash(r.conf.ip) }},
		"hostname": {"HOSTNAME", "%-32s", func(r row) string { return orDash(r.conf.hostname) }},
		"name":     {"NAME", "%-32s", func(r row) string { return orDash(r.conf.name) }},
		"private":  {"PRIVATE", "%-32s", func(r row) string { return r.conf.private }},
		"root":     {"ROOT", "%-32s", func(r row) string { return r.conf.root }},
	}
	for _, name := range []string{"physpages", "privvmpages", "oomguarpages"} {
		all[name] = column{strings.ToUpper(name), "%10s", pages}
	}
	id.head = "VEID"
	all["veid"] = id
	if old { // CTID came with 3.0.23
		delete(all, "ctid")
	}
	return all
}

func (k *kernel) vzlist(_ context.Context, n *lab.Node, r lab.Request) run.Result {
	old := strings.HasPrefix(n.Setting(versionFile, "3.0.22"), "3.0.")
	fields := "ctid,numproc,status,ip,hostname"
	if old {
		fields = "veid,numproc,status,ip,hostname"
	}
	fail := func(code int, format string, args ...any) run.Result {
		return run.Result{Code: code, Stderr: []byte(fmt.Sprintf(format+"\n", args...))}
	}
	var all, stopped, bare bool
	var ids []string
	args := r.Argv[1:]
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-a" || a == "--all":
			all = true
		case a == "-S" || a == "--stopped":
			stopped = true
		case a == "-H" || a == "--no-header":
			bare = true
		case a == "-t" || a == "--no-trim":
		case a == "-1":
			bare, fields = true, strings.Split(fields, ",")[0]
		case (a == "-o" || a == "--output") && i+1 < len(args):
			i++
			fields = args[i]
		case strings.HasPrefix(a, "-"):
			return fail(1, "vzlist: invalid option -- '%s'\nUsage: vzlist [-a | -S] [-H] [-o field[,field...] | -1] [CTID [CTID ...]]", a)
		default:
			if _, err := strconv.ParseUint(a, 10, 31); err != nil {
				return fail(1, "Invalid veid %s", a)
			}
			ids = append(ids, a)
		}
	}
	known := columns(old)
	var chosen []column
	for _, name := range strings.Split(fields, ",") {
		c, ok := known[name]
		if !ok {
			return fail(1, "Unknown field: %s", name)
		}
		chosen = append(chosen, c)
	}
	var out strings.Builder
	line := func(value func(column) string) {
		for i, c := range chosen {
			if i > 0 {
				out.WriteByte(' ')
			}
			if i == len(chosen)-1 && strings.HasPrefix(c.format, "%-") {
				out.WriteString(value(c))
				continue
			}
			fmt.Fprintf(&out, c.format, value(c))
		}
		out.WriteByte('\n')
	}
	if !bare {
		line(func(c column) string { return c.head })
	}
	found := false
	for _, row := range k.rows(n, old) {
		switch {
		case len(ids) > 0 && !slices.Contains(ids, row.id):
			continue
		case stopped && row.g != nil, !stopped && !all && len(ids) == 0 && row.g == nil:
			continue
		}
		found = true
		line(func(c column) string { return c.value(row) })
	}
	if found {
		return run.Result{Stdout: []byte(out.String())}
	}
	code := 0
	if len(ids) > 0 {
		code = 1
	}
	if old {
		return fail(code, "VE(s) not found")
	}
	return fail(code, "Container(s) not found")
}

// rows are the containers that have a configuration and a private area, by number.
func (k *kernel) rows(n *lab.Node, old bool) []row {
	// The pattern is well formed, the only error there is.
	files, _ := filepath.Glob(n.Path("/etc/vz/conf/*.conf"))
	var rows []row
	for _, f := range files {
		id := strings.TrimSuffix(filepath.Base(f), ".conf")
		if num, err := strconv.ParseUint(id, 10, 31); err != nil || num == 0 {
			continue
		}
		r := row{id: id, conf: readConfig(n, id)}
		if !exists(n.Path(r.conf.private)) {
			continue
		}
		c := k.container(id)
		r.g = c.running()
		switch {
		case r.g != nil:
			r.status = "running"
		case c.isMounted():
			r.status = "mounted"
		case !old && exists(r.conf.defaultDump(id)):
			r.status = "suspended"
		default:
			r.status = "stopped"
		}
		rows = append(rows, r)
	}
	sort.Slice(rows, func(i, j int) bool {
		if len(rows[i].id) != len(rows[j].id) {
			return len(rows[i].id) < len(rows[j].id)
		}
		return rows[i].id < rows[j].id
	})
	return rows
}
