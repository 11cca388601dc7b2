package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forbidden calls, and the packages that are there to make them.
var forbidden = []struct {
	path, name string
	allowed    []string
}{
	{"time", "Now", []string{"internal/clock", "internal/run", "internal/lab", "pkg/ocf"}},
	{"time", "Since", []string{"internal/clock", "internal/run", "internal/lab"}},
	{"time", "Sleep", []string{"internal/clock"}},
	{"time", "After", []string{"internal/clock", "internal/lab"}},
	{"os/exec", "Command", []string{"internal/run", "internal/lab", "internal/real"}},
	{"os/exec", "CommandContext", []string{"internal/run", "internal/lab"}},
	{"os/exec", "LookPath", []string{"internal/real"}},
	{"os", "Getenv", []string{"internal/host"}},
	{"os", "LookupEnv", []string{"internal/host", "internal/real", "internal/manpage/pagetest"}},
	{"os", "Environ", []string{"internal/host", "internal/run", "pkg/ocf"}},
	{"os", "Exit", []string{"internal/run", "pkg/ocf"}},
}

// wholePrograms may make any of these calls: they build the real world.
func wholeProgram(short string) bool {
	return strings.HasPrefix(short, "cmd/") || strings.HasPrefix(short, "agents/")
}

type source struct {
	pkg   pkg
	name  string
	fset  *token.FileSet
	file  *ast.File
	paths map[string]string // local name -> import path
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			s := source{p, p.short() + "/" + name, fset, f, map[string]string{}}
			for _, i := range f.Imports {
				path, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				local := strings.TrimSuffix(path[strings.LastIndex(path, "/")+1:], ".go")
				if local == "v2" {
					local = "cli"
				}
				if i.Name != nil {
					local = i.Name.Name
				}
				s.paths[local] = path
			}
			out = append(out, s)
		}
	}
	return out
}

// selected gives the import path and name of pkg.Name expressions.
func (s source) selected(n ast.Node) (path, name string, ok bool) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", "", false
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", "", false
	}
	path, ok = s.paths[id.Name]
	return path, sel.Sel.Name, ok
}

func TestForbiddenCalls(t *testing.T) {
	for _, s := range sources(t) {
		if wholeProgram(s.pkg.short()) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			path, name, ok := s.selected(n)
			if !ok {
				return true
			}
			for _, f := range forbidden {
				if f.path != path || f.name != name {
					continue
				}
				if !slices.ContainsFunc(f.allowed, func(a string) bool {
					return s.pkg.short() == a || strings.HasPrefix(s.pkg.short(), a+"/")
				}) {
					t.Errorf("%s: %s.%s is called outside %v: take it as a parameter", s.fset.Position(n.Pos()), path, name, f.allowed)
				}
			}
			return true
		})
	}
}

func TestEtreeWritesNothing(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.Contains(s.pkg.Imports, "github.com/beevik/etree") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && strings.HasPrefix(sel.Sel.Name, "WriteTo") {
				t.Errorf("%s: %s: cluster.conf is changed by splices only", s.fset.Position(n.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

// A second module can use pkg/ only if its exported signatures name nothing internal.
func TestLibrariesShowOnlyWhatOthersCanImport(t *testing.T) {
	for _, s := range sources(t) {
		short := s.pkg.short()
		if !strings.HasPrefix(short, "pkg/") && short != "metadata" {
			continue
		}
		check := func(what string, n ast.Node) {
			ast.Inspect(n, func(n ast.Node) bool {
				path, name, ok := s.selected(n)
				if !ok {
					return true
				}
				std := !strings.Contains(strings.SplitN(path, "/", 2)[0], ".")
				own := strings.HasPrefix(path, module+"/pkg/")
				etree := short == "pkg/ccs" && path == "github.com/beevik/etree"
				if !std && !own && !etree {
					t.Errorf("%s: exported %s shows %s.%s", s.fset.Position(n.Pos()), what, path, name)
				}
				return true
			})
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
					check(d.Name.Name, d.Type)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					checkSpec(spec, check)
				}
			}
		}
	}
}

func checkSpec(spec ast.Spec, check func(string, ast.Node)) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			return
		}
		st, ok := spec.Type.(*ast.StructType)
		if !ok {
			check(spec.Name.Name, spec.Type)
			return
		}
		for _, field := range st.Fields.List {
			if len(field.Names) == 0 || slices.ContainsFunc(field.Names, func(n *ast.Ident) bool { return n.IsExported() }) {
				check(spec.Name.Name, field.Type)
			}
		}
	case *ast.ValueSpec:
		if spec.Type != nil && slices.ContainsFunc(spec.Names, func(n *ast.Ident) bool { return n.IsExported() }) {
			check(spec.Names[0].Name, spec.Type)
		}
	}
}

func exportedReceiver(r *ast.FieldList) bool {
	name := ""
	ast.Inspect(r.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return ast.IsExported(name)
}

// Globals are constants, sentinel errors, embedded files, fixed arrays, and the rule language's fixed values, which
// are structs that Go cannot make constants of.
func TestNoGlobalState(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for i, n := range v.Names {
					if n.Name == "_" || strings.HasPrefix(n.Name, "Err") || strings.HasPrefix(n.Name, "err") || n.Name == "version" || embedded(g, v) {
						continue
					}
					if s.pkg.short() == "pkg/balance/perl" && strings.HasPrefix(n.Name, "val") {
						continue
					}
					if len(v.Values) > i {
						if lit, ok := v.Values[i].(*ast.CompositeLit); ok {
							if a, ok := lit.Type.(*ast.ArrayType); ok && a.Len != nil {
								continue
							}
						}
					}
					t.Errorf("%s: global variable %s", s.fset.Position(n.Pos()), n.Name)
				}
			}
		}
	}
}

func embedded(g *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{g.Doc, v.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed") {
				return true
			}
		}
	}
	return false
}
