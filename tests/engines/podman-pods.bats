#!/usr/bin/env bats
# What podman has and docker has not: pods, user namespaces of containers, roots that are no images, and
# what is left when it or conmon is killed half-way. ENGINES_ROUNDS is how often (default 5).

load helpers

# in_pod NAME COMMAND…: a container of the pod, in the background.
in_pod() {
	local pod=$1 name=$2
	shift 2
	e run --detach --pod "$pod" --name "$name" box "$@"
	ok
}

# pod NAME [FLAG…]: the image is also that of its first process.
pod() {
	local name=$1
	shift
	# Podman 4 forbids all devices in the cgroup of a pod.
	[ "$ENGINES_SUITE" != bookworm ] || set -- --share-parent=false "$@"
	e pod create --name "$name" --cgroup-parent "$PARENT" --infra-image box --infra-command "sleep $NAP" --network none "$@"
	ok
}

@test "a pod: shared namespaces" {
	pod p1 --hostname there
	in_pod p1 c1 sleep 4322
	in_pod p1 c2 sleep 4323
	local n
	for n in net ipc uts; do
		eq "$(client exec c1 readlink /proc/self/ns/$n)" "$(client exec c2 readlink /proc/self/ns/$n)"
	done
	[ "$(client exec c1 readlink /proc/self/ns/mnt)" != "$(client exec c2 readlink /proc/self/ns/mnt)" ]
	[ "$(client exec c1 readlink /proc/self/ns/pid)" != "$(client exec c2 readlink /proc/self/ns/pid)" ]
	e exec c2 hostname
	eq "$output" there
	e pod ps --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}'
	eq "$output" "p1 Running 3"
}

@test "a pod: processes in sight of each other" {
	pod p2 --share net,ipc,uts,pid
	in_pod p2 c3 sleep 4322
	in_pod p2 c4 sleep 4323
	e exec c4 sh -c "grep -a . /proc/[0-9]*/cmdline | tr '\\0' ' '"
	has "$output" "sleep $NAP"
	has "$output" "sleep 4322"
	e pod top p2
	ok
	has "$output" "sleep 4323"
}

@test "a pod: pause, stop, start again, kill, remove" {
	pod p3
	in_pod p3 c5 sleep 4322
	e pod pause p3
	ok
	shows c5 '{{.State.Status}}' paused
	e pod unpause p3
	ok
	e pod stop -t 1 p3
	ok
	shows c5 '{{.State.Status}}' exited
	e pod start p3
	ok
	eventually shows c5 '{{.State.Status}}' running
	e pod kill p3
	ok
	e pod rm -f -t 0 p3
	ok
	e ps -aq
	eq "$output" ''
}

@test "a pod from Kubernetes' words" {
	cat >pod.yaml <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: k1}
		spec:
		  hostNetwork: true
		  containers:
		  - name: one
		    image: localhost/box
		    imagePullPolicy: Never
		    command: [sh, -c, 'echo "\$A"; id -u; sleep 4322']
		    env: [{name: A, value: b}]
		    securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
	END
	# The pod's first process is an image that podman makes, or the one that the configuration names.
	printf '\n[engine]\ninfra_image = "localhost/box"\n' >"$T/infra"
	CLIENT[1]="CONTAINERS_CONF=$T/conf"
	awk -v infra="$T/infra" '/^\[engine\]$/ { print; seen = 1; while ((getline line < infra) > 0) if (line ~ /=/) print line; next }
		{ print }
		END { if (!seen) while ((getline line < infra) > 0) print line }' "$CONF" >"$T/conf"
	e play kube pod.yaml
	ok
	eventually says k1-one 1000
	says k1-one b
	e exec k1-one grep CapBnd /proc/self/status
	eq "$output" "CapBnd:	0000000000000000"
	e play kube --down pod.yaml
	ok
}

