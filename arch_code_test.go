package posthaste_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// starters are the packages that may start a goroutine, with what ends it.
var starters = []struct{ dirs, ends string }{
	{"eventloop", "the loops and dials that Transport.Close waits for"},
	{"mailbox", "the Executor's workers, which its Close waits for"},
	{"registry/...", "the heartbeats and watches of a Registry, which its Close waits for"},
	{"guard", "the second attempt of a hedge, which the call waits for or cancels"},
	{"internal/clock", "the timer wheel, which its Stop waits for"},
	{"runtime", "what Runtime.Stop waits for"},
	{"runtime/runtimetest", "the nodes of a Cluster, which its Close stops"},
	{"cmd/...", "programs"},
	{"examples/...", "programs"},
}

// goroutinesHaveOwners wants each goroutine in a package of starters: a go
// statement, or one in disguise. Everything else is called by its owner and so
// can be tested without waiting. Tests may start what they like.
func goroutinesHaveOwners(m *module) (found []string) {
	for _, p := range m.packages {
		if slices.ContainsFunc(starters, func(s struct{ dirs, ends string }) bool { return match(s.dirs, p.dir) }) {
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			f.goroutines(func(n ast.Node, what string) {
				found = append(found, fmt.Sprintf("%s: %s in %s, which may not start goroutines: let the caller run it, "+
					"take now as an argument, or add the package to starters with what ends the goroutine", f.at(n), what, p.dir))
			})
		}
	}
	return found
}

// goroutines calls yield for each place of f that starts a goroutine.
func (f *file) goroutines(yield func(n ast.Node, what string)) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			yield(n, "a go statement")
		case *ast.CallExpr:
			// sync.WaitGroup.Go and errgroup.Group.Go.
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" && len(n.Args) == 1 {
				yield(n, "a call of a Go method")
			}
		}
		return true
	})
	for _, pkg := range []string{"time", "context"} {
		f.selectors(pkg, func(sel *ast.SelectorExpr) {
			if sel.Sel.Name == "AfterFunc" {
				yield(sel, pkg+".AfterFunc")
			}
		})
	}
}

func TestGoStatements(t *testing.T) {
	enforce(t, goroutinesHaveOwners,
		plant{tree{"lb/a.go": "package lb\nfunc f() { go f() }"}, "lb/a.go:2: a go statement in lb,"},
		plant{tree{"lb/a.go": "package lb; import \"sync\"; func f(wg *sync.WaitGroup) { wg.Go(func() {}) }"}, "a call of a Go method in lb"},
		plant{tree{"lb/a.go": "package lb; import \"time\"; var _ = time.AfterFunc(0, nil)"}, "time.AfterFunc in lb"},
		plant{tree{"codec/protobuf/a.go": "package protobuf; func f() { func() { go f() }() }"}, "in codec/protobuf"},
		plant{tree{"lb/a_test.go": "package lb; func f() { go f() }"}, ""},
		plant{tree{"runtime/a.go": "package runtime; func f() { go f() }"}, ""},
		plant{tree{"registry/redisreg/a.go": "package redisreg; func f() { go f() }"}, ""},
	)
}

// onePackageDoc wants exactly one package comment in each package, programs
// included, and that of a library to begin as godoc shows it.
func onePackageDoc(m *module) (found []string) {
	for _, p := range m.packages {
		docs := map[string][]*file{} // by package name: a folder may hold a generator too
		for _, f := range p.files {
			if f.test {
				continue
			}
			name := f.ast.Name.Name
			with := docs[name]
			if f.ast.Doc.Text() != "" {
				with = append(with, f)
			}
			docs[name] = with // also if none has one
		}
		for _, name := range slices.Sorted(maps.Keys(docs)) {
			if why := refuseDocs(name, docs[name]); why != "" {
				found = append(found, fmt.Sprintf("package %s in %s %s", name, p.dir, why))
			}
		}
	}
	return found
}

