#!/usr/bin/env bats
# validate: every problem of a bundle at once, and nothing touched.

load helpers

setup_test() { ours "a command of its own"; }

@test "validate: a good bundle has nothing to say" {
	rmdir "$ROOT"
	rt validate --bundle "$BUNDLE"
	ok
	eq "$output$stderr" ""
	cd "$BUNDLE"
	rt validate
	ok
	# No state directory is made for it.
	[ ! -e "$ROOT" ]
	mkdir "$ROOT"
}

@test "validate: every problem on a line of its own, with its pointer" {
	edit /process/cwd:=tmp /ociVersion:=1 /linux/rootfsPropagation:=x '/mounts+={"destination":"/a"}' /hostname!
	rt validate --bundle "$BUNDLE"
	fails "4 problem"
	lines '/process/cwd: "tmp": must be an absolute path'
	eq "$(grep -c '^/' "$out_file")" 4 "lines with a pointer"
	for p in /ociVersion /process/cwd /linux/rootfsPropagation /mounts/7/type; do
		grep -q "^$p: " "$out_file" || die "no line for $p in: $output"
	done
	clean
}

@test "validate --format json" {
	edit /process/cwd:=tmp /linux/rootfsPropagation:=x
	rt validate --format json --bundle "$BUNDLE"
	fails
	run -0 "$RIG" get "$out_file" /0/pointer /1/pointer
	eq "$(sort <<<"$output")" $'/linux/rootfsPropagation\n/process/cwd'
	cp "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE/config.json"
	rt validate -f json -b "$BUNDLE"
	ok
	eq "$output" "[]"
	# The pointer to all of it is empty.
	echo '[]' >"$BUNDLE/config.json"
	rt validate -f json -b "$BUNDLE"
	fails "1 problem"
	eq "$output" '[{"pointer":"","rule":"expected an object, found an array"}]'
}

@test "validate: all wrong types of a config" {
	edit /process/args=3 '/mounts={}' '/root/readonly="x"'
	rt validate --bundle "$BUNDLE"
	fails
	for p in "/process/args: 3" "/mounts: {}" '/root/readonly: "x"'; do has "$output" "$p: expected"; done
}

@test "validate: no config.json" {
	rt validate --bundle "$T"
	fails "open $T/config.json: no such file or directory"
}

@test "validate: warnings are not problems" {
	edit '/process/capabilities={"bounding":["CAP_FLY"]}'
	rt validate --bundle "$BUNDLE"
	ok
	eq "$output" ""
	has "$stderr" CAP_FLY
}

@test "validate: a filter that create would refuse" {
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_FLY"}'
	rt validate --bundle "$BUNDLE"
	eq "$status" 1 "exit status"
	eq "$output" '/linux/seccomp/defaultAction: "SCMP_ACT_FLY": unknown action'
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":3},{"action":"SCMP_ACT_LOG"}]}'
	rt validate --bundle "$BUNDLE"
	fails "2 problem(s)"
	eq "$output" "/linux/seccomp/syscalls/0/action: 3: expected a string, found a number
/linux/seccomp/syscalls/1/names: must not be empty"
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"m","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG"},{"action":"SCMP_ACT_LOG"}]}'
	rt validate --bundle "$BUNDLE"
	fails "2 problem(s)"
	lines "/linux/seccomp/syscalls/1/names: must not be empty" '/linux/seccomp/listenerMetadata: "m": needs a listenerPath'
}

