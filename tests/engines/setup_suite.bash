# shellcheck shell=bash
# Runs once before all files: what is tested, and the image that all engines get, made on the spot.

setup_suite() {
	umask 022
	local repo
	repo=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	: "${RUNTIME:=$repo/mesoc}"
	# The engines and runc are Debian's, whatever else is installed.
	PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
	RUNTIME=$(realpath "$(command -v "$RUNTIME")")
	RUNTIME_VERSION=$("$RUNTIME" --version | head -n 1)
	RUNTIME_NAME=${RUNTIME_VERSION%% *}
	RUNTIME_VERSION=${RUNTIME_VERSION##* }
	if [ "$(findmnt -n -o SOURCE /run/engines)" != engines ]; then
		echo "no place for engines: run 'make test-engines', or tests/engines/run tests/suite FILE" >&2
		return 1
	fi
	ENGINES=/run/engines/$RUNTIME_NAME
	TREE=$BATS_SUITE_TMPDIR/tree
	mkdir -p "$ENGINES"
	"$BATS_TEST_DIRNAME/../integration/prepare" rootfs "$TREE" || return 1
	REPO=$repo
	RIG=$TREE/bin/rig
	export PATH RUNTIME RUNTIME_NAME RUNTIME_VERSION ENGINES TREE REPO RIG
	unset CONTAINER_HOST CONTAINERS_CONF CONTAINERD_ADDRESS DOCKER_HOST NOTIFY_SOCKET LISTEN_FDS LISTEN_PID
}
