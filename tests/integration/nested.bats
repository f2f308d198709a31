#!/usr/bin/env bats
# Nested containers: cgroups within cgroups, namespaces of the parent, and what
# is destroyed with what.

load helpers

setup_test() {
	ours "its own annotations"
	P=$ID.p C=$ID.c G=$ID.g
}

SLEEP='trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done'

# box ID [FLAG…]: a running container. What it prints is in the file $BOX_OUT.
box() {
	local id=$1
	shift
	rt run --detach --bundle "$BUNDLE" "$@" "$id"
	BOX_OUT=$out_file
	ok
}

# ready: the container that was started last has come to its loop.
ready() { eventually grep -qx ready "$out_file"; }

# family: $P, nested in it $C, and nested in that $G.
family() {
	script "$SLEEP"
	box "$P"
	box "$C" --parent "$P"
	box "$G" --parent "$C"
}

# none ID…: nothing is left of them.
none() {
	local id
	for id; do
		rt state "$id"
		fails "container does not exist"
		[ ! -e "$ROOT/$id" ]
		eq "$(find /sys/fs/cgroup -name "$id")" "" "cgroups"
	done
}

@test "the tree: cgroups, state, list, list --tree" {
	family
	box "$ID.d" --annotation "io.mesoc.parent=$P"
	local top=mesos/$P mid=mesos/$P/mesos/$C
	grep -qx "$(state /pid "$P")" "/sys/fs/cgroup/$top/leaf/cgroup.procs"
	grep -qx "$(state /pid "$G")" "/sys/fs/cgroup/$mid/mesos/$G/leaf/cgroup.procs"
	rt state "$P"
	eq "$("$RIG" get "$out_file" /mesoc)" "{\"cgroup\":{\"leaf\":\"$top/leaf\",\"path\":\"$top\"},\"children\":[\"$C\",\"$ID.d\"]}"
	rt state "$C"
	eq "$("$RIG" get "$out_file" /mesoc)" "{\"cgroup\":{\"leaf\":\"$mid/leaf\",\"path\":\"$mid\"},\"children\":[\"$G\"],\"parent\":\"$P\"}"
	eq "$(state /annotations/io.mesoc.parent "$C")" "$P"
	rt list --format json
	ok
	eq "$("$RIG" get "$out_file" /0/id /0/mesoc/parent /1/mesoc/parent /2/mesoc/parent /3/mesoc/children | paste -sd ' ')" \
		"$C $P $P $C [\"$C\",\"$ID.d\"]"
	rt delete --force "$P"
	ok
	none "$P" "$C" "$G" "$ID.d"
	clean
}

@test "parents that cannot be" {
	rt create --bundle "$BUNDLE" --parent "$P" "$C"
	fails "$P" "container does not exist"
	rt create --bundle "$BUNDLE" --parent "$C" "$C"
	fails "$C" "its own parent"
	rt create --bundle "$BUNDLE" --parent a/b "$C"
	fails "a/b" "invalid container ID format"
	rt create --bundle "$BUNDLE" --parent "" "$C"
	fails io.mesoc.parent "must be the id of a container"
	rt create --bundle "$BUNDLE" --annotation io.mesoc.share-cgroups=yes --parent "$P" "$C"
	fails io.mesoc.share-cgroups "must be true or false"
	rt create --bundle "$BUNDLE" "$P"
	ok
	rt create --bundle "$BUNDLE" --parent "$P" "$C"
	fails "$P" "has not been started"
	rt delete "$P"
	script "$SLEEP"
	box "$P"
	rt pause "$P"
	ok
	rt create --bundle "$BUNDLE" --parent "$P" "$C"
	fails "$P" "is paused"
	rt resume "$P"
	# The flag counts, and a bundle may not say what it must not.
	rt create --bundle "$BUNDLE" --parent "$P" --annotation io.mesoc.parent=nobody "$C"
	ok
	rt delete "$C"
	edit '/annotations={"io.mesoc.parent":"'"$P"'"}'
	rt --allowed-annotations io.mesoc.share create --bundle "$BUNDLE" "$C"
	fails /annotations/io.mesoc.parent allowed_annotations
	rt --allowed-annotations io.mesoc.share create --parent "$P" --bundle "$BUNDLE" "$C"
	fails /annotations/io.mesoc.parent allowed_annotations
	edit '/annotations={}'
	rt --allowed-annotations "" create --parent "$P" --bundle "$BUNDLE" "$C"
	ok
	rt delete "$C"
	rt kill "$P" KILL
	stopped "$P"
	rt create --bundle "$BUNDLE" --parent "$P" "$C"
	fails "$P" "not running"
	none "$C"
	rt delete "$P"
	ok
	clean
}

