package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/term"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func (w world) ccsDiff() *cli.Command {
	return &cli.Command{
		Name: "diff", Usage: "what the cluster would start and stop between two versions", ArgsUsage: "OLD NEW", Flags: []cli.Flag{outputFlag()},
		Description: "Computed as rgmanager does, with the metadata of the agents that are installed here.\n\n" +
			"   lbm ccs diff /etc/cluster/cluster.conf.lbvm-7 /etc/cluster/cluster.conf",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 2, 2); err != nil {
				return err
			}
			asJSON, err := wantsJSON(c)
			if err != nil {
				return err
			}
			before, err := ccs.Load(c.Args().Get(0))
			if err != nil {
				return err
			}
			after, err := ccs.Load(c.Args().Get(1))
			if err != nil {
				return err
			}
			rules, err := w.rules(c.Context)
			if err != nil {
				return err
			}
			next := after.ResourceTree(rules)
			changes := ccs.Delta(before.ResourceTree(rules), next)
			dropped := []string{}
			for _, d := range next.Dropped {
				dropped = append(dropped, d.String())
			}
			if asJSON {
				return w.changesJSON(changes, dropped)
			}
			if len(changes) == 0 {
				fmt.Fprintln(w.stdout, "the cluster would do nothing")
			}
			w.showChanges(changes, "the cluster would")
			for _, d := range dropped { // it tells nobody of what it drops
				fmt.Fprintf(w.stdout, "of the new file it would drop %s\n", d)
			}
			return nil
		},
	}
}

func (w world) showChanges(changes []ccs.Change, will string) {
	for _, ch := range changes {
		fmt.Fprintf(w.stdout, "%s %s\n", will, ch)
	}
}

func (w world) changesJSON(changes []ccs.Change, dropped []string) error {
	type row struct {
		Kind     ccs.ChangeKind `json:"kind"`
		Group    string         `json:"group"`
		Resource *string        `json:"resource"`
		With     []string       `json:"with"`
		Why      string         `json:"why"`
	}
	rows := []row{}
	for _, ch := range changes {
		r := row{Kind: ch.Kind, Group: ch.Group, With: append([]string{}, ch.With...), Why: ch.Why}
		if ch.Resource != "" {
			r.Resource = &ch.Resource
		}
		rows = append(rows, r)
	}
	return term.JSON(w.stdout, struct {
		Changes []row    `json:"changes"`
		Dropped []string `json:"dropped"`
	}{rows, dropped})
}

func (w world) ccsUpdate() *cli.Command {
	return &cli.Command{
		Name: "update", Usage: "publish cluster.conf to the running cluster",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "check, and show what the cluster would do"},
			&cli.BoolFlag{Name: "i-know", Usage: "publish although it stops services"},
			&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until every member runs with it"},
			runningFlag(),
		},
		Description: "First it shows what the cluster will start and stop. What would stop a service is refused without --i-know.\n" +
			"Afterwards it waits until every online member runs with the new version, by what lblog writes each minute.\n\n" +
			"   lbm ccs update --dry-run\n   lbm ccs update\n\n" +
			"Exit codes: 0 every member runs with it, 1 failed, 3 refused and nothing changed, 4 some members did not tell.",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			return w.update(c, !c.Bool("no-wait"))
		},
	}
}

func (w world) update(c *cli.Context, wait bool) error {
	file := w.host.Path(host.ClusterXML)
	doc, err := ccs.Load(file)
	if err != nil {
		return refused(err)
	}
	rules, err := w.rules(c.Context)
	if err != nil {
		return refused(err)
	}
	found := doc.Check(rules)
	w.findings(found)
	if slices.ContainsFunc(found, func(f ccs.Finding) bool { return f.Severity == ccs.Fatal }) {
		return refused(fmt.Errorf("%s has errors, shown above", file))
	}
	p, err := w.preparePublication(c, nil, doc, rules, nil)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return nil
	}
	return p.publish(c, file, doc, wait)
}

// publication is a version on its way to the cluster, past the gate.
type publication struct {
	w         world
	publisher cluster.Publisher
	running   uint64
}

// preparePublication is the gate: it compares with what the cluster runs, shows what the cluster will do, and
// refuses to stop what nobody asked for. before is the file before this edit, nil for none.
func (w world) preparePublication(c *cli.Context, before, after *ccs.Document, rules ccs.Rules, asked map[string]bool) (*publication, error) {
	p := &publication{w: w, publisher: cluster.NewPublisher(w.host, w.run)}
	ctx, cancel := w.wait.WithTimeout(c.Context, statusLimit)
	defer cancel()
	var err error
	if p.running, err = p.publisher.Running(ctx); err != nil {
		return nil, refused(err)
	}
	version, err := after.Version()
	if err != nil {
		return nil, refused(err)
	}
	if version == p.running {
		return nil, refused(fmt.Errorf("%s has version %d, with which the cluster runs already. If it was changed by hand since, lbm ccs bump raises the version; lbm ccs set and its like do so by themselves", after.Name(), version))
	}
	if version < p.running {
		return nil, refused(fmt.Errorf("the cluster runs with version %d and %s has only %d: is it an old file? lbm ccs bump raises the version", p.running, after.Name(), version))
	}
	old, err := w.runningDocument(c, p.running, before, after)
	if err == nil {
		err = w.explainsAll(ctx, old, rules)
	}
	if err != nil {
		if !c.Bool("i-know") {
			return nil, refused(fmt.Errorf("%w: what the cluster would stop is not known. Name the file that it runs with, as another member may still have it: --running FILE; or say --i-know", err))
		}
		fmt.Fprintln(w.stderr, "lbm: warning:", err)
		if before != nil {
			w.showChanges(ccs.Delta(before.ResourceTree(rules), after.ResourceTree(rules)), "by the file before, this will")
		}
		return p, nil
	}
	changes := ccs.Delta(old.ResourceTree(rules), after.ResourceTree(rules))
	w.showChanges(changes, "this will")
	var stops []string
	for _, ch := range changes {
		if (ch.Kind == ccs.Stop || ch.Kind == ccs.Restart) && !asked[ch.Group] && !slices.Contains(stops, ch.Group) {
			stops = append(stops, ch.Group)
		}
	}
	if out := w.expelled(ctx, after); len(out) > 0 && !c.Bool("i-know") {
		return nil, refused(fmt.Errorf("%s is online and would be no node of the cluster any more, with what runs there: stop rgmanager and cman there first, or say --i-know", strings.Join(out, ", ")))
	}
	if len(stops) > 0 && !c.Bool("i-know") {
		return nil, refused(fmt.Errorf("this would stop %s, which nobody asked for: say --i-know if it is meant", strings.Join(stops, ", ")))
	}
	return p, nil
}

