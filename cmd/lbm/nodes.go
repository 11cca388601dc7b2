package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/term"
)

func (w world) nodesCommand() *cli.Command {
	return &cli.Command{
		Name: "nodes", Usage: "show the nodes: members, guests, free memory, what was measured",
		Description: "STATE is the cluster manager's word. GUESTS are the VMs whose services are there. FREE, VALUES, MEASURED and\n" +
			"VERSIONS are what lblog has published: of a resource the newest value that is not stale. NOTE says why\n" +
			"nothing is sent to a node, and which VMs were started there or left since it was measured: FREE and VALUES do not hold that.\n\n" +
			"   lbm nodes\n   lbm nodes -o json\n\n" +
			"Exit codes: 0 shown, 1 the cluster manager does not answer, 2 usage, 3 this node is in no cluster,\n4 the shared storage does not answer, or is not mounted here: shown is what is known without it.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return tooMany(c, "lbm nodes takes no arguments")
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			return w.nodes(c.Context, asJSON)
		},
	}
}

// memberRow is a node. Unknown is null.
type memberRow struct {
	Node      string            `json:"node"`
	Online    bool              `json:"online"`
	Manager   bool              `json:"manager"` // the cluster manager runs there
	Local     bool              `json:"local"`
	Guests    int               `json:"guests"`
	Cores     *int              `json:"cores"`
	MemTotal  *int64            `json:"mem_total_bytes"`
	MemFree   *int64            `json:"mem_free_bytes"`
	Measured  *time.Time        `json:"measured_at"`
	Age       *float64          `json:"age_seconds"`
	Config    *uint64           `json:"config_version"`
	Arch      *string           `json:"arch"`
	Kernel    *string           `json:"kernel"`
	Tools     map[string]string `json:"tools"`
	Resources []measuredRow     `json:"resources"`
	Closed    *string           `json:"closed"` // why nothing is sent there
	Came      []string          `json:"started_since_measured"`
	Left      []string          `json:"left_since_measured"`
}

// measuredRow is what was measured of a resource.
type measuredRow struct {
	Resource string   `json:"resource"`
	Value    *float64 `json:"value"` // null: none, or stale
	Age      *float64 `json:"age_seconds"`
}

func (s *scene) memberRows() []memberRow {
	rows := []memberRow{}
	for _, m := range s.st.Members {
		r := memberRow{Node: m.Name, Online: m.Online, Manager: m.Manager, Local: m.Local, Guests: s.guests(m.Name),
			Tools: map[string]string{}, Resources: []measuredRow{}, Closed: known(s.closed[m.Name]), Came: []string{}, Left: []string{}}
		if f, ok := s.facts[m.Name]; ok {
			r.Cores, r.Config, r.Arch, r.Kernel = some(f.Cores), some(f.Config), known(f.Arch), known(f.Kernel)
			if f.MemTotal > 0 {
				r.MemTotal, r.MemFree = &f.MemTotal, &f.MemFree
			}
			if !f.At.IsZero() {
				age := s.at.Sub(f.At).Seconds()
				r.Measured, r.Age = &f.At, &age
				r.Came, r.Left = s.changed(m.Name, f.At)
			}
			maps.Copy(r.Tools, f.Tools)
		}
		if s.config != nil {
			for _, x := range s.config.Resources {
				row := measuredRow{Resource: x.Name}
				if v, age, err := s.value(m.Name, x.Name); err == nil {
					seconds := age.Seconds()
					row.Value, row.Age = &v, &seconds
				}
				r.Resources = append(r.Resources, row)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// changed are the VMs that came to a node, and that left it, since an instant, as far as the manager tells when.
func (s *scene) changed(node string, since time.Time) (came, left []string) {
	came, left = []string{}, []string{}
	for _, v := range s.st.Services {
		switch {
		case v.VM == "" || !v.Since.After(since):
		case v.Owner == node:
			came = append(came, v.VMType+":"+v.VM)
		case v.LastOwner == node:
			left = append(left, v.VMType+":"+v.VM)
		}
	}
	return came, left
}

// note is why nothing is sent to a node, and what its measured values do not hold.
func (r memberRow) note() string {
	var out []string
	if r.Closed != nil {
		out = append(out, *r.Closed)
	}
	if len(r.Came) > 0 {
		out = append(out, "started there since it was measured: "+few(r.Came))
	}
	if len(r.Left) > 0 {
		out = append(out, "left since it was measured: "+few(r.Left))
	}
	return strings.Join(out, "; ")
}

// few names the first of many.
func few(list []string) string {
	const most = 3
	if n := len(list) - most; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), n)
	}
	return strings.Join(list, ", ")
}

func (w world) nodes(ctx context.Context, asJSON bool) error {
	ctx, cancel := w.wait.WithTimeout(ctx, statusLimit)
	defer cancel()
	s, err := w.scene(ctx)
	if err != nil {
		return err
	}
	rows := s.memberRows()
	w.hung(s.hangs)
	if asJSON {
		if err := term.JSON(w.stdout, struct {
			Quorate bool        `json:"quorate"`
			Nodes   []memberRow `json:"nodes"`
		}{s.st.Quorate, rows}); err != nil {
			return err
		}
		return s.unseen()
	}
	w.doubts(s)
	if err := w.memberTable(s, rows); err != nil {
		return err
	}
	if !s.st.Quorate {
		fmt.Fprintln(w.stdout, "\nThe cluster has no quorum: nothing is moved.")
	}
	return s.unseen()
}

// hung says at the top what is not to be seen.
func (w world) hung(err error) {
	if err != nil {
		fmt.Fprintf(w.stderr, "lbm: %v; this is what is known without it:\n", err)
	}
}

func (w world) doubts(s *scene) {
	for _, d := range s.doubts {
		fmt.Fprintln(w.stderr, "lbm:", d)
	}
}

func (w world) memberTable(s *scene, rows []memberRow) error {
	var cells [][]string
	for i, r := range rows {
		free, measured, config := "", "", ""
		if r.MemFree != nil {
			free = fmt.Sprintf("%d of %d MiB", *r.MemFree>>20, *r.MemTotal>>20)
		}
		if r.Age != nil {
			measured = ago(time.Duration(*r.Age * float64(time.Second)))
			if time.Duration(*r.Age*float64(time.Second)) > s.stale() {
				measured += ", stale"
			}
		}
		if r.Config != nil {
			config = fmt.Sprint(*r.Config)
		}
		var values, tools []string
		for _, x := range r.Resources {
			v := "?"
			if x.Value != nil {
				v = fmt.Sprintf("%.4g", *x.Value)
			}
			values = append(values, x.Resource+" "+v)
		}
		for _, t := range slices.Sorted(maps.Keys(r.Tools)) {
			version := r.Tools[t]
			if of := map[string]string{"virsh": "QEMU", "xm": "Xen", "xl": "Xen"}[t]; of != "" { // whose version it is
				version = "(" + of + " " + version + ")"
			}
			tools = append(tools, t+" "+version)
		}
		cells = append(cells, []string{r.Node, stateOf(s.st.Members[i]), fmt.Sprint(r.Guests), free, strings.Join(values, ", "), measured, config, strings.Join(tools, ", "), r.note()})
	}
	return term.Table(w.stdout, []string{"NODE", "STATE", "GUESTS", "FREE", "VALUES", "MEASURED", "CONFIG", "VERSIONS", "NOTE"}, cells)
}

func stateOf(m cluster.Member) string {
	switch {
	case !m.Online:
		return "offline"
	case m.Estranged:
		return "online, not in cluster.conf"
	case !m.Manager:
		return "online, no manager"
	}
	return "online"
}
