// Package tests holds the house rules that a compiler does not check against
// the source of the whole module: who may import whom, no init functions, no
// variables that packages change, no rooms without a name, no file that
// nobody can survey. It reads files only and builds nothing.
package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module   = "github.com/mesoc/mesoc"
	maxLines = 450
)

// rooms says which of our packages each package may import (tests excepted),
// by directory. A package that is not here is not built yet or has no room:
// adding one means adding a line, and thinking about it. Only `.` may import
// libcontainer, nobody may import `.`.
var rooms = map[string][]string{
	".": {"early", "early/first", "libcontainer", "libcontainer/bundle", "libcontainer/features", "libcontainer/isolator", "libcontainer/isolator/cpu",
		"libcontainer/isolator/memory", "libcontainer/plan", "libcontainer/program", "libcontainer/stage", "libcontainer/template"},
	// So that they are initialised before it.
	"early": {"early/first", "libcontainer", "libcontainer/isolator", "libcontainer/isolator/cpu", "libcontainer/isolator/memory", "libcontainer/plan",
		"libcontainer/program", "libcontainer/stage"},

	"libcontainer": {
		"libcontainer/bundle", "libcontainer/cgroup2", "libcontainer/cgroup2/devices", "libcontainer/compile", "libcontainer/criu", "libcontainer/guard",
		"libcontainer/internal/kernel", "libcontainer/internal/netlink", "libcontainer/internal/signals", "libcontainer/internal/sys",
		"libcontainer/isolator", "libcontainer/launch", "libcontainer/plan", "libcontainer/program", "libcontainer/resctrl",
		"libcontainer/seccomp", "libcontainer/stage", "libcontainer/store",
	},
	"early/first": {},

	"libcontainer/bundle":               {"libcontainer/plan"},
	"libcontainer/cgroup2":              {"libcontainer/cgroup2/devices", "libcontainer/internal/sys"},
	"libcontainer/cgroup2/devices":      {},
	"libcontainer/compile":              {"libcontainer/plan", "libcontainer/program"},
	"libcontainer/criu":                 {"libcontainer/internal/sys"},
	"libcontainer/features":             {"libcontainer/plan", "libcontainer/seccomp"},
	"libcontainer/guard":                {},
	"libcontainer/isolator":             {"libcontainer/plan"},
	"libcontainer/isolator/conformance": {"libcontainer/isolator"},
	"libcontainer/isolator/cpu":         {"libcontainer/isolator", "libcontainer/plan"},
	"libcontainer/isolator/memory":      {"libcontainer/cgroup2", "libcontainer/isolator", "libcontainer/plan"},
	"libcontainer/launch":               {"libcontainer/cgroup2", "libcontainer/internal/sys", "libcontainer/program", "libcontainer/stage"},
	"libcontainer/plan":                 {},
	"libcontainer/program":              {},
	"libcontainer/resctrl":              {"libcontainer/internal/sys"},
	"libcontainer/seccomp":              {},
	"libcontainer/stage":                {"early/first", "libcontainer/program"},
	"libcontainer/store":                {"libcontainer/internal/sys"},
	"libcontainer/template":             {},
	"libcontainer/internal/kernel":      {"libcontainer/internal/sys"},
	"libcontainer/internal/netlink":     {"libcontainer/internal/sys"},
	"libcontainer/internal/signals":     {},
	"libcontainer/internal/sys":         {},
	"libcontainer/internal/testutil":    {},
	"tests":                             {},
	"tests/bench":                       {},
	"tests/cmd/rig":                     {},
	"tests/engines/cri":                 {}, // a module of its own
}

// heavy are packages whose initialisation or mere presence costs every
// command time; each exception has its reason.
var heavy = []string{"os/exec", "net", "net/http", "regexp", "text/template", "html/template", "encoding/gob", "C"}

var heavyAllowed = map[string]string{
	"libcontainer/internal/testutil": "not part of the program: no room lets it in",
	"tests/bench":                    "not part of the program",
	"tests/cmd/rig":                  "not part of the program",
	"tests":                          "not part of the program",
}