@test "list --tree: a table, ids, JSON" {
	family
	box "$ID.d" --parent "$P"
	box "$ID.e"
	rt list --tree --quiet
	ok
	eq "$output" "$ID.e
$P
├─$C
│ └─$G
└─$ID.d"
	rt list --tree
	ok
	eq "$(sed 's/ .*//' "$out_file" | head -n 3)" "ID
$ID.e
$P"
	matches "$output" "├─$C +[0-9]+ +running +/"
	matches "$output" "│ └─$G +[0-9]+ +running +/"
	rt list --tree --format json
	ok
	eq "$("$RIG" get "$out_file" /0/id /1/id /1/children/0/id /1/children/0/children/0/id /1/children/1/id /1/children/1/mesoc/parent | paste -sd ' ')" \
		"$ID.e $P $C $G $ID.d $P"
	rt delete --force "$P"
	ok
}

@test "delete: children are named, and destroyed first; a child alone leaves the parent alone" {
	edit '/hooks/poststop=[{"path":"/bin/sh","args":["sh","-c","grep -o \"\\\"id\\\":\\\"[^\\\"]*\" >>'"$T"'/ended"]}]'
	family
	box "$ID.d" --parent "$P"
	rt delete "$P"
	fails "has nested containers: $C, $ID.d" "--force"
	rt delete --force "$G"
	ok
	none "$G"
	[ ! -e "/sys/fs/cgroup/mesos/$P/mesos/$C/mesos" ]
	status_is running "$C"
	box "$G" --parent "$C"
	# Its init has ended by itself, and the others live on.
	rt kill "$P" KILL
	stopped "$P"
	status_is running "$G"
	pids="$(state /pid "$C") $(state /pid "$G") $(state /pid "$ID.d")"
	rm ended
	rt delete "$P"
	fails "has nested containers: $C, $ID.d"
	status_is running "$G"
	rt delete --force "$P"
	ok
	for pid in $pids; do dead "$pid"; done
	eq "$(cut -d '"' -f 4 ended | paste -sd ' ')" "$G $C $ID.d $P"
	none "$P" "$C" "$G" "$ID.d"
	clean
}

@test "run: the end of a parent is the end of its children" {
	script 'while [ ! -e /tmp/end ]; do sleep 0.05; done; exit 3' "$(mount_edit /tmp none "$T/tmp" bind)"
	mkdir tmp
	"$RUNTIME" --root "$ROOT" run --bundle "$BUNDLE" "$P" >/dev/null 2>&1 3>&- 4>&- </dev/null &
	local run=$!
	eventually test -e "$ROOT/$P"
	eventually status_is running "$P"
	script "$SLEEP"
	box "$C" --parent "$P"
	box "$G" --parent "$C"
	touch tmp/end
	local end=0
	wait $run || end=$?
	[ $end -eq 3 ]
	none "$P" "$C" "$G"
	rt run --bundle "$BUNDLE" --parent "$P" "$C"
	fails "$P"
	clean
}

@test "wait: how a child ended is known until its root is deleted" {
	family
	script 'exit 5'
	rt run --bundle "$BUNDLE" --parent "$P" "$ID.d"
	[ "$status" -eq 5 ]
	rt state "$ID.d"
	fails "container does not exist"
	rt wait "$ID.d"
	[ "$status" -eq 5 ]
	eq "$("$RIG" get "$out_file" /exit_code)" 5
	"$RIG" get "$out_file" /finished_at
	none "$ID.d"
	# Another of that name, and the new end counts.
	script 'exit 6'
	rt run --bundle "$BUNDLE" --parent "$P" "$ID.d"
	rt wait "$ID.d"
	[ "$status" -eq 6 ]
	rt delete --force "$P"
	ok
	rt wait "$ID.d"
	fails "container does not exist"
	clean
}

