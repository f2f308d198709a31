#!/usr/bin/env bats
# watch: one process for all containers. It ends those that have run out of
# memory, and puts on record how they end.

load helpers

setup_test() { ours "its own command"; }

# watching N [ARG…]: a watcher in the background; what it prints is in the files
# watch.N and watch.err.N.
watching() {
	local n=$1
	shift
	# Under another name: the suite's watchdog ends a runtime after a minute.
	(exec -a watcher "${BEFORE[@]}" "$RUNTIME" --root "${WATCH_ROOT:-$ROOT}" watch "$@") >"watch.$n" 2>"watch.err.$n" 3>&- 4>&- </dev/null &
	watcher[n]=$!
	undo "kill -KILL ${watcher[n]} 2>/dev/null || :"
	eventually waits "$n"
}

# waits N: it has looked at all there is, and waits for something to happen.
waits() { grep -qE 'ep_poll|do_epoll_wait' "/proc/${watcher[$1]}/wchan" "/proc/${watcher[$1]}"/task/*/wchan 2>/dev/null; }

# watches N COUNT: it has so many containers that live.
watches() {
	local list
	list=$(ls -l "/proc/${watcher[$1]}/fd")
	[ "$(grep -c pidfd <<<"$list")" = "$2" ]
}

# unwatch N [TEXT…]: end it; it has said nothing but what each text is in.
unwatch() {
	local n=$1 text
	shift
	kill -TERM "${watcher[n]}"
	over "$n"
	for text; do has "$(cat "watch.err.$n")" "$text"; done
	[ $# -gt 0 ] || eq "$(cat "watch.err.$n")" "" "what watcher $n said"
}

# over N [CODE]: it has ended by itself.
over() {
	local code=0
	"$RIG" wait "${watcher[$1]}" 20
	wait "${watcher[$1]}" || code=$?
	eq "$code" "${2:-0}" "exit code of watcher $1, which said $(cat "watch.err.$1")"
}

# told N LINE…: in this order, among others, within a minute; the times and
# the figures of a message are left out, and the signal beside a reason, which
# kernels before 6.15 do not tell unless one looks in time.
told() {
	local n=$1 line
	shift
	for line; do gone_within 60 prints "$n" "$line" || die "not told: $line" "but: $(cat "watch.$n" "watch.err.$n")"; done
	eq "$(plain "$n" | grep -xF "$(printf '%s\n' "$@")")" "$(printf '%s\n' "$@")" "order"
}

prints() { plain "$1" | grep -qxF "$2"; }

plain() {
	sed -E 's/,"finished_at":"20[0-9-]{8}T[0-9:]{8}(\.[0-9]+)?Z"//; s/(Memory limit exceeded: )[^"]*/\1…/; s/"signal":9,"reason"/"reason"/' "watch.$1"
}

exited() { echo "{\"type\":\"exited\",\"id\":\"$1\",\"termination\":{$2}}"; }

plant() {
	"$RIG" edit "$ROOT/$ID/state.json" "$@"
	chmod 600 "$ROOT/$ID/state.json"
}

