#!/usr/bin/env bats
# stats: figures with Mesos' names, of a container and all below it.

load helpers

setup_test() { ours "runc has events --stats"; }

figure() { "$RIG" get "$out_file" "/statistics/$1"; }

absent() {
	for f; do hasnt "$(<"$out_file")" "\"$f"; done
}

@test "what is measured without a controller" {
	script 'sleep 1000 & i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo up; wait'
	start_box
	eventually grep -q up "$INIT_OUT"
	rt stats "$ID"
	ok
	eq "$(wc -l <"$out_file")" 1
	run -0 "$RIG" keys "$out_file"
	eq "$output" $'container_id\ntimestamp\nstatistics'
	eq "$("$RIG" get "$out_file" /container_id)" "$ID"
	eq "$(figure processes)" 2
	eq "$(figure threads)" 2
	matches "$(figure cpus_user_time_secs)+$(figure cpus_system_time_secs)" '^[0-9.e-]+\+[0-9.e-]+$'
	eq "$(figure net_rx_bytes)" 0
	eq "$(figure net_tx_bytes)" 0
	absent cpus_limit mem_limit_bytes disk_
	[ -e "$(cgroup)/memory.current" ] || absent mem_
	[ -e "$(cgroup)/cpu.max" ] || absent cpus_nr_
}

@test "limits, and what is used of them" {
	need controller:memory controller:cpu controller:pids
	script 'dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; echo up; sleep 1000' \
		'/linux/resources={"memory":{"limit":104857600,"reservation":1048576},"cpu":{"quota":150000,"period":100000},"pids":{"limit":50}}'
	start_box
	eventually grep -q up "$INIT_OUT"
	rt stats --format json "$ID"
	ok
	eq "$(figure cpus_limit)" 1.5
	eq "$(figure mem_limit_bytes)" 104857600
	eq "$(figure mem_soft_limit_bytes)" 1048576
	[ "$(figure mem_total_bytes)" -gt 8000000 ]
	[ "$(figure mem_file_bytes)" -gt 8000000 ]
	[ "$(figure mem_anon_bytes)" -gt 0 ]
	for f in cpus_nr_periods cpus_nr_throttled cpus_throttled_time_secs; do figure $f; done
	rt update --memory -1 --cpu-quota -1 "$ID"
	ok
	rt stats "$ID"
	ok
	absent mem_limit_bytes cpus_limit
}

@test "everything below counts, also in cgroups that the container has made" {
	script 'mkdir /sys/fs/cgroup/a /sys/fs/cgroup/a/b; sleep 1000 & echo $! >/sys/fs/cgroup/a/b/cgroup.procs; echo up; wait' \
		'/mounts/@~1sys~1fs~1cgroup/options=["rw"]'
	start_box
	eventually grep -q up "$INIT_OUT"
	rt stats "$ID"
	ok
	eq "$(figure processes)" 2
}

@test "the network: of the container's own namespace only" {
	script 'echo up; sleep 1000' /linux/namespaces/@network!
	start_box
	rt stats "$ID"
	ok
	absent net_
	[ "$(figure processes)" -ge 1 ]
}

@test "created, paused and stopped containers; several, and one that is none" {
	script 'sleep 1000'
	create
	ok
	rt stats "$ID"
	ok
	eq "$(figure processes)" 1
	rt start "$ID"
	ok
	rt stats "$ID" "$ID"
	ok
	eq "$(wc -l <"$out_file")" 2
	rt stats "nobody$ID" "$ID"
	fails "does not exist"
	eq "$(wc -l <"$out_file")" 1
	rt kill "$ID" KILL
	stopped
	rt stats "$ID"
	ok
	eq "$(figure processes)" 0
	absent net_
	for f in cpus_user_time_secs cpus_system_time_secs; do figure $f; done
}

