#!/usr/bin/env bats
# The operator's settings: where they come from, which wins, and what is said
# of those that make no sense.

load helpers

setup_test() { ours "settings of its own"; }

# plain runs the runtime without --root.
plain() {
	status=0
	N=$((N + 1))
	"$RUNTIME" "$@" >"$T/stdout.$N" 2>"$T/stderr.$N" </dev/null 3>&- 4>&- || status=$?
	slurp output "$T/stdout.$N"
	slurp stderr "$T/stderr.$N"
}

@test "root: flag over environment over file" {
	mkdir state.flag state.env state.file
	printf 'root = "%s"\n' "$T/state.file" >config.toml
	edit
	for where in file env flag; do
		export MESOC_CONFIG=$T/config.toml
		case $where in
		file) plain create --bundle "$BUNDLE" "$ID.$where" ;;
		env) MESOC_ROOT=$T/state.env plain create --bundle "$BUNDLE" "$ID.$where" ;;
		flag) MESOC_ROOT=$T/state.env plain --root "$T/state.flag" create --bundle "$BUNDLE" "$ID.$where" ;;
		esac
		unset MESOC_CONFIG
		ok
		[ -d "$T/state.$where/$ID.$where" ]
	done
}

@test "config: by flag, over the environment's" {
	mkdir state.a
	printf 'root = "%s"\n' "$T/state.a" >a.toml
	printf 'root = "%s"\n' "$T/state.b" >b.toml
	MESOC_CONFIG=$T/b.toml plain --config a.toml create --bundle "$BUNDLE" "$ID"
	ok
	[ -d "$T/state.a/$ID" ]
	[ ! -e "$T/state.b" ]
}

@test "config: one that was named must be there" {
	plain --config "$T/none.toml" list
	fails "$T/none.toml" "no such file or directory"
	MESOC_CONFIG=$T/none.toml plain list
	fails "$T/none.toml" "no such file or directory"
}

@test "cgroups_root and cgroups_leaf: several components, both spellings, made when missing" {
	for flags in "--cgroups-root=$ID/x/y --cgroups-leaf=container" "--cgroups_root $ID/x/y --cgroups_leaf container"; do
		rt $flags create --bundle "$BUNDLE" "$ID.c"
		ok
		pid=$(state /pid "$ID.c")
		eq "$(tail -n 1 "/proc/$pid/cgroup")" "0::/$ID/x/y/$ID.c/container"
		# Later commands need no flags: the record knows.
		rt delete --force "$ID.c"
		ok
		[ ! -e "/sys/fs/cgroup/$ID/x/y/$ID.c" ]
		[ -d "/sys/fs/cgroup/$ID/x/y" ]
		rmdir "/sys/fs/cgroup/$ID/x/y" "/sys/fs/cgroup/$ID/x" "/sys/fs/cgroup/$ID"
	done
	clean
}

@test "a setting that makes no sense: setting, source and value are named" {
	# flag, environment, and file with its line
	plain --cgroups-root ../x list
	fails 'cgroups_root' '"../x"' 'flag --cgroups-root'
	MESOC_CGROUPS_ROOT=a/../b plain list
	fails 'cgroups_root' '"a/../b"' 'environment MESOC_CGROUPS_ROOT'
	printf '# comment\nroot = "%s/x"\ncgroups_leaf = "a/b"\n' "$T" >c.toml
	plain --config c.toml list
	fails 'cgroups_leaf' '"a/b"' 'file c.toml, line 3'
	[ ! -e "$T/x" ]
	while IFS='|' read -r name value; do
		plain "--${name//_/-}" "$value" list
		fails "$name" "\"$value\"" "flag --${name//_/-}"
	done <<-'END'
		cgroups_leaf|..
		cgroups_leaf|
		xfs_project_range|[0-5]
		xfs_project_range|[10-5]
		cgroups_net_cls_primary_handle|0x12345
		cgroups_net_cls_secondary_handles|0x0002,0x0001
		cgroups_net_cls_backend|v3
		container_disk_watch_interval|15x
		default_container_disk_limit|many
		isolation|nonsense
		isolation|disk/du,disk/du
		default_container_dns|{
		effective_capabilities|CAP_FLY
	END
	clean
}

@test "an isolator that is not built is refused, not ignored" {
	for i in namespaces/pid namespaces/ipc filesystem/shared docker/runtime docker/volume \
		linux/capabilities posix/rlimits disk/du disk/xfs cgroups/net_cls network/cni; do
		rt --isolation "$i" create --bundle "$BUNDLE" "$ID"
		fails isolation "isolator $i: not supported yet"
	done
	MESOC_ISOLATION=disk/xfs rt create --bundle "$BUNDLE" "$ID"
	fails isolation MESOC_ISOLATION
	clean
}

@test "config: unknown keys, wrong syntax, keys twice: file and line" {
	printf 'root = "/x"\nfoo = "y"\n' >c.toml
	plain --config c.toml list
	fails "c.toml, line 2" "foo: no such setting"
	printf 'root = \n' >c.toml
	plain --config c.toml list
	fails "c.toml, line 1"
	printf 'debug = false\n\ndebug = true\n' >c.toml
	plain --config c.toml list
	fails "c.toml, line 3" debug
	printf '[debug]\na = 1\n' >c.toml
	plain --config c.toml list
	fails "c.toml, line 1" debug
	printf 'root = 1979-05-27\n' >c.toml
	plain --config c.toml list
	fails "c.toml, line 1" root
}

@test "version, features and help do not care for broken settings" {
	printf 'foo = 1\n' >c.toml
	export MESOC_CONFIG=$T/c.toml MESOC_CGROUPS_ROOT=..
	for c in --version features --help; do
		plain $c
		ok
	done
	unset MESOC_CONFIG MESOC_CGROUPS_ROOT
}

@test "root: below XDG_RUNTIME_DIR when not root" {
	case $(stat -c %A "${RUNTIME%/*}") in *x) ;; *) skip "${RUNTIME%/*} is not open to others" ;; esac
	chmod 755 "$T" "${T%/*}" "${T%/*/*}"
	mkdir -p xdg/mesoc/one
	chmod -R 777 xdg
	XDG_RUNTIME_DIR=$T/xdg run setpriv --reuid 65534 --regid 65534 --clear-groups "$RUNTIME" list
	has "$output" one
}
