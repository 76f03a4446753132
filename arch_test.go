package posthaste_test

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// The architecture as tests: who may import whom. arch_code_test.go holds the
// rules about the code inside a package, arch_tree_test.go those about the files
// around it, arch_model_test.go what all of them look at. Each rule is one
// function, proven on planted trees before it judges the repository.

// floors are the packages from the ground up; the index is the floor. Imports
// only point down, and a floor never imports its own level, so that a reader of
// floor n needs to know the floors below it and nothing beside it.
var floors = [...][]string{
	0: {"."},
	1: {"wire", "codec/...", "mailbox", "lb", "guard", "registry", "internal/..."},
	2: {"eventloop", "fragment", "stream", "registry/redisreg", "registry/registrytest"},
	3: {"runtime"},
	4: {"cmd/...", "console", "runtime/runtimetest", "examples/..."},
}

// sideways are the imports within one floor that are right all the same.
var sideways = []struct{ from, to, why string }{
	{"codec/...", "codec", "a codec with its own dependency is a folder of its own and implements codec.Codec"},
	{"...", "internal/...", "internal packages are tools that know nothing of messaging; they import each other freely"},
}

func floorOf(dir string) (floor int, ok bool) {
	floor = slices.IndexFunc(floors[:], func(patterns []string) bool { return matchAny(patterns, dir) })
	return floor, floor >= 0
}

// everyPackageHasAFloor wants a floor for each package of m.
func everyPackageHasAFloor(m *module) (found []string) {
	for _, p := range m.packages {
		if _, ok := floorOf(p.dir); !ok {
			found = append(found, fmt.Sprintf("%s has no floor: give it a floor here and a line in ARCHITECTURE.md saying what it hides", p.dir))
		}
	}
	return found
}

// importsPointDown wants each import to name a package of a lower floor. Tests
// may also import their own floor, and the fakes and conformance suites of any:
// packages whose name ends in test.
func importsPointDown(m *module) (found []string) {
	for _, p := range m.packages {
		from, ok := floorOf(p.dir)
		if !ok {
			continue // everyPackageHasAFloor complains
		}
		for _, f := range p.files {
			for _, spec := range f.ast.Imports {
				if why := refuseImport(p.dir, from, f.test, importPath(spec)); why != "" {
					found = append(found, fmt.Sprintf("%s: %s", f.at(spec), why))
				}
			}
		}
	}
	return found
}

// refuseImport returns why a file of dir, on floor from, may not import imp, or "".
func refuseImport(dir string, from int, test bool, imp string) string {
	to, ours := local(imp)
	switch {
	case !ours && from == 0 && strings.Contains(strings.Split(imp, "/")[0], "."):
		return fmt.Sprintf("the root package imports %s, but every user of posthaste links it: standard library only", imp)
	case !ours || to == dir:
		return ""
	}
	floor, ok := floorOf(to)
	switch {
	case !ok:
		return fmt.Sprintf("%s imports %s, which has no floor", dir, to)
	case floor < from, test && floor == from && from > 0, test && strings.HasSuffix(to, "test"), mayGoSideways(dir, from, to, floor):
		return ""
	}
	return fmt.Sprintf("%s (floor %d) imports %s (floor %d), but imports only point down: "+
		"move the shared part to a lower floor, pass it in from above, or add the pair to sideways with a reason", dir, from, to, floor)
}

func mayGoSideways(from string, fromFloor int, to string, toFloor int) bool {
	if fromFloor != toFloor {
		return false
	}
	for _, s := range sideways {
		if match(s.from, from) && match(s.to, to) {
			return true
		}
	}
	return false
}

func TestFloors(t *testing.T) {
	const root, lb, rt = `import _ "` + modulePath + `"`, `import _ "` + modulePath + `/lb"`, `import _ "` + modulePath + `/runtime"`
	t.Run("known", func(t *testing.T) {
		enforce(t, everyPackageHasAFloor,
			plant{tree{"lb/lb.go": "package lb", "examples/a/b/main.go": "package main"}, ""},
			plant{tree{"bench/go.mod": "module bench", "bench/x/x.go": "package x"}, ""},
			plant{tree{"cache/cache.go": "package cache"}, "cache has no floor: give it a floor here"},
			plant{tree{"lb/deep/deep.go": "package deep"}, "lb/deep has no floor"},
		)
	})
	t.Run("down", func(t *testing.T) {
		enforce(t, importsPointDown,
			plant{tree{"lb/lb.go": "package lb; " + root}, ""},
			plant{tree{"runtime/a.go": "package runtime; " + lb}, ""},
			plant{tree{"lb/lb.go": "package lb; " + rt}, "lb (floor 1) imports runtime (floor 3)"},
			plant{tree{"wire/a.go": "package wire; " + lb}, "wire (floor 1) imports lb (floor 1)"},
			plant{tree{"internal/a/a.go": "package a; " + lb}, "internal/a (floor 1) imports lb"},
			plant{tree{"lb/lb.go": "package lb\nimport _ \"" + modulePath + "/internal/a\""}, ""},
			plant{tree{"a.go": "package posthaste\nimport _ \"" + modulePath + "/internal/a\""}, ". (floor 0) imports internal/a"},
			plant{tree{"codec/protobuf/a.go": "package protobuf\nimport _ \"" + modulePath + "/codec\""}, ""},
			plant{tree{"codec/a.go": "package codec\nimport _ \"" + modulePath + "/codec/protobuf\""}, "codec (floor 1) imports codec/protobuf"},
			plant{tree{"lb/lb.go": "package lb\nimport _ \"" + modulePath + "/cache\""}, "imports cache, which has no floor"},
			plant{tree{"a.go": "package posthaste; import _ \"net\""}, ""},
			plant{tree{"a.go": "package posthaste; import _ \"go.uber.org/zap\""}, "a.go:1: the root package imports go.uber.org/zap"},
			plant{tree{"a_test.go": "package posthaste; import _ \"go.uber.org/goleak\""}, "the root package imports"},
			plant{tree{"wire/a_test.go": "package wire; " + lb}, ""},
			plant{tree{"wire/a_test.go": "package wire; " + rt}, "wire (floor 1) imports runtime (floor 3)"},
			plant{tree{"registry/a_test.go": "package registry_test\nimport _ \"" + modulePath + "/registry/registrytest\""}, ""},
		)
	})
}

