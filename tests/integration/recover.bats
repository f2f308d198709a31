#!/usr/bin/env bats
# recover: what crashes have left, and what looks like it. Each test has a root
# cgroup of its own: to recover, the containers of the other tests are orphans.

load helpers

setup_test() {
	ours "its own command"
	export MESOC_CGROUPS_ROOT=$ID.root
	TREE=/sys/fs/cgroup/$ID.root
	mkdir "$TREE"
	undo "find $TREE -depth -type d -exec rmdir {} +"
}

# report: what recover said, without the errors' texts.
report() { sed -E 's/"error":"([^"\\]|\\.)*"/"error":""/g' "$out_file"; }

# reports RECOVERED ORPHANS INCOMPLETE STALE CLEANED ERRORS: the whole report.
reports() {
	eq "$(report)" "{\"recovered\":[$1],\"orphans\":[$2],\"incomplete\":[$3],\"stale\":[$4],\"cleaned\":[$5],\"errors\":[$6]}"
}

# snapshot: all that recover could change.
snapshot() {
	find "$TREE" -type d | sort
	(cd "$ROOT" && find . -exec ls -ldn {} + | sort && find . -type f -exec md5sum {} + | sort)
}

# stranger DIR: a process of somebody else in a cgroup.
stranger() {
	mkdir -p "$1"
	sleep 1000 3>&- &
	STRANGER=$!
	undo "kill -KILL $STRANGER 2>/dev/null; wait $STRANGER 2>/dev/null || :"
	echo $STRANGER >"$1/cgroup.procs"
}

plant() {
	"$RIG" edit "$ROOT/$ID/state.json" "$@"
	chmod 600 "$ROOT/$ID/state.json"
}

@test "recover: nothing there, in no state directory and no root cgroup" {
	rt recover
	ok
	reports
	ROOT=$T/nowhere MESOC_CGROUPS_ROOT=$ID.none
	rt recover --clean
	ROOT=$T/state
	ok
	reports
	[ ! -e "$T/nowhere" ]
	[ ! -e "/sys/fs/cgroup/$ID.none" ]
}

@test "recover: created, running, paused and ended containers; nothing is changed, whatever the flag" {
	script 'sleep 1000'
	for c in a b c d; do
		rt create --bundle "$BUNDLE" "$ID$c"
		ok
	done
	for c in b c d; do
		rt start "$ID$c"
		ok
	done
	rt pause "${ID}c"
	ok
	rt kill "${ID}d" KILL
	stopped "${ID}d"
	before=$(snapshot)
	for flag in --clean=false --clean --clean; do
		rt recover $flag
		ok
		reports "\"${ID}a\",\"${ID}b\",\"${ID}c\"" '' '' "\"${ID}d\""
		eq "$(snapshot)" "$before" "after $flag"
	done
	eq "$(state /status "${ID}c")" paused
	rt delete "${ID}d"
	ok
}

