#!/usr/bin/env bats
# Crashes and races: whatever happens to a command half-way, delete --force
# removes everything, and nobody else is harmed.

load helpers

# shoot TRIES COMMAND ARG…: run the command again and again, killing it ever
# later in its course. Between two shots, after_shot is called.
shoot() {
	local tries=$1 begin spent i pid
	shift
	prepare_shot
	begin=${EPOCHREALTIME/./}
	"$RUNTIME" --root "$ROOT" "$@" >/dev/null 2>&1 3>&- </dev/null
	spent=$((${EPOCHREALTIME/./} - begin))
	after_shot
	for ((i = 0; i < tries; i++)); do
		prepare_shot
		"$RUNTIME" --root "$ROOT" "$@" >/dev/null 2>&1 3>&- </dev/null &
		pid=$!
		read -r -t "$(printf '0.%06d' $((spent * i / tries + 1)))" <> <(:) || :
		kill -KILL $pid 2>/dev/null || :
		wait $pid 2>/dev/null || :
		after_shot || die "after shot $i of $tries, $((spent * i / tries)) µs after its start"
	done
}

@test "create killed at any moment: delete --force removes everything" {
	ours "runc leaves cgroups"
	prepare_shot() { :; }
	after_shot() {
		rt list
		ok
		rt delete --force "$ID"
		ok
		clean
	}
	shoot 25 create --bundle "$BUNDLE" "$ID"
	create
	ok
}

@test "run --detach killed at any moment" {
	ours "runc leaves cgroups"
	script 'sleep 1000'
	prepare_shot() { :; }
	after_shot() {
		rt delete --force "$ID"
		ok
		clean
	}
	shoot 15 run --detach --bundle "$BUNDLE" "$ID"
}

@test "start killed at any moment: created or running, and delete --force works" {
	script 'sleep 1000'
	prepare_shot() {
		create
		ok
	}
	after_shot() {
		matches "$(state /status)" '^(created|running)$'
		rt delete --force "$ID"
		ok
		clean
	}
	shoot 10 start "$ID"
}

@test "delete killed at any moment: another one finishes" {
	ours "runc leaves cgroups"
	script 'sleep 1000'
	prepare_shot() {
		create
		ok
		rt start "$ID"
		ok
	}
	after_shot() {
		rt delete --force "$ID"
		ok
		clean
	}
	shoot 10 delete --force "$ID"
}

@test "attached run that is killed: its container can be deleted" {
	ours "runc's state may say anything"
	script 'echo up; sleep 1000'
	"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$ID" >out 2>err 3>&- </dev/null &
	runtime=$!
	eventually grep -q up out
	kill -KILL $runtime
	wait $runtime || :
	matches "$(state /status)" '^(running|stopped)$'
	rt delete --force "$ID"
	ok
	clean
}

@test "two creates of one id: exactly one wins, the other says that it exists" {
	for i in 1 2 3 4 5 6 7 8 9 10; do
		for n in 1 2; do
			"$RUNTIME" --root "$ROOT" create --bundle "$BUNDLE" "$ID" >out.$n 2>err.$n 3>&- </dev/null &
			pids[n]=$!
		done
		won=0
		for n in 1 2; do
			if wait "${pids[n]}"; then
				won=$((won + 1))
			else
				has "$(cat err.$n)" "already exists"
			fi
		done
		eq "$won" 1 "winners of round $i"
		eq "$(state /status)" created
		eq "$(wc -l <"$(leaf)/cgroup.procs")" 1 "processes of the winner"
		rt delete --force "$ID"
		ok
		clean
	done
}

@test "create and delete --force of one id at once leave all or nothing" {
	ours "runc has no lock"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		"$RUNTIME" --root "$ROOT" create --bundle "$BUNDLE" "$ID" >out.1 2>err.1 3>&- </dev/null &
		a=$!
		read -r -t 0.00$i <> <(:) || :
		"$RUNTIME" --root "$ROOT" delete --force "$ID" >out.2 2>err.2 3>&- </dev/null || :
		created=0
		wait $a || created=$?
		if [ $created -eq 0 ] && [ -e "$ROOT/$ID" ]; then
			eq "$(state /status)" created
		fi
		rt delete --force "$ID"
		ok
		clean
	done
}

@test "two deletes at once" {
	ours "runc has no lock"
	for i in 1 2 3 4 5; do
		create
		ok
		for n in 1 2; do
			"$RUNTIME" --root "$ROOT" delete --force "$ID" >out.$n 2>err.$n 3>&- </dev/null &
			pids[n]=$!
		done
		for n in 1 2; do
			wait "${pids[n]}" || die "delete --force $n: $(cat err.$n)"
		done
		clean
	done
}

