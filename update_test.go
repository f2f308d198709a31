package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"-1": -1, "0": 0, "5": 5, "5b": 5, "1k": 1024, "1kb": 1024, "1KiB": 1024, "1.5g": 3 << 29, "32 MiB": 32 << 20, "2T": 2 << 40, "1p": 1 << 50,
		"9223372036854775807": 1<<63 - 1, "9007199254740993": 1<<53 + 1,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "-2", "-1k", "1kk", "1x", "1ki", "1.2.3", "1e3", "0x10", "8388608t", "9223372036854775808", "1  k", "1_0", "inf", "."} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestResourcesOfFlags(t *testing.T) {
	var g given
	for word := range strings.FieldsSeq("memory=1g memory=2g memory-reservation=1m memory-swap=-1 cpu-share=5 cpu-quota=-1 cpu-period=10 cpu-burst=0 " +
		"cpu-idle=1 cpu-rt-period=0 cpu-rt-runtime=0 cpuset-cpus=0-1 cpuset-mems=0 pids-limit=0 blkio-weight=10 kernel-memory=1k kernel-memory-tcp=2k") {
		name, value, _ := strings.Cut(word, "=")
		if updateCommand.option(name) == nil {
			t.Errorf("there is no flag %s", name)
		}
		g = append(g, assignment{name, value})
	}
	r, err := g.resources()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(r)
	want := `{"memory":{"limit":2147483648,"reservation":1048576,"swap":-1},` +
		`"cpu":{"shares":5,"quota":-1,"burst":0,"period":10,"realtimeRuntime":0,"realtimePeriod":0,"cpus":"0-1","mems":"0","idle":1},` +
		`"pids":{"limit":0},"blockIO":{"weight":10}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for text, want := range map[string]string{
		"memory=x":             `read --memory "x": not a size such as 1048576, 1024k, 512m or 1.5g`,
		"pids-limit=1.5":       `read --pids-limit "1.5": not a whole number`,
		"cpu-period=-1":        `read --cpu-period "-1": not a whole number`,
		"blkio-weight=70000":   `read --blkio-weight "70000": out of range`,
		"cpu-quota=1" + zeroes: `read --cpu-quota "1` + zeroes + `": out of range`,
	} {
		name, value, _ := strings.Cut(text, "=")
		if _, err := (given{{name, value}}).resources(); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

const zeroes = "0000000000000000000"
