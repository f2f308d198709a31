package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// latecomers are what this package imports and no early command reaches.
var latecomers = map[string]string{
	"unsafe":                     "nobody: it stands for go:linkname",
	"bytes":                      "ps and stats",
	"flag":                       "urfave/cli's parser",
	"io/fs":                      "ps",
	"math":                       "update and events",
	"os/user":                    "list",
	"sync":                       "watch",
	"syscall":                    "list",
	"text/tabwriter":             "list",
	"github.com/urfave/cli/v2":   "help and mistakes",
	"github.com/sirupsen/logrus": "records, which main writes",
	"github.com/pelletier/go-toml/v2/unstable":     "a file of settings",
	"github.com/mesoc/mesoc/early":                 "itself",
	"github.com/mesoc/mesoc/libcontainer/bundle":   "validate",
	"github.com/mesoc/mesoc/libcontainer/features": "features",
	"github.com/mesoc/mesoc/libcontainer/template": "spec",
}

// What runs before this package is initialised must find everything else
// ready: each package that this one imports is one that package early waits
// for, or one that early commands do without.
func TestEarlyWaitsForWhatItReaches(t *testing.T) {
	ready := map[string]bool{}
	for _, path := range importsOf(t, filepath.Join("early", "early.go")) {
		ready[path] = true
	}
	for _, name := range sources(t) {
		for _, path := range importsOf(t, name) {
			if !ready[path] && latecomers[path] == "" {
				t.Errorf("%s: imports %s: let package early wait for it, or say who needs it", name, path)
			}
		}
	}
}

// And it must find this package's own variables: they may not need code to be
// run. (What the compiler does lay out is what is allowed here.)
func TestVariablesNeedNoInitialisation(t *testing.T) {
	for _, name := range sources(t) {
		file, fset := parse(t, name)
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				for _, value := range spec.(*ast.ValueSpec).Values {
					ast.Inspect(value, func(n ast.Node) bool {
						switch n := n.(type) {
						case *ast.FuncLit:
							return false
						case *ast.CallExpr:
							if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "New" {
								return true
							}
							if _, ok := n.Fun.(*ast.ParenExpr); ok { // a conversion
								return true
							}
						case *ast.SliceExpr, *ast.UnaryExpr, *ast.MapType:
						default:
							return true
						}
						t.Errorf("%s: this needs code at start", fset.Position(n.Pos()))
						return true
					})
				}
			}
		}
	}
}

func sources(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			own = append(own, name)
		}
	}
	if len(own) < 10 {
		t.Fatalf("found only %q", own)
	}
	return own
}

func parse(t *testing.T, name string) (*ast.File, *token.FileSet) {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file, fset
}

func importsOf(t *testing.T, name string) []string {
	t.Helper()
	file, _ := parse(t, name)
	var paths []string
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}