@test "two starts at once: the program runs once" {
	script 'echo ran >>/ran; sleep 1000'
	create
	ok
	for n in 1 2; do
		"$RUNTIME" --root "$ROOT" start "$ID" >out.$n 2>err.$n 3>&- </dev/null &
		pids[n]=$!
	done
	won=0
	for n in 1 2; do if wait "${pids[n]}"; then won=$((won + 1)); fi; done
	ours "runc may let both think so"
	eq "$won" 1 "winners"
	eventually test -s "$BASE/ran"
	eq "$(cat "$BASE/ran")" ran
}

# plant EDIT…: the record of a created container, changed.
plant() {
	"$RIG" edit "$ROOT/$ID/state.json" "$@"
	chmod 600 "$ROOT/$ID/state.json"
}

@test "a record with the pid of another process: it is not the container, and is left alone" {
	ours "its own record"
	sleep 1000 3>&- &
	victim=$!
	create
	ok
	old=$(state /pid)
	plant "/pid=$victim"
	eq "$(state /status)" stopped
	rt kill "$ID" KILL
	fails "not running"
	rt delete --force "$ID"
	ok
	kill -0 $victim
	eventually dead "$old"
	kill $victim
	wait $victim || :
	clean
}

@test "a record from before the last boot: the container has stopped" {
	ours "its own record"
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	plant /boot_id:=00000000-0000-0000-0000-000000000000
	eq "$(state /status)" stopped
	rt kill "$ID" KILL
	fails "not running"
	rt delete --force "$ID"
	ok
	kill -KILL "$pid" 2>/dev/null || :
	eventually no_cgroups
}

@test "a record that cannot be read: told by its path, and delete --force works" {
	ours "its own record"
	create
	ok
	for garbage in '' '{' '[]' '{"version":999}' '{"version":1,"id":"other"}'; do
		printf '%s' "$garbage" >"$ROOT/$ID/state.json"
		rt state "$ID"
		fails "$ID"
		rt start "$ID"
		fails
		rt list --quiet
		ok
	done
	rt delete --force "$ID"
	ok
	clean
}

@test "a state directory without a record is what a crash leaves: delete --force removes it" {
	ours "its own record"
	mkdir "$ROOT/$ID"
	rt state "$ID"
	fails "does not exist"
	create
	[ "$status" -ne 0 ] || rt delete --force "$ID"
	rt delete --force "$ID"
	ok
	clean
}

@test "planted links and foreign files are not followed" {
	ours "its own record"
	mkdir victim
	touch victim/file victim/state.json
	ln -s "$T/victim" "$ROOT/$ID"
	rt state "$ID"
	fails
	rt delete --force "$ID"
	[ -e victim/file ]
	rm -f "$ROOT/$ID"
	create
	ok
	ln -s "$T/victim" "$ROOT/$ID/link"
	mkdir -p "$ROOT/$ID/dir/deep"
	ln -s "$T/victim/file" "$ROOT/$ID/dir/deep/link"
	rt delete --force "$ID"
	ok
	[ -e victim/file ]
	clean
}

@test "create of a nested container killed at any moment: delete --force of it or of its parent, and recover --clean" {
	ours "its own annotations"
	script 'sleep 1000'
	# Of its own, because to recover the containers of other tests are orphans.
	export MESOC_CGROUPS_ROOT=$ID.root
	mkdir "/sys/fs/cgroup/$ID.root"
	undo "find /sys/fs/cgroup/$ID.root -depth -type d -exec rmdir {} +"
	local shots=0
	prepare_shot() {
		rt state "$ID.p"
		[ "$status" -eq 0 ] || rt run --detach --bundle "$BUNDLE" "$ID.p"
		ok
	}
	after_shot() {
		case $((shots++ % 3)) in
		0) rt delete --force "$ID.c" ;;
		1) rt delete --force "$ID.p" ;;
		2)
			rt recover --clean
			ok
			eq "$("$RIG" get "$out_file" /errors /orphans)" $'[]\n[]'
			# One that was created in time is no leftover.
			rt delete --force "$ID.c"
			;;
		esac
		ok
		[ ! -e "$ROOT/$ID.c" ]
		eq "$(find "/sys/fs/cgroup/$ID.root" -name "$ID.c" -o -name mesos)" ""
	}
	shoot 24 create --parent "$ID.p" --bundle "$BUNDLE" "$ID.c"
	rt delete --force "$ID.p"
	ok
}

@test "delete --force of a parent killed at any moment: another one finishes" {
	ours "its own annotations"
	script 'sleep 1000'
	prepare_shot() {
		rt run --detach --bundle "$BUNDLE" "$ID.p"
		ok
		rt run --detach --parent "$ID.p" --bundle "$BUNDLE" "$ID.c"
		ok
		rt run --detach --parent "$ID.c" --bundle "$BUNDLE" "$ID.g"
		ok
	}
	after_shot() {
		rt delete --force "$ID.p"
		ok
		clean
	}
	shoot 12 delete --force "$ID.p"
}