// homes are the dependencies that exactly one package may know. Who needs no
// Redis does not link it, and replacing a dependency is a change to one folder.
var homes = []struct{ dependency, home string }{
	{"github.com/panjf2000/gnet", "eventloop"},
	{"github.com/vmihailenco/msgpack", "codec"},
	{"github.com/redis/go-redis", "registry/redisreg"},
	{"google.golang.org/protobuf", "codec/protobuf"},
}

// dependenciesStayHome wants each dependency of homes in its home only, tests
// included.
func dependenciesStayHome(m *module) (found []string) {
	for _, p := range m.packages {
		for _, f := range p.files {
			for _, spec := range f.ast.Imports {
				for _, h := range homes {
					if within(importPath(spec), h.dependency) && p.dir != h.home {
						found = append(found, fmt.Sprintf("%s: %s imports %s, whose only home is %s: "+
							"use what %s exports, and let it export what is missing", f.at(spec), p.dir, importPath(spec), h.home, h.home))
					}
				}
			}
		}
	}
	return found
}

func TestHomes(t *testing.T) {
	const gnet = `import _ "github.com/panjf2000/gnet/v2"`
	enforce(t, dependenciesStayHome,
		plant{tree{"eventloop/a.go": "package eventloop; " + gnet}, ""},
		plant{tree{"bench/go.mod": "module bench", "bench/a.go": "package bench; " + gnet}, ""},
		plant{tree{"runtime/a.go": "package runtime; " + gnet}, "runtime imports github.com/panjf2000/gnet/v2, whose only home is eventloop"},
		plant{tree{"stream/a_test.go": "package stream; " + gnet}, "stream/a_test.go:1: stream imports"},
		plant{tree{"lb/a.go": `package lb; import _ "github.com/vmihailenco/msgpack/v5/msgpcode"`}, "only home is codec:"},
		plant{tree{"registry/a.go": `package registry; import _ "github.com/redis/go-redis/v9"`}, "only home is registry/redisreg"},
		plant{tree{"codec/a.go": `package codec; import _ "google.golang.org/protobuf/proto"`}, "only home is codec/protobuf"},
		plant{tree{"lb/a.go": `package lb; import _ "github.com/panjf2000/gnetwork"`}, ""},
	)
}

// unplugged are the packages that meet the network only through what eventloop
// or their caller hands them, so that all of their behaviour can be tested
// without it: floors 0 and 1, and the state machines of floor 2.
var unplugged = slices.Concat(floors[0], floors[1], []string{"fragment", "stream"})

// opensSocket reports whether net.name opens a socket or asks the network.
func opensSocket(name string) bool {
	switch name {
	case "Dialer", "ListenConfig", "Resolver":
		return true
	}
	return slices.ContainsFunc([]string{"Dial", "Listen", "Lookup", "Resolve"}, func(verb string) bool {
		return strings.HasPrefix(name, verb)
	})
}

// noSocketsBelow wants no socket in an unplugged package.
func noSocketsBelow(m *module) (found []string) {
	for _, p := range m.packages {
		if !matchAny(unplugged, p.dir) {
			continue
		}
		for _, f := range p.files {
			f.selectors("net", func(sel *ast.SelectorExpr) {
				if opensSocket(sel.Sel.Name) {
					found = append(found, fmt.Sprintf("%s: %s uses net.%s, but sockets belong to eventloop: "+
						"take a connection, or the bytes, from the caller", f.at(sel), p.dir, sel.Sel.Name))
				}
			})
		}
	}
	return found
}

func TestSockets(t *testing.T) {
	enforce(t, noSocketsBelow,
		plant{tree{"wire/a.go": "package wire; import \"net\"\nvar _, _ = net.Dial(``, ``)"}, "wire/a.go:2: wire uses net.Dial,"},
		plant{tree{"lb/a.go": "package lb; import n \"net\"; var _ n.ListenConfig"}, "lb uses net.ListenConfig"},
		plant{tree{"a_test.go": "package posthaste; import \"net\"; var _ net.Dialer"}, ". uses net.Dialer"},
		plant{tree{"stream/a.go": "package stream; import \"net\"; var _ = net.ListenUDP"}, "stream uses net.ListenUDP"},
		plant{tree{"eventloop/a.go": "package eventloop; import \"net\"; var _ = net.Dial"}, ""},
		plant{tree{"lb/a.go": "package lb; import \"net\"; var _ = net.SplitHostPort"}, ""},
		plant{tree{"lb/a.go": "package lb; var net struct{ Dial int }; var _ = net.Dial"}, ""},
	)
}