@test "watch: how containers end is told and put on record, of those that are there and those that come" {
	need kernel:6.15
	script 'read x <>/gate; exit 7'
	mkfifo "$BASE/gate"
	rt create --bundle "$BUNDLE" "${ID}a"
	ok
	rt start "${ID}a"
	ok
	watching 1
	rt create --bundle "$BUNDLE" "${ID}b"
	ok
	echo >"$BASE/gate"
	told 1 "$(exited "${ID}a" '"exit_code":7')"
	# It is on record before it is told.
	eq "$(state /mesoc/termination/exit_code "${ID}a")" 7
	rt kill "${ID}b" KILL
	told 1 "$(exited "${ID}b" '"signal":9')"
	matches "$(tail -n 1 watch.1)" '"finished_at":"20'
	rt wait "${ID}b"
	eq "$status" 137
	matches "$output" '^\{"signal":9,"finished_at":'
	rt delete "${ID}a"
	ok
	# The same name again, and one that is never started.
	rt create --bundle "$BUNDLE" "${ID}a"
	ok
	eventually watches 1 1
	rt delete --force "${ID}a"
	ok
	told 1 "$(exited "${ID}a" '"signal":9')"
	# A foreground run, which collects and deletes it.
	script 'read x <>/gate; exit 3'
	"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "${ID}c" 3>&- </dev/null &
	runtime=$!
	eventually watches 1 1
	echo >"$BASE/gate"
	wait $runtime || eq $? 3
	told 1 "$(exited "${ID}c" '"exit_code":3')"
	unwatch 1
	eq "$(wc -l <watch.1)" 4
	# What is past is not told again.
	watching 2
	unwatch 2
	eq "$(cat watch.2)" ""
}

@test "watch: a state directory that comes later, goes, and comes again" {
	need kernel:6.15
	script 'sleep 1000'
	WATCH_ROOT=$T/state.far/away
	watching 1
	for id in "${ID}a" "${ID}b"; do
		"$RUNTIME" --root "$WATCH_ROOT" create --bundle "$BUNDLE" "$id" 3>&- >/dev/null </dev/null
		eventually watches 1 1
		"$RUNTIME" --root "$WATCH_ROOT" delete --force "$id"
		told 1 "$(exited "$id" '"signal":9')"
		rmdir "$WATCH_ROOT" "${WATCH_ROOT%/*}"
	done
	eventually waits 1
	unwatch 1
}

@test "watch: the containers that were named, until they have ended" {
	need kernel:6.15
	script 'sleep 1000'
	for c in a b c; do
		rt create --bundle "$BUNDLE" "$ID$c"
		ok
	done
	rt watch "${ID}a" "nobody$ID"
	fails "container does not exist" "nobody$ID"
	eq "$output" ""
	rt watch "../$ID"
	fails "invalid container ID format"
	watching 1 "${ID}a" "${ID}b" "${ID}a"
	rt kill "${ID}c" KILL
	ok
	rt kill "${ID}b" KILL
	told 1 "$(exited "${ID}b" '"signal":9')"
	[ -e "/proc/${watcher[1]}" ]
	rt delete --force "${ID}a"
	ok
	over 1
	eq "$(plain 1)" "$(exited "${ID}b" '"signal":9')
$(exited "${ID}a" '"signal":9')"
	eq "$(cat watch.err.1)" ""
	# Of one that has ended already it is told what is known.
	rt watch "${ID}b"
	ok
	matches "$output" '^\{"type":"exited","id":"'"$ID"'b","termination":\{"signal":9'
	stopped "${ID}c"
	eventually dead_for_good "${ID}c"
	rt watch "${ID}c"
	ok
	eq "$output" "{\"type\":\"exited\",\"id\":\"${ID}c\"}"
}
dead_for_good() { [ ! -e "/proc/$("$RIG" get "$ROOT/$1/state.json" /pid)" ]; }

