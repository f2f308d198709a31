package main

import (
	"strings"
	"testing"
)

// FuzzSettings gives every setting every value: what is wrong is an error of
// one line that names the setting and where it comes from, and what is taken
// from the environment is taken from a flag.
func FuzzSettings(f *testing.F) {
	for i, seed := range []string{"/x", "a/b", "leaf", "15secs", "[5000-10000],[1-2]", "0x0001,0xffff", "10MB", "{\"a\":1}", "true",
		"disk/du,network/cni", "[1-18446744073709551616]", "-1d", "1e400B", "io.mesoc.,x"} {
		f.Add(uint8(i), seed)
	}
	f.Fuzz(func(t *testing.T, n uint8, value string) {
		s := &settingTable[int(n)%len(settingTable)]
		if s.flagOnly || strings.IndexByte(value, 0) >= 0 {
			return
		}
		variable := "MESOC_" + strings.ToUpper(s.key())
		_, fromEnv := resolve(nil, operator{environ: []string{variable + "=" + value}})
		if fromEnv != nil && (!strings.Contains(fromEnv.Error(), s.key()) && !strings.Contains(fromEnv.Error(), variable) || strings.Contains(fromEnv.Error(), "\n")) {
			t.Errorf("%s: %v", s.key(), fromEnv)
		}
		if s.option.check(value) != nil {
			return // the parsers do not let it pass
		}
		_, fromFlag := resolve(given{{s.name, value}}, operator{})
		if (fromFlag == nil) != (fromEnv == nil) && value != "" {
			t.Errorf("%s=%q: flag %v, environment %v", s.key(), value, fromFlag, fromEnv)
		}
	})
}

// FuzzSignal: a word is one signal that the kernel has, or an error.
func FuzzSignal(f *testing.F) {
	for _, seed := range []string{"9", "KILL", "sigterm", "SIGRTMIN+3", "RTMAX-30", "RTMIN+-1", "-1", "65", "0", "", "SIGSIGKILL", "RTMIN+9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		sig, err := parseSignal(word)
		if err == nil && (sig < 0 || sig > signalMax) || err != nil && sig != 0 {
			t.Errorf("%q is %d, %v", word, sig, err)
		}
	})
}
