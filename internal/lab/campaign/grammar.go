package campaign

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/lbvm/lbvm/internal/hypervisor/vmexec"
)

// Technologies are those that a run can have its guest of.
func Technologies() []string { return technologies[:] }

// technologies are those that a run can have its guest of.
var technologies = [...]string{"openvz", "xen", "kvm", vmexec.Type}

// leaveBlow stands before the name of the node that leaves in order.
const leaveBlow = "leave-"

// steps are the forms of a script's steps, and what each does. With + before it a step is not waited for.
var steps = [...]struct{ form, does string }{
	{"enable NODE", "clusvcadm -e -m NODE"},
	{"move NODE", "clusvcadm -r -m NODE"},
	{"migrate NODE", "clusvcadm -M -m NODE"},
	{"disable", "clusvcadm -d"},
	{"status", "the manager's next check, and what follows from it"},
	{"relocate TARGET", "lbm migrate: TARGET is NODE, M-NODE (by -M), or restart (lbm restart)"},
	{"start NODE", "the agent's start, whatever the manager thinks"},
	{"stop NODE", "the agent's stop"},
	{"rginit NODE", "the stop of a node where rgmanager starts"},
	{"inquire NODE", "the agent's status"},
	{"wait SECONDS", "nothing is asked for meanwhile"},
	{"at STRIKE BLOW [SECONDS]", "STRIKE is POINT[@NODE][#K], * for any; BLOW is kill, killall (virsh too, where it moves the guest), die, isolate (fenced after SECONDS), guest, look (a status comes there), or leave-NODE (that node leaves in order)"},
	{"die NODE SECONDS", "it loses its power, and is fenced so much later"},
	{"isolate NODE SECONDS", "it is cut off, its guests run on, and it is fenced so much later"},
	{"join NODE SECONDS", "it boots; its boot script is so late"},
	{"leave NODE", "it leaves the cluster in order"},
	{"fail NODE TOOL HOW", "the next call of that verb of its tool: fails, busy, stays, refused, lost, undefined, undefined-lost"},
	{"define KIND", "of a technology of one's own: what its definition on all nodes can do: moves (live, and saves), saves, or plain"},
	{"silent NODE SECONDS", "its tool answers no question"},
	{"unmount NODE", "its share is not mounted"},
	{"nolock NODE", "its share is mounted with locks of its own"},
	{"full POINT", "no space is left there"},
	{"guest", "the guest crashes"},
	{"sick", "the guest's checks have failed"},
	{"hand NODE", "somebody boots the guest and halts it again"},
	{"handrun NODE", "somebody boots the guest, after lbm take"},
	{"double NODE", "somebody boots the guest beside the one that runs"},
	{"damage", "the record is cut off"},
	{"elsewhere", "the next relocation lands where nobody asked for"},
	{"lazy", "the disable of a failed service runs no stop"},
	{"loose", "the shared storage does not stand still for a lost node: it is none of the cluster's own (NFS)"},
	{"record", "crash points are noted"},
}

// Steps are the forms of the steps that a run is written in, each with what it does.
func Steps() (out [][2]string) {
	for _, s := range steps {
		out = append(out, [2]string{s.form, s.does})
	}
	return out
}

// rare are crash points that an action passes only where something went wrong before it.
var rare = [...]string{"discarded", "failed", "prune", "ticket.dead", "ticket.refused", "tool:thaw", "unknown"}

// checkStep says what is wrong with a step of a run.
func checkStep(step string) error {
	words := strings.Fields(strings.TrimPrefix(step, "+"))
	if len(words) == 0 {
		return fmt.Errorf("step %q is empty", step)
	}
	names := make([]string, 0, len(steps))
	for _, s := range steps {
		form := strings.Fields(s.form)
		if names = append(names, form[0]); form[0] == words[0] {
			if err := checkWords(form[1:], words[1:]); err != nil {
				return fmt.Errorf("step %q is not of the form %s: %w", step, s.form, err)
			}
			return nil
		}
	}
	return fmt.Errorf("step %q is not known; there are %s", step, strings.Join(names, ", "))
}

func checkWords(form, words []string) error {
	least := slices.IndexFunc(form, func(f string) bool { return f[0] == '[' })
	if least < 0 {
		least = len(form)
	}
	if len(words) < least || len(words) > len(form) {
		return fmt.Errorf("it has %d words after its name", len(words))
	}
	for i, w := range words {
		if err := checkWord(strings.Trim(form[i], "[]"), w); err != nil {
			return err
		}
	}
	return nil
}

func checkWord(kind, word string) error {
	oneOf := func(what string, list ...string) error {
		if slices.Contains(list, word) {
			return nil
		}
		return fmt.Errorf("there is no %s %q; there are %s", what, word, strings.Join(list, ", "))
	}
	switch kind {
	case "NODE":
		return oneOf("node", members[:]...)
	case "TARGET":
		if word == "restart" {
			return nil
		}
		return checkWord("NODE", strings.TrimPrefix(word, "M-"))
	case "SECONDS":
		if n, err := strconv.Atoi(word); err != nil || n < 0 {
			return fmt.Errorf("%q is no number of seconds", word)
		}
	case "BLOW":
		if node, leaves := strings.CutPrefix(word, leaveBlow); leaves {
			return checkWord("NODE", node)
		}
		return oneOf("blow", "kill", "killall", "die", "isolate", "guest", "look")
	case "HOW":
		return oneOf("failure", "fails", "busy", "stays", "refused", "lost", "undefined", "undefined-lost")
	case "TOOL":
		return oneOf("verb", "start", "stop", "suspend", "dump", "kill", "umount", "resume", "restore", "thaw", "create", "shutdown", "save", "migrate")
	case "KIND":
		return oneOf("kind of definition", "moves", "saves", "plain")
	case "POINT":
		return checkPoint(word)
	case "STRIKE":
		place, count, counted := strings.Cut(word, "#")
		if n, err := strconv.Atoi(count); counted && (err != nil || n < 1) {
			return fmt.Errorf("%q: after # stands which passing of the point it is, counted from 1", word)
		}
		point, node, named := strings.Cut(place, "@")
		if named {
			if err := checkWord("NODE", node); err != nil {
				return err
			}
		}
		if point != "*" {
			return checkPoint(point)
		}
	}
	return nil
}

// checkPoint refuses what is the name of no crash point.
func checkPoint(point string) error {
	plain, _, _ := strings.Cut(strings.TrimSuffix(point, ":done"), "/")
	if slices.Contains(points[:], point) || slices.Contains(goes[:], point) || slices.Contains(rare[:], plain) {
		return nil
	}
	if tool, asks := strings.CutPrefix(point, "ask:"); asks && slices.Contains(programs[:], tool) {
		return nil
	}
	base, err := newBase()
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	for _, typ := range technologies {
		for _, a := range acts(typ) {
			passed, err := passes(base, typ, a)
			if err != nil || slices.Contains(passed, point) {
				return err
			}
		}
	}
	return fmt.Errorf("there is no crash point %q; lbvm-lab campaign --points lists them", point)
}