@test "recover: a container whose state is lost is an orphan, and --clean ends it" {
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	rm -r "${ROOT:?}/$ID"
	rt recover
	ok
	orphan="{\"id\":\"$ID\",\"cgroup\":\"$ID.root/$ID\",\"processes\":[$pid]}"
	reports '' "$orphan"
	run ! dead "$pid"
	rt recover --clean
	ok
	reports '' "$orphan" '' '' "\"$ID\""
	eventually dead "$pid"
	[ ! -e "$TREE/$ID" ]
	rt recover --clean
	ok
	reports
	rt list --quiet
	eq "$output" ""
	# And one of which the directory is left, but empty: both at once.
	start_box
	pid=$(state /pid)
	rm "$ROOT/$ID"/*
	orphan="{\"id\":\"$ID\",\"cgroup\":\"$ID.root/$ID\",\"processes\":[$pid]}"
	reserved="{\"id\":\"$ID\",\"phase\":\"reserved\"}"
	rt recover --clean
	ok
	reports '' "$orphan" "$reserved" '' "\"$ID\""
	dead "$pid"
	[ ! -e "$TREE/$ID" ] && [ ! -e "$ROOT/$ID" ]
	rt recover --clean
	ok
	reports
}

@test "recover: cgroups that somebody else made: with processes an orphan, empty not ours" {
	mkdir -p "$TREE/empty/more"
	stranger "$TREE/foreign"
	one=$STRANGER
	stranger "$TREE/a/slice/b"
	two=$STRANGER
	stranger "$TREE/foreign two/below"
	three=$STRANGER
	rt recover
	ok
	found="{\"id\":\"b\",\"cgroup\":\"$ID.root/a/slice/b\",\"processes\":[$two]}"
	has "$output" "$found"
	has "$output" "{\"id\":\"foreign\",\"cgroup\":\"$ID.root/foreign\",\"processes\":[$one]}"
	has "$output" "{\"id\":\"below\",\"cgroup\":\"$ID.root/foreign two/below\",\"processes\":[$three]}"
	for p in $one $two $three; do run ! dead "$p"; done
	rt recover --clean
	ok
	has "$output" '"cleaned":["b","below","foreign"]'
	for p in $one $two $three; do eventually dead "$p"; done
	[ ! -e "$TREE/foreign" ]
	[ -d "$TREE/empty/more" ]
	[ -d "$TREE/a/slice" ]
	rt recover --clean
	ok
	reports
}

@test "recover: an orphan with orphans inside, children first; one with a container inside is kept" {
	mkdir -p "$TREE/p/leaf" "$TREE/p/mesos/q/mesos/r/leaf" "$TREE/p/mesos/q/leaf" "$TREE/outer/leaf"
	stranger "$TREE/p/mesos/q/mesos/r/leaf"
	script 'sleep 1000' "/linux/cgroupsPath:=/$ID.root/outer/mesos/$ID"
	start_box
	pid=$(state /pid)
	rt recover
	ok
	has "$output" "{\"id\":\"q\",\"cgroup\":\"$ID.root/p/mesos/q\",\"processes\":[$STRANGER]}"
	has "$output" "{\"id\":\"r\",\"cgroup\":\"$ID.root/p/mesos/q/mesos/r\",\"processes\":[$STRANGER]}"
	has "$output" "{\"id\":\"outer\",\"cgroup\":\"$ID.root/outer\",\"processes\":[$pid]}"
	has "$output" "\"recovered\":[\"$ID\"]"
	rt recover --clean
	fails "container $ID is in it"
	has "$output" '"cleaned":["p","q","r"]'
	has "$output" '"errors":[{"id":"outer"'
	[ ! -e "$TREE/p" ]
	eventually dead "$STRANGER"
	eq "$(state /status)" running
	rt delete --force "$ID"
	ok
	rt recover --clean
	ok
	has "$output" '"cleaned":["outer"]'
}

@test "recover: an orphan whose name another container has" {
	script 'sleep 1000' "/linux/cgroupsPath:=/$ID.root/elsewhere"
	start_box
	stranger "$TREE/$ID/leaf"
	rt recover --clean
	ok
	has "$output" "\"cleaned\":[\"$ID\"]"
	eventually dead "$STRANGER"
	[ ! -e "$TREE/$ID" ]
	eq "$(state /status)" running
}

@test "recover: it does not end itself" {
	mkdir "$TREE/self"
	# shellcheck disable=SC2016
	BEFORE=(sh -c 'echo 0 >"$0/cgroup.procs"; exec "$@"' "$TREE/self")
	rt recover --clean
	BEFORE=()
	fails "this process is in it"
	has "$output" '"orphans":[{"id":"self"'
	[ -d "$TREE/self" ]
}

@test "recover: creates that were killed, and how far they had come" {
	mkdir "$ROOT/${ID}a"
	for c in b c d; do
		rt create --bundle "$BUNDLE" "$ID$c"
		ok
	done
	pid=$(state /pid "${ID}d")
	for c in b c d; do
		"$RIG" edit "$ROOT/$ID$c/state.json" /status:=creating /pid! /pid_start_time!
		chmod 600 "$ROOT/$ID$c/state.json"
		[ $c = d ] || echo 1 >"$TREE/$ID$c/cgroup.kill"
	done
	gone_within 10 rmdir "$TREE/${ID}b/leaf" "$TREE/${ID}b"
	eventually grep -q 'populated 0' "$TREE/${ID}c/cgroup.events"
	before=$(snapshot)
	found="{\"id\":\"${ID}a\",\"phase\":\"reserved\"},{\"id\":\"${ID}b\",\"phase\":\"recorded\"},"
	found+="{\"id\":\"${ID}c\",\"phase\":\"prepared\"},{\"id\":\"${ID}d\",\"phase\":\"launched\"}"
	for _ in 1 2; do
		rt recover
		ok
		reports '' '' "$found"
	done
	eq "$(snapshot)" "$before"
	run ! dead "$pid"
	rt recover --clean
	ok
	reports '' '' "$found" '' "\"${ID}a\",\"${ID}b\",\"${ID}c\",\"${ID}d\""
	eventually dead "$pid"
	eq "$(find "$ROOT" "$TREE" -mindepth 1 -type d)" ""
	rt recover --clean
	ok
	reports
}

@test "recover: a create that goes on is none of its business" {
	mkfifo gate
	cat >hook <<-END
		#!/bin/sh
		echo >$T/up
		read x <$T/gate
	END
	chmod +x hook
	edit "/hooks/createRuntime+={\"path\":\"$T/hook\"}"
	"$RUNTIME" --root "$ROOT" create --bundle "$BUNDLE" "$ID" >out 2>err 3>&- </dev/null &
	creator=$!
	eventually test -e up
	for flag in --clean=false --clean; do
		rt recover $flag
		ok
		reports
	done
	echo >gate
	wait $creator || die "$(cat err)"
	eq "$(state /status)" created
	rt recover --clean
	ok
	reports "\"$ID\""
}

@test "recover: a killed create in a cgroup that was there, or that another container has" {
	script 'sleep 1000' "/linux/cgroupsPath:=/$ID.root/one"
	start_box
	pid=$(state /pid)
	# As a create leaves it that lost a race for the cgroup and was killed then.
	cp -r "$ROOT/$ID" "$ROOT/${ID}b"
	"$RIG" edit "$ROOT/${ID}b/state.json" "/id:=${ID}b" /status:=creating /pid! /pid_start_time!
	chmod 600 "$ROOT/${ID}b/state.json"
	rt recover --clean
	ok
	has "$output" "\"cleaned\":[\"${ID}b\"]"
	eq "$(state /status)" running
	[ ! -e "$ROOT/${ID}b" ]
	# One that says that it has made what holds somebody else's process.
	plant /status:=creating /pid! /pid_start_time!
	stranger "$TREE/one/other"
	rt recover --clean
	fails "process $STRANGER in it is not the container's"
	has "$output" '"cleaned":[]'
	run ! dead "$STRANGER"
	run ! dead "$pid"
	kill -KILL "$STRANGER"
	wait "$STRANGER" || :
	rt recover --clean
	ok
	has "$output" "\"cleaned\":[\"$ID\"]"
	eventually dead "$pid"
}

@test "recover: a directory without a record that is not empty is nobody's to clean" {
	create
	ok
	rm "$ROOT/$ID/state.json"
	mkdir "$ROOT/${ID}b"
	echo precious >"$ROOT/${ID}b/data"
	for clean in '' --clean --clean; do
		rt recover $clean
		fails "2 error(s)"
		matches "$output" "\"errors\":\[\{\"id\":\"$ID\",[^}]*is not there[^}]*\},\{\"id\":\"${ID}b\",[^}]*data[^}]*\}\]"
		eq "$(<"$ROOT/${ID}b/data")" precious
		[ -d "$TREE/$ID/leaf" ]
	done
	rm -r "$ROOT/${ID}b"
	# What has lost its record is where every container is.
	pid=$(<"$TREE/$ID/leaf/cgroup.procs")
	rt delete --force "$ID"
	ok
	has "$stderr" "is not there"
	eventually dead "$pid"
	[ ! -e "$ROOT/$ID" ] && [ ! -e "$TREE/$ID" ]
}

@test "recover: planted records with the pid of another process touch nobody" {
	sleep 1000 3>&- &
	victim=$!
	undo "kill $victim; wait $victim || :"
	IFS=' ' read -r -a stat <"/proc/$victim/stat"
	create
	ok
	old=$(state /pid)
	plant "/pid=$victim"
	rt recover --clean
	ok
	reports '' '' '' "\"$ID\""
	# Even one that has the start time right: no create gives a pid before it is done.
	plant /status:=creating "/pid=$victim" "/pid_start_time=${stat[21]}"
	rt recover --clean
	ok
	has "$output" "\"cleaned\":[\"$ID\"]"
	kill -0 $victim
	eventually dead "$old"
	[ ! -e "$ROOT/$ID" ]
}

@test "recover: after a reboot everything is stale, and nothing is signalled" {
	script 'sleep 1000'
	start_box
	rt create --bundle "$BUNDLE" "${ID}b"
	ok
	pids="$(state /pid) $(state /pid "${ID}b")"
	"$RIG" edit "$ROOT/${ID}b/state.json" /status:=creating
	for c in "$ID" "${ID}b"; do
		"$RIG" edit "$ROOT/$c/state.json" /boot_id:=00000000-0000-0000-0000-000000000000
		chmod 600 "$ROOT/$c/state.json"
	done
	before=$(snapshot)
	rt recover --clean
	ok
	reports '' '' '' "\"$ID\",\"${ID}b\""
	eq "$(snapshot)" "$before"
	for p in $pids; do run ! dead "$p"; done
	for c in "$ID" "${ID}b"; do
		rt delete "$c"
		ok
	done
}

@test "recover: broken containers are errors and hide nobody; their cgroups are left alone" {
	script 'sleep 1000'
	for c in a b c d; do
		rt create --bundle "$BUNDLE" "$ID$c"
		ok
	done
	pids=
	for c in a b c; do pids+=" $(state /pid "$ID$c")"; done
	echo '{' >"$ROOT/${ID}a/state.json"
	mkdir victim
	mv "$ROOT/${ID}b/state.json" victim/state.json
	ln -s "$T/victim/state.json" "$ROOT/${ID}b/state.json"
	chmod 777 "$ROOT/${ID}c"
	touch "$ROOT/file"
	ln -s "$T/victim" "$ROOT/link"
	for flag in --clean=false --clean; do
		rt recover $flag
		fails "${ID}a"
		reports "\"${ID}d\"" '' '' '' '' "{\"id\":\"${ID}a\",\"error\":\"\"},{\"id\":\"${ID}b\",\"error\":\"\"},{\"id\":\"${ID}c\",\"error\":\"\"}"
	done
	for p in $pids; do run ! dead "$p"; done
	[ -e victim/state.json ]
	chmod 700 "$ROOT/${ID}c"
	rm "$ROOT/file" "$ROOT/link"
}

@test "recover: create killed at any moment, recover --clean leaves nothing or a created container" {
	begin=${EPOCHREALTIME/./}
	create
	ok
	spent=$((${EPOCHREALTIME/./} - begin))
	rt delete --force "$ID"
	for ((i = 0; i < 20; i++)); do
		"$RUNTIME" --root "$ROOT" create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&- </dev/null &
		pid=$!
		read -r -t "$(printf '0.%06d' $((spent * i / 20 + 1)))" <> <(:) || :
		kill -KILL $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		rt recover --clean
		ok
		if [ -e "$ROOT/$ID" ]; then
			has "$output" "\"recovered\":[\"$ID\"]"
			eq "$(state /status)" created
			rt delete --force "$ID"
			ok
		fi
		eq "$(find "$TREE" -mindepth 1 -type d)" "" "cgroups after shot $i"
		eventually "$RIG" leaks "$ID-" "$ROOT" "$BASE"
	done
}