@test "wait: how a child ended that was seen by nobody but its deletion, or by a wait before" {
	need kernel:6.15
	family
	ready
	# Seen by a wait, which puts it on record.
	rt kill "$G" TERM
	stopped "$G"
	rt wait "$G"
	local seen=$status said=$output
	rt delete "$G"
	ok
	rt wait "$G"
	eq "$status $output" "$seen $said"
	# Killed by the deletion.
	rt delete --force "$C"
	ok
	rt wait "$C"
	eq "$status $("$RIG" get "$out_file" /signal)" "137 9"
	none "$C" "$G"
	rt delete --force "$P"
	ok
	for c in "$C" "$G"; do
		rt wait "$c"
		fails "container does not exist"
	done
	clean
}

# same KIND… of $C and $P: they are in one namespace; others KIND…: they are not.
ns() { readlink "/proc/$(state /pid "$1")/ns/$2"; }
same() { for n; do eq "$(ns "$C" "$n")" "$(ns "$P" "$n")" "$n"; done; }
others() { for n; do [ "$(ns "$C" "$n")" != "$(ns "$P" "$n")" ] || die "$n is the parent's"; done; }

# parent [EDIT…]: the parent runs, and the next config lists no namespaces.
parent() {
	script "echo parent >/mark/whose; $SLEEP" "$(mount_edit /mark tmpfs tmpfs)" "$@"
	rt run --detach --bundle "$BUNDLE" "$P"
	ok
	ready
	edit /linux/namespaces='[]' /hostname! /linux/uidMappings! /linux/gidMappings! /linux/timeOffsets!
}

BARE='/mounts=[] /linux/maskedPaths! /linux/readonlyPaths! /root/readonly!'

@test "namespaces that are not listed are the parent's: all of them" {
	parent
	# shellcheck disable=SC2086
	script "cat /mark/whose; $SLEEP" $BARE
	box "$C" --parent "$P"
	same mnt pid net ipc uts cgroup user time
	eventually grep -qx parent "$BOX_OUT"
	eq "$(readlink "/proc/$(state /pid "$C")/root")" "$(readlink "/proc/$(state /pid "$P")/root")"
	# exec goes where the child is, and is counted there.
	rt exec "$C" sh -c 'cat /mark/whose; cat /proc/self/cgroup; cat /proc/1/comm'
	ok
	lines parent sh
	lines "0::/../mesos/$C/leaf"
	rt delete --force "$P"
	none "$C" "$P"
	clean
}

@test "namespaces that are listed are its own, the others its parent's" {
	parent
	script "$SLEEP" '/linux/namespaces=[{"type":"mount"}]'
	box "$C" --parent "$P"
	same pid net ipc uts cgroup user time
	others mnt
	rt delete --force "$C"
	edit '/linux/namespaces=[{"type":"mount"},{"type":"pid"},{"type":"uts"},{"type":"network"}]' /hostname:=child
	box "$C" --parent "$P"
	same ipc cgroup user time
	others mnt pid uts net
	rt exec "$C" sh -c 'hostname; cat /proc/1/comm; cat /mark/whose'
	lines child
	hasnt "$output" parent
	rt delete --force "$P"
	clean
}

@test "namespaces that the parent has not are the runtime's" {
	parent '/linux/namespaces=[{"type":"mount"},{"type":"ipc"}]' /hostname!
	edit '/linux/namespaces=[{"type":"mount"}]'
	box "$C" --parent "$P"
	same ipc
	for n in pid net uts cgroup user time; do eq "$(ns "$C" $n)" "$(readlink "/proc/self/ns/$n")" $n; done
	rt delete --force "$P"
	clean
}

