package vm

import (
	"errors"
	"io/fs"
	"os"

	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/pkg/ocf"
)

// Marks are node-local and gone after a boot.
const (
	hereMark = ".here" // this node has started or adopted the VM
	sickMark = ".sick" // the last status failed while the guest was here; holds the reason
)

func (l *life) mark(name string) string {
	return l.host.Path(host.RunDir + "/" + l.a.Type + "-" + l.vm + name)
}

func (l *life) marked(name string) bool {
	_, err := os.Lstat(l.mark(name))
	return err == nil
}

// setHere remembers that the VM is this node's. Without the mark status only looks more closely.
func (l *life) setHere() {
	if l.explains != nil {
		l.say("it notes on this node that the VM is here")
		return
	}
	err := os.MkdirAll(l.host.Path(host.RunDir), 0o755)
	if err == nil {
		err = l.point("here", func() error { return os.WriteFile(l.mark(hereMark), nil, 0o644) })
	}
	if err != nil {
		l.log(ocf.LevelWarning, "a node-local mark cannot be written", "error", err)
	}
	l.clear(sickMark)
}

func (l *life) clear(names ...string) {
	if l.explains != nil {
		return
	}
	for _, n := range names {
		if !l.marked(n) {
			continue
		}
		if err := l.point("unmark", func() error { return os.Remove(l.mark(n)) }); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log(ocf.LevelWarning, "a node-local mark cannot be removed", "error", err)
		}
	}
}
