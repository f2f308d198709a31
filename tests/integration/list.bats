#!/usr/bin/env bats
# list: JSON, ids, table.

load helpers

@test "list: nothing to list" {
	rt list --format json
	ok
	eq "$output" null
	rt list --quiet
	ok
	eq "$(stat -c %s "$out_file")" 0 "bytes of output"
	rt list
	ok
	matches "$output" '^ID +PID +STATUS +BUNDLE +CREATED +OWNER$'
}

@test "list: a state directory that was named and is not there" {
	ours "runc 1.1 forgets that it was named"
	ROOT=$T/nowhere
	rt list
	ROOT=$T/state
	fails "no such file or directory"
	[ ! -e "$T/nowhere" ]
}

@test "list: containers in every form" {
	edit '/annotations={"a":"b"}'
	create
	ok
	pid=$(state /pid)
	script 'exit 0'
	rt create --bundle "$BUNDLE" "${ID}b"
	ok
	rt start "${ID}b"
	ok
	stopped "${ID}b"

	rt list --quiet
	ok
	eq "$output" "$ID
${ID}b"

	rt list --format json
	ok
	eq "$(wc -l <"$out_file")" 1 "lines of JSON"
	run -0 "$RIG" get "$out_file" /0/ociVersion /0/id /0/pid /0/status /0/bundle /0/rootfs /0/annotations /0/owner \
		/1/id /1/pid /1/status
	eq "$output" "1.0.2-dev
$ID
$pid
created
$BUNDLE
$BASE
{\"a\":\"b\"}
root
${ID}b
0
stopped"
	matches "$("$RIG" get "$out_file" /0/created)" '^20[0-9-]{8}T[0-9:]{8}\.[0-9]+Z$'

	rt list --format table
	ok
	matches "$output" '^ID +PID +STATUS +BUNDLE +CREATED +OWNER'$'\n'
	matches "$output" $'\n'"$ID +$pid +created +$BUNDLE +20[0-9-]{8}T[0-9:.]+Z +root"
	matches "$output" $'\n'"${ID}b +0 +stopped +$BUNDLE +20[0-9-]{8}T[0-9:.]+Z +root"
}

@test "list: a broken container is reported and skipped" {
	create
	ok
	mkdir "$ROOT/broken"
	# Whatever its files are called.
	for f in "$ROOT/$ID"/*; do
		[ -f "$f" ] && echo '{"id": ' >"$ROOT/broken/${f##*/}"
	done
	rt list --format json
	ok
	eq "$("$RIG" get "$out_file" /0/id)" "$ID"
	run ! "$RIG" get "$out_file" /1/id
	has "$stderr" broken
	rm -r "$ROOT/broken"
}

@test "list: files and foreign directories below the state directory" {
	ours "runc tries to load whatever is there"
	create
	ok
	touch "$ROOT/file"
	ln -s / "$ROOT/link"
	rt list --quiet
	ok
	eq "$output" "$ID"
	rm "$ROOT/file" "$ROOT/link"
}
