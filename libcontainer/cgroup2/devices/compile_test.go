package devices

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
)

var update = flag.Bool("update", false, "write the golden files")

// question is what the kernel asks a program.
type question struct {
	typ          Type
	major, minor int64
	access       Access
}

// model decides by the definition: for each kind of access the last rule that
// speaks of the node counts.
func model(rules []Rule, q question) bool {
	for bit := Mknod; bit <= Write; bit <<= 1 {
		if q.access&bit == 0 {
			continue
		}
		allowed := false
		for _, r := range rules {
			if r.Access&bit != 0 && r.covers(Rule{Type: q.typ, Major: q.major, Minor: q.minor}) {
				allowed = r.Allow
			}
		}
		if !allowed {
			return false
		}
	}
	return true
}

// interpret runs a decoded program as the kernel would.
func interpret(t testing.TB, insns asm.Instructions, q question) bool {
	t.Helper()
	ctx := map[int16]uint64{
		ctxAccessType: uint64(q.access)<<16 | uint64(q.typ),
		ctxMajor:      uint64(q.major),
		ctxMinor:      uint64(q.minor),
	}
	var reg [11]uint64
	for pc := 0; pc < len(insns); pc++ {
		i := insns[pc]
		dst, imm := &reg[i.Dst], uint64(i.Constant)
		class := i.OpCode.Class()
		switch {
		case class == asm.LdXClass && i.OpCode.Size() == asm.Word && i.OpCode.Mode() == asm.MemMode && i.Src == asm.R1:
			v, ok := ctx[i.Offset]
			if !ok {
				t.Fatalf("instruction %d reads offset %d of the question", pc, i.Offset)
			}
			*dst = v
		case class == asm.ALU64Class && i.OpCode.ALUOp() == asm.Mov && i.OpCode.Source() == asm.RegSource:
			*dst = reg[i.Src]
		case class == asm.ALU64Class && i.OpCode.ALUOp() == asm.Mov:
			*dst = imm
		case class == asm.ALU64Class && i.OpCode.ALUOp() == asm.And && i.OpCode.Source() == asm.ImmSource:
			*dst &= imm
		case class == asm.ALU64Class && i.OpCode.ALUOp() == asm.RSh && i.OpCode.Source() == asm.ImmSource:
			*dst >>= imm
		case class == asm.JumpClass && i.OpCode.JumpOp() == asm.Exit:
			return reg[0] == 1
		case class == asm.JumpClass && i.OpCode.JumpOp() == asm.Ja:
			pc += int(i.Offset)
		case class == asm.JumpClass && i.OpCode.Source() == asm.ImmSource:
			taken, known := false, true
			switch i.OpCode.JumpOp() {
			case asm.JEq:
				taken = *dst == imm
			case asm.JNE:
				taken = *dst != imm
			case asm.JSet:
				taken = *dst&imm != 0
			default:
				known = false
			}
			if !known {
				t.Fatalf("instruction %d: unexpected jump %v", pc, i)
			}
			if taken {
				pc += int(i.Offset)
			}
		default:
			t.Fatalf("instruction %d: unexpected %v", pc, i)
		}
	}
	t.Fatal("program runs past its end")
	return false
}

// decode reads the program as the kernel gets it.
func decode(t testing.TB, p Program) asm.Instructions {
	t.Helper()
	code, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	var insns asm.Instructions
	if err := insns.Unmarshal(bytes.NewReader(code), hostOrder()); err != nil {
		t.Fatal(err)
	}
	if len(code) != len(insns)*asm.InstructionSize || len(insns) != len(p.insns) {
		t.Fatalf("%d instructions in %d bytes, of %d", len(insns), len(code), len(p.insns))
	}
	return insns
}

