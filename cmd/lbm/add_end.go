package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lbvm/lbvm/internal/adopt"
	"github.com/lbvm/lbvm/internal/cluster"
	"github.com/lbvm/lbvm/internal/host"
)

// added is what comes behind the last step of an adoption. A resume does what the first run was asked for, too.
func (w world) added(c *cli.Context, a adopt.Adopter, p adopt.Plan, err error) error {
	late, err := notEverywhere(err)
	if err != nil {
		return err
	}
	start := p.Start || c.Bool("start")
	publish := start || p.Publish || c.Bool("update")
	if a.Manager == cluster.NamePacemaker {
		return w.addedToPacemaker(c, p, publish, late)
	}
	switch {
	case publish && late != "": // the manager would try a start where it must fail
		return cli.Exit(fmt.Sprintf("%s; then lbm ccs update; changed so far: all but that, cluster.conf is not published", late), exitPartly)
	case publish:
		if err := w.update(c, !c.Bool("no-wait")); err != nil {
			return unpublished(err, p.Ref()+" is taken in")
		}
		if start {
			return w.startAdded(c, p)
		}
		return nil
	}
	fmt.Fprint(w.stdout, "\nrun 'ccs_tool update' to upgrade to new cluster config file!\n")
	if late != "" {
		return cli.Exit(late+" before you publish it", exitPartly)
	}
	return nil
}

// behind is what is done behind the last step, for a person.
func behind(a adopt.Adopter, p adopt.Plan) (out []adopt.Doing) {
	if p.Publish && a.Manager != cluster.NamePacemaker {
		out = append(out, adopt.Doing{Step: "publish", Text: "show what the new cluster.conf would start and stop, and give it to the cluster; refused where that stops what nobody asked for"})
	}
	if p.Removal == nil && (p.Start || p.Publish && a.Manager == cluster.NamePacemaker) {
		out = append(out, adopt.Doing{Step: "start", Text: "see the cluster start " + p.Ref() + ", or have it start it"})
	}
	return out
}

// stillThere says that somebody has published what is taken back: the cluster runs with the service until it gets the new file, and could
// start the VM from its old place.
func (w world) stillThere(c *cli.Context, p adopt.Plan) {
	if p.Removal != nil {
		return
	}
	if there, known := w.runsWith(c, "service:"+p.Service); known && there {
		fmt.Fprintf(w.stdout, "the cluster still runs with service:%s, which could start it: lbm ccs update --i-know takes it out\n", p.Service)
	}
}

// addedToPacemaker is the end of an adoption with Pacemaker: there is nothing to publish, and the resource is stopped on
// purpose.
func (w world) addedToPacemaker(c *cli.Context, p adopt.Plan, start bool, late string) error {
	enable := fmt.Sprintf("crm_resource --resource %s --meta --set-parameter target-role --parameter-value Started", p.Service)
	switch {
	case start && late != "":
		return cli.Exit(fmt.Sprintf("%s; then %s; changed so far: all but that, it is stopped on purpose (target-role)", late, enable), exitPartly)
	case start:
		return w.startAdded(c, p)
	}
	fmt.Fprintf(w.stdout, "\n%s is stopped on purpose; to start it: %s\n", p.Service, enable)
	if late != "" {
		return cli.Exit(late+" before you start it", exitPartly)
	}
	return nil
}

// removed is what comes behind the last step of a removal. A link that another node has still leads nowhere, and starts nothing:
// the new cluster.conf need not wait for it.
func (w world) removed(c *cli.Context, a adopt.Adopter, p adopt.Plan, err error) error {
	late, err := notEverywhere(err)
	if err != nil {
		return err
	}
	for _, f := range p.Removal.Files {
		fmt.Fprintf(w.stdout, "%s is this node's own file now\n", f.Path)
	}
	switch {
	case a.Manager == cluster.NamePacemaker:
	case p.Publish || c.Bool("update"):
		if err := w.updateAsked(c, p.Removal.Group); err != nil {
			err = unpublished(err, p.Ref()+" is given back to "+p.Member)
			if late != "" {
				fmt.Fprintln(w.stderr, "lbm:", late)
			}
			return err
		}
	default:
		fmt.Fprintf(w.stdout, "\nrun 'ccs_tool update %s' to upgrade to new cluster config file!\n", host.ClusterXML)
	}
	if late != "" {
		return cli.Exit(late, exitPartly)
	}
	return nil
}

// notEverywhere is what other nodes lack still, "" is nothing. All else that has gone wrong is the second error.
func notEverywhere(err error) (late string, end error) {
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, adopt.ErrPeers):
		return strings.TrimPrefix(err.Error(), adopt.ErrPeers.Error()+": "), nil
	}
	return "", adoptFailure(err)
}

// unpublished says with a publication that has failed what was done before it: that it was refused does not mean that nothing was
// changed.
func unpublished(err error, did string) error {
	code := exitFailed
	var exit cli.ExitCoder
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	text := strings.NewReplacer("; nothing was changed", "", ": nothing was changed", "").Replace(err.Error())
	next := "the new cluster.conf of this node is not published: lbm ccs update does that"
	switch code {
	case exitUnknown:
		next = "lbm status tells whether the new cluster.conf is published, lbm list whether it runs"
	case exitRefused:
		code = exitPartly
	}
	return cli.Exit(fmt.Sprintf("%s; changed so far: %s; %s", text, did, next), code)
}
