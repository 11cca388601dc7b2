package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ccs"
)

func editFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		fileFlag(),
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show the difference and what the cluster would do, and change nothing"},
		&cli.BoolFlag{Name: "update", Usage: "publish it to the running cluster"},
		&cli.BoolFlag{Name: "i-know", Usage: "publish although it stops services that were not named"},
		&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until every member runs with it"},
		runningFlag(),
	}, more...)
}

// edition is what a command makes of a document.
type edition struct {
	edits []ccs.Edit
	told  []string        // what the administrator must know
	asked map[string]bool // groups that the edit means to stop or restart
}

// about notes that an edit of e is meant to reach the group that holds it.
func (x *edition) about(e ccs.Element) {
	if x.asked == nil {
		x.asked = map[string]bool{}
	}
	for ; !e.IsZero(); e = e.Parent() {
		if p := e.Parent(); !p.IsZero() && p.Tag() == "rm" {
			name, _ := e.Attr("name")
			x.asked[e.Tag()+":"+name] = true
		}
	}
}

// edit is the way of every edit: a look at what would come of it, the gate, the write, and what is said of it.
func (w world) edit(c *cli.Context, make func(*ccs.Document) (edition, error)) error {
	file, own := w.confFile(c)
	if c.Bool("update") && !own {
		return cli.Exit(fmt.Sprintf("--update publishes %s only; nothing was changed", host.ClusterXML), exitRefused)
	}
	rules, err := w.rules(c.Context)
	if err != nil {
		return cli.Exit(fmt.Sprintf("%v; nothing was changed", err), exitRefused)
	}
	var lock []string
	if own {
		if lock, err = w.sharedLock(c.Context); err != nil {
			return cli.Exit(fmt.Sprintf("%v; nothing was changed", err), exitRefused)
		}
	}
	var ed edition
	choose := func(d *ccs.Document) ([]ccs.Edit, error) {
		var err error
		ed, err = make(d)
		return ed.edits, err
	}
	o := ccs.Options{Rules: rules, Lock: lock, Holder: "lbm ccs " + c.Command.Name, DryRun: true, Bump: c.Command.Name == "bump"}
	plan, err := ccs.Update(c.Context, file, o, choose)
	w.findings(plan.Findings)
	if err != nil {
		return refused(err)
	}
	if !plan.Changed {
		fmt.Fprintf(w.stdout, "%s says that already; nothing was changed\n", file)
		if c.Bool("update") {
			return w.wasPublished(c, plan.Before)
		}
		return nil
	}
	fmt.Fprint(w.stdout, plan.Diff)
	for _, text := range ed.told {
		fmt.Fprintln(w.stderr, "lbm: warning:", text)
	}
	if !c.Bool("update") { // else the gate shows what it means to the running cluster
		w.showChanges(ccs.Delta(plan.Before.ResourceTree(rules), plan.After.ResourceTree(rules)), "published, this will")
	}
	var p *publication
	if c.Bool("update") {
		if p, err = w.preparePublication(c, plan.Before, plan.After, rules, ed.asked); err != nil {
			return err
		}
	}
	if c.Bool("dry-run") {
		return nil
	}
	o.DryRun, o.Base = false, plan.Before
	done, err := ccs.Update(c.Context, file, o, choose)
	if err != nil && !done.Written {
		return refused(err)
	}
	fmt.Fprintf(w.stdout, "%s: config_version %d, was %d; the file before is %s\n", file, done.New, done.Old, done.Backup)
	switch {
	case err != nil:
		return cli.Exit(err, exitFailed)
	case p != nil:
		return p.publish(c, file, done.After, !c.Bool("no-wait"))
	case own:
		fmt.Fprintf(w.stdout, "\nrun 'ccs_tool update %s' to upgrade to new cluster config file!\n(or lbm ccs update, which finds out how this cluster does it)\n", host.ClusterXML)
	}
	return nil
}

// refused is the end of an edit that changed nothing.
func refused(err error) error {
	text := err.Error()
	var r *ccs.RefusedError
	if errors.As(err, &r) {
		text = "the result has errors, shown above"
	}
	if !strings.Contains(text, "nothing was changed") {
		text += "; nothing was changed"
	}
	return cli.Exit(text, exitRefused)
}

// one finds the single element that a path selects.
func one(d *ccs.Document, xpath string) (ccs.Element, error) {
	found, err := d.Find(xpath)
	switch {
	case err != nil:
		return ccs.Element{}, err
	case len(found) == 0:
		return ccs.Element{}, fmt.Errorf("%s selects nothing in %s", xpath, d.Name())
	case len(found) > 1:
		first, _ := found[0].Position()
		second, _ := found[1].Position()
		return ccs.Element{}, fmt.Errorf("%s selects %d elements, in lines %d, %d ...: say which one", xpath, len(found), first, second)
	}
	return found[0], nil
}

const xpathHelp = "XPATH is a path of element names with conditions, as \"//service[@name='web']/ip\"; it must select one element.\n\n"

// editOne edits the one element that the first argument selects.
func (w world) editOne(c *cli.Context, edit func(ccs.Element) (ccs.Edit, error)) error {
	return w.edit(c, func(d *ccs.Document) (x edition, err error) {
		e, err := one(d, c.Args().First())
		if err != nil {
			return x, err
		}
		x.about(e)
		change, err := edit(e)
		x.edits = []ccs.Edit{change}
		return x, err
	})
}

