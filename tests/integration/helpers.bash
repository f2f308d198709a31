# shellcheck shell=bash
# What every file of the suite loads. A test gets a bundle of its own in $BUNDLE,
# a state directory of its own in $ROOT, an id that nobody else uses in $ID, and
# fails when it leaves anything behind: see teardown.
#
#	rt ARG…            run the runtime; sets status, output, stderr, out_file
#	edit EDIT…         edit config.json (tests/cmd/rig/json.go)
#	in_box SCRIPT      run a container that runs a shell script; must succeed
#	ok, fails TEXT…    what became of the last rt
#	lines LINE…        each is a whole line of $output
#	need NAME…         skip, or with REQUIRE=NAME,… fail, where the host lacks something
#	ours WHAT          skip where the runtime is not mesoc

bats_require_minimum_version 1.5.0

setup() {
	ID=t${BATS_ROOT_PID}x${BATS_SUITE_TEST_NUMBER}
	T=$BATS_TEST_TMPDIR
	ROOT=$T/state
	BUNDLE=$T/bundle
	BASE=$BUNDLE/rootfs
	N=0
	BEFORE=()
	UNDO=()
	# Everything that a test starts inherits it: teardown looks for it.
	export MESOC_SUITE_TAG=$ID
	"$RIG" bundle "$TEMPLATE" "$BATS_TEST_DIRNAME/testdata/config.json" "$BUNDLE" "$ROOT"
	cd "$T" || return 1
	if declare -F setup_test >/dev/null; then setup_test; fi
}

