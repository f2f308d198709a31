#!/usr/bin/env bats
# How CRI-O drives a runtime: through conmon, with the arguments, the environment and the cgroup's name
# of contrib/crio/10-mesoc.conf. CRI-O itself is not in Debian.

load helpers

setup_file() { mkdir -p "$HOME_OF"; }

# conf KEY: of the drop-in.
conf() { sed -n "s/^$1 = \"\\(.*\\)\"\$/\\1/p" "$REPO/contrib/crio/10-mesoc.conf"; }

# monitor_env prints the environment of the drop-in, a variable a line.
monitor_env() { sed -n 's/^monitor_env = \[\(.*\)\]$/\1/p' "$REPO/contrib/crio/10-mesoc.conf" | tr ',' '\n' | tr -d '" '; }

# conmon_create NAME [FLAG…] -- COMMAND…: as in CRI-O's runtime_oci.go, with its two pipes: conmon reads one
# to begin, and writes to the other how it went.
conmon_create() {
	local name=$1 flags=() dir
	shift
	while [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	dir=$T/$name
	mkdir -p "$dir" exits persist attach
	cp "$REPO/tests/integration/testdata/config.json" "$dir/config.json"
	"$RIG" edit "$dir/config.json" "/root/path:=$TREE" "/linux/cgroupsPath:=$PARENT/crio-$name" "${EDITS[@]}" "$@" || return 1
	mkfifo "$dir/start" "$dir/sync"
	exec 7<>"$dir/start" 8<>"$dir/sync"
	echo >&7
	mapfile -t environment < <(monitor_env)
	env -i "${environment[@]}" _OCI_STARTPIPE=7 _OCI_SYNCPIPE=8 conmon --syslog=false \
		-b "$dir" -c "$name" -u "$name" -n "k8s_$name" -r "$RUNTIME" --runtime-arg "--root=$HOME_OF/state" \
		-p "$dir/pidfile" -P "$dir/conmon-pidfile" -l "$T/$name.log" --exit-dir "$T/exits" --persist-dir "$T/persist" \
		--socket-dir-path "$T/attach" --log-level error "${flags[@]}" >"$dir/out" 2>&1 </dev/null 3>&- 4>&-
	IFS= read -r -t 20 ANSWER <&8
	exec 7>&- 8>&-
	PID=
	[ ! -e "$dir/pidfile" ] || PID=$(<"$dir/pidfile")
}

EDITS=()

# rt ARG…: the runtime, called by CRI-O itself.
rt() {
	status=0
	N=$((N + 1))
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$RUNTIME" --root "$HOME_OF/state" "$@" >"$T/stdout.$N" 2>"$T/stderr.$N" </dev/null 3>&- 4>&- || status=$?
	slurp output "$T/stdout.$N"
	slurp stderr "$T/stderr.$N"
}

# log NAME: without the fields of the log.
log() { cut -d ' ' -f 4- "$1.log"; }

exited() { eventually test -s "exits/$1" && eq "$(<"exits/$1")" "$2"; }

@test "the drop-in names what these checks use" {
	eq "$(conf runtime_path)" /usr/local/bin/mesoc
	eq "$(conf default_runtime)" mesoc
	grep -qxF '[crio.runtime.runtimes.mesoc]' "$REPO/contrib/crio/10-mesoc.conf"
	monitor_env | grep -qx MESOC_CGROUPS_LEAF=container
	monitor_env | grep -q '^PATH=/'
}

@test "start-up: version and features, without a word more" {
	rt --version
	ok
	has "$(head -n 1 <<<"$output")" " version "
	need_features
	"$RUNTIME" features >features.json 2>&1
	"$RIG" get features.json /ociVersionMin
}
need_features() { is_mesoc || "$RUNTIME" features >/dev/null 2>&1 || skip "runc of bookworm has no features"; }

@test "create, start, log, exit code" {
	conmon_create c1 -- /bin/sh -c 'echo out; exit 7'
	matches "$ANSWER" "\"(data|pid)\": *$PID"
	rt start c1
	ok
	exited c1 7
	eq "$(log c1)" out
	rt state c1
	"$RIG" get "$T/stdout.$N" /status | grep -qx stopped
	rt delete --force c1
	ok
}

@test "the cgroup: below the pod's, with the name that CRI-O knows" {
	conmon_create g1 -- /bin/sleep 4321
	rt start g1
	ok
	! is_mesoc || grep -qx "0::$PARENT/crio-g1/container" "/proc/$PID/cgroup"
	is_mesoc || grep -qx "0::$PARENT/crio-g1" "/proc/$PID/cgroup"
	rt delete --force g1
	ok
	[ ! -e "/sys/fs/cgroup$PARENT/crio-g1" ]
}

@test "a terminal" {
	EDITS=(/process/terminal=true)
	conmon_create t1 -t -- /bin/sh -c 'tty; exit 3'
	rt start t1
	ok
	exited t1 3
	has "$(log t1)" /dev/pts/0
}

@test "exec: attached, and through conmon" {
	conmon_create x1 -- /bin/sleep 4321
	rt start x1
	ok
	echo '{"args":["/bin/sh","-c","echo out; exit 3"],"cwd":"/","user":{"uid":1000,"gid":1000},"env":["PATH=/bin"]}' >process
	rt exec --process "$T/process" x1
	eq "$status $output" "3 out"
	mkfifo sync
	exec 8<>sync
	env _OCI_SYNCPIPE=8 conmon -b "$T/x1" -c x1 -u x1.e -n k8s_x1 -r "$RUNTIME" --runtime-arg "--root=$HOME_OF/state" \
		-p "$T/pid.e" -l "$T/e.log" --exit-dir "$T/exits" --persist-dir "$T/persist" --socket-dir-path "$T/attach" \
		-e --exec-process-spec "$T/process" >out 2>&1 </dev/null 3>&- 4>&-
	IFS= read -r -t 20 ANSWER <&8
	exec 8>&-
	matches "$ANSWER" '"exit_code": *3|"data": *3'
	eq "$(log e)" out
}

@test "kill: a running one, one that is gone" {
	conmon_create k1 -- /bin/sleep 4321
	rt start k1
	ok
	rt kill k1 KILL
	ok
	exited k1 137
	rt kill k1 TERM
	[ "$status" -ne 0 ]
	matches "$stderr" 'container not running|process already finished|no such process'
	rt delete k1
	ok
	rt kill k1 9
	has "$stderr" "does not exist"
	rt delete --force k1
	ok
}

@test "pause, resume, and an update that says nothing" {
	conmon_create p1 -- /bin/sleep 4321
	rt start p1
	ok
	rt pause p1
	ok
	rt state p1
	has "$output" '"paused"'
	rt resume p1
	ok
	env -i PATH=/bin "$RUNTIME" --root "$HOME_OF/state" update --resources - p1 <<<'{}'
}

@test "create that fails: conmon hands the reason on" {
	conmon_create f1 -- /not/there
	has "$ANSWER$(<"$T/f1/out")" "no such file or directory"
	has "$ANSWER$(<"$T/f1/out")" /not/there
	rt state f1
	has "$stderr" "does not exist"
}

@test "conmon is killed: delete --force removes the container" {
	conmon_create m1 -- /bin/sleep 4325
	rt start m1
	ok
	kill -KILL "$(<"$T/m1/conmon-pidfile")"
	rt delete --force m1
	ok
	not pgrep -f 'sleep 4[3]25'
	[ ! -e "/sys/fs/cgroup$PARENT/crio-m1" ]
}

@test "checkpoint, and restore through conmon: it counts on" {
	need checkpoints
	EDITS=(/process/noNewPrivileges=false) # as with ctr
	conmon_create c2 -- /bin/sh -c "$COUNTER"
	rt start c2
	ok
	eventually counts exec c2
	rt checkpoint --image-path "$T/images" --work-path "$T/c2" c2
	ok
	exited c2 137
	conmon_create c3 --restore "$T/images" -- /bin/true
	matches "$ANSWER" "\"(data|pid)\": *$PID"
	eventually counts exec c3
	rt kill c3 TERM
	ok
	exited c3 5
	rt delete --force c3
	ok
}

@test "limits: update by document" {
	need controller:memory controller:cpu
	EDITS=('/linux/resources={"memory":{"limit":33554432}}')
	conmon_create l1 -- /bin/sleep 4321
	rt start l1
	ok
	eq "$(<"/sys/fs/cgroup$PARENT/crio-l1/memory.max")" 33554432
	env -i PATH=/bin "$RUNTIME" --root "$HOME_OF/state" update --resources - l1 \
		<<<'{"memory":{"limit":50331648},"cpu":{"quota":25000,"period":100000}}'
	eq "$(<"/sys/fs/cgroup$PARENT/crio-l1/memory.max")" 50331648
	eq "$(<"/sys/fs/cgroup$PARENT/crio-l1/cpu.max")" "25000 100000"
}

@test "out of memory: conmon reports it" {
	need controller:memory
	EDITS=('/linux/resources={"memory":{"limit":16777216}}')
	conmon_create o1 -- /bin/sh -c 'tail /dev/zero'
	rt start o1
	ok
	eventually test -e persist/oom
}
