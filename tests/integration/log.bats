#!/usr/bin/env bats
# The error channel: what engines read of a call that failed.

load helpers

@test "log: JSON, one record, and the plain text on stderr" {
	rt --log "$T/log" --log-format json state "$ID"
	fails "container does not exist"
	eq "$(wc -l <log)" 1 "records"
	run -0 "$RIG" get log /level
	eq "$output" error
	has "$("$RIG" get log /msg)" "container does not exist"
	matches "$("$RIG" get log /time)" '^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]+)?(Z|[+-][0-9:]{5})$'
}

@test "log: level, msg, time, and id, command, code" {
	ours "more fields than runc"
	rt --log "$T/log" --log-format json state "$ID"
	eq "$("$RIG" keys log | sort | tr '\n' ' ')" "code command id level msg time "
	run -0 "$RIG" get log /id /command /code /msg
	eq "$output" "$ID
state
1
$stderr"
}

@test "log: a failing create is one record, with the whole cause" {
	edit '/mounts+={"destination":"/m","type":"tmpfs","source":"t","options":["size=x"]}'
	rt --log "$T/log" --log-format json create --bundle "$BUNDLE" "$ID"
	fails "invalid argument"
	msg=$(tail -n 1 log | "$RIG" get - /msg)
	has "$msg" /m
	has "$msg" "invalid argument"
	eq "$(tail -n 1 log | "$RIG" get - /level)" error
	ours "runc has warnings before it"
	eq "$(wc -l <log)" 1 "records"
	eq "$stderr" "$msg"
	clean
}

@test "log: is appended to" {
	echo before >log
	rt --log "$T/log" --log-format json state "$ID"
	fails
	rt --log log --log-format=json kill "$ID"
	fails
	eq "$(wc -l <log)" 3
	eq "$(head -n 1 log)" before
}

@test "log: text" {
	rt --log "$T/log" state "$ID"
	fails
	has "$(cat log)" "level=error"
	has "$(cat log)" "does not exist"
	eq "$(wc -l <log)" 1
}

@test "log: a call that succeeds writes nothing" {
	rt --log "$T/log" --log-format json list
	ok
	eq "$stderr" ""
	[ -f log ]
	eq "$(stat -c %s log)" 0
}

@test "log: a program gets none of it" {
	script 'for fd in $(seq 3 30) 512; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; echo end'
	rt --log "$T/log" run --bundle "$BUNDLE" "$ID"
	ok
	eq "$output" end
}

@test "log: that cannot be opened" {
	rt --log "$T/none/log" list
	fails "$T/none/log" "no such file or directory"
}

@test "without a log file the error is on stderr, once" {
	ours "runc adds fields"
	rt state "$ID"
	eq "$(wc -l <"$T/stderr.$N")" 1
	eq "$stderr" "container does not exist: \"$ID\""
	eq "$output" ""
}

@test "warnings of a create that succeeds are in the log, with their level" {
	edit '/process/capabilities/bounding=["CAP_FLY"]'
	rt --log "$T/log" --log-format json create --bundle "$BUNDLE" "$ID"
	ok
	has "$(grep CAP_FLY log)" '"level":"warning"'
	eq "$(grep -c '"level":"error"' log)" 0
}

@test "usage errors: exit 1, in the log too" {
	ours "runc prints them on stdout alone"
	rt --log "$T/log" --log-format json create --nope "$ID"
	fails nope
	eq "$("$RIG" get log /level)" error
	has "$("$RIG" get log /msg)" nope
}