@test "a user namespace of the parent: joined with the others, and exec too" {
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	chown -R 100000:100000 "$BASE"
	parent '/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]'
	for list in '{"type":"mount"}' '{"type":"mount"},{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"cgroup"}'; do
		script "id -u; $SLEEP" "/linux/namespaces=[$list]"
		box "$C" --parent "$P"
		same user time
		others mnt
		eventually grep -qx 0 "$BOX_OUT"
		eq "$(stat -c %u "/proc/$(state /pid "$C")")" 100000
		# What is made for it belongs to its root.
		rt exec "$C" sh -c 'id -u; touch /tmp/x && rm /tmp/x && echo written'
		ok
		lines 0 written
		rt delete --force "$C"
		ok
	done
	# shellcheck disable=SC2086
	edit '/linux/namespaces=[]' $BARE
	box "$C" --parent "$P"
	same mnt pid net ipc uts cgroup user time
	rt exec "$C" cat /mark/whose
	eq "$output" parent
	rt delete --force "$P"
	none "$C" "$P"
	clean
}

@test "a user namespace of its own, and the rest the parent's" {
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	parent
	edit '/linux/namespaces=[{"type":"mount"},{"type":"user"}]' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":65536}]'
	# It has no rights over the parent's processes and network: proc and sysfs are not its to mount.
	# shellcheck disable=SC2086
	edit $BARE
	chown -R 100000:100000 "$BASE"
	box "$C" --parent "$P"
	same net ipc uts cgroup
	others mnt user
	rt delete --force "$P"
	clean
}

@test "a time namespace of the parent" {
	need kernel:6.1
	parent '/linux/namespaces+={"type":"time"}' '/linux/timeOffsets={"boottime":{"secs":1000000}}'
	edit '/linux/namespaces=[{"type":"mount"}]'
	box "$C" --parent "$P"
	same time
	rt exec "$C" sh -c 'read up _ </proc/uptime; [ "${up%.*}" -ge 1000000 ] && echo shifted'
	eq "$output" shifted
	rt delete --force "$P"
	clean
}

# own_root: a root cgroup of the test's own: to recover, the containers of the
# other tests are orphans.
own_root() {
	export MESOC_CGROUPS_ROOT=$ID.root
	TREE=/sys/fs/cgroup/$ID.root
	mkdir "$TREE"
	undo "find $TREE -depth -type d -exec rmdir {} +"
}

report() { "$RIG" get "$out_file" "$@" | paste -sd ' '; }

@test "recover: children whose parent is gone are orphans, and cleaned before it" {
	own_root
	family
	box "$ID.d"
	rt recover
	eq "$(report /recovered /orphans)" "[\"$C\",\"$ID.d\",\"$G\",\"$P\"] []"
	rt kill "$C" KILL
	stopped "$C"
	rm -r "${ROOT:?}/$P"
	rt recover
	ok
	eq "$(report /recovered /stale /incomplete /cleaned /errors)" "[\"$ID.d\"] [] [] [] []"
	eq "$(report /orphans/0/id /orphans/1/id /orphans/2/id /orphans/2/cgroup)" "$P $G $C $ID.root/$P/mesos/$C"
	has "$(report /orphans/0/processes)" "$(state /pid "$G")"
	has "$(report /orphans/1/processes)" "$(state /pid "$G")"
	rt recover --clean
	ok
	eq "$(report /recovered /cleaned /errors)" "[\"$ID.d\"] [\"$C\",\"$G\",\"$P\"] []"
	none "$P" "$C" "$G"
	rt recover --clean
	eq "$(report /orphans /cleaned)" "[] []"
	rt delete --force "$ID.d"
}

