package seccomp

import specs "github.com/opencontainers/runtime-spec/specs-go"

// Names are the words of a profile that Compile understands, for the features
// document.
type Names struct {
	Actions, Operators, Archs, Flags []string
}

// Understood lists them.
func Understood() Names {
	return Names{
		Actions: words(specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActKillThread,
			specs.ActLog, specs.ActNotify, specs.ActTrace, specs.ActTrap),
		Operators: words(specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpLessEqual,
			specs.OpLessThan, specs.OpMaskedEqual, specs.OpNotEqual),
		Archs: words(specs.ArchAARCH64, specs.ArchARM, specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchMIPS,
			specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32,
			specs.ArchPARISC, specs.ArchPARISC64, specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE,
			specs.ArchRISCV64, specs.ArchS390, specs.ArchS390X, specs.ArchSH, specs.ArchSHEB,
			specs.ArchX32, specs.ArchX86, specs.ArchX86_64),
		Flags: words(specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, "SECCOMP_FILTER_FLAG_TSYNC",
			specs.LinuxSeccompFlagWaitKillableRecv),
	}
}

func words[T ~string](list ...T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}