@test "watch: broken containers are reported once, hide nobody, and are watched when they are whole" {
	need kernel:6.15
	script 'sleep 1000'
	for c in a b c; do
		rt create --bundle "$BUNDLE" "$ID$c"
		ok
	done
	cp "$ROOT/${ID}a/state.json" whole
	echo '{' >"$ROOT/${ID}a/state.json"
	chmod 777 "$ROOT/${ID}b"
	mkdir "$ROOT/${ID}d" # a create that was killed, or goes on
	touch "$ROOT/file"
	ln -s "$T" "$ROOT/link"
	watching 1
	touch "$ROOT/${ID}a/state.json"
	rt kill "${ID}c" KILL
	told 1 "$(exited "${ID}c" '"signal":9')"
	eq "$(grep -c "^warning: watch container ${ID}a: read .*: not valid JSON" watch.err.1)" 1
	eq "$(grep -c "^warning: watch container ${ID}b: .*others may write it" watch.err.1)" 1
	eq "$(wc -l <watch.err.1)" 2
	cat whole >"$ROOT/${ID}a/state.json"
	chmod 700 "$ROOT/${ID}b"
	eventually watches 1 2
	for c in a b; do
		rt delete --force "$ID$c"
		ok
		told 1 "$(exited "$ID$c" '"signal":9')"
	done
	rm "$ROOT/file" "$ROOT/link"
	unwatch 1 "not valid JSON"
	rt --log-format json --log log watch "${ID}x"
	fails "does not exist"
	# In the log at once, not at the end.
	cp -r "$ROOT/${ID}c" "$ROOT/${ID}e"
	"$RUNTIME" --root "$ROOT" --log log --log-format json watch 3>&- >/dev/null 2>&1 </dev/null &
	watcher[2]=$!
	undo "kill -KILL ${watcher[2]} 2>/dev/null || :"
	eventually grep -q "it is the record of" log
	rm -r "${ROOT:?}/${ID}e"
	kill "${watcher[2]}"
	wait "${watcher[2]}"
}

@test "watch: several at once, ended by either signal" {
	need kernel:6.15
	script 'sleep 1000'
	watching 1
	watching 2
	start_box
	eventually watches 1 1
	eventually watches 2 1
	rt kill "$ID" KILL
	told 1 "$(exited "$ID" '"signal":9')"
	told 2 "$(exited "$ID" '"signal":9')"
	eq "$(cat watch.1)" "$(cat watch.2)" "what is on record"
	kill -INT "${watcher[1]}"
	over 1
	unwatch 2
}

@test "watch: a record with the pid of another process, and one from before the last boot" {
	sleep 1000 3>&- &
	victim=$!
	undo "kill $victim; wait $victim || :"
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	plant "/pid=$victim"
	watching 1
	watches 1 0
	plant "/pid=$pid" /boot_id:=00000000-0000-0000-0000-000000000000
	unwatch 1
	watching 2
	watches 2 0
	unwatch 2
	plant "/boot_id:=$(cat /proc/sys/kernel/random/boot_id)"
	kill -0 $victim
}

@test "watch: without enough descriptors it says so and watches what it can; one that ends makes room" {
	need kernel:6.15
	script 'sleep 1000'
	for c in a b c d; do
		rt create --bundle "$BUNDLE" "$ID$c"
		ok
	done
	# shellcheck disable=SC2016
	limited() { BEFORE=(sh -c 'ulimit -n "$0" && exec "$@"' "$1"); }
	limited 30
	rt watch
	fails "RLIMIT_NOFILE is 30, and must be more than 32"
	limited 41
	watching 1
	BEFORE=()
	eq "$(grep -c 'raise RLIMIT_NOFILE' watch.err.1)" 2
	for c in a b c d; do
		case $c in [abc]) eventually watches 1 2 ;; esac
		rt delete --force "$ID$c"
		ok
		told 1 "$(exited "$ID$c" '"signal":9')"
	done
	unwatch 1 "watch container ${ID}c: too many open files [raise RLIMIT_NOFILE"
}

@test "watch: systemd takes the unit" {
	need systemd
	sed "s|^ExecStart=/usr/local/bin/mesoc |ExecStart=$RUNTIME |" "$BATS_TEST_DIRNAME/../../contrib/systemd/mesoc-watch.service" >mesoc-watch.service
	run -0 systemd-analyze verify --man=no "$T/mesoc-watch.service"
	eq "$output" ""
}