# teardown deletes what the test made, and fails the test when something is
# there that no delete reaches.
teardown() {
	local d i left=
	for d in "$ROOT" "$T"/state?*; do
		for i in "$d"/[!@]*; do
			[ -e "$i" ] || continue
			"$RUNTIME" --root "$d" delete --force "${i##*/}" 3>&- || left+="delete --force ${i##*/} failed"$'\n'
		done
	done
	for ((i = ${#UNDO[@]} - 1; i >= 0; i--)); do
		eval "${UNDO[i]}" || left+="undo failed: ${UNDO[i]}"$'\n'
	done
	"$RIG" leaks "$ID" "$ROOT" "$T" || left+="see above"
	[ -z "$left" ] || die "$left"
}

# clean: a failed operation has left nothing, a deleted container neither.
clean() { "$RIG" leaks "$ID" "$ROOT" "$BASE"; }

no_cgroups() { [ -z "$(find /sys/fs/cgroup -depth -type d -name "$ID*" 2>/dev/null)" ]; }

# gone_within SECONDS COMMAND…: until the command succeeds.
gone_within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		pause
	done
}

# pause is 20 ms without a process.
pause() { read -r -t 0.02 <> <(:) || :; }

die() {
	printf '%s\n' "$@" >&2
	return 1
}

# eventually COMMAND…: it must succeed within a minute: an emulated machine that others keep busy needs
# more than ten seconds for two hundred processes.
eventually() { gone_within 60 "$@" || die "never came true: $*"; }

undo() { UNDO+=("$1"); }

# What rt sets.
status=0 output='' stderr='' out_file=''

# rt runs the runtime, by way of the command in BEFORE if there is one. Output goes to files, because a created container keeps
# the descriptors it was given: a pipe would never end. One that hangs is ended
# by the suite's watchdog, see setup_suite.bash.
rt() {
	status=0
	N=$((N + 1))
	out_file=$T/stdout.$N
	"${BEFORE[@]}" "$RUNTIME" --root "$ROOT" "$@" >"$out_file" 2>"$T/stderr.$N" <"${STDIN:-/dev/null}" 3>&- 4>&- || status=$?
	slurp output "$out_file"
	slurp stderr "$T/stderr.$N"
}

# slurp VARIABLE FILE: the text of a file without its last newline.
slurp() {
	IFS= read -r -d '' "$1" <"$2" || :
	local -n slurped=$1
	slurped=${slurped%$'\n'}
}

edit() { "$RIG" edit "$BUNDLE/config.json" "$@"; }

# script TEXT [EDIT…]: the container runs this shell script.
script() {
	local text=$1
	shift
	edit "$@" -- /bin/sh -c "$text"
}

# in_box SCRIPT [EDIT…]: run it to its end; the output is in $output.
in_box() {
	script "$@"
	rt run --bundle "$BUNDLE" "$ID"
	ok
}

# create [FLAG…]: what the program will print is in the file $INIT_OUT.
# shellcheck disable=SC2034,SC2120
create() {
	rt create --bundle "$BUNDLE" "$@" "$ID"
	INIT_OUT=$out_file
}

start_box() {
	create
	ok
	rt start "$ID"
	ok
}

ok() {
	[ "$status" -eq 0 ] || die "exit status $status, want 0" "stderr: $stderr" "stdout: $output"
}

# fails TEXT…: exit status 1, and each text is in what was said.
fails() {
	[ "$status" -eq 1 ] || die "exit status $status, want 1" "stderr: $stderr" "stdout: $output"
	local text
	for text; do
		[[ $stderr == *"$text"* ]] || die "not in the error: $text" "stderr: $stderr"
	done
}

eq() { [ "$1" = "$2" ] || die "${3:-value}:" "  got:  $1" "  want: $2"; }
has() { [[ $1 == *"$2"* ]] || die "not there: $2" "in: $1"; }
hasnt() { [[ $1 != *"$2"* ]] || die "there: $2" "in: $1"; }
matches() { [[ $1 =~ $2 ]] || die "does not match: $2" "text: $1"; }

lines() {
	local line
	for line; do
		[[ $'\n'$output$'\n' == *$'\n'"$line"$'\n'* ]] || die "no line: $line" "output:" "$output" "stderr: $stderr"
	done
}

# state POINTER: a value of the container's state.
state() {
	rt state "${2:-$ID}"
	ok
	"$RIG" get "$out_file" "$1"
}

status_is() {
	[ "$(state /status "${2:-$ID}")" = "$1" ]
}

# stopped: the program has ended and the runtime knows.
stopped() { eventually status_is stopped "$@"; }

# cgroup [ID]: the directory with the container's limits; leaf: with its processes.
cgroup() {
	if is_mesoc; then
		echo "/sys/fs/cgroup/mesos/${1:-$ID}"
	else
		find /sys/fs/cgroup -maxdepth 2 -type d -name "${1:-$ID}"
	fi
}
leaf() {
	if is_mesoc; then echo "$(cgroup "$@")/leaf"; else cgroup "$@"; fi
}

# local_memory_events: until the test ends memory.events tells nothing of the cgroups below.
# All mounts of it change, so files that run side by side take turns.
local_memory_events() {
	exec {TURN}>/run/memory_localevents
	flock "$TURN"
	mount -o remount,memory_localevents /sys/fs/cgroup
	# With the source named, the options that are there do not stay.
	undo 'mount -t cgroup2 -o remount,nsdelegate cgroup2 /sys/fs/cgroup && ! grep -q memory_localevents /proc/self/mountinfo'
	grep -q memory_localevents /proc/self/mountinfo
}

# dead PID: gone, or a zombie that its parent has not collected yet.
dead() {
	local line
	{ IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
	[[ ${line##*) } == [ZX]* ]]
}

# mount_edit DESTINATION TYPE SOURCE OPTION,OPTION: an edit that adds a mount.
mount_edit() {
	local options=${4//,/\",\"}
	printf '/mounts+={"destination":"%s","type":"%s","source":"%s"%s}\n' "$1" "$2" "$3" "${4:+,\"options\":[\"$options\"]}"
}

# caps NAME…: edits that set the three sets that count.
caps() {
	local list
	list=$(printf ',"%s"' "$@")
	printf '%s\n' /process/capabilities/{bounding,effective,permitted}="[${list#,}]"
}

is_mesoc() { [ "$RUNTIME_NAME" = mesoc ]; }

ours() {
	is_mesoc || skip "mesoc only: $1"
}

# need NAME…: each name is checked here and nowhere else. Natively something may
# be missing, and then the test is skipped; REQUIRE=NAME,… forbids that.
need() {
	local name
	for name; do
		if "probe_${name%%:*}" "${name#*:}" >/dev/null 2>&1; then continue; fi
		[[ ,${REQUIRE-}, != *",$name,"* && ,${REQUIRE-}, != *",${name%%:*},"* ]] ||
			die "this host lacks $name, and REQUIRE forbids to skip"
		skip "this host lacks $name"
	done
}

probe_controller() { [[ " $(</sys/fs/cgroup/cgroup.controllers) " == *" $1 "* ]]; }
probe_kernel() { # MAJOR.MINOR or later
	local running
	IFS=.- read -r -a running <<<"$(uname -r)"
	((running[0] > ${1%.*} || running[0] == ${1%.*} && running[1] >= ${1#*.}))
}
# How a process has ended is told who is not its parent: by a pidfd, or by the kernel's process events.
probe_exits() {
	probe_kernel 6.15 || [[ $(readlink /proc/self/ns/pid)$(readlink /proc/self/ns/user) == 'pid:[4026531836]user:[4026531837]' ]]
}
probe_timens() { [ -e /proc/self/ns/time ]; }
probe_sys_resource() { [ $((0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1)) = 1 ]; }
probe_apparmor() { [ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] && command -v apparmor_parser; }
probe_systemd() { command -v systemd-analyze; }
# criu(8) asks the kernel, which takes it a while: a file of tests that needs it all over does that once.
probe_criu() { [ "${CRIU_WORKS-}" ] && [ "$1" = criu ] || criu check ${1:+--feature "$1"}; }
probe_bfq() { [ -e /sys/fs/cgroup/io.bfq.weight ]; }
probe_idmap() { "$RIG" idmap "$T"; }
probe_quota() { mkfs.xfs -V && modprobe loop; }
probe_hugepages() { [ -d /sys/kernel/mm/hugepages/hugepages-2048kB ]; }
