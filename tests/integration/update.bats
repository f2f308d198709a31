#!/usr/bin/env bats
# update: limits change while the container lives, all or none of them.

load helpers

setup_test() { script 'echo up; sleep 1000'; }

running_box() {
	start_box
	eventually grep -q up "$INIT_OUT"
	LIMITS=$(cgroup)
	LEAF=$(leaf)
}

# limit FILE VALUE: in the container's cgroup and mirrored in the leaf.
limit() {
	eq "$(cat "$LIMITS/$1")" "$2" "$1"
	eq "$(cat "$LEAF/$1")" "$2" "$1 of the leaf"
}

resources() {
	printf %s "$1" >"$T/resources"
	STDIN=$T/resources rt update --resources - "$ID"
}

@test "flags: each becomes its limit" {
	need controller:memory controller:cpu controller:cpuset controller:pids
	running_box
	rt update --memory 64m --memory-reservation 32M --memory-swap 67108864 --cpu-quota 50000 --cpu-period=200000 \
		--cpuset-cpus 0 --cpuset-mems 0 --pids-limit 20 "$ID"
	ok
	eq "$output$stderr" ""
	limit memory.max 67108864
	limit memory.low 33554432
	[ ! -e "$LIMITS/memory.swap.max" ] || limit memory.swap.max 0
	limit cpu.max "50000 200000"
	limit cpuset.cpus 0
	limit cpuset.mems 0
	limit pids.max 20
	rt update --memory -1 --memory-swap=-1 --cpu-quota -1 --pids-limit=-1 "$ID"
	ok
	limit memory.max max
	limit cpu.max "max 200000"
	limit pids.max max
	eq "$(state /status)" running
}

@test "flags: weight, burst, idle, a period alone, swap alone" {
	ours "runc 1.1 has other weights and no burst"
	need controller:memory controller:cpu kernel:5.15
	running_box
	rt update --cpu-share 512 --cpu-quota 50000 --cpu-period 100000 --cpu-burst 20000 "$ID"
	ok
	limit cpu.weight 59
	limit cpu.max.burst 20000
	# Each order is the wrong one once.
	rt update --cpu-quota 10000 --cpu-burst 10000 "$ID"
	ok
	rt update --cpu-quota 90000 --cpu-burst 80000 "$ID"
	ok
	rt update --cpu-period 200000 "$ID"
	ok
	limit cpu.max "90000 200000"
	limit cpu.max.burst 80000
	rt update --cpu-idle 1 "$ID"
	ok
	limit cpu.idle 1
	rt update --cpu-shares 1024 "$ID"
	fails "cpu.weight" "idle"
	rt update --cpu-idle 0 --cpu-share 1024 "$ID"
	ok
	limit cpu.weight 100
	rt update --memory-swap 64m "$ID"
	fails "/memory/swap" "needs a memory limit"
	rt update --memory 32m "$ID"
	ok
	rt update --memory-swap 64m "$ID"
	ok
	limit memory.swap.max 33554432
	limit memory.max 33554432
}

@test "--resources: a file, stdin, and what else is given does not count" {
	need controller:pids
	running_box
	echo '{"pids":{"limit":30}}' >r.json
	rt update --pids-limit 5 --resources r.json "$ID"
	ok
	limit pids.max 30
	resources '{"pids":{"limit":31}}'
	ok
	limit pids.max 31
	STDIN=$T/resources rt update --resources=- "$ID"
	ok
	rt update -r "$T/r.json" "$ID"
	ok
	limit pids.max 30
	resources '{}'
	ok
	eq "$output$stderr" ""
	limit pids.max 30
}

@test "a limit of a kind that the container had none of: its controller is enabled, without any process moving" {
	ours "the leaf"
	need controller:hugetlb hugepages
	running_box
	pid=$(state /pid)
	echo -hugetlb >"$LIMITS/cgroup.subtree_control" # as if it could not be had at first
	[ ! -e "$LEAF/hugetlb.2MB.max" ]
	resources '{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}'
	ok
	limit hugetlb.2MB.max 4194304
	eq "$(cat "$LEAF/cgroup.procs")" "$pid"
	eq "$(cat "$LEAF/cgroup.subtree_control")" ""
}

