# shellcheck shell=bash
# What the files security_*.bats share, beside helpers.bash. Each test says how
# it was seen to fail: with which defence taken out of a build, or with whom.
#
#	watch            make the sentinel tree $SENTINEL and note what is true of the host
#	unharmed         all that is still true
#	race A B…        exchange files until the function raced is called
#	rounds           how often a race is run: ROUNDS, or what this machine can do
#	sample           the lines of stdin that this machine has time for
#	works COMMAND…   once before the race, to see that it can
#	rounds_of COMMAND…  so often, while the race goes on

# watch: a tree outside of every root, with a tmpfs in it. The runtime's binary
# belongs to what is watched.
watch() {
	SENTINEL=$T/sentinel
	mkdir -p "$SENTINEL/tmpfs"
	mount -t tmpfs -o size=1m sentinel "$SENTINEL/tmpfs"
	undo "umount '$SENTINEL/tmpfs'"
	"$RIG" sentinel plant "$SENTINEL"
	"$RIG" sentinel plant "$SENTINEL/tmpfs"
	"$RIG" sentinel look "$SENTINEL" "$RUNTIME" >"$T/before"
}

unharmed() {
	"$RIG" sentinel look "$SENTINEL" "$RUNTIME" >"$T/after"
	diff -U 0 "$T/before" "$T/after" >&2 || die "the host was changed"
}

# race A B…: in the background, with its count in $T/races. It has begun.
race() {
	mkfifo "$T/racing"
	"$RIG" race "$@" <"$T/racing" >"$T/races" 3>&- &
	RACER=$!
	exec {RACING}>"$T/racing"
	eventually test -s "$T/races"
}

# raced ends the race, which must have been one.
raced() {
	exec {RACING}>&-
	wait "$RACER"
	rm "$T/racing"
	local count
	count=$(tail -n 1 "$T/races")
	[ "$count" -gt "$(rounds)" ] || die "$count exchanges in $(rounds) rounds"
}

# An emulated machine is ten to thirty times as slow, and sees a sample.
emulated() { [ "${VM_ACCEL:-kvm}" != kvm ]; }

# rounds: 500 make it likely that a race is won.
rounds() { echo "${ROUNDS:-$(emulated && echo 10 || echo 500)}"; }

# sample: all lines, or one in thirteen.
sample() { if emulated; then awk 'NR % 13 == 1'; else cat; fi; }

# create_and_delete: whether it works or not, nothing is left of it. What the
# last error was is in $T/last.
create_and_delete() {
	if "$RUNTIME" --root "$ROOT" create --bundle "$BUNDLE" "$ID" >"$T/last" 2>&1 3>&- 4>&- </dev/null; then
		WON=$((WON + 1))
		"$RUNTIME" --root "$ROOT" delete --force "$ID" 3>&- || die "delete failed"
	fi
}

# works COMMAND…: without a race it does.
works() {
	WON=0
	"$@"
	[ "$WON" -eq 1 ] || die "it does not work without a race: $(<"$T/last")"
}

rounds_of() {
	local i n
	n=$(rounds)
	for ((i = 0; i < n; i++)); do "$@"; done
}
