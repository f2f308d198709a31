#!/usr/bin/env bats
# What a container can do to a program that joins it, and to who brings it in.

load helpers

# rounds: an attack is tried often; fewer times where everything is slow.
rounds() { if grep -q 'QEMU TCG' /proc/cpuinfo; then echo 20; else echo 200; fi; }

# attack SCRIPT [EDIT…]: a container that does SCRIPT over and over.
attack() {
	local text=$1
	shift
	script "echo up >/tmp/up; while :; do $text; done" "$@"
	start_box
	eventually test -s "$BASE/tmp/up"
}

@test "CVE-2019-5736: the runtime's executable cannot be written, nor run as if it were the image's" {
	before=$(md5sum <"$RUNTIME") changed=$(stat -c %Y.%Z "$RUNTIME")
	attack 'for e in /proc/[0-9]*/exe; do if { true >>$e; } 2>/dev/null; then echo "$e" >>/tmp/wrote; fi; done' $(caps CAP_SYS_PTRACE CAP_DAC_OVERRIDE)
	for ((i = $(rounds); i > 0; i--)); do
		"$RUNTIME" --root "$ROOT" exec "$ID" /bin/true 3>&- </dev/null || die "exec failed"
	done
	# The joining process itself, as the program; a script that it interprets.
	printf '#!/proc/self/exe\n' >"$BASE/bin/again"
	chmod 755 "$BASE/bin/again"
	for p in /proc/self/exe again; do
		rt exec "$ID" $p --version
	done
	eq "$(md5sum <"$RUNTIME")" "$before"
	eq "$(stat -c %Y.%Z "$RUNTIME")" "$changed" "times of the runtime's file"
	[ ! -e "$BASE/tmp/wrote" ] || die "written to: $(sort -u "$BASE/tmp/wrote")"
}

# A container that may trace its processes sees those of the joining one: stdio
# and a socket to who has started it, and nothing that leads to the host.
@test "CVE-2016-9962: descriptors of the joining process lead nowhere" {
	attack 'ls -l /proc/[2-9]/fd/ /proc/[1-9][0-9]*/fd/ 2>/dev/null | sed -n "s/.* \([0-9]* -> [/a]\)/\1/p" >>/tmp/seen' $(caps CAP_SYS_PTRACE)
	for ((i = $(rounds); i > 0; i--)); do
		"$RUNTIME" --root "$ROOT" exec "$ID" /bin/true 3>&- </dev/null >/dev/null 9</ || die "exec failed"
	done
	[ -s "$BASE/tmp/seen" ]
	# stdout and stderr are ours to give; / is the container's; the program is sealed.
	eq "$(grep -vE -e '-> (/|/dev/null|/proc/[0-9]*/fd|/tmp/seen|.*/stdout.[0-9]*|.*/memfd:program \(deleted\))$' -e '^2 ->' "$BASE/tmp/seen" | sort | uniq -c)" ""
	hasnt "$(cat "$BASE/tmp/seen")" "9 -> /"
}

@test "CVE-2016-9962: its memory is out of reach without the right to trace" {
	ours "it looks for our name"
	attack 'for m in /proc/[0-9]*/mem; do p=${m%/mem}; [ "$(cat $p/comm 2>/dev/null)" = mesoc-init ] || continue
		if (exec 7<$m && [ "$(cat $p/comm)" = mesoc-init ]) 2>/dev/null; then echo "$m" >>/tmp/open; fi; done'
	for ((i = $(rounds); i > 0; i--)); do
		"$RUNTIME" --root "$ROOT" exec "$ID" /bin/true 3>&- </dev/null || die "exec failed"
	done
	[ ! -e "$BASE/tmp/open" ] || die "opened: $(sort -u "$BASE/tmp/open")"
}

@test "CVE-2022-29162: inheritable capabilities are those that were asked for" {
	edit $(caps CAP_KILL CAP_CHOWN) -- /bin/sleep 1000
	start_box
	for f in "" "--cap CAP_SYS_NICE" "--user 1000 --cap CAP_SYS_NICE"; do
		rt exec $f "$ID" grep -E '^Cap(Inh|Amb)' /proc/self/status
		ok
		eq "$output" $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000'
	done
}

@test "CVE-2024-21626: a working directory or a program behind a descriptor" {
	edit -- /bin/sleep 1000
	start_box
	ln -s /proc/self/fd "$BASE/fds"
	local n d
	for ((n = 0; n < 24; n++)); do
		for d in /proc/self/fd/$n /fds/$n /proc/self/fd/$n/../../..; do
			rt exec --cwd $d "$ID" sh -c 'pwd; ls -d ../../../bin/busybox'
			if [ "$status" -eq 0 ]; then
				matches "$output" "^/[^(]*"$'\n'
				has "$output" bin/busybox
			fi
		done
		rt exec "$ID" /proc/self/fd/$n
		[ "$status" -ne 0 ]
	done
	ln -s /proc/self/fd/7 "$BASE/work"
	rt exec --cwd /work "$ID" pwd
	[ "$status" -ne 0 ]
}

@test "a working directory that is swapped for a link meanwhile" {
	mkdir "$BASE/w" "$BASE/w.real"
	attack 'rm -rf /w; ln -s /proc/self/fd/5 /w; rm -f /w; mkdir /w' /root/readonly=false
	for ((i = $(rounds) / 4; i > 0; i--)); do
		rt exec --cwd /w "$ID" sh -c '[ -e ../bin/busybox ] || echo outside'
		hasnt "$output" outside
	done
}