@test "all or nothing: what the kernel refuses leaves the rest as it was" {
	ours "runc leaves half"
	need controller:hugetlb hugepages
	running_box
	resources '{"unified":{"cgroup.max.depth":"9","hugetlb.2MB.max":"4194304"}}'
	ok
	for r in '{"unified":{"cgroup.max.depth":"5","cgroup.max.descendants":"x","hugetlb.2MB.max":"2097152"}}' \
		'{"hugepageLimits":[{"pageSize":"2MB","limit":2097152},{"pageSize":"3MB","limit":1}],"unified":{"cgroup.max.depth":"5"}}' \
		'{"unified":{"cgroup.max.depth":"5","imaginary.max":"1"}}'; do
		resources "$r"
		fails "update container $ID: " "set "
		eq "$(wc -l <<<"$stderr")" 1
		limit cgroup.max.depth 9
		limit cgroup.max.descendants max
		limit hugetlb.2MB.max 4194304
	done
	resources '{"unified":{"cgroup.max.depth":"5","cgroup.max.descendants":"x"}}'
	has "$stderr" "set cgroup.max.descendants to x in mesos/$ID: invalid argument"
	rt state "$ID"
	ok
}

@test "all or nothing: memory, processors and processes" {
	ours "runc leaves half"
	need controller:memory controller:cpu controller:pids kernel:5.15
	edit '/linux/resources={"memory":{"limit":104857600},"cpu":{"quota":50000,"period":100000,"burst":20000,"shares":512},"pids":{"limit":50}}'
	running_box
	resources '{"memory":{"limit":52428800,"swap":104857600},"cpu":{"quota":10000,"burst":5000,"idle":1},"pids":{"limit":5},"unified":{"memory.high":"x"}}'
	fails "set memory.high to x in mesos/$ID"
	limit memory.max 104857600
	limit memory.swap.max max
	limit cpu.max "50000 100000"
	limit cpu.max.burst 20000
	limit cpu.idle 0
	limit cpu.weight 59
	limit pids.max 50
}