// refuseDocs returns what is wrong with the files that carry the package comment
// of package name, or "".
func refuseDocs(name string, files []*file) string {
	switch len(files) {
	case 0:
		return "has no package comment: say in doc.go what it hides"
	case 1:
		if text := files[0].ast.Doc.Text(); name != "main" && !strings.HasPrefix(text, "Package "+name+" ") {
			return fmt.Sprintf("has a package comment in %s that does not begin with %q", files[0].path, "Package "+name+" ")
		}
		return ""
	}
	var paths []string
	for _, f := range files {
		paths = append(paths, f.path)
	}
	return "has more than one package comment, which godoc would run together: " + strings.Join(paths, ", ")
}

func TestPackageDocs(t *testing.T) {
	enforce(t, onePackageDoc,
		plant{tree{"lb/doc.go": "// Package lb is x.\npackage lb", "lb/a.go": "// A licence.\n\npackage lb", "lb/a_test.go": "package lb"}, ""},
		plant{tree{"examples/a/main.go": "// A shows x.\npackage main"}, ""},
		plant{tree{"lb/a.go": "package lb"}, "package lb in lb has no package comment"},
		plant{tree{"lb/a.go": "//go:build linux\npackage lb"}, "has no package comment"},
		plant{tree{"examples/a/main.go": "package main"}, "package main in examples/a has no package comment"},
		plant{tree{"lb/a.go": "// Package lb x.\npackage lb", "lb/b.go": "// Package lb y.\npackage lb"}, "more than one package comment, which godoc would run together: lb/a.go, lb/b.go"},
		plant{tree{"lb/a.go": "// Copyright x.\npackage lb"}, `does not begin with "Package lb "`},
	)
}

// distinctFrom makes the rule that package runtime exports no name of std, so
// that a file which means one runtime and gets the other does not compile.
func distinctFrom(std map[string]bool) func(*module) []string {
	return func(m *module) (found []string) {
		p := m.pkg("runtime")
		if p == nil {
			return nil
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, name := range exported(f.ast) {
				if std[name.Name] {
					found = append(found, fmt.Sprintf("%s: runtime.%s is also a name of the standard library's package runtime: choose another", f.at(name), name.Name))
				}
			}
		}
		return found
	}
}

// exported returns the exported top-level names that f declares.
func exported(f *ast.File) (names []*ast.Ident) {
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name)
				case *ast.ValueSpec:
					names = append(names, s.Names...)
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(n *ast.Ident) bool { return !n.IsExported() })
}

// stdRuntimeNames returns what the standard library's package runtime exports on Linux.
func stdRuntimeNames(t *testing.T) map[string]bool {
	t.Helper()
	linux := build.Default
	linux.GOOS, linux.GOARCH = "linux", "amd64"
	p, err := linux.ImportDir(filepath.Join(linux.GOROOT, "src", "runtime"), 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range exported(f) {
			names[id.Name] = true
		}
	}
	for _, name := range []string{"Gosched", "MemStats", "GOOS", "MemProfileRate"} { // a func, a type, a const, a var
		if !names[name] {
			t.Fatalf("%s was not found among the %d names of the standard library's runtime", name, len(names))
		}
	}
	return names
}

func TestRuntimeNames(t *testing.T) {
	enforce(t, distinctFrom(stdRuntimeNames(t)),
		plant{tree{"lb/a.go": "package lb; func GC() {}"}, ""},
		plant{tree{"runtime/a.go": "package runtime; type Context struct{}; func gosched() {}; func (Context) GC() {}"}, ""},
		plant{tree{"runtime/a_test.go": "package runtime; func GC() {}"}, ""},
		plant{tree{"runtime/a.go": "package runtime; func New() {}\nfunc Stack() {}"}, "runtime/a.go:2: runtime.Stack is also a name"},
		plant{tree{"runtime/a.go": "package runtime; type Func[T any] struct{}"}, "runtime.Func is also"},
		plant{tree{"runtime/a.go": "package runtime; var ErrX, Error error"}, "runtime.Error is also"},
	)
}

// The limits of TestFileAndFunctionLength, in lines.
const (
	maxFile     = 600
	maxFunction = 60
)

// longOnes are the files ("lb/p2c.go") and functions ("lb/p2c.go Group.pick")
// that may be longer, with the reason. The list may only shrink.
var longOnes = map[string]string{}