@test "recover: cgroups of nested containers that no state knows" {
	own_root
	family
	rm -r "${ROOT:?}/$G"
	rt recover
	eq "$(report /recovered /orphans/0/id /orphans/0/cgroup)" "[\"$C\",\"$P\"] $G $ID.root/$P/mesos/$C/mesos/$G"
	rt recover --clean
	ok
	eq "$(report /recovered /cleaned)" "[\"$C\",\"$P\"] [\"$G\"]"
	[ ! -e "$TREE/$P/mesos/$C/mesos" ]
	status_is running "$C"
	rm -r "${ROOT:?}/$C" "${ROOT:?}/$P"
	rt recover --clean
	ok
	eq "$(report /orphans/0/id /orphans/1/id /cleaned)" "$P $C [\"$C\",\"$P\"]"
	eq "$(ls -d "$TREE"/*/ 2>/dev/null)" ""
	none "$P" "$C" "$G"
}

@test "recover: a parent whose config wanted its cgroup elsewhere" {
	own_root
	script "$SLEEP" "/linux/cgroupsPath:=/$ID.else/x"
	undo "rmdir /sys/fs/cgroup/$ID.else"
	box "$P"
	box "$C" --parent "$P"
	eq "$(state /mesoc/cgroup/path "$C")" "$ID.else/x/mesos/$C"
	rt recover
	eq "$(report /recovered /orphans)" "[\"$C\",\"$P\"] []"
	rm -r "${ROOT:?}/$C"
	rt recover --clean
	ok
	eq "$(report /orphans/0/cgroup /cleaned)" "$ID.else/x/mesos/$C [\"$C\"]"
	[ ! -e "/sys/fs/cgroup/$ID.else/x/mesos" ]
	rt delete --force "$P"
	none "$C" "$P"
}

@test "records that cannot be read: delete --force finds the child's cgroup, and the parent its children" {
	family
	local pid
	pid=$(state /pid "$G")
	echo nonsense >"$ROOT/$G/state.json"
	rt delete "$C"
	fails "has nested containers: $G"
	rt delete --force "$G"
	ok
	eventually dead "$pid"
	none "$G"
	status_is running "$C"
	pid=$(state /pid "$C")
	echo nonsense >"$ROOT/$P/state.json"
	rt delete --force "$P"
	ok
	eventually dead "$pid"
	none "$P" "$C"
	clean
}

@test "a parent is deleted while a child is created: no child is left" {
	script "$SLEEP"
	for i in 1 2 3 4 5 6 7 8; do
		box "$P"
		"$RUNTIME" --root "$ROOT" create --parent "$P" --bundle "$BUNDLE" "$C" >/dev/null 2>&1 3>&- 4>&- </dev/null &
		local other=$!
		read -r -t "0.0$i" <> <(:) || :
		rt delete --force "$P"
		ok
		wait $other || :
		none "$P" "$C"
	done
	clean
}

@test "kill --all, ps, pause and stats: everything below" {
	family
	local pids
	pids="$(state /pid "$P") $(state /pid "$C") $(state /pid "$G")"
	rt ps --format json "$P"
	for pid in $pids; do matches "$output" "[[,]${pid}[],]"; done
	rt ps --format json "$C"
	hasnt "$output" "[$(state /pid "$P"),"
	rt stats --format json "$P"
	ok
	[ "$("$RIG" get "$out_file" /statistics/processes)" -ge 3 ]
	rt pause "$P"
	ok
	status_is paused "$G"
	rt resume "$C"
	fails "$P" "is paused"
	rt exec "$G" true
	[ "$status" -eq 255 ]
	has "$stderr" paused
	rt resume "$P"
	ok
	status_is running "$G"
	rt kill --all "$P" KILL
	ok
	for c in "$P" "$C" "$G"; do stopped "$c"; done
	rt delete --force "$P"
	none "$P" "$C" "$G"
	clean
}

@test "supervised and nested: the supervisor's word counts" {
	script "$SLEEP"
	box "$P" --supervise
	edit /linux/namespaces='[{"type":"mount"}]' /hostname!
	box "$C" --supervise --parent "$P"
	ready
	rt kill "$C" TERM
	rt wait "$C"
	[ "$status" -eq 7 ]
	rt delete "$C"
	ok
	rt wait "$C"
	[ "$status" -eq 7 ]
	box "$C" --supervise --parent "$P"
	rt delete --force "$P"
	ok
	none "$P" "$C"
	clean
}