func mustCompile(t testing.TB, rules []Rule) Program {
	t.Helper()
	p, err := Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rule(t testing.TB, s string) Rule {
	t.Helper()
	var verb, node, access string
	var typ byte
	if _, err := fmt.Sscanf(s, "%s %c %s %s", &verb, &typ, &node, &access); err != nil {
		t.Fatalf("rule %q: %v", s, err)
	}
	r := Rule{Allow: verb == "allow", Major: Any, Minor: Any}
	var err error
	if r.Type, err = ParseType(string(typ)); err != nil {
		t.Fatal(err)
	}
	if r.Access, err = ParseAccess(access); err != nil {
		t.Fatal(err)
	}
	major, minor, _ := strings.Cut(node, ":")
	if major != "*" {
		fmt.Sscan(major, &r.Major)
	}
	if minor != "*" {
		fmt.Sscan(minor, &r.Minor)
	}
	if r.String() != s {
		t.Fatalf("%q reads back as %q", s, r)
	}
	return r
}

func rules(t testing.TB, list ...string) []Rule {
	t.Helper()
	var out []Rule
	for _, s := range list {
		out = append(out, rule(t, s))
	}
	return out
}

// cases are rule lists with the questions that show what they mean.
func cases(t testing.TB) []struct {
	name  string
	rules []Rule
	asks  []string // question and answer
} {
	return []struct {
		name  string
		rules []Rule
		asks  []string
	}{
		{"none", nil, []string{"c 1:3 r no", "b 8:0 m no"}},
		{"deny-all", rules(t, "deny a *:* rwm"), []string{"c 1:3 r no", "b 8:0 rwm no"}},
		{"allow-all", rules(t, "allow a *:* rwm"), []string{"c 1:3 r yes", "b 8:0 rwm yes"}},
		{"privileged", append(rules(t, "allow a *:* rwm"), Defaults()...), []string{"b 8:0 rw yes", "c 10:200 rw yes"}},
		{"default", append(rules(t, "deny a *:* rwm"), Defaults()...), []string{
			"c 1:3 rw yes", "c 1:5 r yes", "c 1:7 w yes", "c 1:8 r yes", "c 1:9 rw yes", "c 5:0 rw yes", "c 5:2 rw yes",
			"c 136:0 rw yes", "c 136:7777 rw yes", "c 10:200 m yes", "b 8:0 m yes",
			"b 1:3 r no", "c 1:1 r no", "c 1:11 w no", "c 5:1 rw no", "c 10:200 r no", "c 10:200 w no", "b 8:0 r no", "c 137:0 r no"}},
		{"own-null", Defaults("/dev/null", "/dev/zero"), []string{"c 1:3 r no", "c 1:5 w no", "c 1:7 r yes", "c 1:3 m yes"}},
		{"defaults-are-last", append(rules(t, "allow a *:* rwm", "deny c 1:3 rwm"), Defaults()...), []string{"c 1:3 rw yes"}},
		{"hole", rules(t, "allow a *:* rwm", "deny b 8:* w"), []string{
			"b 8:1 r yes", "b 8:1 w no", "b 8:1 rw no", "b 8:1 m yes", "b 9:1 rw yes", "c 8:1 w yes"}},
		{"hole-in-hole", rules(t, "allow c 10:* rw", "deny c 10:229 rw", "allow c 10:229 r"), []string{
			"c 10:228 rw yes", "c 10:229 r yes", "c 10:229 w no", "c 10:229 rw no", "c 10:229 m no"}},
		{"split-access", rules(t, "allow c 10:* r", "allow c 10:200 w"), []string{"c 10:200 rw yes", "c 10:201 rw no", "c 10:201 r yes"}},
		{"minor-of-any-major", rules(t, "allow c *:7 r", "allow a *:9 w", "deny c 4:7 r"), []string{
			"c 1:7 r yes", "c 4:7 r no", "b 1:7 r no", "b 4:9 w yes", "c 200:9 w yes", "c 200:9 r no"}},
		{"both-types", rules(t, "allow b 7:0 rw", "allow c 7:0 r"), []string{"b 7:0 rw yes", "c 7:0 r yes", "c 7:0 w no"}},
		{"beyond", rules(t, "allow c 4096:0 rwm", "allow c 1:1048576 rwm"), []string{"c 4095:0 r no", "c 1:0 r no"}},
		{"gpu", append(rules(t, "deny a *:* rwm", "allow c 195:0 rw", "allow c 195:255 rw", "allow c 195:254 rw",
			"allow c 508:0 rw", "allow c 508:1 rw", "allow c 226:128 rw", "allow b 259:0 r"), Defaults()...), []string{
			"c 195:0 rw yes", "c 195:1 rw no", "c 226:128 w yes", "b 259:0 r yes", "b 259:0 w no", "c 508:1 rw yes", "c 508:2 r no"}},
	}
}

func TestDecisions(t *testing.T) {
	for _, c := range cases(t) {
		p := decode(t, mustCompile(t, c.rules))
		for _, ask := range c.asks {
			asked := rule(t, "allow "+strings.Join(strings.Fields(ask)[:3], " "))
			q := question{asked.Type, asked.Major, asked.Minor, asked.Access}
			want := strings.HasSuffix(ask, " yes")
			if got := model(c.rules, q); got != want {
				t.Errorf("%s: the model says %v to %s", c.name, got, ask)
			}
			if got := interpret(t, p, q); got != want {
				t.Errorf("%s: the program says %v to %s", c.name, got, ask)
			}
		}
	}
}

// TestGolden holds the listing of every case's program, so that a change of
// the compiler shows, in length too.
func TestGolden(t *testing.T) {
	for _, c := range cases(t) {
		p := mustCompile(t, c.rules)
		got := fmt.Sprintf("%v", decode(t, p))
		file := filepath.Join("testdata", c.name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: program is now\n%s", c.name, got)
		}
	}
}

func TestAllowsAll(t *testing.T) {
	for _, c := range cases(t) {
		want := c.name == "allow-all" || c.name == "privileged" || c.name == "defaults-are-last"
		if got := mustCompile(t, c.rules).AllowsAll(); got != want {
			t.Errorf("%s: AllowsAll is %v", c.name, got)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, r := range []Rule{
		{Type: 3, Access: All}, {Major: -2, Access: All}, {Minor: -2, Access: All}, {Access: 8},
	} {
		if _, err := Compile([]Rule{r}); err == nil {
			t.Errorf("rule %+v is compiled", r)
		}
	}
	// Beyond the reach of a jump.
	var a assembler
	a.jumpIfEqual(regMajor, 1, grant)
	for range 1 << 15 {
		a.load(regMinor, ctxMinor)
	}
	a.to(refuse)
	if _, err := a.finish(); err == nil || !strings.Contains(err.Error(), "too many rules") {
		t.Errorf("a jump over 2^15 instructions: %v", err)
	}
}

func TestParse(t *testing.T) {
	for _, s := range []string{"", "x", "rwx", "r w"} {
		if a, err := ParseAccess(s); err == nil {
			t.Errorf("access %q is read as %v", s, a)
		}
	}
	if a, err := ParseAccess("mrwr"); err != nil || a != All {
		t.Errorf("access mrwr is read as %v, %v", a, err)
	}
	for s, want := range map[string]Type{"": AnyType, "a": AnyType, "b": Block, "c": Char, "u": Char} {
		if got, err := ParseType(s); err != nil || got != want {
			t.Errorf("type %q is read as %v, %v", s, got, err)
		}
	}
	if _, err := ParseType("p"); err == nil {
		t.Error("type p is read")
	}
}

// randomRules makes lists that meet each other often.
func randomRules(rnd *rand.Rand) []Rule {
	list := make([]Rule, rnd.IntN(9))
	for i := range list {
		list[i] = Rule{
			Allow:  rnd.IntN(2) == 0,
			Type:   Type(rnd.IntN(3)),
			Major:  int64(rnd.IntN(4) - 1),
			Minor:  int64(rnd.IntN(4) - 1),
			Access: Access(1 + rnd.IntN(int(All))),
		}
	}
	return list
}

// agree compares program and model on every question that rules can tell apart.
func agree(t *testing.T, list []Rule) {
	t.Helper()
	p := decode(t, mustCompile(t, list))
	for _, typ := range []Type{Block, Char} {
		for major := range int64(4) {
			for minor := range int64(4) {
				for access := Mknod; access <= All; access++ {
					q := question{typ, major, minor, access}
					if got, want := interpret(t, p, q), model(list, q); got != want {
						t.Fatalf("rules %v\nquestion %+v: program says %v\n%v", list, q, got, p)
					}
				}
			}
		}
	}
}

func TestAgreesWithModel(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range n {
		agree(t, randomRules(rnd))
	}
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, data []byte) {
		var list []Rule
		for ; len(data) >= 2 && len(list) < 12; data = data[2:] {
			list = append(list, Rule{
				Allow:  data[0]&1 != 0,
				Type:   Type(data[0] >> 1 % 3),
				Access: Access(data[0]>>5) & All,
				Major:  int64(data[1]&3) - 1,
				Minor:  int64(data[1]>>2&3) - 1,
			})
		}
		agree(t, list)
	})
}
