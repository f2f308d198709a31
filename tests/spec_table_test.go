package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// specRow is a line of a table of docs/runtime-spec.md.
type specRow struct {
	line  int
	cells []string
}

// specRows finds the lines of the tables, without the two at the head of each.
func specRows(document string) []specRow {
	var rows []specRow
	head := 0
	for i, line := range strings.Split(document, "\n") {
		if !strings.HasPrefix(line, "|") {
			head = 0
			continue
		}
		if head++; head <= 2 {
			continue
		}
		row := specRow{line: i + 1}
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			row.cells = append(row.cells, strings.TrimSpace(cell))
		}
		rows = append(rows, row)
	}
	return rows
}

// specProblems says what is wrong with the rows: each wants tests that are
// there, or a reason that is the kernel's.
func specProblems(rows []specRow, exists func(file, name string) bool) []string {
	var problems []string
	for _, r := range rows {
		bad := func(text string) { problems = append(problems, fmt.Sprintf("line %d: %s", r.line, text)) }
		if len(r.cells) != 3 || slices.Contains(r.cells, "") {
			bad("wants three cells: where, requirement, tests")
			continue
		}
		if reason, ok := strings.CutPrefix(r.cells[2], "kernel: "); ok && reason != "" {
			continue
		}
		for _, test := range strings.Split(r.cells[2], "<br>") {
			name := strings.TrimSuffix(strings.TrimPrefix(test, "`"), "`")
			file, name, ok := strings.Cut(name, ": ")
			switch {
			case !ok || len(test) != len(file)+len(name)+4:
				bad("neither a test nor a reason of the kernel's: " + test)
			case !exists(file, name):
				bad("there is no test " + test)
			}
		}
	}
	return problems
}

var (
	batsTest = regexp.MustCompile(`(?m)^@test "(.*)" \{$`)
	goTest   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\([tf] `)
)

// testNames are the tests of a bats file, or of a Go package.
func testNames(t *testing.T, file string) []string {
	files, names := []string{filepath.Join("integration", file)}, batsTest
	if !strings.HasSuffix(file, ".bats") {
		var err error
		if files, err = filepath.Glob(filepath.Join("..", file, "*_test.go")); err != nil {
			t.Fatal(err)
		}
		names = goTest
	}
	var list []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, match := range names.FindAllStringSubmatch(string(text), -1) {
			list = append(list, match[1])
		}
	}
	return list
}

func TestSpecTable(t *testing.T) {
	document, err := os.ReadFile("../docs/runtime-spec.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	exists := func(file, name string) bool {
		if _, read := known[file]; !read {
			known[file] = testNames(t, file)
		}
		return slices.Contains(known[file], name)
	}
	rows := specRows(string(document))
	if len(rows) < 150 {
		t.Errorf("%d rows, want 150 at least", len(rows))
	}
	for _, p := range specProblems(rows, exists) {
		t.Errorf("docs/runtime-spec.md, %s", p)
	}
	// And the other way round: what is called a must of the specification is in the table.
	for _, name := range testNames(t, "must_error.bats") {
		if !strings.Contains(string(document), "`must_error.bats: "+name+"`") {
			t.Errorf("docs/runtime-spec.md has no row for %s", name)
		}
	}
}

func TestSpecTableFindsProblems(t *testing.T) {
	const head = "text\n\n| where | what | tests |\n|---|---|---|\n"
	exists := func(file, name string) bool { return file == "a.bats" && name == "one: two" }
	for row, want := range map[string]string{
		"| x | y | `a.bats: one: two` |":                    "",
		"| x | y | `a.bats: one: two`<br>`a.bats: three` |": "line 5: there is no test `a.bats: three`",
		"| x | y | kernel: has none |":                      "",
		"| x | y | kernel: |":                               "line 5: neither a test nor a reason of the kernel's: kernel:",
		"| x | y | TODO(exec) |":                            "line 5: neither a test nor a reason of the kernel's: TODO(exec)",
		"| x | y | a.bats: one: two |":                      "line 5: neither a test nor a reason of the kernel's: a.bats: one: two",
		"| x | y | |":                                       "line 5: wants three cells: where, requirement, tests",
		"| x | `a.bats: one: two` |":                        "line 5: wants three cells: where, requirement, tests",
	} {
		if got := strings.Join(specProblems(specRows(head+row), exists), "; "); got != want {
			t.Errorf("%s: %q, want %q", row, got, want)
		}
	}
}
