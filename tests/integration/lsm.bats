#!/usr/bin/env bats
# Security modules: what confines the container, that it is really in force,
# and what is said where it cannot be.

load helpers

# profile: load an AppArmor profile of this test's own, named $PROFILE.
profile() {
	need apparmor
	PROFILE=mesoc-$ID
	cat >"$T/profile" <<-END
		profile $PROFILE flags=(attach_disconnected,mediate_deleted) {
			file,
			capability,
			network,
			mount,
			umount,
			signal,
			ptrace,
			deny /tmp/denied w,
		}
	END
	apparmor_parser --skip-cache --replace "$T/profile" 2>"$T/profile.err" || die "$(cat "$T/profile.err")"
	undo "apparmor_parser --skip-cache --remove $T/profile"
	confined="$PROFILE (enforce)"
	PROBE='cat /proc/self/attr/current; (echo x >/tmp/denied) 2>&1; echo y >/tmp/allowed; cat /tmp/allowed'
	ROOT_FS='/root/readonly=false'
}

# is_confined EDIT…: the program has the profile's name, and its bounds.
is_confined() {
	in_box "$PROBE" "/process/apparmorProfile:=$PROFILE" "$ROOT_FS" "$@"
	lines "$confined" y
	has "$output" "denied: Permission denied"
}

@test "AppArmor: the program is confined, with and without noNewPrivileges and rights" {
	profile
	is_confined /process/noNewPrivileges=true
	is_confined /process/noNewPrivileges=false
	chmod 1777 "$BASE/tmp"
	rm "$BASE/tmp/allowed"
	is_confined /process/noNewPrivileges=true /process/user/uid=1000 /process/capabilities!
	clean
}

@test "AppArmor: with a system call filter that has no room for init's calls" {
	profile
	for nnp in true false; do
		is_confined /process/noNewPrivileges=$nnp \
			'/linux/seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}'
	done
	clean
}

@test "AppArmor: in a user namespace" {
	profile
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	chown 100000:100000 "$BASE/tmp"
	is_confined '/linux/namespaces+={"type":"user"}' '/linux/uidMappings=[{"containerID":0,"hostID":100000,"size":1000}]' \
		'/linux/gidMappings=[{"containerID":0,"hostID":100000,"size":1000}]'
	clean
}

@test "AppArmor: in joined namespaces" {
	profile
	script 'sleep 1000'
	start_box
	pid=$(state /pid)
	first=$ID
	ID=${ID}b
	is_confined "/linux/namespaces/@pid/path:=/proc/$pid/ns/pid" "/linux/namespaces/@network/path:=/proc/$pid/ns/net"
	ID=$first
}

@test "AppArmor: without a profile nothing is confined" {
	profile
	in_box 'cat /proc/self/attr/current' /process/apparmorProfile:=
	eq "$output" unconfined
	clean
}

@test "AppArmor: a profile that is not loaded is an error that names it" {
	need apparmor
	script true /process/apparmorProfile:=mesoc-is-not-there
	create
	fails "no such file or directory"
	if is_mesoc; then
		fails "create container $ID: set AppArmor profile mesoc-is-not-there [it must be loaded]: no such file or directory"
	fi
	clean
}

# Seen to fail where hooks ask for no label: the hook is unconfined.
@test "AppArmor: a hook of the container's own files is as confined as the container" {
	ours "runc's startContainer hooks are not confined"
	profile
	mkdir "$BASE/hooks"
	printf '#!/bin/sh\n%s\n' "{ $PROBE; } >/tmp/hook" >"$BASE/hooks/start"
	chmod +x "$BASE/hooks/start"
	script true "/process/apparmorProfile:=$PROFILE" "$ROOT_FS" '/hooks/startContainer=[{"path":"/hooks/start"}]'
	start_box
	output=$(cat "$BASE/tmp/hook")
	lines "$confined" y
	has "$output" "denied: Permission denied"
	rt delete --force "$ID"
	ok
	clean
}

# CVE-2019-16884, CVE-2025-52881. Seen to fail where the label is written through
# the /proc of the container's root: the file has it, and the program is unconfined.
@test "AppArmor: a /proc that is not one does not get the label" {
	ours "runc refuses such a bundle"
	profile
	mkdir -p "$BASE/p" "$BASE"/proc/{self,thread-self}/attr/apparmor
	for f in self thread-self; do touch "$BASE/proc/$f/attr/"{exec,current,apparmor/exec}; done
	in_box 'cat /p/self/attr/current; cat /proc/self/attr/exec /proc/self/attr/apparmor/exec /proc/thread-self/attr/exec /proc/thread-self/attr/apparmor/exec' \
		"/process/apparmorProfile:=$PROFILE" /linux/maskedPaths! /linux/readonlyPaths! /mounts/@~1proc! \
		'/mounts+={"destination":"/p","type":"proc","source":"proc"}'
	eq "$output" "$confined"
	clean
}

@test "a label that nobody would enforce is refused" {
	if ! probe_apparmor; then
		script true /process/apparmorProfile:=docker-default
		create
		[ "$status" = 1 ] || die "create: $status"
		has "$stderr" apparmor
		! is_mesoc || fails '/process/apparmorProfile: "docker-default": apparmor profile is specified in config, but apparmor is disabled or not supported'
		clean
		edit /process/apparmorProfile!
	fi
	[ ! -e /sys/fs/selinux/enforce ] || skip "this host has SELinux"
	script true /process/selinuxLabel:=system_u:system_r:container_t:s0:c1,c2
	create
	fails "selinux label is specified in config, but selinux is disabled or not supported"
	if is_mesoc; then
		has "$stderr" '/process/selinuxLabel: "system_u:system_r:container_t:s0:c1,c2": '
		edit /process/selinuxLabel! /linux/mountLabel:=system_u:object_r:container_file_t:s0
		create
		fails '/linux/mountLabel: "system_u:object_r:container_file_t:s0": selinux label is specified in config, but selinux is disabled or not supported'
	fi
	clean
}