@test "bad input: pointers, all at once, and nothing is changed" {
	ours "runc says less"
	running_box
	settings() { grep -s . "$LIMITS"/{cgroup.subtree_control,*.{max,high,low,weight,idle}} "$LEAF"/*.{max,high,low,weight,idle} || :; }
	before=$(settings)
	for pair in '{"memory":{"limit":1.5}}|/memory/limit: expected a whole number' '{"pids":[]}|/pids: expected an object' \
		'{"memory":{"swap":5}}|/memory/swap: 5:' '{"blockIO":{"weight":5}}|/blockIO/weight: 5: must be from 10 to 1000' \
		'{"unified":{"cgroup.procs":"1"}}|is not a limit' '{"unified":{"../x.y":"1"}}|without slashes' '{|line 1, column 2' \
		'|found the end of the file' 'null|expected an object' '{"cpu":{"realtimeRuntime":5}}|no equivalent on cgroup2' \
		'{} {}|expected' '{"memory":{"limit":-2,"reservation":-3}}|and 1 more problem'; do
		resources "${pair%|*}"
		fails "update container $ID: " "the resources on stdin" "${pair#*|}"
	done
	rt update --resources "$T/none" "$ID"
	fails "$T/none" "no such file"
	rt update --resources "$T" "$ID"
	fails "$T" "is a directory"
	for flag in --memory=x --memory=-2 --pids-limit=x --cpu-quota=1.5 --cpu-share=-1 --blkio-weight=5 --blkio-weight=70000 --cpu-idle=2 \
		--cpu-rt-runtime=5 --cpuset-cpus=x; do
		rt update "$flag" "$ID"
		fails "update container $ID: "
	done
	rt update --cpu-rt-runtime 0 --cpu-rt-period 0 "$ID"
	ok
	# What docker sends with each update asks for nothing; more of it would.
	resources '{"memory":{"limit":0,"reservation":0,"kernel":0},"cpu":{"shares":0,"quota":0,"period":0},"blockIO":{"weight":0}}'
	ok
	eq "$stderr" ""
	resources '{"memory":{"kernel":1048576,"swappiness":10}}'
	fails "/memory/swappiness: 10: has no equivalent on cgroup2, and 1 more problem"
	rt update --kernel-memory 1m --kernel-memory-tcp=1m "$ID"
	ok
	has "$stderr" "--kernel-memory: ignored" "--kernel-memory-tcp: ignored"
	rt update "$ID"
	ok
	eq "$(settings)" "$before" settings
}

@test "created, running and paused containers, not stopped ones" {
	create
	ok
	LIMITS=$(cgroup) LEAF=$(leaf)
	update_depth() {
		if is_mesoc; then
			resources "{\"unified\":{\"cgroup.max.depth\":\"$1\"}}"
			[ "$status" -ne 0 ] || limit cgroup.max.depth "$1"
		else
			rt update "$ID"
		fi
	}
	update_depth 3
	ok
	rt start "$ID"
	ok
	update_depth 4
	ok
	rt pause "$ID"
	ok
	update_depth 5
	ok
	eq "$(state /status)" paused
	rt resume "$ID"
	ok
	rt kill "$ID" KILL
	stopped
	update_depth 6
	fails "not running"
	rt update "nobody$ID"
	fails "does not exist"
}

@test "checkBeforeUpdate: a limit below what is used is refused" {
	need controller:memory
	script 'rig burn 30; echo up; sleep 1000' '/linux/resources/memory={"limit":104857600}'
	edit -- /bin/sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; echo up; sleep 1000'
	running_box
	resources '{"memory":{"limit":10485760,"checkBeforeUpdate":true}}'
	[ "$status" -ne 0 ]
	limit memory.max 104857600
	eq "$(state /status)" running
}

@test "devices: the rules stay, whatever engines send along" {
	# No driver has this number: who may open it is told so.
	script 'touch /tmp/try; while sleep 0.05; do head -c 1 /dev/x 2>/tmp/said; grep -q "$(cat /tmp/want)" /tmp/said && rm -f /tmp/want; done 2>/dev/null' \
		'/linux/devices=[{"path":"/dev/x","type":"c","major":240,"minor":77}]' \
		'/linux/resources/devices+={"allow":true,"type":"c","major":240,"minor":77,"access":"rw"}' \
		'/mounts+={"destination":"/tmp","type":"tmpfs","source":"tmpfs"}'
	start_box
	root=/proc/$(state /pid)/root
	eventually test -e "$root/tmp/try"
	says() {
		echo "$1" >"$root/tmp/want"
		eventually test ! -e "$root/tmp/want"
	}
	says 'No such device'
	for rule in '"access":"rwm"' '"access":""'; do
		resources "{\"devices\":[{\"allow\":false,$rule}]}"
		ok
	done
	says 'No such device'
}

@test "killed at any moment: another update finishes, and delete removes everything" {
	ours "the leaf"
	running_box
	for ((i = 0; i < 15; i++)); do
		printf '{"unified":{"cgroup.max.depth":"%d","cgroup.max.descendants":"%d"}}' $((i + 1)) $((i + 1)) >"$T/resources"
		"$RUNTIME" --root "$ROOT" update --resources "$T/resources" "$ID" >out 2>err 3>&- </dev/null &
		pid=$!
		read -r -t "$(printf '0.%04d' $((i * 4 + 1)))" <> <(:) || :
		kill -KILL $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		rt update --resources "$T/resources" "$ID"
		ok
		limit cgroup.max.depth $((i + 1))
		limit cgroup.max.descendants $((i + 1))
	done
	rt delete --force "$ID"
	ok
	clean
}
