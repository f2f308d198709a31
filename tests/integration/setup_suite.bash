# shellcheck shell=bash
# Runs once before all files: says what is tested, and makes what every test
# shares (the helper program, the root filesystem).

setup_suite() {
	umask 022
	local repo
	repo=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	: "${RUNTIME:=$repo/mesoc}"
	RUNTIME=$(realpath "$(command -v "$RUNTIME" || echo "$RUNTIME")")
	if [ ! -x "$RUNTIME" ]; then
		echo "no runtime at $RUNTIME: run 'make build', or set RUNTIME" >&2
		return 1
	fi
	RUNTIME_NAME=$("$RUNTIME" --version | head -n 1)
	RUNTIME_NAME=${RUNTIME_NAME%% *}

	if [ "$(id -u)" != 0 ]; then
		echo "the suite needs root" >&2
		return 1
	fi
	if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
		echo "no cgroup2 on /sys/fs/cgroup: run 'make test-root', which gives the suite a mount namespace with one" >&2
		return 1
	fi

	RIG=$("$BATS_TEST_DIRNAME/prepare") || return 1
	TEMPLATE=$BATS_SUITE_TMPDIR/template
	"$BATS_TEST_DIRNAME/prepare" rootfs "$TEMPLATE" || return 1
	export RUNTIME RUNTIME_NAME RIG TEMPLATE
	# The suite's own settings are the only ones.
	unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID MESOC_TEST_FAULT
}
