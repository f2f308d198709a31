# shellcheck shell=bash
# What every file here loads, beside the texts of the suite's own helpers. The engine is named by the
# file's name up to a dash: docker.bats, docker-daemon.bats, podman.bats. Its data is in $HOME_OF, which
# ends with the run; ENGINES_RESULTS is a file that gets a line a check, for the table in docs/engines.md.
#
#	e ARG…             call the engine's client; sets status, output, stderr
#	box [FLAG…] -- …   run a container of the image and remove it; sets the same
#	code N             the last exit status
#	tty ARG…           call the client with a terminal
#	is ENGINE          which one this is

load ../integration/helpers

FILE=${BATS_TEST_FILENAME##*/}
FILE=${FILE%.bats}
ENGINE=${FILE%%-*}
HOME_OF=$ENGINES/$FILE
NAP=$((4300 + ${#FILE})) # so long sleep the containers of a file that looks for their processes
PARENT=/$FILE.$RUNTIME_NAME # the cgroup below which engines are told to make theirs

setup_file() {
	mkdir -p "$HOME_OF"
	"start_$ENGINE" || {
		cat "$HOME_OF/log" >&2
		return 1
	}
}

teardown_file() {
	if [ -e "$HOME_OF/daemon" ]; then
		kill "$(<"$HOME_OF/daemon")" && eventually dead "$(<"$HOME_OF/daemon")"
	fi
}

setup() {
	T=$BATS_TEST_TMPDIR
	ID=t$BATS_SUITE_TEST_NUMBER
	N=0
	UNDO=()
	cd "$T" || return 1
	# The plugin of containerd 2 gives every pod a weight, and cannot be told not to.
	! is cri || [[ $(version_of) == 1.* ]] || need controller:cpu
}

# teardown removes what the test has left, and fails when there is something that cannot be removed.
teardown() {
	local i result=fail
	if [ -n "${BATS_TEST_SKIPPED-}" ]; then
		result=skip
	elif [ -n "${BATS_TEST_COMPLETED-}" ]; then
		result=ok
	fi
	for ((i = ${#UNDO[@]} - 1; i >= 0; i--)); do eval "${UNDO[i]}" || result=fail; done
	"sweep_$ENGINE" >"$T/sweep" 2>&1 || {
		record fail
		die "cannot remove:" "$(<"$T/sweep")"
	}
	[ -z "$(find /sys/fs/cgroup -path "*$PARENT/*" -name leaf)" ] || {
		record fail
		die "cgroups are left"
	}
	record "$result"
}

# record RESULT: a line for the table.
record() {
	[ -n "${ENGINES_RESULTS-}" ] || return 0
	printf '%s\t' "$ENGINES_SUITE" "$ENGINE" "$(version_of)" "$RUNTIME_NAME" "$RUNTIME_VERSION" "$(uname -r)" "$1" >>"$ENGINES_RESULTS"
	echo "$BATS_TEST_DESCRIPTION" >>"$ENGINES_RESULTS"
}

# version_of prints the engine's version, and of what it cannot be without.
version_of() {
	case $ENGINE in
	docker) dockerd --version ;;
	podman) podman --version ;;
	crio) conmon --version ;;
	containerd | cri) containerd --version ;;
	esac | sed -nE '1s/.* ([0-9]+\.[0-9.]*[0-9]).*/\1/p'
}

# daemon COMMAND…: in the background, without the descriptors that bats waits for.
daemon() {
	"$@" </dev/null >"$HOME_OF/log" 2>&1 3>&- 4>&- &
	echo $! >"$HOME_OF/daemon"
}

# not COMMAND…: it fails. (After a bare ! bats goes on whatever comes.)
not() { ! "$@"; }

# napping: a container's program lives.
napping() { pgrep -f "sleep $NAP" >/dev/null; }

# eventually is more patient here: every step is several processes and a daemon's answer.
eventually() { gone_within 60 "$@" || die "never came true: $*"; }

# answers COMMAND…: it succeeds within a minute.
answers() { eventually "$@" >"$HOME_OF/answers" 2>&1; }

# e calls the client with files for its output: what it starts would keep a pipe open.
e() {
	status=0
	N=$((N + 1))
	client "$@" >"$T/stdout.$N" 2>"$T/stderr.$N" <"${STDIN:-/dev/null}" 3>&- 4>&- || status=$?
	slurp output "$T/stdout.$N"
	slurp stderr "$T/stderr.$N"
}

# tty does with a terminal: script starts a shell, which knows the client's words as environment.
tty() {
	local line
	printf -v line '%q ' "${CLIENT[@]}" "$@"
	status=0
	output=$(command script -qec "$line" /dev/null </dev/null 3>&- 4>&-) || status=$?
	output=${output//$'\r'/}
	stderr=$output
}

client() { "${CLIENT[@]}" "$@"; }
is() { [ "$ENGINE" = "$1" ]; }
code() { eq "$status" "$1" "exit status of the client (said: $stderr)"; }

# installed FILE: what contrib/FILE would be on a machine where the program is elsewhere.
installed() { sed "s,/usr/local/bin/mesoc,$RUNTIME," "$REPO/contrib/$1"; }

# COUNTER is a program that cannot be begun anew without being noticed: it writes a word that it has from
# its beginning, and how far it is. It starts no program while it counts: criu cannot stop one that waits for
# its vfork.
COUNTER='trap "exit 5" TERM; read word </proc/sys/kernel/random/uuid; i=0; mkfifo /dev/shm/nap; exec 3<>/dev/shm/nap
	while :; do i=$((i+1)); echo $word $i >/dev/shm/count; read -t 0.1 nothing <&3; done'

# counts ARG…: the container in which these words of the client's run a command has a COUNTER that is the same
# as the last time, and further.
counts() {
	local word number
	read -r word number < <(client "$@" cat /dev/shm/count 2>/dev/null </dev/null 3>&- 4>&-) || return 1
	[ "$word" = "${WORD:-$word}" ] && [ "$number" -gt "${LAST:-0}" ] || return 1
	WORD=$word LAST=$number
}

# probe_checkpoints: criu can do here what it is for. An older one may wait for ever: it takes for granted that
# the processor's breakpoints work, and in some virtual machines they do not.
probe_checkpoints() {
	local pid
	# Without what the run has open: it is from other mounts.
	setsid bash -c 'for fd in {3..255}; do exec {fd}>&-; done; exec sleep 1000' </dev/null >/dev/null 2>&1 &
	pid=$!
	eventually grep -q ^sleep /proc/$pid/comm
	mkdir "$T/probe"
	timeout -s KILL 20 criu dump -t $pid -D "$T/probe" 3>&- 4>&- || {
		kill -KILL $pid
		return 1
	}
}

# docker

start_docker() {
	if is_mesoc; then
		installed docker/daemon.json >"$HOME_OF/daemon.json"
	else
		echo '{}' >"$HOME_OF/daemon.json"
	fi
	run_dockerd
	tar -C "$TREE" -c . | client import -c 'ENV PATH=/bin:/usr/bin' -c 'CMD ["sleep", "4321"]' - box 3>&-
	[ "$(client info -f '{{.DefaultRuntime}}')" = "$RUNTIME_NAME" ]
}

# run_dockerd [FLAG…]: in the background, until it answers.
run_dockerd() {
	daemon dockerd --config-file "$HOME_OF/daemon.json" -H "unix://$HOME_OF/socket" --data-root "$HOME_OF/data" \
		--exec-root "$HOME_OF/exec" --pidfile "$HOME_OF/pid" --cgroup-parent "$PARENT" \
		--exec-opt native.cgroupdriver=cgroupfs --iptables=false --ip6tables=false --ip-forward=false \
		"${BRIDGE:---bridge=none}" "$@"
	answers client version
}

sweep_docker() {
	local all
	all=$(client ps -aq)
	# shellcheck disable=SC2086 # one word a container
	[ -z "$all" ] || client rm -f -v $all 3>&-
}

# podman

start_podman() {
	client info >"$HOME_OF/log" 2>&1
	tar -C "$TREE" -c . | client import -c 'ENV PATH=/bin:/usr/bin' -c 'CMD ["sleep", "4321"]' - box 3>&-
	[[ $(client info -f '{{.Host.OCIRuntime.Name}}') == *"$RUNTIME_NAME" ]]
}

sweep_podman() {
	client pod rm -f -t 0 -a 3>&-
	client rm -f -v -t 0 -a 3>&-
}

# containerd

start_containerd() {
	cat >"$HOME_OF/config.toml" <<-END
		version = 2
		root = "$HOME_OF/data"
		state = "$HOME_OF/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$HOME_OF/socket"
	END
	run_containerd
	archive "$HOME_OF/image"
	client image import "$HOME_OF/image.tar"
}

run_containerd() {
	daemon containerd --config "$HOME_OF/config.toml"
	answers ctr -a "$HOME_OF/socket" version
}

# archive DIR: DIR.tar is the image as docker saves it.
archive() {
	local sum machine
	machine=$(uname -m)
	machine=${machine/x86_64/amd64}
	mkdir "$1"
	tar -C "$TREE" -cf "$1/layer.tar" .
	sum=$(sha256sum "$1/layer.tar")
	printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin:/usr/bin"],"Cmd":["sleep","4321"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"${machine/aarch64/arm64}" "${sum%% *}" >"$1/config.json"
	echo '[{"Config":"config.json","RepoTags":["box:latest"],"Layers":["layer.tar"]}]' >"$1/manifest.json"
	tar -C "$1" -cf "$1.tar" .
}

sweep_containerd() {
	local c
	for c in $(client container ls -q); do
		if client task ls -q | grep -qx "$c"; then client task rm -f "$c"; fi
		client container rm "$c"
	done
}

# cri: containerd's plugin for Kubernetes

# start_cri gives the daemon what is installed, and where its files are. The other runtime has the same words.
start_cri() {
	local config=containerd/config.toml plugin=io.containerd.grpc.v1.cri limits=io.containerd.grpc.v1.cri image=sandbox_image
	if [[ $(version_of) != 1.* ]]; then
		config=containerd/config-2.toml
		plugin=io.containerd.cri.v1.images
		limits=io.containerd.cri.v1.runtime
		image=pinned_images.sandbox
	fi
	{
		if is_mesoc; then installed "$config"; else sed "s,/usr/local/bin/mesoc,$RUNTIME,; s/mesoc/$RUNTIME_NAME/" "$REPO/contrib/$config"; fi |
			sed "/^version/a root = '$HOME_OF/data'\nstate = '$HOME_OF/state'"
		echo "[grpc]"
		echo "address = '$HOME_OF/socket'"
		echo "[plugins.'$plugin']"
		echo "$image = 'docker.io/library/box:latest'"
		[ "$limits" = "$plugin" ] || echo "[plugins.'$limits']"
		# Where there are no controllers, nor the right to a score below one's own.
		probe_controller cpu || echo "disable_cgroup = true"
		probe_sys_resource || echo "restrict_oom_score_adj = true"
		echo "[plugins.'$limits'.cni]"
		echo "bin_dir = '/usr/lib/cni'"
		echo "conf_dir = '$HOME_OF/net.d'"
	} >"$HOME_OF/config.toml"
	mkdir -p "$HOME_OF/net.d"
	cat >"$HOME_OF/net.d/10-box.conflist" <<-END
		{"cniVersion": "0.4.0", "name": "box", "plugins": [
			{"type": "bridge", "bridge": "cri0", "isGateway": true, "ipam": {"type": "host-local", "subnet": "10.77.0.0/16"}},
			{"type": "portmap", "capabilities": {"portMappings": true}}]}
	END
	run_containerd
	archive "$HOME_OF/image"
	ctr -a "$HOME_OF/socket" -n k8s.io image import "$HOME_OF/image.tar"
}

sweep_cri() {
	local answer pod
	answer=$(client ListPodSandbox)
	while [[ $answer =~ \{\"id\":\"([0-9a-f]+)\"(.*) ]]; do
		pod=${BASH_REMATCH[1]}
		answer=${BASH_REMATCH[2]}
		client StopPodSandbox "{\"podSandboxId\":\"$pod\"}"
		client RemovePodSandbox "{\"podSandboxId\":\"$pod\"}"
	done
}

# crio: conmon, called as CRI-O calls it

start_crio() { conmon --version >"$HOME_OF/log"; }

sweep_crio() {
	local id
	for id in $("$RUNTIME" --root "$HOME_OF/state" list -q); do
		"$RUNTIME" --root "$HOME_OF/state" delete --force "$id"
	done
}

case $ENGINE in
docker)
	# One of the daemons has it: they share a network.
	if [ "$FILE" = docker ]; then BRIDGE=--bip=10.199.0.1/24; fi
	CLIENT=(env "DOCKER_CONFIG=$HOME_OF" docker -H "unix://$HOME_OF/socket")
	RUN=(run --network none)
	;;
podman)
	CONF=$HOME_OF/containers.conf
	mkdir -p "$HOME_OF"
	if is_mesoc; then
		installed podman/containers.conf >"$CONF"
	else
		: >"$CONF"
	fi
	# Podman limits them unless told otherwise.
	probe_controller pids || printf '\n[containers]\npids_limit = 0\n' >>"$CONF"
	CLIENT=(env "CONTAINERS_CONF=$CONF" podman --root "$HOME_OF/data" --runroot "$HOME_OF/run" --tmpdir "$HOME_OF/tmp"
		--storage-driver overlay --cgroup-manager cgroupfs --events-backend file)
	is_mesoc || CLIENT+=(--runtime "$RUNTIME")
	RUN=(run --network none --cgroup-parent "$PARENT")
	;;
containerd)
	CLIENT=(ctr -a "$HOME_OF/socket")
	RUN=(run --runc-binary "$RUNTIME")
	# ctr gives every container a weight unless told otherwise.
	probe_controller cpu || RUN+=(--cpu-shares 0)
	IMAGE=docker.io/library/box:latest
	;;
cri)
	CLIENT=("$REPO/.cache/tests/cri" "$HOME_OF/socket")
	;;
crio)
	CLIENT=("$RUNTIME" --root "$HOME_OF/state")
	;;
esac

# box [FLAG…] -- COMMAND…: a container of the image, removed when it has ended.
box() {
	local flags=()
	while [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	shift
	if is containerd; then
		e "${RUN[@]}" --rm "${flags[@]}" "$IMAGE" "$ID" "$@"
	else
		e "${RUN[@]}" --rm "${flags[@]}" box "$@"
	fi
}

# live NAME [FLAG…] -- COMMAND…: one that stays, in the background.
live() {
	local flags=() name=$1
	shift
	while [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	shift
	if is containerd; then
		e "${RUN[@]}" --detach "${flags[@]}" "$IMAGE" "$name" "$@"
	else
		e "${RUN[@]}" --detach --name "$name" "${flags[@]}" box "$@"
	fi
	ok
}

# shows NAME FORMAT TEXT: so the engine describes the container.
shows() { [ "$(client inspect -f "$2" "$1")" = "$3" ]; }

# says NAME TEXT: the container has written the line.
says() { client logs "$1" 2>&1 | grep -qxF -- "$2"; }
