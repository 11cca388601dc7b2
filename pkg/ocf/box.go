package ocf

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The black box is one file of a node with its last actions, in two rings: one of all actions, and one of those that
// somebody may want to read days later, so that the status checks of many resources do not push a failed stop out. An
// action that changes something is written down when it begins, with each of its programs, and when it ends; one that
// was killed is seen by its missing end. A check is written down when it ends or has lasted for a second: each write
// costs as much as a tenth of a short one.
//
// Nothing here may hold an action up or fail it: what cannot be written is not written, and nobody is told. The file
// lies on the node's own disk and is not synced: what was written in the last half minute before a power cut may be lost.

// BoxFile is where a node's black box lies, below its root.
func BoxFile(root string) string { return filepath.Join("/", root, "var/lib/lbvm/blackbox") }

// NoBoxVariable names the variable that, with any value, keeps an agent from writing its action down. An agent that
// calls itself for a part of its action sets it for that call.
const NoBoxVariable = "LBVM_NO_BLACKBOX"

// boxEntry is one action in the black box. A nil one writes nothing.
type boxEntry struct {
	wait   time.Duration // for a disk that hangs
	mu     sync.Mutex    // an action that was left behind may still note its programs
	box    *boxFile      // nil from the first failure on, and after the end
	record BoxRecord
	stands [boxRings]boxSlot // where it was written
	begin  func()            // writes the begin; nil when that was done
	later  *time.Timer       // until it is
}

// boxMoment is how long a check lasts before it is written down without its end.
const boxMoment = time.Second

// keptTools is how many programs of an action are remembered: more never fit in a slot.
const keptTools = 24

func openBox(w World, c *Call) *boxEntry {
	if w.Box == "" || w.Getenv(NoBoxVariable) != "" {
		return nil
	}
	e := &boxEntry{wait: cmp.Or(w.boxWait, boxDiskWait), record: BoxRecord{
		At: c.began, Agent: programPath(w), Type: c.Type, Dialect: c.Dialect, Action: c.Action, Instance: c.Instance, Name: c.Name,
		Depth: c.Depth, Probe: c.Probe, Env: envDigest(w, c), PID: os.Getpid(),
	}}
	path := w.Box
	e.begin = func() {
		var box *boxFile
		err := bounded(e.wait, func() (err error) {
			if !e.record.Ended { // else nobody will ask whether it still lives
				e.record.born = birth("self")
			}
			if box, err = openBoxFile(path); err != nil {
				return err
			}
			if err = box.begin(e); err != nil || e.record.Ended {
				return errors.Join(err, box.close())
			}
			return nil
		})
		if err == nil && !e.record.Ended {
			e.box = box
		}
	}
	if asks(c.Action) {
		e.later = time.AfterFunc(boxMoment, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.begun()
		})
		return e
	}
	e.begun()
	if e.box == nil {
		return nil
	}
	return e
}

// begun writes the begin down if that was not yet done. The caller holds mu.
func (e *boxEntry) begun() {
	if begin := e.begin; begin != nil {
		e.begin = nil
		begin()
	}
}

// Runs notes in the black box that a program is about to be run, for an agent that does not use Query or Change: if
// the agent is killed meanwhile, this is what shows where. Ran notes how it ended.
func (c *Call) Runs(argv []string) {
	if c != nil && c.box != nil && len(argv) > 0 {
		c.box.change(func(*BoxRecord) { c.box.add(BoxTool{Command: strings.Join(argv, " ")}) })
	}
}

// tool notes how a program ended, and the program itself where nobody noted its begin.
func (e *boxEntry) tool(argv []string, code int, took time.Duration, err error) {
	if e == nil {
		return
	}
	done := BoxTool{Command: strings.Join(argv, " "), Ended: true, Code: code, Took: took}
	if err != nil {
		done.Error = err.Error()
	}
	note := e.change
	if asks(e.record.Action) && err == nil { // the end tells it, which comes at once
		note = e.remember
	}
	note(func(r *BoxRecord) {
		for i := len(r.Tools) - 1; i >= 0; i-- {
			if !r.Tools[i].Ended && r.Tools[i].Command == done.Command {
				r.Tools[i] = done
				return
			}
		}
		e.add(done)
	})
}

func (e *boxEntry) add(t BoxTool) {
	r := &e.record
	r.Tools = append(r.Tools, t)
	if len(r.Tools) > keptTools {
		r.Tools = r.Tools[1:]
		r.MoreTools++
	}
}

// end notes how the action ended. Nothing is noted after it.
func (e *boxEntry) end(code Code, err error, took time.Duration) {
	if e == nil {
		return
	}
	e.change(func(r *BoxRecord) {
		r.Ended, r.Code, r.Took = true, code, took
		if err != nil && err != ErrNotRunning {
			r.Error = err.Error()
		}
	})
	if e.later != nil {
		e.later.Stop()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.box != nil {
		box := e.box
		e.box = nil
		if bounded(e.wait, box.close) != nil {
			return // there is nobody to tell
		}
	}
}

// remember changes the record, to be written with the next change.
func (e *boxEntry) remember(do func(*BoxRecord)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	do(&e.record)
}

// change changes the record and writes it again.
func (e *boxEntry) change(do func(*BoxRecord)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begin != nil { // a check
		if do(&e.record); e.record.Ended {
			e.begun()
		}
		return
	}
	if e.box == nil {
		return
	}
	do(&e.record)
	box := e.box
	if bounded(e.wait, func() error { return box.update(e) }) != nil {
		e.box = nil
	}
}

// asks tells whether an action changes nothing.
func asks(action string) bool { return action == actionValidate || isStatus(action) }

func isStatus(action string) bool { return action == "status" || action == "monitor" }

// ordinary is the answer of an action with which nothing went wrong.
func ordinary(action string, code Code) bool {
	return code == CodeOK || code == CodeNotRunning && isStatus(action)
}

// envDigest tells two calls of a resource with different parameters apart. What the manager varies by itself, as the
// time that is left or the depth of a check, is no part of it.
func envDigest(w World, c *Call) string {
	var room [32]string // on the stack: an environment is seldom longer
	all := room[:0]
	for _, e := range w.Env {
		if strings.HasPrefix(e, "OCF_") && !strings.HasPrefix(e, "OCF_CHECK_LEVEL=") &&
			!strings.HasPrefix(e, keyPrefix+"RGMANAGER_meta_") && !strings.HasPrefix(e, keyPrefix+"CRM_meta_") {
			all = append(all, e)
		}
	}
	slices.Sort(all)
	if c.Dialect == Heartbeat { // its parameters are arguments
		all = append(all, c.args...)
	}
	h := uint64(14695981039346656037) // FNV-1a; to link and to begin a greater one costs a check more than all of this
	for _, e := range all {
		for i := range len(e) + 1 {
			c := byte(0) // behind each
			if i < len(e) {
				c = e[i]
			}
			h = (h ^ uint64(c)) * 1099511628211
		}
	}
	var text [16]byte
	return string(appendPadded(text[:0], h^h>>48, 16, 16)[4:]) // 48 bits
}
