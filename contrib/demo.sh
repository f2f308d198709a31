#!/bin/bash
# A container by hand, from create to delete, with what each step says and a check of what it did.
#
#   contrib/demo.sh [RUNTIME]       as root, with cgroup2 on /sys/fs/cgroup: `make demo` sees to both
set -euo pipefail

runtime=$(realpath "$(command -v "${1:-mesoc}")")
id=demo-$$
scratch=$(mktemp -d)
bundle=$scratch/bundle
root=$scratch/state

finish() {
	status=$?
	"$runtime" --root "$root" delete --force "$id" >/dev/null 2>&1 || true
	rm -rf "$scratch"
	[ "$status" -eq 0 ] || echo "the demo failed" >&2
}
trap finish EXIT

bold=''
plain=''
[ ! -t 1 ] || { bold=$'\e[1m'; plain=$'\e[0m'; }
note() { printf '\n# %s\n' "$*"; }
show() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; }
die() { echo "unexpected: $*" >&2; exit 1; }

# mesoc ARG...: shown as typed by somebody with the default state directory.
mesoc() {
	show "mesoc $*"
	"$runtime" --root "$root" "$@"
}

# A created container keeps the descriptors it was given, so its output goes to a file.
create() {
	show "mesoc create $* >output"
	"$runtime" --root "$root" create "$@" >"$scratch/output" 2>&1 </dev/null || { cat "$scratch/output" >&2; die "create failed"; }
}

state_is() {
	local state
	state=$(mesoc state "$id")
	echo "$state"
	[[ $state == *"\"status\": \"$1\""* ]] || die "the status is not $1"
}

# eventually COMMAND...: within ten seconds.
eventually() {
	local end=$((SECONDS + 10))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		read -r -t 0.05 <> <(:) || true
	done
}
says() { grep -q "$1" "$scratch/output"; }
is() { [[ $("$runtime" --root "$root" state "$id") == *"\"status\": \"$1\""* ]]; }

note "A bundle is a directory with a root filesystem and a config.json; busybox is enough for the first."
mkdir -p "$bundle/rootfs"/{bin,dev,proc,sys,tmp}
cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
for applet in sh echo sleep hostname id; do ln -s busybox "$bundle/rootfs/bin/$applet"; done
show "mesoc spec --bundle BUNDLE"
"$runtime" spec --bundle "$bundle"
# Not a terminal, and something to see.
# shellcheck disable=SC2016 # the container's shell expands these
sed -i -e 's/"terminal": true/"terminal": false/' \
	-e 's/^\([[:space:]]*\)"sh"$/\1"sh", "-c", "echo process $$ on $(hostname) has started; exec sleep 60"/' "$bundle/config.json"
cd "$bundle"

note "create makes everything but does not run the program yet."
create "$id"
state_is created
[ ! -s "$scratch/output" ] || die "the program runs before start"

note "start lets it run."
mesoc start "$id"
eventually says 'has started' || die "the program said nothing"
show "cat output"
cat "$scratch/output"
says '^process 1 on ' || die "the program is not process 1 of its own"
state_is running
mesoc list

note "kill sends a signal; the container is stopped once its program has ended."
mesoc kill "$id" KILL
eventually is stopped || die "the program survived SIGKILL"
state_is stopped

note "delete removes what create has made."
mesoc delete "$id"
show "mesoc state $id"
if said=$("$runtime" --root "$root" state "$id" 2>&1); then die "the container is still there"; fi
echo "$said"
[[ $said == *"does not exist"* ]] || die "another error than that it does not exist"
[ -z "$(ls -A "$root")" ] || die "something is left in the state directory"
[ -z "$(find /sys/fs/cgroup -depth -type d -name "$id" 2>/dev/null)" ] || die "a cgroup is left"
note "That was a container."