@test "user namespaces: a mapping, one of podman's choice" {
	mkdir host
	chmod 777 host
	box --uidmap 0:100000:1000 --gidmap 0:100000:1000 -v "$T/host:/h" -- sh -c 'id -u; cat /proc/self/uid_map; touch /h/mine; stat -c %u /etc/passwd; mknod /h/null c 1 3'
	code 1
	eq "$(tr -s ' ' <<<"$output")" $'0\n 0 100000 1000\n0'
	has "$stderr" "Operation not permitted"
	eq "$(stat -c %u host/mine)" 100000
	live a1 --userns auto -- sleep $NAP
	e exec a1 id -u
	eq "$output" 0
	[ "$(stat -c %u "/proc/$(client inspect -f '{{.State.Pid}}' a1)")" -ge 300000 ]
}

@test "descriptors for the program" {
	echo text >file
	status=0
	"${CLIENT[@]}" "${RUN[@]}" --rm --preserve-fds 1 box sh -c 'readlink /proc/self/fd/3; echo more >&3' >out 2>err </dev/null 3<>"$T/file" 4>&- || status=$?
	code 0
	eq "$(<out)" "$T/file"
	eq "$(<file)" more
}

@test "a directory as root" {
	cp -a "$TREE" root
	e run --rm --network none --cgroup-parent "$PARENT" --rootfs "$T/root" sh -c 'echo kept >/kept; readlink /proc/1/root'
	ok
	eq "$output" /
	eq "$(<root/kept)" kept
}

@test "checkpoint and restore: it counts on, here and in a new root" {
	need checkpoints
	live c1 -- sh -c "$COUNTER"
	eventually counts exec c1
	e exec c1 sh -c 'echo kept >/kept'
	e container checkpoint --leave-running c1
	ok
	eventually counts exec c1
	e container checkpoint c1
	ok
	shows c1 '{{.State.Status}}' exited
	e container restore c1
	ok
	eventually counts exec c1
	e container checkpoint --export "$T/c1.tar.gz" c1
	ok
	e rm c1
	ok
	e container restore --import "$T/c1.tar.gz"
	ok
	eventually counts exec c1
	e exec c1 cat /kept
	eq "$output" kept
	LAST=
	e container restore --import "$T/c1.tar.gz" --name c2
	ok
	eventually counts exec c2
	e stop c1
	ok
	shows c1 '{{.State.ExitCode}}' 5
}

@test "a runtime that is not there" {
	e --runtime /not/there "${RUN[@]}" --rm box true
	[ "$status" -ne 0 ]
	has "$stderr" /not/there
	e ps -aq
	eq "$output" ''
}

@test "conmon is killed: the container can be removed" {
	local conmon
	live k1 -- sleep $NAP
	conmon=$(client inspect -f '{{.State.ConmonPid}}' k1)
	kill -KILL "$conmon"
	eventually dead "$conmon"
	e rm -f -t 0 k1
	ok
	[ -z "$(find /sys/fs/cgroup -mindepth 1 -type d -path "*$PARENT/libpod-[0-9a-f][0-9a-f]*")" ]
	not napping
}

@test "podman is killed while it creates: nothing is left" {
	local i id client
	for ((i = 0; i < ${ENGINES_ROUNDS:-5}; i++)); do
		"${CLIENT[@]}" "${RUN[@]}" -d --name "k$i" box sleep $NAP >/dev/null 2>&1 </dev/null 3>&- 4>&- &
		client=$!
		read -r -t "0.$((i % 7))" <> <(:) || :
		kill -KILL $client 2>/dev/null || :
		wait $client || :
		# conmon may go on and finish what it was told to do.
		eventually not pgrep -f "$RUNTIME .* create "
		e rm -f -t 0 -i "k$i"
		ok
		# What conmon has finished podman does not know of: the runtime does.
		for id in $("$RUNTIME" list -q); do "$RUNTIME" delete --force "$id"; done
		! is_mesoc || "$RUNTIME" recover --clean >"$T/recovered"
		[ -z "$(find /sys/fs/cgroup -mindepth 1 -type d -path "*$PARENT/libpod-[0-9a-f][0-9a-f]*")" ] || die "cgroups in round $i" "$(find /sys/fs/cgroup -path "*$PARENT/*")"
		not napping || die "processes in round $i" "$(pgrep -af "sleep $NAP")"
	done
	box -- echo next
	eq "$output" next
}
