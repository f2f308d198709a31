package guard

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// TestStories plays the files in testdata: a line is something that happens,
// and what is indented below it what the guard has to answer.
//
//   - ID [in PARENT] [shares] [used] [limited] [seen OOM KILLS]
//   - ID
//     later SECONDS
//     ID OOM KILLS[, ID OOM KILLS]…      readings of one moment
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, want)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

// play returns the story with the answers that the guard gives.
func play(t *testing.T, story []byte) []byte {
	var out bytes.Buffer
	g, now := New(), time.Unix(1, 0)
	for lines := bufio.NewScanner(bytes.NewReader(story)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "\t") {
			continue
		}
		fmt.Fprintln(&out, line)
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "+":
			g.Add(described(t, words[1:]))
		case words[0] == "-":
			g.Remove(words[1])
		case words[0] == "later":
			now = now.Add(time.Duration(number(t, words[1])) * time.Second)
		default:
			var readings []Reading
			for _, one := range strings.Split(line, ",") {
				w := strings.Fields(one)
				readings = append(readings, Reading{w[0], Counts{number(t, w[1]), number(t, w[2])}})
			}
			for _, a := range g.Count(now, readings) {
				fmt.Fprintf(&out, "\t%s\n", a)
			}
		}
	}
	return out.Bytes()
}

func described(t *testing.T, words []string) Container {
	c := Container{ID: words[0]}
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "in":
			c.Parent = words[i+1]
			i++
		case "shares":
			c.Shares = true
		case "used":
			c.Used = true
		case "limited":
			c.Limited = true
		case "seen":
			c.Seen = Counts{number(t, words[i+1]), number(t, words[i+2])}
			i += 2
		default:
			t.Fatalf("unknown word %q", words[i])
		}
	}
	return c
}

func number(t *testing.T, word string) (n uint64) {
	if _, err := fmt.Sscan(word, &n); err != nil {
		t.Fatalf("%q: %v", word, err)
	}
	return n
}

func TestAbove(t *testing.T) {
	g := New()
	for _, c := range []Container{{ID: "a"}, {ID: "b", Parent: "a"}, {ID: "c", Parent: "b"}, {ID: "x", Parent: "y"}, {ID: "y", Parent: "x"}} {
		g.Add(c)
	}
	for id, want := range map[string]string{"a": "[]", "b": "[a]", "c": "[b a]", "nobody": "[]"} {
		if got := fmt.Sprint(g.Above(id)); got != want {
			t.Errorf("above %s: got %s, want %s", id, got, want)
		}
	}
	g.Above("x") // a ring has an end
	g.Count(time.Now(), []Reading{{"x", Counts{0, 1}}})
	g.Remove("b")
	if got := g.Above("c"); got != nil {
		t.Errorf("above c without b: got %v", got)
	}
}
