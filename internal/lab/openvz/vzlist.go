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

// row is one container as vzlist sees it.
type row struct {
	id, status string
	conf       config
	g          *lab.Guest
}

// value is a field of the row; every field that the lab plays has a format.
func (r row) value(field string) string {
	switch {
	case field == "veid", field == "ctid":
		return r.id
	case field == "status":
		return r.status
	case field == "ip" && r.conf.ip != "":
		return r.conf.ip
	case field == "hostname" && r.conf.hostname != "":
		return r.conf.hostname
	case field == "numproc" && r.g != nil:
		return "1"
	case field == "physpages" && r.g != nil:
		return strconv.FormatInt(r.g.MemBytes/page, 10)
	}
	return "-"
}

// format is a field's header and its place, "" for a field that is unknown. ctid came with 3.0.23.
func format(field string, old bool) (header, place string) {
	switch field {
	case "veid":
		return "VEID", "%10s"
	case "ctid":
		if !old {
			return "CTID", "%10s"
		}
	case "numproc":
		return "NPROC", "%10s"
	case "physpages":
		return "PHYSPAGES", "%10s"
	case "status":
		return "STATUS", "%-9s"
	case "ip":
		return "IP_ADDR", "%-15s"
	case "hostname":
		return "HOSTNAME", "%-32s"
	}
	return "", ""
}

func (k *kernel) vzlist(_ context.Context, n *lab.Node, r lab.Request) run.Result {
	v, _ := versionOf(n)
	old := v.before(3, 0, 23)
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
	chosen := strings.Split(fields, ",")
	for _, field := range chosen {
		if _, place := format(field, old); place == "" {
			return fail(1, "Unknown field: %s", field)
		}
	}
	var out strings.Builder
	line := func(value func(field string) string) {
		words := make([]string, len(chosen))
		for i, field := range chosen {
			_, place := format(field, old)
			words[i] = fmt.Sprintf(place, value(field))
		}
		fmt.Fprintln(&out, strings.TrimRight(strings.Join(words, " "), " "))
	}
	if !bare {
		line(func(field string) string { header, _ := format(field, old); return header })
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
		line(row.value)
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
