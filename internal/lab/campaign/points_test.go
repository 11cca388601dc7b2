package campaign

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fileOps change a file, or make a change durable. A method is given without its receiver.
var fileOps = [...]string{
	"os.Rename", "os.Remove", "os.RemoveAll", "os.Mkdir", "os.MkdirAll", "os.Link", "os.Symlink", "os.WriteFile", "os.Create", "os.CreateTemp", "os.Truncate",
	"os.CopyFS", "atomicfile.Write", "atomicfile.FsyncDir", "atomicfile.Append", "lockfile.Try", "lockfile.Acquire", ".Sync", ".Truncate", ".WriteString", ".WriteAt",
	".PublishBoot", "host.WriteFacts", "unix.Syncfs", "unix.Sync",
	// Whatever a driver changes.
	".Suspend", ".Dump", ".Kill", ".Unmount", ".Save", ".Restore", ".Migrate", ".Shutdown", ".Destroy", ".Thaw",
}

// between two crash points stands what is given to one of these.
var brackets = [...]string{"step", "locked", "point", "change"}

// unguarded are file operations that need no crash points: whoever dies beside them has changed nothing that decides.
var unguarded = map[string]string{
	"vm journal":    "lines for people",
	"vm lockNode":   "the node's own lock, and the folder for it",
	"vm lockAlone":  "likewise",
	"vm lock":       "likewise, behind the VM's lock, which has its points",
	"handoff desk":  "a lock of a moment; what is done under it has its points",
	"handoff Issue": "calls desk", "handoff issue": "calls desk", "handoff Withdraw": "calls desk", "handoff TidyTickets": "calls desk",
}

// Every file operation and every change of a guest in internal/handoff and internal/vm stands between two crash points,
// so that agents are killed before and after it.
func TestCrashPointsAreComplete(t *testing.T) {
	guarded := 0
	for _, name := range []string{"handoff", "vm"} {
		files, err := filepath.Glob("../../" + name + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(err, files)
		}
		raw := map[string][]string{} // function -> where it does something outside of a bracket
		calls := map[string][]call{}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil || slices.Contains(brackets[:], fn.Name.Name) || fn.Recv != nil && strings.Contains(receiver(fn), "imagined") {
					continue
				}
				for _, c := range callsOf(fset, fn.Body) {
					switch {
					case slices.Contains(fileOps[:], c.name) || slices.Contains(fileOps[:], "."+c.method):
						if c.inside {
							guarded++
						} else if !c.own(name) {
							raw[fn.Name.Name] = append(raw[fn.Name.Name], c.at)
						}
					default:
						calls[fn.Name.Name] = append(calls[fn.Name.Name], c)
					}
				}
			}
		}
		for again := true; again; { // who calls such a function outside of a bracket is one himself
			again = false
			for fn, list := range calls {
				for _, c := range list {
					if _, is := raw[c.method]; is && !c.inside && raw[fn] == nil && unguarded[name+" "+c.method] == "" {
						raw[fn], again = []string{c.at}, true
					}
				}
			}
		}
		for fn, at := range raw {
			if unguarded[name+" "+fn] == "" && (ast.IsExported(fn) || !calledInside(calls, fn)) {
				t.Errorf("%s: %s does something between no two crash points: %v", name, fn, at)
			}
		}
	}
	t.Logf("%d calls stand between two crash points", guarded)
	if guarded < 25 {
		t.Errorf("only %d: the test does not see what it shall", guarded)
	}
}

func receiver(fn *ast.FuncDecl) string { return fmt.Sprint(fn.Recv.List[0].Type) }

// call is a call in a function's body.
type call struct {
	name, method, at string
	inside           bool // in a function that is given to a bracket
}

// own: the agent's own methods bear the drivers' names (Start, Migrate); they are no changes by themselves.
func (c call) own(pkg string) bool {
	return pkg == "vm" && (strings.HasPrefix(c.name, "l.") || strings.HasPrefix(c.name, "a.") || strings.HasPrefix(c.name, "protocol."))
}

func callsOf(fset *token.FileSet, body ast.Node) (out []call) {
	var walk func(n ast.Node, inside bool)
	walk = func(n ast.Node, inside bool) {
		ast.Inspect(n, func(x ast.Node) bool {
			c, ok := x.(*ast.CallExpr)
			if !ok || x == n {
				return true
			}
			name, method := callee(c.Fun)
			out = append(out, call{name, method, fset.Position(c.Pos()).String(), inside})
			bracket := slices.Contains(brackets[:], method)
			walk(c.Fun, inside)
			for _, a := range c.Args {
				if _, is := a.(*ast.CallExpr); is {
					walk(&ast.ParenExpr{X: a}, inside)
				} else {
					walk(a, inside || bracket)
				}
			}
			return false
		})
	}
	walk(&ast.BlockStmt{List: []ast.Stmt{body.(*ast.BlockStmt)}}, false)
	return out
}

func callee(e ast.Expr) (name, method string) {
	switch f := e.(type) {
	case *ast.Ident:
		return f.Name, f.Name
	case *ast.SelectorExpr:
		if id, ok := f.X.(*ast.Ident); ok {
			return id.Name + "." + f.Sel.Name, f.Sel.Name
		}
		return "." + f.Sel.Name, f.Sel.Name
	}
	return "", ""
}

// calledInside: somebody calls it, and whoever does is looked at himself.
func calledInside(calls map[string][]call, fn string) bool {
	for _, list := range calls {
		for _, c := range list {
			if c.method == fn {
				return true
			}
		}
	}
	return false
}