@test "validate: everything that is wrong with a filter, and what would be left out" {
	edit '/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_PDP11"],"flags":["FLY"],"syscalls":[
		{"names":["read"],"action":"SCMP_ACT_LOG","errnoRet":1,"args":[{"index":6,"value":1,"op":"SCMP_CMP_FOO"}]},
		{"names":["mkdir","no_such_call"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
		{"names":["mkdir"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}' /process/cwd:=tmp
	rt validate --bundle "$BUNDLE"
	fails "7 problem(s)"
	local s=/linux/seccomp
	lines '/process/cwd: "tmp": must be an absolute path' $s/architectures/0': "SCMP_ARCH_PDP11": unknown architecture' $s/flags/0': "FLY": unknown flag' \
		$s/syscalls/0/errnoRet': 1: action SCMP_ACT_LOG takes no errno' $s/syscalls/0/args/0/op': "SCMP_CMP_FOO": unknown operator' \
		$s/syscalls/0/args/0/index': 6: must be from 0 to 5: a system call has six arguments'
	matches "$output" $s/syscalls/2/names/0': "mkdir": on SCMP_ARCH_[A-Z0-9_]*, an earlier rule with another action has the same conditions'
	has "$stderr" "warning: $s"'/syscalls/1/names/1: "no_such_call": unknown system call: its rule is left out'
	# Who creates a container of it is told the first, the number of the others, and where they are.
	edit /process/cwd:=/
	rt create --bundle "$BUNDLE" "$ID"
	fails "validate $BUNDLE/config.json: $s/flags/0: \"FLY\": unknown flag, and 5 more problems (the command validate lists them)"
	clean
}

@test "validate: needs no root" {
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	case $(stat -c %A "${RUNTIME%/*}") in *x) ;; *) skip "${RUNTIME%/*} is not open to others" ;; esac
	run -0 setpriv --reuid 65534 --regid 65534 --clear-groups "$RUNTIME" validate --bundle "$BUNDLE"
	eq "$output" ""
}

@test "validate: goes on behind a value of a wrong type, and shows every value" {
	edit /process/args=3 /process/cwd:=tmp '/linux/namespaces+={"type":"netwrok"}' /linux/resources/blockIO/leafWeight=500 \
		'/linux/resources/memory={"limit":"1G"}'
	rt validate --bundle "$BUNDLE"
	fails "5 problem(s)"
	lines "/process/args: 3: expected an array of strings, found a number" \
		'/process/cwd: "tmp": must be an absolute path' \
		'/linux/resources/memory/limit: "1G": expected a whole number from -9223372036854775808 to 9223372036854775807, found a string'
	matches "$output" '/linux/namespaces/[0-9]/type: "netwrok": unknown kind of namespace'
	matches "$output" '/linux/resources/blockIO/leafWeight: 500: has no equivalent'
	local text=$output i pointers=()
	rt validate --format json --bundle "$BUNDLE"
	fails "5 problem(s)"
	for i in 0 1 2 3 4; do pointers+=("/$i/pointer" "/$i/value" "/$i/rule"); done
	eq "$("$RIG" get "$out_file" "${pointers[@]}" | paste -d '|' - - - | sed 's/|/: /; s/|/: /')" "$text"
}

@test "validate: unknown properties are warnings, of a bad bundle too" {
	edit '/mount=[]' '/process/Cwd="/x"' /linux/rootfsPropagatoin:=private
	rt validate --bundle "$BUNDLE"
	ok
	eq "$output" ""
	eq "$stderr" 'warning: /linux/rootfsPropagatoin: "private": unknown property: ignored
warning: /mount: []: unknown property: ignored
warning: /process/Cwd: "/x": unknown property: ignored'
	rt validate --format json --bundle "$BUNDLE"
	ok
	eq "$stderr" ""
	eq "$("$RIG" get "$out_file" /2/pointer /2/value /2/warning /0/pointer)" $'/process/Cwd\n"/x"\ntrue\n/linux/rootfsPropagatoin'
	edit /process/cwd:=tmp
	rt validate --bundle "$BUNDLE"
	fails "1 problem(s)" "warning: /mount: []: unknown property: ignored"
	lines '/process/cwd: "tmp": must be an absolute path'
	rt validate --format json --bundle "$BUNDLE"
	fails "1 problem(s)"
	eq "$("$RIG" get "$out_file" /0/pointer /3/pointer /3/warning)" $'/process/cwd\n/process/Cwd\ntrue'
	# Who only runs it does as the specification says.
	edit /process/cwd:=/
	in_box "true"
	eq "$stderr" ""
}

@test "validate: no JSON, in JSON" {
	echo '{"a": }' >"$BUNDLE/config.json"
	rt validate --bundle "$BUNDLE"
	fails 'parse ' 'line 1, column 7: expected a value'
	eq "$output" ""
	rt validate --format json --bundle "$BUNDLE"
	fails "1 problem(s)"
	eq "$("$RIG" get "$out_file" /0/pointer /0/rule)" $'\nline 1, column 7: expected a value, found "}"'
}