// nameless are words that say nothing of what a package is for.
var nameless = []string{"util", "utils", "common", "helper", "helpers", "types", "manager", "base", "misc", "shared", "lib"}

type source struct {
	file  string // relative to the module
	dir   string
	test  bool
	built bool // generated, or not part of any build
	lines int
	ast   *ast.File
	fset  *token.FileSet
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, s := range sources(t) {
		allowed, known := rooms[s.dir]
		if !known {
			t.Errorf("%s: package %s has no line in the table of rooms", s.file, s.dir)
			continue
		}
		for _, imported := range imports(t, s) {
			ours, inside := within(imported)
			if !inside || s.test && ours == s.dir { // an external test package imports what it tests
				continue
			}
			// Tests may look into other rooms, but not reach up.
			if s.test && ours != "." && ours != "libcontainer" {
				continue
			}
			if !slices.Contains(allowed, ours) {
				t.Errorf("%s: %s may not import %s", s.file, s.dir, ours)
			}
		}
	}
}

func TestTableHasNoDeadLines(t *testing.T) {
	present := map[string]bool{}
	for _, s := range sources(t) {
		present[s.dir] = true
	}
	for dir := range rooms {
		if !present[dir] {
			t.Errorf("the table of rooms has a line for %s, which does not exist", dir)
		}
	}
}

// forTests are packages that only tests may import.
var forTests = []string{"libcontainer/internal/testutil", conformance}

// conformance is the test that every isolator has to pass.
const conformance = "libcontainer/isolator/conformance"

func TestOnlyTestsImportWhatIsForTests(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range imports(t, s) {
			ours, _ := within(imported)
			if !s.test && (slices.Contains(forTests, ours) || imported == "testing") && !slices.Contains(forTests, s.dir) {
				t.Errorf("%s: imports %s outside of a test", s.file, imported)
			}
		}
	}
}

// Each isolator has a package of its own below that of their interface.
func TestIsolatorsConform(t *testing.T) {
	tested := map[string]bool{}
	for _, s := range sources(t) {
		if path.Dir(s.dir) == path.Dir(conformance) && s.dir != conformance {
			imported := s.test && slices.Contains(imports(t, s), module+"/"+conformance)
			tested[s.dir] = tested[s.dir] || imported
		}
	}
	for dir, conforms := range tested {
		if !conforms {
			t.Errorf("the isolator %s does not take %s", dir, conformance)
		}
	}
	if len(tested) == 0 {
		t.Error("found no isolators")
	}
}

func TestNothingHeavyIsImported(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.built || heavyAllowed[s.dir] != "" {
			continue
		}
		for _, imported := range imports(t, s) {
			if slices.Contains(heavy, imported) {
				t.Errorf("%s: imports %s", s.file, imported)
			}
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.ast.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if ok && function.Recv == nil && function.Name.Name == "init" {
				t.Errorf("%s: init function", s.fset.Position(function.Pos()))
			}
		}
	}
}

// TestNoPackageVariableChanges finds assignments to a package's own variables
// from its functions. Tables and sentinel errors are variables too, for want
// of such constants; what counts is that nobody writes to them.
func TestNoPackageVariableChanges(t *testing.T) {
	declared := map[string]map[string]bool{}
	all := sources(t)
	for _, s := range all {
		if s.test || s.built {
			continue
		}
		if declared[s.dir] == nil {
			declared[s.dir] = map[string]bool{}
		}
		for _, decl := range s.ast.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, spec := range group.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					declared[s.dir][name.Name] = name.Name != "_"
				}
			}
		}
	}
	for _, s := range all {
		if s.test || s.built {
			continue
		}
		ast.Inspect(s.ast, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.AssignStmt:
				if n.Tok == token.DEFINE {
					return true
				}
				for _, left := range n.Lhs {
					reportWrite(t, s, declared[s.dir], left)
				}
			case *ast.IncDecStmt:
				reportWrite(t, s, declared[s.dir], n.X)
			}
			return true
		})
	}
}

