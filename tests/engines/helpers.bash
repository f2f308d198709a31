# shellcheck shell=bash
# What every file here loads, beside the texts of the suite's own helpers. The engine is named by the
# file: docker.bats, podman.bats, containerd.bats. Its data is in $HOME_OF, which ends with the run.
#
#	e ARG…             call the engine's client; sets status, output, stderr
#	box [FLAG…] -- …   run a container of the image and remove it; sets the same
#	code N             the last exit status
#	tty ARG…           call the client with a terminal
#	is ENGINE          which one this is

load ../integration/helpers

ENGINE=${BATS_TEST_FILENAME##*/}
ENGINE=${ENGINE%%[.-]*}
HOME_OF=$ENGINES/$ENGINE

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
	cd "$T" || return 1
}

# teardown removes what the test has left, and fails when there is something that cannot be removed.
teardown() {
	"sweep_$ENGINE" >"$T/sweep" 2>&1 || die "cannot remove:" "$(<"$T/sweep")"
	[ -z "$(find /sys/fs/cgroup -path "*/$ENGINE.$RUNTIME_NAME/*" -name leaf)" ] || die "cgroups are left"
}

# daemon COMMAND…: in the background, without the descriptors that bats waits for.
daemon() {
	"$@" </dev/null >"$HOME_OF/log" 2>&1 3>&- 4>&- &
	echo $! >"$HOME_OF/daemon"
}

# answers COMMAND…: it succeeds within ten seconds.
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

# docker

start_docker() {
	local config=$HOME_OF/daemon.json
	if is_mesoc; then
		# What is installed, but for the place of the program.
		sed "s,/usr/local/bin/mesoc,$RUNTIME," "$REPO/contrib/docker/daemon.json" >"$config"
	else
		echo '{}' >"$config"
	fi
	daemon dockerd --config-file "$config" -H "unix://$HOME_OF/socket" --data-root "$HOME_OF/data" \
		--exec-root "$HOME_OF/exec" --pidfile "$HOME_OF/pid" --cgroup-parent "/docker.$RUNTIME_NAME" \
		--exec-opt native.cgroupdriver=cgroupfs --iptables=false --ip6tables=false --ip-forward=false --bridge=none
	answers client version
	tar -C "$TREE" -c . | client import -c 'ENV PATH=/bin:/usr/bin' - box 3>&-
	[ "$(client info -f '{{.DefaultRuntime}}')" = "$RUNTIME_NAME" ]
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
	tar -C "$TREE" -c . | client import -c 'ENV PATH=/bin:/usr/bin' - box 3>&-
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
	daemon containerd --config "$HOME_OF/config.toml"
	answers client version
	archive "$HOME_OF/image"
	client image import "$HOME_OF/image.tar"
}

# archive DIR: DIR.tar is the image as docker saves it.
archive() {
	local sum
	mkdir "$1"
	tar -C "$TREE" -cf "$1/layer.tar" .
	sum=$(sha256sum "$1/layer.tar")
	printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin:/usr/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"$(dpkg --print-architecture)" "${sum%% *}" >"$1/config.json"
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

case $ENGINE in
docker)
	CLIENT=(env "DOCKER_CONFIG=$HOME_OF" docker -H "unix://$HOME_OF/socket")
	RUN=(run --network none)
	;;
podman)
	if is_mesoc; then
		CONF=$HOME_OF/containers.conf
		mkdir -p "$HOME_OF"
		sed "s,/usr/local/bin/mesoc,$RUNTIME," "$REPO/contrib/podman/containers.conf" >"$CONF"
	else
		CONF=/dev/null
	fi
	CLIENT=(env "CONTAINERS_CONF=$CONF" podman --root "$HOME_OF/data" --runroot "$HOME_OF/run" --tmpdir "$HOME_OF/tmp"
		--storage-driver overlay --cgroup-manager cgroupfs --events-backend file)
	is_mesoc || CLIENT+=(--runtime "$RUNTIME")
	RUN=(run --network none --cgroup-parent "/podman.$RUNTIME_NAME")
	# Podman limits them unless told otherwise.
	probe_controller pids || RUN+=(--pids-limit -1)
	;;
containerd)
	CLIENT=(ctr -a "$HOME_OF/socket")
	RUN=(run --runc-binary "$RUNTIME")
	# ctr gives every container a weight unless told otherwise.
	probe_controller cpu || RUN+=(--cpu-shares 0)
	IMAGE=docker.io/library/box:latest
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
