#!/usr/bin/env bats
# The command line: what is parsed, what is refused, before anything happens.

load helpers

@test "--version: name on the first line, the word version nowhere else" {
	for flag in --version -v; do
		rt "$flag"
		ok
		matches "$output" "^$RUNTIME_NAME version [^[:space:]]+"$'\n'
		eq "$(grep -c version "$out_file")" 1 "lines with the word version"
		eq "$stderr" ""
	done
	matches "$output" $'\n'"commit: "
	matches "$output" $'\n'"spec: 1\."
}

@test "--version: exactly name, commit, spec, go" {
	ours "crun prints other lines"
	rt --version
	matches "$output" $'^mesoc version [^ \n]+\ncommit: [^\n]+\nspec: 1\\.[0-9]+\\.[0-9]+[^\n]*\ngo: go1\\.[^\n]+$'
}

@test "--help: exits 0, for the program and for each command" {
	for flag in --help -h; do
		rt "$flag"
		ok
		for c in create start state kill delete run list spec features; do has "$output" "$c"; done
	done
	for c in create start state kill delete run list spec features; do
		rt "$c" --help
		ok
		has "$output" "$c"
	done
	clean
}

@test "unknown flags and commands: exit 1" {
	rt --nope list
	fails
	for c in create start state kill delete run list spec features exec; do
		rt "$c" --nope
		fails
		has "$output$stderr" nope
	done
	clean
}

@test "unknown command: exit 1, names it" {
	ours "runc exits 3"
	rt frobnicate
	fails frobnicate
}

@test "wrong number of arguments: exit 1" {
	for c in create start state kill delete run; do
		rt "$c"
		fails
	done
	for c in create start state delete run; do
		rt "$c" one two
		fails
	done
	clean
}

@test "flag without its value: says so" {
	rt create --bundle
	fails
	has "$output$stderr" "flag needs an argument"
	rt list --format
	fails
	has "$output$stderr" "flag needs an argument"
}

@test "flags: one dash or two, = or a space, last wins" {
	for dashes in - --; do
		rt "${dashes}debug" list "${dashes}format" json
		ok
		rt list "${dashes}format=json"
		ok
		eq "$output" null
		rt list "${dashes}quiet"
		ok
		eq "$output" ""
		rt list "${dashes}quiet=false" "${dashes}f" json
		ok
		eq "$output" null
	done
	rt "-root=$T" "-root" "$ROOT" list -f table -f=json
	ok
	eq "$output" null
	run -0 "$RUNTIME" "-root=$ROOT" list -q
	run -0 "$RUNTIME" -root "$ROOT" list -q
}

@test "-- ends the flags" {
	rt state -- "$ID"
	fails "does not exist"
	rt create --bundle "$BUNDLE" -- "$ID"
	ok
	rt delete -- "$ID"
	ok
	clean
}

@test "--root: relative to the working directory, made when missing" {
	mkdir elsewhere
	cd elsewhere
	ROOT=state/deep
	create
	ok
	[ -d "$T/elsewhere/state/deep/$ID" ]
	rt delete "$ID"
	ok
	ROOT=$T/state
}

@test "--root: / is refused" {
	ours "runc 1.1 lists it"
	ROOT=/
	rt list
	ROOT=$T/state
	fails
}

@test "--log-format: anything but text and json is refused" {
	rt --log-format xml list
	fails xml
	rt --log-format text list
	ok
	rt --log-format= list # runc takes that for text
	ok
}

@test "--criu: accepted and ignored, not in silence" {
	ours "gone from runc 1.4, unknown to crun"
	rt --criu /usr/sbin/criu list -q
	ok
	eq "$output" ""
	has "$stderr" "--criu is ignored"
	rt --criu=/usr/sbin/criu --log log --log-format json list -q
	ok
	eq "$output$stderr" ""
	eq "$("$RIG" get log /level)" warning
	# An error is the only record.
	rm log
	rt --criu=/usr/sbin/criu --log log --log-format json state "$ID"
	fails "does not exist"
	eq "$(wc -l <log)" 1 "records"
}

@test "--rootless: true, false, auto, and nothing else" {
	for v in true false auto; do
		rt --rootless "$v" list -q
		ok
		rt "--rootless=$v" list -q
		ok
	done
	rt --rootless=perhaps create --bundle "$BUNDLE" "$ID"
	fails perhaps
	clean
}

@test "--debug: talks on stderr, stdout stays" {
	rt --debug list --format json
	ok
	eq "$output" null
}

@test "list --format: an unknown one is refused" {
	rt list --format yaml
	fails format
}