// publish gives the file, whose text is doc, to the cluster and looks at what came of it.
func (p *publication) publish(c *cli.Context, file string, doc *ccs.Document, wait bool) error {
	since := p.w.clock.Now()
	w := p.w
	version, err := doc.Version()
	if err != nil {
		return refused(err)
	}
	// An editor asks for no lock: what it has written since then is not what passed the gate.
	if d, err := ccs.Load(file); err != nil || !bytes.Equal(d.Bytes(), doc.Bytes()) {
		return cli.Exit(errors.Join(fmt.Errorf("%s was changed after it was checked; it was not published, the cluster runs on with version %d", file, p.running), err), exitRefused)
	}
	perr := p.publisher.Publish(c.Context, file)
	if perr != nil && !errors.Is(perr, cluster.ErrPublish) {
		return cli.Exit(perr, exitUnknown)
	}
	ctx, cancel := w.wait.WithTimeout(c.Context, statusLimit)
	now, err := p.publisher.Running(ctx)
	cancel()
	switch {
	case err != nil:
		return cli.Exit(fmt.Sprintf("%v; unknown: check with cman_tool version", errors.Join(perr, err)), exitUnknown)
	case perr != nil && now == version: // the tool failed behind the point of no return
		fmt.Fprintln(w.stderr, "lbm: warning:", perr)
	case perr != nil:
		return cli.Exit(fmt.Sprintf("%v; the cluster runs on with version %d", perr, now), exitFailed)
	case now != version:
		return cli.Exit(fmt.Sprintf("the cluster was given version %d and this node runs with %d: check with cman_tool version", version, now), exitFailed)
	}
	fmt.Fprintf(w.stdout, "this node runs with version %d\n", version)
	if err := w.keepPublished(doc); err != nil {
		fmt.Fprintln(w.stderr, "lbm: warning: the next update will not know what the cluster runs with:", err)
	}
	if !wait {
		return nil
	}
	return p.await(c, version, since)
}

// slack is how long after lblog's minute its word of a member is waited for.
const slack = 75 * time.Second

// await waits until the facts of every online member show the version: another node's own is not to be asked from here.
func (p *publication) await(c *cli.Context, version uint64, since time.Time) error {
	w := p.w
	ctx, cancel := w.wait.WithTimeout(c.Context, statusLimit)
	st, err := w.manager().Status(ctx)
	cancel()
	if err != nil && !errors.Is(err, cluster.ErrNoStates) {
		return cli.Exit(fmt.Sprintf("%v; unknown: check with cman_tool version on every node", err), exitUnknown)
	}
	id, err := w.host.Identity()
	shared := ""
	if err == nil {
		shared, err = w.sharedDir(c.Context, id)
	}
	var left []string
	for _, m := range st.Members {
		if m.Online && !m.Local {
			left = append(left, m.Name)
		}
	}
	if len(left) == 0 {
		return nil
	}
	if err != nil {
		return cli.Exit(fmt.Sprintf("%v; not verified on %s: check with cman_tool version there", err, strings.Join(left, ", ")), exitUnknown)
	}
	return w.awaitFacts(c.Context, shared, left, version, since)
}

// awaitFacts waits for what lblog measured after since: older facts may speak of another time's version.
func (w world) awaitFacts(ctx context.Context, shared string, left []string, version uint64, since time.Time) error {
	since = since.Truncate(time.Second) // as facts are stamped
	end := w.clock.Now().Add(slack)
	said := false
	for {
		left = slices.DeleteFunc(left, func(member string) bool {
			f, err := host.ReadFacts(shared, member)
			if err != nil || f.Config < version || f.At.Before(since) {
				return false
			}
			fmt.Fprintf(w.stdout, "%s runs with version %d\n", member, f.Config)
			return true
		})
		switch {
		case len(left) == 0:
			return nil
		case !w.clock.Now().Before(end):
			return cli.Exit(fmt.Sprintf("not verified on %s: lblog there has not said so in %s. Check with cman_tool version on that node, and whether lblog is in its crontab and lbm init --join was run there", strings.Join(left, ", "), slack), exitUnknown)
		case !said:
			fmt.Fprintf(w.stdout, "waiting for what lblog writes on %s ...\n", strings.Join(left, ", "))
			said = true
		}
		if err := w.clock.Sleep(ctx, time.Second); err != nil {
			return cli.Exit(fmt.Sprintf("%v; not verified on %s", err, strings.Join(left, ", ")), exitUnknown)
		}
	}
}
