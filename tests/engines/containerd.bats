#!/usr/bin/env bats
# What ctr makes of containerd and its shim.

load helpers

TRAP='trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'

# task_is STATUS ID
task_is() { client task ls | grep -Eq "^$2 +[0-9]+ +$1"; }

@test "run: output, errors and exit code" {
	box -- sh -c 'echo out; echo err >&2; exit 7'
	code 7
	eq "$output" out
	eq "$stderr" err
	e container ls -q
	eq "$output" ''
}

@test "run: a terminal" {
	tty "${RUN[@]}" --rm -t "$IMAGE" "$ID" sh -c 'tty; test -t 0 && test -t 1; exit 3'
	code 3
	has "$output" /dev/pts/0
}

@test "run: programs that cannot be" {
	box -- /not/there
	code 1
	has "$stderr" '"/not/there"'
	has "$stderr" "no such file or directory"
	box -- not-there
	code 1
	has "$stderr" "executable file not found in \$PATH"
	box -- /etc/passwd
	code 1
	has "$stderr" "permission denied"
	e container ls -q
	eq "$output" ''
}

@test "detached: kill, exit code, delete" {
	live c1 -- sh -c "$TRAP"
	task_is RUNNING c1
	eventually client task exec --exec-id e0 c1 sh -c 'grep -q "trap" /proc/1/cmdline'
	e task kill c1
	ok
	eventually task_is STOPPED c1
	e task rm c1
	ok
	has "$stderr" "exit code 5"
	e task start --detach c1
	ok
	e task kill -s KILL c1
	ok
	eventually task_is STOPPED c1
	e task rm c1
	ok
	has "$stderr" "exit code 137"
	e container rm c1
	ok
}

@test "delete --force of what runs" {
	live d1 -- sleep 100
	e task rm --force d1
	ok
	e container rm d1
	ok
}

@test "exec: exit code, directory, terminal, detached, errors" {
	live x1 -- sleep 100
	e task exec --exec-id e1 --cwd /tmp x1 sh -c 'pwd; exit 3'
	code 3
	eq "$output" /tmp
	e task exec --exec-id e2 --user 1000:1000 x1 id -u
	eq "$output" 1000
	tty task exec --exec-id e3 -t x1 sh -c 'test -t 0 && tty; exit 4'
	code 4
	has "$output" /dev/pts/
	e task exec --exec-id e4 x1 /not/there
	code 1
	has "$stderr" "no such file or directory"
	e task exec --exec-id e5 --cwd /not/there x1 true
	code 1
	has "$stderr" "no such file or directory"
	e task exec --exec-id e6 x1 true
	ok
}

@test "processes, pause, resume, metrics" {
	live p1 -- sh -c 'sleep 101; :'
	e task ps p1
	ok
	# A heading, the shell, the sleep.
	eventually eval '[ "$(client task ps p1 | wc -l)" = 3 ]'
	e task pause p1
	ok
	task_is PAUSED p1
	e task resume p1
	ok
	task_is RUNNING p1
	e task metrics p1
	ok
	has "$output" cpu.usage_usec
}

@test "read-only, mounts, environment, directory" {
	box --read-only -- touch /x
	code 1
	has "$stderr" "Read-only file system"
	mkdir host
	echo from-host >host/file
	box --mount "type=bind,src=$T/host,dst=/h,options=rbind:ro" --env A=b --cwd /tmp -- sh -c 'cat /h/file; echo $A; pwd; touch /h/x'
	code 1
	eq "$output" $'from-host\nb\n/tmp'
	has "$stderr" "/h/x: Read-only file system"
}

@test "capabilities, seccomp, no new privileges" {
	box --cap-drop CAP_CHOWN --cap-add CAP_SYS_TIME --seccomp -- grep -E 'CapEff|NoNew|Seccomp:' /proc/self/status
	ok
	lines "CapEff:	00000000aa0425fa" "NoNewPrivs:	1" "Seccomp:	2"
	box --allow-new-privs -- grep -E 'NoNew|Seccomp:' /proc/self/status
	lines "NoNewPrivs:	0" "Seccomp:	0"
	box --privileged -- sh -c 'mount -t tmpfs t /tmp && echo mounted'
	ok
	eq "$output" mounted
}

@test "namespaces: the host's network, another container's processes" {
	box --net-host -- readlink /proc/self/ns/net
	ok
	eq "$output" "$(readlink /proc/self/ns/net)"
	live n1 -- sleep 102
	box --with-ns "pid:/proc/$(client task ls | awk '$1 == "n1" { print $2 }')/ns/pid" -- sh -c 'tr "\0" " " </proc/1/cmdline'
	ok
	eq "$output" "sleep 102 "
}

@test "limits" {
	need controller:memory controller:cpu
	live l1 --memory-limit 33554432 --cpus 0.5 -- sleep 100
	e task metrics l1
	ok
	matches "$output" "memory.usage_limit +33554432"
}
