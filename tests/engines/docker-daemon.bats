#!/usr/bin/env bats
# What administrators do with dockerd: its restart, its own settings, and what is left when it or a
# shim is killed half-way. ENGINES_ROUNDS is how often (default 5).

load helpers

# restart_dockerd [FLAG…]: killed, as by a crash or an update, and started again.
restart_dockerd() {
	local pid
	pid=$(<"$HOME_OF/daemon")
	kill -KILL "$pid" 2>/dev/null || :
	eventually dead "$pid"
	rm -f "$HOME_OF/pid"
	run_dockerd "$@"
}

# configured_dockerd EDIT…: with more in its configuration, until the end of the test.
configured_dockerd() {
	cp "$HOME_OF/daemon.json" kept.json
	undo "cp '$T/kept.json' '$HOME_OF/daemon.json' && restart_dockerd"
	"$RIG" edit "$HOME_OF/daemon.json" "$@" && restart_dockerd
}

# shim_of NAME prints the process that minds the container.
shim_of() {
	local pid
	pid=$(client inspect -f '{{.State.Pid}}' "$1")
	awk '$1 == "PPid:" { print $2 }' "/proc/$pid/status"
}

# nothing_left: neither container nor cgroup nor process of one, nor state of the runtime, at most after
# the runtime's own clean-up.
nothing_left() {
	local root=$HOME_OF/exec/runtime-runc/moby
	[ -z "$(client ps -aq)" ] || return 1
	if is_mesoc; then "$RUNTIME" --root "$root" recover --clean >"$T/recovered" || return 1; fi
	[ -z "$(find /sys/fs/cgroup -mindepth 1 -type d -path "*$PARENT/*")" ] || return 1
	[ -z "$(find "$root" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*')" ] || return 1
	not napping
}

# nothing_left_of_forgotten: the same, once what dockerd has forgotten is removed. Killed when containerd has
# started a container and it has not noted that yet, it takes the container for one that never ran, and removes
# what it knows of it, whatever the runtime: the container runs on in containerd's hands. Nothing else is removed
# here: what does not run is the engine's or recover's to clean.
nothing_left_of_forgotten() {
	local id root=$HOME_OF/exec/runtime-runc/moby
	for id in $("$RUNTIME" --root "$root" list 2>/dev/null | awk '$3 == "running" { print $1 }'); do "$RUNTIME" --root "$root" delete --force "$id" || return 1; done
	nothing_left
}

@test "info: the runtime and its version" {
	e info -f '{{range $name, $r := .Runtimes}}{{$name}} {{end}}'
	ok
	has "$output" "$RUNTIME_NAME"
	e info -f '{{.DefaultRuntime}} {{.RuncCommit.ID}}'
	ok
	matches "$output" "^$RUNTIME_NAME [^ ]+$"
	hasnt "$output" N/A
}

@test "a runtime that is not there" {
	configured_dockerd '/runtimes/gone={"path":"/not/there"}'
	box --runtime gone -- true
	matches "$status" '^12[57]$'
	has "$stderr" /not/there
	has "$stderr" "no such file or directory"
	box --runtime unheard-of -- true
	code 125
	has "$stderr" unheard-of
	e ps -aq
	eq "$output" ''
}

@test "arguments for the runtime" {
	configured_dockerd "/runtimes/talks={\"path\":\"$RUNTIME\",\"runtimeArgs\":[\"--debug\",\"--rootless=false\"]}"
	box --runtime talks -- echo said
	ok
	eq "$output" said
	live a1 --runtime talks -- sleep $NAP
	e exec a1 echo too
	eq "$output" too
	e rm -f a1
	ok
}

@test "the daemon is killed and starts again: containers live" {
	undo restart_dockerd
	restart_dockerd --live-restore
	live r1 -- sh -c 'trap "exit 5" TERM; echo one; while :; do sleep 0.1; done'
	live r2 -- sleep $NAP
	eventually says r1 one
	e pause r2
	ok
	restart_dockerd --live-restore
	shows r1 '{{.State.Status}}' running
	eventually shows r2 '{{.State.Status}}' paused
	e unpause r2
	ok
	e exec r1 echo still
	ok
	eq "$output" still
	e top r2
	has "$output" "sleep $NAP"
	e stop r1
	ok
	shows r1 '{{.State.ExitCode}}' 5
	e kill r2
	ok
	e wait r2
	eq "$output" 137
}

@test "the daemon is killed and starts again: the restart policy" {
	live p1 --restart always -- sleep $NAP
	live p2 -- sleep $NAP
	restart_dockerd
	eventually shows p1 '{{.State.Status}}' running
	eventually shows p2 '{{.State.Status}}' exited
	e exec p1 true
	ok
}

@test "user namespaces: everybody remapped" {
	undo restart_dockerd
	restart_dockerd --userns-remap daemon
	# Its images are those of other owners.
	tar -C "$TREE" -c . | client import -c 'ENV PATH=/bin:/usr/bin' -c 'CMD ["sleep", "4321"]' - box 3>&-
	mkdir host
	chmod 777 host
	box -v "$T/host:/h" -- sh -c 'id -u; cat /proc/self/uid_map; touch /h/mine; chown 5:5 /h/mine; stat -c %u:%g /h/mine; stat -c %u /etc/passwd; mknod /h/null c 1 3'
	code 1
	eq "$(tr -s ' ' <<<"$output")" $'0\n 0 200000 65536\n5:5\n0'
	has "$stderr" "Operation not permitted"
	eq "$(stat -c %u:%g host/mine)" 200005:200005
	live n1 --read-only --tmpfs /t -- sleep $NAP
	e exec n1 sh -c 'id -u; touch /t/x; stat -c %u /t/x'
	eq "$output" $'0\n0'
	eq "$(stat -c %u "/proc/$(client inspect -f '{{.State.Pid}}' n1)")" 200000
	# One that is not.
	box --userns host -- cat /proc/self/uid_map
	eq "$(tr -s ' ' <<<"$output")" ' 0 0 4294967295'
	sweep_docker
}

@test "checkpoint, and start from it: it counts on" {
	need checkpoints
	configured_dockerd /experimental=true
	e network create --subnet 10.198.0.0/24 n1
	ok
	undo "client rm -f c1; client network rm n1"
	RUN=(run --network n1)
	live c1 -- sh -c "$COUNTER"
	eventually counts exec c1
	e checkpoint create --leave-running c1 one
	ok
	eventually counts exec c1
	e checkpoint create c1 two
	ok
	eventually shows c1 '{{.State.Status}}' exited
	e start --checkpoint two c1
	ok
	eventually counts exec c1
	e exec c1 busybox ip -4 addr
	matches "$output" 'lo: .*[<,]UP[,>]'
	has "$output" 'inet 10.198.0.'
	e stop c1
	ok
	shows c1 '{{.State.ExitCode}}' 5
}

@test "the shim of a container is killed" {
	local shim
	live s1 -- sleep $NAP
	shim=$(shim_of s1)
	kill -KILL "$shim"
	eventually shows s1 '{{.State.Status}}' exited
	e rm -f s1
	ok
	eventually nothing_left
	box -- echo next
	eq "$output" next
}

@test "shims are killed while they create: nothing is left" {
	local i client pid
	for ((i = 0; i < ${ENGINES_ROUNDS:-5}; i++)); do
		"${CLIENT[@]}" "${RUN[@]}" -d --name "s$i" box sleep $NAP >/dev/null 2>&1 </dev/null 3>&- 4>&- &
		client=$!
		# The shim is there before its container is.
		until pid=$(pgrep -f 'shim-runc-v2 .*-id .* start|shim-runc-v2 .*-id ' | tail -n 1) && [ -n "$pid" ] || dead $client; do pause; done
		read -r -t "0.0$((i % 5))$((i % 10))" <> <(:) || :
		kill -KILL $pid 2>/dev/null || :
		wait $client || :
		e rm -f "s$i"
		ok
		eventually nothing_left || die "in round $i" "$(client ps -a)" "$(find /sys/fs/cgroup -path "*$PARENT/*")" "$(<"$T/recovered")"
	done
	box -- echo next
	eq "$output" next
}

@test "the daemon is killed while it creates: nothing is left" {
	local i client
	for ((i = 0; i < ${ENGINES_ROUNDS:-5}; i++)); do
		"${CLIENT[@]}" "${RUN[@]}" -d --name "d$i" box sleep $NAP >/dev/null 2>&1 </dev/null 3>&- 4>&- &
		client=$!
		# From before the shim starts to after the container does.
		read -r -t "0.$((i % 10))" <> <(:) || :
		restart_dockerd
		wait $client || :
		if client inspect "d$i" >/dev/null 2>&1; then
			e rm -f "d$i"
			ok
		fi
		eventually nothing_left_of_forgotten || die "in round $i" "$(client ps -a)" "$(find /sys/fs/cgroup -path "*$PARENT/*")" "$(<"$T/recovered")"
	done
	box -- echo next
	eq "$output" next
}