@test "watch: waiting costs nothing" {
	script 'sleep 1000'
	start_box
	watching 1
	switches() { sed -n 's/^voluntary_ctxt_switches:\t//p' "/proc/${watcher[1]}"/task/*/status | paste -sd+ | bc; }
	before=$(switches)
	read -r -t 1 <> <(:) || :
	[ $(($(switches) - before)) -lt 20 ] || die "from $before to $(switches)"
	unwatch 1
}

LIMIT='/linux/resources/memory={"limit":33554432,"swap":33554432}'
limitation() { echo "{\"type\":\"limitation\",\"id\":\"$1\",\"reason\":\"REASON_CONTAINER_LIMITATION_MEMORY\",\"message\":\"Memory limit exceeded: …\",\"resources\":{\"mem\":32}}"; }
limited() { echo "\"reason\":\"REASON_CONTAINER_LIMITATION_MEMORY\",\"message\":\"Memory limit exceeded: …\",\"resources\":{\"mem\":32}"; }
ends() { exited "$1" "$(limited)"; }
oom() { echo "{\"type\":\"oom\",\"id\":\"$1\"}"; }

# burner NAME [EDIT…]: the bundle of a container whose child runs out of memory
# when it is told to by burn NAME.
burner() {
	mkfifo "$BASE/go.$1"
	script "echo up; while :; do read -r line </go.$1; rig burn 200; echo \"burnt \$?\"; done" "${@:2}"
}
burn() { echo >"$BASE/go.$1"; }

@test "watch: out of memory in a child ends the container, with reason and figures" {
	need controller:memory
	burner 1 "$LIMIT"
	start_box
	pid=$(state /pid)
	watching 1
	burn 1
	told 1 "$(oom "$ID")" "$(limitation "$ID")" "$(ends "$ID")"
	matches "$(grep limitation watch.1)" 'exceeded: limit 32\.0MB,( peak [0-9.]+MB,)? now anon [0-9.]+MB, file [0-9.]+MB(, kernel [0-9.]+MB)?"'
	hasnt "$(cat "$INIT_OUT")" "burnt 0"
	dead "$pid"
	eq "$(state /mesoc/termination/reason)" REASON_CONTAINER_LIMITATION_MEMORY
	eq "$(state /mesoc/termination/resources/mem)" 32
	eq "$(state /mesoc/termination/signal)" 9 # who kills it knows, also where the kernel does not tell
	has "$(cat watch.1)" "\"message\":\"$(state /mesoc/termination/message)\""
	rt recover
	ok
	has "$output" "\"stale\":[\"$ID\"]"
	# init itself, and a container that was given a limit later.
	script 'read -r line </go.1; exec rig burn 200'
	for c in a b; do
		rt create --bundle "$BUNDLE" "$ID$c"
		ok
		edit "$LIMIT"
	done
	eventually watches 1 2
	rt update --memory 32m --memory-swap 32m "${ID}a"
	ok
	for c in a b; do
		rt start "$ID$c"
		ok
		burn 1
		told 1 "$(limitation "$ID$c")" "$(ends "$ID$c")"
	done
	unwatch 1
	eq "$(grep -c limitation watch.1)" 3
}

@test "watch: out of memory while nobody watched fires once, and nothing fires again" {
	need controller:memory
	burner 1 "$LIMIT"
	start_box
	pid=$(state /pid)
	burn 1
	eventually grep -q "burnt 137" "$INIT_OUT"
	rt recover
	ok
	watching 1
	told 1 "$(oom "$ID")" "$(limitation "$ID")" "$(ends "$ID")"
	unwatch 1
	dead "$pid"
	watching 2
	unwatch 2
	eq "$(cat watch.2)" ""
	rt delete "$ID"
	ok
	# A container that was spared, because what happened is known.
	start_box
	burn 1
	eventually grep -q "burnt 137" "$INIT_OUT"
	kills=$(sed -n 's/^oom_kill //p' "$(leaf)/memory.events")
	ooms=$(sed -n 's/^oom //p' "$(leaf)/memory.events")
	plant "/memory_seen={\"oom\":$ooms,\"oom_kill\":$kills}"
	for n in 3 4; do
		watching $n
		unwatch $n
		eq "$(cat watch.$n)" ""
		MESOC_CGROUPS_ROOT=$ID.none rt recover --clean # to it the containers of the other tests are no orphans
		has "$output" "\"recovered\":[\"$ID\"]"
	done
	# What it was to be ended for stands on record: it is.
	plant '/limitation={"reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"Memory limit exceeded: earlier","mem_bytes":33554432}'
	watching 5
	told 5 "$(ends "$ID")"
	eq "$(wc -l <watch.5)" 1
	unwatch 5
}

# box ID [FLAG…]: a running container.
box() {
	rt run --detach --bundle "$BUNDLE" "${@:2}" "$1"
	ok
}

# ended_for ID MB: the end of it is told, for a limit of its own of so many.
ended_for() { told 1 "$(exited "$1" "\"reason\":\"REASON_CONTAINER_LIMITATION_MEMORY\",\"message\":\"Memory limit exceeded: …\",\"resources\":{\"mem\":$2}")"; }

@test "watch: out of memory within nested containers: whose limit it was decides" {
	need controller:memory
	# A parent with 64 MB, in it a child with 32, one that shares, one without a limit.
	local p=$ID.p all='/linux/resources/memory={"limit":67108864,"swap":67108864}'
	burner p "$all"
	box "$p"
	burner limited "$LIMIT"
	box "$ID.limited" --parent "$p"
	edit '/linux/resources/memory!'
	burner free
	box "$ID.free" --parent "$p"
	burner shares
	box "$ID.shares" --parent "$p" --share-cgroups
	watching 1
	watching 2 "$p" # and what is in it
	eventually watches 2 4
	burn limited
	ended_for "$ID.limited" 32
	for c in "$p" "$ID.free" "$ID.shares"; do eq "$(state /status "$c")" running; done
	# For the parent's limit the parent ends, whoever the kernel has chosen, with all that is in it.
	burn free
	ended_for "$p" 64
	over 2
	for c in "$p" "$ID.free" "$ID.shares"; do
		stopped "$c"
		gone_within 60 grep -q "\"exited\",\"id\":\"$c\"" watch.1
	done
	eq "$(grep -c limitation watch.1)" 2
	eq "$(grep -c limitation watch.2)" 2
	rt state "$ID.free"
	hasnt "$output" REASON
	rt delete --force "$p"
	ok
	# Of a child that shares its cgroups the parent answers for all.
	edit '/process/args=["/bin/sleep","1000"]' "$all"
	box "$p"
	edit '/linux/resources/memory!'
	burner again
	box "$ID.shares" --parent "$p" --share-cgroups
	eventually watches 1 2
	burn again
	stopped "$ID.shares"
	stopped "$p"
	gone_within 60 grep -q "\"exited\",\"id\":\"$p\".*REASON" watch.1
	# A limit around them all: it is the end of the victim, for no limit of its own.
	echo 48M >/sys/fs/cgroup/mesos/memory.max
	undo 'echo max >/sys/fs/cgroup/mesos/memory.max'
	burner last
	box "$ID"
	eventually watches 1 1
	burn last
	gone_within 60 grep -q "\"limitation\",\"id\":\"$ID\",.*\"message\":\"Memory ran out around the container" watch.1
	stopped
	unwatch 1
}

@test "watch: where memory.events tells nothing of the cgroups below" {
	need controller:memory
	burner 1 "$LIMIT"
	start_box
	local_memory_events
	watching 1
	burn 1
	told 1 "$(oom "$ID")" "$(limitation "$ID")" "$(ends "$ID")"
	unwatch 1
}

@test "watch: two watchers and a container out of memory" {
	need controller:memory
	burner 1 "$LIMIT"
	start_box
	watching 1
	watching 2
	burn 1
	for n in 1 2; do told $n "$(ends "$ID")"; done
	unwatch 1
	unwatch 2
}