func (w world) ccsSet() *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "give an attribute a value", ArgsUsage: "XPATH ATTR VALUE", Flags: editFlags(),
		Description: xpathHelp + "   lbm ccs set \"//service[@name='web']\" recovery relocate\n   lbm ccs set /cluster/rm log_level 7",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 3, 3); err != nil {
				return err
			}
			return w.editOne(c, func(e ccs.Element) (ccs.Edit, error) {
				if isVersion(e, c.Args().Get(1)) {
					return nil, errVersion
				}
				return ccs.SetAttr{Element: e, Name: c.Args().Get(1), Value: c.Args().Get(2)}, nil
			})
		},
	}
}

func (w world) ccsUnset() *cli.Command {
	return &cli.Command{
		Name: "unset", Usage: "take an attribute away", ArgsUsage: "XPATH ATTR", Flags: editFlags(),
		Description: xpathHelp + "   lbm ccs unset \"//service[@name='web']\" domain",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 2, 2); err != nil {
				return err
			}
			return w.editOne(c, func(e ccs.Element) (ccs.Edit, error) {
				if isVersion(e, c.Args().Get(1)) {
					return nil, errVersion
				}
				return ccs.RemoveAttr{Element: e, Name: c.Args().Get(1)}, nil
			})
		},
	}
}

func (w world) ccsInsert() *cli.Command {
	return &cli.Command{
		Name: "insert", Usage: "put a new element into another, as its last", ArgsUsage: "XPATH XML",
		Flags: editFlags(
			&cli.BoolFlag{Name: "before", Usage: "put it in front of the one that XPATH selects"},
			&cli.BoolFlag{Name: "after", Usage: "put it behind that"}),
		Description: xpathHelp + "How XML is laid out does not matter: indentation and quotes are taken from the new place.\n\n" +
			"   lbm ccs insert /cluster/rm '<service name=\"web\"><openvz name=\"101\"/></service>'",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 2, 2); err != nil {
				return err
			}
			where := ccs.Into
			switch {
			case c.Bool("before") && c.Bool("after"):
				return cli.Exit("it is --before or --after", exitUsage)
			case c.Bool("before"):
				where = ccs.Before
			case c.Bool("after"):
				where = ccs.After
			}
			return w.edit(c, func(d *ccs.Document) (x edition, err error) {
				e, err := one(d, c.Args().Get(0))
				if err != nil {
					return x, err
				}
				if where == ccs.Into {
					x.about(e)
				} else {
					x.about(e.Parent())
				}
				x.edits = []ccs.Edit{ccs.Insert{At: e, Where: where, XML: c.Args().Get(1)}}
				return x, nil
			})
		},
	}
}

func (w world) ccsDelete() *cli.Command {
	return &cli.Command{
		Name: "delete", Usage: "remove an element with all that it holds", ArgsUsage: "XPATH", Flags: editFlags(),
		Description: xpathHelp + "   lbm ccs delete \"//service[@name='old']\" --update",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1, 1); err != nil {
				return err
			}
			return w.editOne(c, func(e ccs.Element) (ccs.Edit, error) { return ccs.RemoveElement{Element: e}, nil })
		},
	}
}

func (w world) ccsBump() *cli.Command {
	return &cli.Command{
		Name: "bump", Usage: "raise config_version by one", Flags: editFlags(),
		Description: "For a file that was edited by hand.\n\n   lbm ccs bump",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			return w.edit(c, func(*ccs.Document) (edition, error) { return edition{}, nil })
		},
	}
}

func (w world) ccsRename() *cli.Command {
	return &cli.Command{
		Name: "rename", Usage: "rename a service, and what refers to it", ArgsUsage: "SERVICE NAME", Flags: editFlags(),
		Description: "To the cluster a renamed service is another one: published, the old one is stopped and the new one started.\n\n" +
			"   lbm ccs rename service:web www",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 2, 2); err != nil {
				return err
			}
			return w.edit(c, func(d *ccs.Document) (x edition, err error) {
				e, err := group(d, c.Args().First())
				if err != nil {
					return x, err
				}
				edit := ccs.Rename{Element: e, Name: c.Args().Get(1)}
				mentions, err := edit.Mentions()
				for _, m := range mentions {
					x.told = append(x.told, m.String())
				}
				x.about(e)
				x.edits = []ccs.Edit{edit}
				return x, err
			})
		},
	}
}

// group finds a group of <rm> by TYPE:NAME, or by NAME where only one is called so.
func group(d *ccs.Document, id string) (ccs.Element, error) {
	typ, name, typed := strings.Cut(id, ":")
	if !typed {
		name = id
	}
	rm, err := d.Find("/cluster/rm")
	if err != nil || len(rm) != 1 {
		return ccs.Element{}, errors.Join(err, fmt.Errorf("%s has no <rm>", d.Name()))
	}
	var found []ccs.Element
	for _, e := range rm[0].Children() {
		if n, ok := e.Attr("name"); ok && n == name && (!typed || e.Tag() == typ) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return ccs.Element{}, fmt.Errorf("there is no service %q", id)
	}
	return ccs.Element{}, fmt.Errorf("%q may be <%s> or <%s>: name it as TYPE:NAME", id, found[0].Tag(), found[1].Tag())
}

// errVersion is why config_version is not edited like others.
var errVersion = errors.New("config_version is raised by every edit, and by nothing else: lbm ccs bump")

func isVersion(e ccs.Element, attr string) bool {
	return !e.IsZero() && e.Parent().IsZero() && attr == "config_version"
}
