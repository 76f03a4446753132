package posthaste_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// modulePath is the path that the imports of this module begin with.
const modulePath = "github.com/posthaste-go/posthaste"

// module is what the rules of arch_test.go look at: every Go file of this
// module, whatever its build constraints, and the tree around them. Nested
// modules (bench, tools) are not part of it. It is read-only once loaded.
type module struct {
	fsys     fs.FS
	packages []*pkg
	markdown []string // paths of *.md, those of nested modules too
}

// pkg is one directory with Go files.
type pkg struct {
	dir   string // slash-separated, "." for the root
	files []*file
}

// file is one parsed Go file.
type file struct {
	path string
	test bool // its name ends in _test.go
	ast  *ast.File
	fset *token.FileSet
}

// repository loads the module that this test belongs to, once.
var repository = sync.OnceValues(func() (*module, error) { return load(os.DirFS(".")) })

// load parses the tree in fsys. Folders that the go command ignores are left out.
func load(fsys fs.FS) (*module, error) {
	m := &module{fsys: fsys}
	nested := map[string]bool{} // folders of other modules, and all below them
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			if path.Ext(p) == ".md" {
				m.markdown = append(m.markdown, p)
			}
			return nil
		}
		if p != "." && ignored(d.Name()) {
			return fs.SkipDir
		}
		if nested[p] = p != "." && (nested[path.Dir(p)] || exists(fsys, path.Join(p, "go.mod"))); nested[p] {
			return nil
		}
		return m.addPackage(p)
	})
	return m, err
}

// ignored reports whether the go command skips folders of this name. .github is
// read for its markdown.
func ignored(name string) bool {
	return name == "testdata" || name == "vendor" || name[0] == '_' || name[0] == '.' && name != ".github"
}

// addPackage parses the Go files of dir, if there are any.
func (m *module) addPackage(dir string) error {
	names, err := fs.Glob(m.fsys, path.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		return err
	}
	p := &pkg{dir: dir}
	for _, name := range names {
		src, err := fs.ReadFile(m.fsys, name)
		if err != nil {
			return err
		}
		f := &file{path: name, test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet()}
		if f.ast, err = parser.ParseFile(f.fset, name, src, parser.ParseComments); err != nil {
			return err
		}
		p.files = append(p.files, f)
	}
	m.packages = append(m.packages, p)
	return nil
}

// pkg returns the package in dir, or nil.
func (m *module) pkg(dir string) *pkg {
	for _, p := range m.packages {
		if p.dir == dir {
			return p
		}
	}
	return nil
}

// importPath returns the path that spec imports.
func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // the parser has read the literal before
	}
	return p
}

// selectors calls yield for each use of a name of the package that imp names.
func (f *file) selectors(imp string, yield func(*ast.SelectorExpr)) {
	local := ""
	for _, spec := range f.ast.Imports {
		if importPath(spec) == imp {
			local = path.Base(imp)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	if local == "" {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
				yield(sel)
			}
		}
		return true
	})
}

// at returns "path:line" of n.
func (f *file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.fset.Position(n.Pos()).Line)
}

// lines returns how many lines n takes, its first and last included.
func (f *file) lines(n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
}

// local returns the folder that an import path of this module names, "." for
// the root.
func local(importPath string) (dir string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// match reports whether dir is meant by pattern, in the notation of the go
// command: "codec/..." is codec and all below it, "..." is everything.
func match(pattern, dir string) bool {
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(dir, tree)
	}
	return pattern == "..." || pattern == dir
}

// within reports whether p is root or below it, as slash-separated paths.
func within(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

// matchAny reports whether one of patterns means dir.
func matchAny(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, dir) })
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}

// tree is a small module in memory: paths and what stands there.
type tree map[string]string

// plant shows what a rule is for: a tree, and part of the complaint that the
// rule must make about it, or "" if it must make none. A rule that is right
// about its plants can both pass and fail.
type plant struct {
	tree tree
	want string
}

// enforce proves rule on plants, then applies it to the repository.
func enforce(t *testing.T, rule func(*module) []string, plants ...plant) {
	t.Helper()
	prove(t, rule, plants...)
	m, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	for _, violation := range rule(m) {
		t.Error(violation)
	}
}

// prove checks that rule judges every plant as it should.
func prove(t *testing.T, rule func(*module) []string, plants ...plant) {
	t.Helper()
	for _, p := range plants {
		found := strings.Join(rule(p.tree.load(t)), "\n")
		switch {
		case p.want == "" && found != "":
			t.Errorf("the rule refuses what it should accept: %v\nit said: %s", p.tree, found)
		case !strings.Contains(found, p.want):
			t.Errorf("the rule misses a violation: %v\nwant: %s\n got: %s", p.tree, p.want, found)
		}
	}
}

func (tr tree) load(t *testing.T) *module {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, src := range tr {
		fsys[name] = &fstest.MapFile{Data: []byte(src)}
	}
	m, err := load(fsys)
	if err != nil {
		t.Fatalf("a planted tree does not load: %v", err)
	}
	return m
}