@test "--format table: aligned, with units, and a dash for what is not there" {
	script 'sleep 1000' /linux/namespaces/@network!
	start_box
	rt stats --format table "$ID"
	ok
	eq "$(wc -l <"$out_file")" 2
	matches "${output%%$'\n'*}" '^ID +CPU TIME +MEMORY +LIMIT +PROCESSES +THREADS +RECEIVED +SENT +READ +WRITTEN$'
	matches "${output#*$'\n'}" "^$ID +[0-9.a-z]+ +.* +1 +1 +- +- +[^ ]+ +[^ ]+$"
	rt stats --format yaml "$ID"
	fails yaml
}

@test "--interval: again and again, until the containers have ended" {
	script 'echo up; sleep 1000'
	start_box
	"$RUNTIME" --root "$ROOT" stats --interval 50ms --format table "$ID" >live 2>live.err 3>&- </dev/null &
	live=$!
	undo "kill -KILL $live 2>/dev/null || :"
	twice() { [ "$(grep -c '%' live)" -ge 2 ]; }
	eventually twice
	hasnt "$(cat live)" $'\e'
	rt delete --force "$ID"
	ok
	"$RIG" wait $live 20
	wait $live
	eq "$(cat live.err)" ""
	rt stats --interval 0s "$ID"
	fails "must be greater than 0"
}

# live [ARG…]: a live view in the background, in the files live and live.err.
live() {
	"$RUNTIME" --root "$ROOT" stats --interval 50ms "$@" >live 2>live.err 3>&- </dev/null &
	live=$!
	undo "kill -KILL $live 2>/dev/null || :"
}

# seen N TEXT: it is there N times.
seen() { [ "$(grep -c -- "$2" live)" -ge "$1" ]; }

@test "without an ID: all that live, and none is none" {
	rt stats
	ok
	eq "$output" ""
	rt stats --format table
	ok
	matches "$output" '^ID +CPU TIME'
	eq "$(wc -l <"$out_file")" 1
	script 'sleep 1000'
	start_box
	rt create --bundle "$BUNDLE" "$ID-b"
	ok
	rt create --bundle "$BUNDLE" "$ID-c"
	ok
	rt kill "$ID-b" KILL
	stopped "$ID-b"
	rt stats
	ok
	eq "$(wc -l <"$out_file")" 2
	has "$output" "\"$ID\""
	has "$output" "\"$ID-c\""
	rt stats "$ID-b"
	ok
}

@test "--interval without an ID: containers come and go, and SIGINT is the end" {
	live
	script 'sleep 1000'
	start_box
	eventually seen 2 "\"$ID\""
	rt create --bundle "$BUNDLE" "$ID-b"
	ok
	eventually seen 2 "\"$ID-b\""
	rt delete --force "$ID"
	ok
	rt delete --force "$ID-b"
	ok
	start_box
	before=$(grep -c "\"$ID\"" live)
	eventually seen $((before + 2)) "\"$ID\""
	kill -INT $live
	"$RIG" wait $live 20
	code=0
	wait $live || code=$?
	eq "$code" 0
	eq "$(cat live.err)" ""
	# Each line is whole, the last one too.
	[ "$(wc -l <live)" = "$(grep -c '^{.*}}$' live)" ]
}

@test "--interval with IDs: one that is none is told once, the others go on" {
	script 'sleep 1000'
	start_box
	live "nobody$ID" "$ID"
	eventually seen 3 "\"$ID\""
	kill -TERM $live
	wait $live
	eq "$(grep -c "nobody$ID" live.err)" 1
	rt stats --interval 1s "nobody$ID"
	fails "does not exist"
}

@test "--interval on a terminal: one table is drawn over the other" {
	script 'sleep 1000'
	start_box
	mkfifo key
	command script -qfec "stty rows 10 cols 40; exec $RUNTIME --root $ROOT stats --interval 50ms --format table $ID" typed <key >/dev/null 2>&1 3>&- &
	shown=$!
	undo "kill -KILL $shown 2>/dev/null || :"
	exec 9>key
	drawn() { [ "$(grep -c $'\e\\[HID' typed)" -ge 2 ]; }
	eventually drawn
	printf '\003' >&9
	wait $shown
	exec 9>&-
	has "$(cat typed)" $'\e[H\e[JID'
	# What does not fit is cut.
	hasnt "$(cat typed)" WRITTEN
}