// shortEnough makes the rule that files and functions stay within the limits,
// unless allowed, and that what is allowed needs to be. Tests and generated
// files may be as long as they like.
func shortEnough(allowed map[string]string) func(*module) []string {
	return func(m *module) (found []string) {
		needed := map[string]bool{}
		check := func(key string, lines, limit int, advice string) {
			if lines <= limit {
				return
			}
			needed[key] = true
			if allowed[key] == "" {
				found = append(found, fmt.Sprintf("%s has %d lines, the limit is %d: %s", key, lines, limit, advice))
			}
		}
		for _, p := range m.packages {
			for _, f := range p.files {
				if f.test || ast.IsGenerated(f.ast) {
					continue
				}
				check(f.path, f.fset.File(f.ast.FileStart).LineCount(), maxFile, "find the noun that is missing and give it a file")
				for _, decl := range f.ast.Decls {
					check(f.path+" "+declName(decl), longestFunc(f, decl), maxFunction, "name its steps")
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(allowed)) {
			if !needed[key] {
				found = append(found, fmt.Sprintf("%s is within the limits: take it off the list", key))
			}
		}
		return found
	}
}

// declName returns the name of a function as "f" or "T.f", and that of the first
// thing in any other declaration.
func declName(decl ast.Decl) string {
	fn, ok := decl.(*ast.FuncDecl)
	switch {
	case !ok:
		if gen := decl.(*ast.GenDecl); len(gen.Specs) > 0 {
			if v, ok := gen.Specs[0].(*ast.ValueSpec); ok {
				return v.Names[0].Name
			}
		}
		return ""
	case fn.Recv == nil:
		return fn.Name.Name
	}
	recv := fn.Recv.List[0].Type
	if star, ok := recv.(*ast.StarExpr); ok {
		recv = star.X
	}
	switch generic := recv.(type) {
	case *ast.IndexExpr:
		recv = generic.X
	case *ast.IndexListExpr:
		recv = generic.X
	}
	return recv.(*ast.Ident).Name + "." + fn.Name.Name
}

// longestFunc returns the lines of decl if it is a function, or else of the
// longest function literal in it.
func longestFunc(f *file, decl ast.Decl) (lines int) {
	if fn, ok := decl.(*ast.FuncDecl); ok {
		return f.lines(fn)
	}
	ast.Inspect(decl, func(n ast.Node) bool {
		if lit, ok := n.(*ast.FuncLit); ok {
			lines = max(lines, f.lines(lit))
		}
		return true
	})
	return lines
}

func TestFileAndFunctionLength(t *testing.T) {
	body := func(lines int) string { return "{" + strings.Repeat("\n", lines-1) + "}" }
	prove(t, shortEnough(nil),
		plant{tree{"lb/a.go": "package lb\nfunc f() " + body(60)}, ""},
		plant{tree{"lb/a.go": "package lb\nfunc f() " + body(61)}, "lb/a.go f has 61 lines, the limit is 60"},
		plant{tree{"lb/a.go": "package lb\nfunc (g *G[T]) pick() " + body(61)}, "lb/a.go G.pick has 61 lines"},
		plant{tree{"lb/a.go": "package lb\nvar f = func() " + body(61)}, "lb/a.go f has 61 lines"},
		plant{tree{"lb/a_test.go": "package lb\nfunc f() " + body(700)}, ""},
		plant{tree{"lb/a.go": "// Code generated by x. DO NOT EDIT.\npackage lb\nfunc f() " + body(700)}, ""},
		plant{tree{"lb/a.go": "package lb" + strings.Repeat("\n", 600)}, ""},
		plant{tree{"lb/a.go": "package lb" + strings.Repeat("\n", 601)}, "lb/a.go has 601 lines, the limit is 600"},
	)
	prove(t, shortEnough(map[string]string{"lb/a.go f": "a dispatch switch"}),
		plant{tree{"lb/a.go": "package lb\nfunc f() " + body(61)}, ""},
		plant{tree{"lb/a.go": "package lb\nfunc g() " + body(61)}, "lb/a.go g has 61 lines"},
		plant{tree{"lb/a.go": "package lb\nfunc f() " + body(60)}, "lb/a.go f is within the limits"},
	)
	enforce(t, shortEnough(longOnes))
}

// banned are the imports that are never right, with what to do instead.
var banned = []struct{ path, instead string }{
	{"math/rand", "math/rand/v2 is faster, seeded and not deprecated"},
}

// importsAreWelcome refuses what is banned, and package testing in code that
// users link, for it registers flags.
func importsAreWelcome(m *module) (found []string) {
	for _, p := range m.packages {
		for _, f := range p.files {
			for _, spec := range f.ast.Imports {
				imp := importPath(spec)
				if within(imp, "testing") && !f.test && !strings.HasSuffix(path.Base(p.dir), "test") {
					found = append(found, fmt.Sprintf("%s: %s imports %s outside a test: move it to a _test.go file or a package named …test", f.at(spec), p.dir, imp))
				}
				for _, b := range banned {
					if imp == b.path {
						found = append(found, fmt.Sprintf("%s: %s imports %s: %s", f.at(spec), p.dir, imp, b.instead))
					}
				}
			}
		}
	}
	return found
}

func TestImports(t *testing.T) {
	enforce(t, importsAreWelcome,
		plant{tree{"lb/a.go": "package lb\nimport \"math/rand\""}, "lb/a.go:2: lb imports math/rand: math/rand/v2"},
		plant{tree{"lb/a_test.go": "package lb; import \"math/rand\""}, "lb imports math/rand"},
		plant{tree{"lb/a.go": "package lb; import \"math/rand/v2\""}, ""},
		plant{tree{"lb/a.go": "package lb; import \"testing\""}, "lb imports testing outside a test"},
		plant{tree{"lb/a.go": "package lb; import \"testing/fstest\""}, "lb imports testing/fstest outside a test"},
		plant{tree{"lb/a_test.go": "package lb; import \"testing\""}, ""},
		plant{tree{"registry/registrytest/a.go": "package registrytest; import \"testing\""}, ""},
	)
}

// emptyNames say nothing of what is inside.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "manager", "types", "base", "core", "misc", "shared"}

// packageNamesSaySomething refuses emptyNames for a package and for a folder
// that packages stand in.
func packageNamesSaySomething(m *module) (found []string) {
	for _, p := range m.packages {
		names := strings.Split(p.dir, "/")
		for _, f := range p.files {
			names = append(names, strings.TrimSuffix(f.ast.Name.Name, "_test"))
		}
		for _, name := range emptyNames {
			if slices.Contains(names, name) {
				found = append(found, fmt.Sprintf("%s is named %s, which says nothing: name it for what it hides", p.dir, name))
			}
		}
	}
	return found
}

func TestPackageNames(t *testing.T) {
	enforce(t, packageNamesSaySomething,
		plant{tree{"internal/ring/a.go": "package ring"}, ""},
		plant{tree{"internal/util/a.go": "package ring"}, "internal/util is named util"},
		plant{tree{"internal/ring/a.go": "package helpers"}, "internal/ring is named helpers"},
		plant{tree{"runtime/core/ring/a.go": "package ring"}, "runtime/core/ring is named core"},
	)
}

// noSleeps wants no test to sleep on the real clock: however long it sleeps, a
// busy machine is slower. In a synctest bubble time is virtual, and a sleep is
// exact and free, so files that import testing/synctest may.
func noSleeps(m *module) (found []string) {
	for _, p := range m.packages {
		for _, f := range p.files {
			bubble := slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool { return importPath(s) == "testing/synctest" })
			if !f.test || bubble {
				continue
			}
			f.selectors("time", func(sel *ast.SelectorExpr) {
				if sel.Sel.Name == "Sleep" {
					found = append(found, fmt.Sprintf("%s: the test sleeps: wait for what it waits for, or run it in testing/synctest", f.at(sel)))
				}
			})
		}
	}
	return found
}

func TestSleeps(t *testing.T) {
	enforce(t, noSleeps,
		plant{tree{"lb/a_test.go": "package lb\nimport \"time\"\nfunc f() { time.Sleep(1) }"}, "lb/a_test.go:3: the test sleeps"},
		plant{tree{"lb/a_test.go": "package lb; import (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Wait(); time.Sleep(1) }"}, ""},
		plant{tree{"examples/a/main.go": "package main; import \"time\"\nfunc f() { time.Sleep(1) }"}, ""},
	)
}
