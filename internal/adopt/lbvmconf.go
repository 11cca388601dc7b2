package adopt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/lbvm/lbvm/internal/atomicfile"
	"github.com/lbvm/lbvm/internal/host"
	"github.com/lbvm/lbvm/internal/splice"
	"github.com/lbvm/lbvm/pkg/balance/conf"
)

// statement finds the list of balanced VMs.
func statement(src []byte) (st conf.Statement, found bool, err error) {
	f, diags := conf.Parse(host.ConfFile, src)
	if f == nil {
		for _, d := range diags {
			if d.Severity == conf.Error {
				return st, false, fmt.Errorf("%s has errors (lbm check): %s", host.ConfFile, d.Text)
			}
		}
		return st, false, fmt.Errorf("%s has errors: see lbm check", host.ConfFile)
	}
	st, found = f.Statement("balance")
	return st, found, nil
}

// names gives the place of a VM in the list, -1 if it is not there.
func place(st conf.Statement, names ...string) int {
	return slices.IndexFunc(st.Items, func(v conf.Value) bool { return slices.Contains(names, v.Text) })
}

// withBalance puts name at the end of the list.
func withBalance(src []byte, name string) ([]byte, error) {
	st, found, err := statement(src)
	if err != nil {
		return nil, err
	}
	e := splice.Edit{Start: len(src), End: len(src)}
	switch {
	case found && len(st.Items) > 0:
		at := st.Items[len(st.Items)-1].End
		e = splice.Edit{Start: at, End: at, Text: []byte(", " + name)}
	case found: // `balance ;`, as lbm init leaves it
		e = splice.Edit{Start: st.Key.End, End: st.Key.End, Text: []byte(" " + name)}
		if src[st.Key.End] == ';' {
			e.Text = append(e.Text, ' ')
		}
	case len(src) > 0 && src[len(src)-1] != '\n':
		e.Text = []byte("\nbalance " + name + ";")
	default:
		e.Text = []byte("balance " + name + ";\n")
	}
	return listed(src, e, name, true)
}

// withoutBalance takes the VM out of the list: it is the inverse of withBalance, to the byte.
func withoutBalance(src []byte, names ...string) ([]byte, error) {
	st, found, err := statement(src)
	if err != nil || !found {
		return src, err
	}
	i := place(st, names...)
	var e splice.Edit
	switch {
	case i < 0:
		return src, nil
	case i > 0:
		e = splice.Edit{Start: st.Items[i-1].End, End: st.Items[i].End}
	case len(st.Items) > 1:
		e = splice.Edit{Start: st.Items[0].Start, End: st.Items[1].Start}
	case src[st.Items[0].End] != ';': // it listed nothing before
		e = splice.Edit{Start: st.Key.End, End: st.Items[0].End}
	default: // the whole statement, and its line if it stands alone on it
		e = splice.Edit{Start: st.Start, End: st.End}
		first := e.Start == 0 || src[e.Start-1] == '\n'
		switch {
		case first && e.End < len(src) && src[e.End] == '\n':
			e.End++
		case first && e.End == len(src) && e.Start > 0:
			e.Start--
		}
	}
	return listed(src, e, st.Items[i].Text, false)
}

// listed makes the edit, and reads the outcome: the list is as meant, and nothing else is.
func listed(src []byte, e splice.Edit, name string, want bool) ([]byte, error) {
	out, err := splice.Apply(src, []splice.Edit{e})
	if err != nil {
		return nil, err
	}
	before, _, err := statement(src)
	if err != nil {
		return nil, err
	}
	after, _, err := statement(out)
	if err != nil {
		return nil, err
	}
	texts := func(st conf.Statement) (list []string) {
		for _, v := range st.Items {
			list = append(list, v.Text)
		}
		return list
	}
	meant := texts(before)
	if want {
		meant = append(meant, name)
	} else {
		i := place(before, name)
		meant = slices.Delete(meant, i, i+1)
	}
	if !slices.Equal(texts(after), meant) {
		return nil, fmt.Errorf("%s: the list of balanced VMs would read %q, and %q is meant", host.ConfFile, texts(after), meant)
	}
	return out, nil
}

func (w *work) balanced() (bool, error) {
	src, err := os.ReadFile(w.Host.Path(host.ConfFile))
	if err != nil {
		return false, err
	}
	st, _, err := statement(src)
	return err == nil && place(st, w.p.Balance, w.p.Ref()) >= 0, err
}

func (w *work) balance(context.Context) error {
	return w.editConf("lbvm.conf", func(src []byte) ([]byte, error) { return withBalance(src, w.p.Balance) })
}

// unbalance also takes away what a person has put in meanwhile: a VM that the cluster does not have.
func (w *work) unbalance(context.Context) error {
	return w.editConf("undo:lbvm.conf", func(src []byte) ([]byte, error) { return withoutBalance(src, w.p.Balance, w.p.Ref()) })
}

func (w *work) editConf(step string, edit func([]byte) ([]byte, error)) error {
	path, err := filepath.EvalSymlinks(w.Host.Path(host.ConfFile))
	if err != nil {
		return err
	}
	if err := removeTemps(path); err != nil {
		return err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, err := edit(src)
	if err != nil || bytes.Equal(out, src) {
		return err
	}
	return atomicfile.Write(path, out, atomicfile.Options{At: func(x atomicfile.Point) error {
		if err := w.at(step + "/" + string(x)); err != nil {
			return err
		}
		if x != atomicfile.Rename {
			return nil
		}
		// An editor takes no lock: what it has written since is not thrown away.
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, src) {
			return errors.Join(errors.New("it was changed meanwhile"), err)
		}
		return nil
	}})
}