// handlersVariable is written, once: a signal handler is told the signal and
// nothing else.
const handlersVariable = "libcontainer/internal/signals pipe"

// reportWrite complains when the expression assigned to is, or is a part of, a
// package's variable. The parser resolves names within a file: one that it
// resolved to something inside a function is a local of the same name.
func reportWrite(t *testing.T, s *source, declared map[string]bool, target ast.Expr) {
	for {
		switch x := target.(type) {
		case *ast.IndexExpr:
			target = x.X
			continue
		case *ast.SelectorExpr:
			target = x.X
			continue
		case *ast.StarExpr:
			target = x.X
			continue
		case *ast.ParenExpr:
			target = x.X
			continue
		case *ast.Ident:
			if !declared[x.Name] || local(s, x) || s.dir+" "+x.Name == handlersVariable {
				return
			}
			t.Errorf("%s: writes to the package's variable %s", s.fset.Position(x.Pos()), x.Name)
		}
		return
	}
}

// local says whether a name is declared inside a function of its file. The
// resolution of go/ast knows no other files, which is just what is wanted.
func local(s *source, name *ast.Ident) bool {
	if name.Obj == nil {
		return false
	}
	return s.ast.Scope.Lookup(name.Name) != name.Obj
}

func TestPackagesAreNamedForWhatTheyDo(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range []string{path.Base(s.dir), strings.TrimSuffix(s.ast.Name.Name, "_test")} {
			if slices.Contains(nameless, name) {
				t.Errorf("%s: package name %s says nothing", s.file, name)
			}
		}
	}
}

func TestPackagesHaveADocComment(t *testing.T) {
	docs := map[string]int{}
	for _, s := range sources(t) {
		if s.test && s.dir != "tests" {
			continue
		}
		if s.ast.Doc != nil {
			docs[s.dir] = max(docs[s.dir], strings.Count(strings.TrimSpace(s.ast.Doc.Text()), "\n")+1)
		} else {
			docs[s.dir] += 0
		}
	}
	for dir, lines := range docs {
		if lines < 3 || lines > 14 {
			t.Errorf("package %s: its doc comment has %d lines, want about 3 to 10", dir, lines)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if !s.built && s.lines > maxLines {
			t.Errorf("%s: %d lines, more than %d: split it by step", s.file, s.lines, maxLines)
		}
	}
}

// sources parses every Go file of the module but testdata.
func sources(t *testing.T) []*source {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var all []*source
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if file != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "results") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || !entry.Type().IsRegular() {
			return nil
		}
		s, err := parse(root, file)
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found only %d Go files below %s", len(all), root)
	}
	return all
}

func parse(root, file string) (*source, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	relative, err := filepath.Rel(root, file)
	if err != nil {
		return nil, err
	}
	s := &source{
		file:  filepath.ToSlash(relative),
		test:  strings.HasSuffix(file, "_test.go"),
		lines: bytes.Count(text, []byte("\n")),
		fset:  token.NewFileSet(),
	}
	s.dir = path.Dir(s.file)
	if s.ast, err = parser.ParseFile(s.fset, relative, text, parser.ParseComments); err != nil {
		return nil, fmt.Errorf("parse %s: %w", relative, err)
	}
	s.built = generated(text)
	return s, nil
}

// generated follows the go command's convention. A file that no build contains
// (a generator run by hand) costs the program nothing either.
func generated(text []byte) bool {
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for n := 0; n < 20 && scanner.Scan(); n++ {
		line := scanner.Text()
		if strings.HasPrefix(line, "// Code generated ") && strings.HasSuffix(line, " DO NOT EDIT.") {
			return true
		}
		if line == "//go:build ignore" {
			return true
		}
	}
	return false
}

func imports(t *testing.T, s *source) []string {
	t.Helper()
	var paths []string
	for _, spec := range s.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatalf("%s: %v", s.file, err)
		}
		paths = append(paths, imported)
	}
	return paths
}

// within gives the directory of one of our packages.
func within(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}
