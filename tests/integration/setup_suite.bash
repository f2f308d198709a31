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

	TEMPLATE=$BATS_SUITE_TMPDIR/template
	"$BATS_TEST_DIRNAME/prepare" rootfs "$TEMPLATE" || return 1
	# From the local disk: in an emulated machine the host's files are far away.
	RIG=$TEMPLATE/bin/rig
	small_tools
	export RUNTIME RUNTIME_NAME RIG TEMPLATE
	start_watchdog
	# The suite's own settings are the only ones.
	unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID MESOC_TEST_FAULT
}

# small_tools puts busybox's versions of what the tests call most before the
# others: they start eight times as fast where every page is fetched and every
# relocation emulated. The rest of the host's programs stay what they are.
small_tools() {
	local applet
	mkdir "$BATS_SUITE_TMPDIR/bin"
	for applet in cat chmod chown cmp cp cut find grep head ln ls md5sum mkdir mkfifo mknod mv readlink rm rmdir sed seq \
		sleep sort tail touch tr uname wc; do
		ln -s "$TEMPLATE/bin/busybox" "$BATS_SUITE_TMPDIR/bin/$applet"
	done
	PATH=$BATS_SUITE_TMPDIR/bin:$PATH
	export PATH
}

# start_watchdog ends runtimes that hang for two minutes, so that a test fails
# instead of never ending.
start_watchdog() {
	mkfifo "$BATS_SUITE_TMPDIR/life"
	"$RIG" watchdog "$RUNTIME" 120 <"$BATS_SUITE_TMPDIR/life" 3>&- &
	exec {LIFE}>"$BATS_SUITE_TMPDIR/life"
}

teardown_suite() {
	[ -z "${LIFE-}" ] || exec {LIFE}>&-
}
