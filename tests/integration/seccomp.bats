#!/usr/bin/env bats
# System call filters: in force for the program, and for nothing before it.

load helpers


native() {
	case $(uname -m) in
	x86_64) printf '/linux/seccomp={"defaultAction":"%s","architectures":["SCMP_ARCH_X86_64"],"syscalls":[%s]}' "$1" "$2" ;;
	*) printf '/linux/seccomp={"defaultAction":"%s","syscalls":[%s]}' "$1" "$2" ;;
	esac
}

@test "seccomp: an errno for one system call, with and without noNewPrivileges" {
	for nnp in true false; do
		in_box 'mkdir /tmp/x 2>&1; grep -E "^(Seccomp|NoNewPrivs|CapEff):" /proc/self/status' \
			"/process/noNewPrivileges=$nnp" "$(native SCMP_ACT_ALLOW '{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}')" \
			/root/readonly=false
		has "$output" "Operation not supported"
		matches "$output" 'Seccomp:[[:space:]]2'
		matches "$output" "NoNewPrivs:[[:space:]]$([ "$nnp" = true ] && echo 1 || echo 0)"
		# What was kept to load the filter is gone: CAP_SYS_ADMIN is bit 21.
		eff=$(sed -n 's/^CapEff:[[:space:]]*//p' <<<"$output")
		[ $((16#$eff & 1 << 21)) -eq 0 ] || die "CAP_SYS_ADMIN is left in $eff"
	done
	clean
}

@test "seccomp: without noNewPrivileges, as a user without rights" {
	in_box 'id -u; mkdir /tmp/x 2>&1; true' /process/noNewPrivileges=false /process/user/uid=1000 \
		"$(native SCMP_ACT_ALLOW '{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}')"
	lines 1000
	has "$output" "Operation not supported"
	clean
}

@test "seccomp: a killed program is a signal" {
	script 'mkdir /tmp/x; echo survived' "$(native SCMP_ACT_ALLOW '{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"}')"
	rt run --bundle "$BUNDLE" "$ID"
	hasnt "$output" "x: "
	clean
}

@test "seccomp: init's own calls need no permission" {
	ours "the profile forbids what others' init needs"
	in_box 'echo fine' "$(native SCMP_ACT_ALLOW '{"names":["mount","move_mount","pivot_root","setsid","umask","accept4","sethostname","unshare","setns","fchdir"],"action":"SCMP_ACT_KILL_PROCESS"}')" \
		/process/noNewPrivileges=true
	eq "$output" fine
	clean
}

@test "seccomp: what a profile cannot say is refused, and nothing is left" {
	ours "runc 1.1 takes an errno for an action without one"
	for bad in '{"defaultAction":"SCMP_ACT_FLY"}' \
		'{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}' \
		'{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_PDP11"]}' \
		'{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_NOTIFY"}]}'; do
		edit "/linux/seccomp=$bad"
		rt create --bundle "$BUNDLE" "$ID"
		[ "$status" -ne 0 ] || die "accepted: $bad"
	done
	clean
}

@test "seccomp: a filter that has been compiled before is in force, and its own" {
	ours "runc and crun compile every time"
	profile() { native SCMP_ACT_ALLOW '{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":'"$1"'},{"names":["no_such_call"],"action":"SCMP_ACT_LOG"}'; }
	for round in compiled found; do
		in_box 'mkdir /tmp/x 2>&1; true' "$(profile 95)" /root/readonly=false
		has "$output" "Operation not supported"
		in_box 'mkdir /tmp/x 2>&1; true' "$(profile 28)" /root/readonly=false
		has "$output" "No space left"
		kept=("$ROOT"/@seccomp/*)
		[ ${#kept[@]} -eq 2 ] || die "$round: ${kept[*]}"
		stamps+=("$(stat -c '%i %y' "${kept[@]}")")
	done
	eq "${stamps[1]}" "${stamps[0]}" "the files"
	# What the profile has and the filter has not is still told.
	rt --debug run --bundle "$BUNDLE" "$ID"
	ok
	has "$stderr" "unknown system call"
	# A file that others could have written is not believed.
	chmod 0666 "$ROOT"/@seccomp/*
	rt run --bundle "$BUNDLE" "$ID"
	ok
	has "$output" "No space left"
	[ "$(find "$ROOT/@seccomp" -perm 0666 | wc -l)" -eq 1 ] || die "it has not been compiled again"
	clean
}

@test "seccomp: a bad profile is refused each time, and never kept" {
	ours "a look into the cache"
	for bad in '{"defaultAction":"SCMP_ACT_FLY"}' '{"defaultAction":3}' '{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"m"}' \
		'{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_LOG"}]}'; do
		edit "/linux/seccomp=$bad"
		rt create --bundle "$BUNDLE" "$ID"
		fails "/linux/seccomp/"
		first=$stderr
		rt create --bundle "$BUNDLE" "$ID"
		fails "/linux/seccomp/"
		eq "$stderr" "$first"
	done
	[ -z "$(ls "$ROOT/@seccomp" 2>/dev/null)" ] || die "kept: $(ls "$ROOT/@seccomp")"
	clean
}
