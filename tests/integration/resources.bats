#!/usr/bin/env bats
# Requests and limits: the isolators cgroups/cpu and cgroups/mem, and the
# annotation io.mesoc.resources. Mesos' formulas are written out here once
# more, by hand; the table of all cases is in Go.

load helpers

setup_test() {
	ours "Mesos' requests and limits"
	script 'echo up; sleep 1000'
	KEY=io.mesoc.resources
}

# box ISOLATION RESOURCES [FLAG…]: create; without resources no annotation.
box() {
	local isolation=$1 resources=$2
	shift 2
	rt ${isolation:+--isolation "$isolation"} create --bundle "$BUNDLE" ${resources:+--annotation "$KEY=$resources"} "$@" "$ID"
}

update() { rt update --annotation "$KEY=$1" "${@:2}" "$ID"; }

# both FILE VALUE…: in the container's cgroup and mirrored in the leaf.
both() {
	while [ $# -gt 0 ]; do
		eq "$(cat "$(cgroup)/$1")" "$2" "$1"
		eq "$(cat "$(leaf)/$1")" "$2" "$1 of the leaf"
		shift 2
	done
}

asked() { state "/annotations/io.mesoc.resources"; }

@test "isolation: on record as it was at create, in the order of preparation" {
	box cgroups/mem,cgroups/cpu ''
	ok
	eq "$(state /mesoc/isolation/0),$(state /mesoc/isolation/1)" cgroups/cpu,cgroups/mem
	rt list --format json
	ok
	eq "$("$RIG" get "$out_file" /0/mesoc/isolation/1)" cgroups/mem
	# What is enabled later does not matter.
	rt --isolation cgroups/all state "$ID"
	ok
	eq "$("$RIG" get "$out_file" /mesoc/isolation/0)" cgroups/cpu
	rt delete --force "$ID"
	ok
	clean
	box cgroups/all ''
	ok
	eq "$(state /mesoc/isolation/0)" cgroups/all
	rt delete --force "$ID"
	box '' ''
	ok
	rt state "$ID"
	ok
	hasnt "$output" isolation
	# Without the annotation an isolator that is enabled changes nothing.
	matches "$(cd "$(cgroup)" && cat cpu.weight cpu.max memory.low memory.max 2>/dev/null | paste -sd ' ')" '^(100 max 100000 0 max)?$'
}

@test "an annotation that nobody would hear is refused, with the isolator to enable" {
	while IFS='|' read -r isolation resources what; do
		box "$isolation" "$resources"
		fails "/annotations/$KEY" "no isolator that is enabled obeys $what"
	done <<-'END'
		|{"requests":{"cpus":1}}|it [set isolation to cgroups/cpu or cgroups/mem or cgroups/all]
		cgroups/mem|{"requests":{"cpus":1,"mem":"64MB"}}|its cpus [set isolation to cgroups/cpu or cgroups/all]
		cgroups/cpu|{"requests":{"cpus":1},"limits":{"mem":"inf"}}|its mem [set isolation to cgroups/mem or cgroups/all]
	END
	edit "/annotations={\"$KEY\":\"{\\\"requests\\\":{\\\"cpus\\\":1}}\"}"
	rt validate --bundle "$BUNDLE"
	fails "1 problem"
	has "$output" "/annotations/$KEY"
	MESOC_ISOLATION=cgroups/cpu rt validate --bundle "$BUNDLE"
	ok
	clean
}

@test "a value that makes no sense is refused, by its key" {
	while IFS='|' read -r resources what; do
		box cgroups/all "$resources"
		fails "/annotations/$KEY" "$what"
	done <<-'END'
		{"requests":{"cpus":NaN}}|must be JSON
		{"requests":{"cpus":-1}}|"requests": "cpus": must not be negative
		{"requests":{"cpus":"inf"}}|"requests": "cpus": must be a number of processors
		{"requests":{"mem":64}}|"requests": "mem": must be a size like 512MB or 10GiB
		{"limits":{"mem":"64 MB"}}|"limits": "mem": must be a size like 512MB or 10GiB, or "inf"
		{"requests":{"mem":"8388608TiB"}}|must be less than 8388608TiB
		{"requests":{"gpus":1}}|"gpus": unknown
		{"requests":{"mem":"64MB"},"limits":{"mem":"32MB"}}|must not be less than the request
		{}|must ask for something
	END
	rt --isolation cgroups/cpu,cgroups/cpu list
	fails 'set isolation to "cgroups/cpu,cgroups/cpu" (flag --isolation): isolator cgroups/cpu is named twice'
	clean
}

@test "config.json must not say the same as the annotation, not even the same value" {
	while IFS='|' read -r linux file field owner; do
		script 'sleep 1000' "/linux/resources=$linux"
		box cgroups/all '{"limits":{"cpus":"inf","mem":"inf"}}'
		fails "set $file: both config.json ($field) and $owner ($KEY) do"
		clean
	done <<-'END'
		{"cpu":{"quota":50000}}|cpu.max|/linux/resources/cpu/quota|cgroups/cpu
		{"cpu":{"period":50000}}|cpu.max|/linux/resources/cpu/period|cgroups/cpu
		{"memory":{"limit":-1}}|memory.max|/linux/resources/memory/limit|cgroups/mem
		{"unified":{"memory.max":"max"}}|memory.max|/linux/resources/unified/memory.max|cgroups/mem
	END
	script 'sleep 1000' '/linux/resources={"cpu":{"shares":1024}}'
	box cgroups/all '{"requests":{"cpus":1}}'
	fails "set cpu.weight: both config.json (/linux/resources/cpu/shares) and cgroups/cpu ($KEY) do"
	clean
}

@test "update: only what can change, only by who was there at create, and the record says so" {
	box cgroups/all '{"limits":{"cpus":"inf","mem":"inf"}}' --annotation other=1
	ok
	update '{"limits":{"cpus":"inf"}}'
	ok
	eq "$(asked)" '{"limits":{"cpus":"inf"}}'
	eq "$(state /annotations/other)" 1
	for a in other=2 io.mesoc.parent=x io.mesoc.nonsense=x; do
		update '{"limits":{"mem":"inf"}}' --annotation "$a"
		fails "update container $ID: " "/annotations/${a%=*}: cannot change while the container lives"
	done
	update '{"limits":{"mem":"much"}}'
	fails "/annotations/$KEY" "must be a size"
	update '{"limits":{"cpus":"inf"}}' --cpu-quota 50000
	fails "set cpu.max: both the flags (/linux/resources/cpu/quota) and cgroups/cpu ($KEY) do"
	# Also when the annotation does not change: it would not be true any more.
	rt update --cpu-quota 50000 "$ID"
	fails "set cpu.max: both the flags"
	rt update --annotation nonsense "$ID"
	fails 'read --annotation "nonsense": must be KEY=VALUE'
	eq "$(asked)" '{"limits":{"cpus":"inf"}}'
	eq "$(state /annotations/other)" 1
	# The kernel refuses the second of two: the first and the record come back.
	printf '{"unified":{"cgroup.max.depth":"9","cgroup.max.descendants":"x"}}' >r.json
	update '{"limits":{"mem":"inf"}}' --resources r.json
	fails "set cgroup.max.descendants to x"
	both cgroup.max.depth max
	eq "$(asked)" '{"limits":{"cpus":"inf"}}'
	rt delete --force "$ID"
	ok

	box cgroups/cpu ''
	ok
	MESOC_ISOLATION=cgroups/all update '{"limits":{"mem":"inf"}}'
	fails "/annotations/$KEY" "obeys its mem"
	update '{"limits":{"cpus":"inf"}}'
	ok
	eq "$(asked)" '{"limits":{"cpus":"inf"}}'
}

@test "requests and limits become weight, quota, low and max" {
	need controller:memory controller:cpu
	box cgroups/all '{"requests":{"cpus":0.5,"mem":"64MB"},"limits":{"cpus":1,"mem":"inf"}}'
	ok
	both cpu.weight 50 cpu.max "100000 100000" memory.low 67108864 memory.max max
	rt stats --format json "$ID"
	ok
	eq "$("$RIG" get "$out_file" /statistics/cpus_soft_limit /statistics/cpus_limit /statistics/mem_soft_limit_bytes)" $'0.5\n1\n67108864'
	rt start "$ID"
	ok
	rt delete --force "$ID"
	ok
	# The floors, and the kernel's ends where Mesos would be refused.
	box cgroups/cpu,cgroups/mem '{"requests":{"cpus":0.001,"mem":"1MB"},"limits":{"cpus":1}}'
	ok
	both cpu.weight 1 memory.low 33554432 memory.max 33554432
	# Only as long as it has nothing to do: to make and to end it would take a minute.
	update '{"requests":{"cpus":0.001,"mem":"1MB"},"limits":{"cpus":0.001}}'
	ok
	both cpu.weight 1 cpu.max "1000 100000"
	update '{"requests":{"cpus":0.001,"mem":"1MB"},"limits":{"cpus":1}}'
	ok
	rt delete --force "$ID"
	ok
	box cgroups/all '{"requests":{"cpus":1000,"mem":"1GiB"},"limits":{"cpus":1e300,"mem":"8000000TiB"}}'
	ok
	both cpu.weight 10000 cpu.max "17592186044415 100000" memory.low 1073741824
	rt delete --force "$ID"
	ok
	# A limit alone, a request alone; run as create.
	script 'cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu.weight' "$(mount_edit /sys/fs/cgroup cgroup cgroup ro)"
	rt --isolation cgroups/all run --bundle "$BUNDLE" --annotation "$KEY={\"limits\":{\"cpus\":2.5}}" "$ID"
	ok
	eq "$output" $'250000 100000\n100'
	rt --isolation cgroups/all run --bundle "$BUNDLE" --annotation "$KEY={\"requests\":{\"cpus\":2.5}}" "$ID"
	ok
	eq "$output" $'max 100000\n250'
}

@test "update: the weight goes both ways, memory.max only up, and what is given up is the kernel's again" {
	need controller:memory controller:cpu controller:cpuset
	box cgroups/all '{"requests":{"cpus":0.5,"mem":"64MB"},"limits":{"cpus":1,"mem":"128MB"}}'
	ok
	rt start "$ID"
	ok
	update '{"requests":{"cpus":0.2,"mem":"96MB"},"limits":{"cpus":2,"mem":"256MB"}}'
	ok
	eq "$stderr" ""
	both cpu.weight 20 cpu.max "200000 100000" memory.low 100663296 memory.max 268435456
	update '{"requests":{"cpus":0.3,"mem":"32MB"},"limits":{"mem":"64MB"}}'
	ok
	has "$stderr" "memory.max stays 268435456 and does not become 67108864"
	both cpu.weight 30 cpu.max "max 100000" memory.low 33554432 memory.max 268435456
	# All or nothing, with a flag that the kernel refuses, and the record too.
	before=$(asked)
	update '{"requests":{"cpus":4},"limits":{"cpus":4}}' --cpuset-cpus 4000
	fails "set cpuset.cpus to 4000"
	both cpu.weight 30 cpu.max "max 100000" memory.low 33554432 memory.max 268435456
	eq "$(asked)" "$before"
	# Others' limits are theirs.
	rt update --cpuset-cpus 0 "$ID"
	ok
	rt update --memory 64m "$ID"
	fails "set memory.max: both the flags (/linux/resources/memory/limit) and cgroups/mem ($KEY) do"
	update '{"requests":{"cpus":1}}'
	ok
	both cpu.weight 100 cpu.max "max 100000" memory.low 0 memory.max max cpuset.cpus 0
	# The first request of a container that lives does not take memory away.
	update '{"requests":{"mem":"64MB"}}'
	ok
	has "$stderr" "memory.max stays max"
	both cpu.weight 100 memory.low 67108864 memory.max max
}

# shares ID PARENT RESOURCES: a container that runs and shares its parent's cgroups.
shares() { rt --isolation cgroups/all run --detach --bundle "$BUNDLE" --parent "$2" --share-cgroups --annotation "$KEY=$3" "$1"; }

@test "shared cgroups: who adds to limits adds to somebody's" {
	box cgroups/cpu '{"limits":{"cpus":"inf"}}'
	ok
	rt start "$ID"
	shares "$ID.c" "$ID" '{"limits":{"mem":"inf"}}'
	fails "share the limits of container $ID: " "obeys its mem"
	[ ! -e "$ROOT/$ID.c" ]
	shares "$ID.c" "$ID" '{"limits":{"cpus":"inf"}}'
	ok
	eq "$(state /mesoc/isolation/0 "$ID.c")" cgroups/all
	rt update --annotation "$KEY={\"limits\":{\"cpus\":\"inf\"}}" "$ID.c"
	fails "it shares the cgroups of container $ID"
	update '{"limits":{"cpus":"inf"}}'
	ok
	rt delete --force "$ID"
	ok
	box cgroups/all '{"limits":{"mem":"inf"}}'
	ok
	rt start "$ID"
	shares "$ID.c" "$ID" '{"requests":{"cpus":1}}'
	fails "share the limits of container $ID: it asks for no cpus itself"
	[ ! -e "$ROOT/$ID.c" ]
	update '{"limits":{"mem":"inf","cpus":"inf"}}'
	ok
	shares "$ID.c" "$ID" '{"limits":{"cpus":"inf"}}'
	ok
	shares "$ID.d" "$ID.c" '{"limits":{"mem":"inf"}}'
	ok
	update '{"limits":{"mem":"inf"}}'
	fails "it asks for no cpus itself to which those of others could be added"
	eq "$(asked)" '{"limits":{"mem":"inf","cpus":"inf"}}'
	rt delete --force "$ID.d"
	ok
	update '{"limits":{"cpus":"inf"}}'
	ok
}

@test "shared cgroups: the limits are those of the sum" {
	need controller:memory controller:cpu
	box cgroups/all '{"requests":{"cpus":0.5,"mem":"64MB"}}'
	ok
	rt start "$ID"
	shares "$ID.c" "$ID" '{"requests":{"cpus":0.25,"mem":"32MB"},"limits":{"cpus":1}}'
	ok
	# Who has no limit counts with his request.
	both cpu.weight 75 cpu.max "150000 100000" memory.low 100663296 memory.max 100663296
	# One that shares with one that shares, and one that does not.
	shares "$ID.d" "$ID.c" '{"requests":{"mem":"1MB"},"limits":{"mem":"inf"}}'
	ok
	rt --isolation cgroups/all run --detach --bundle "$BUNDLE" --parent "$ID" --annotation "$KEY={\"requests\":{\"cpus\":3}}" "$ID.e"
	ok
	eq "$(cat "$(cgroup)/mesos/$ID.e/cpu.weight")" 300
	both cpu.weight 75 cpu.max "150000 100000" memory.low 101711872 memory.max max
	update '{"requests":{"cpus":1,"mem":"64MB"}}'
	ok
	both cpu.weight 125 cpu.max "200000 100000" memory.low 101711872 memory.max max
	rt stats --format json "$ID"
	ok
	eq "$("$RIG" get "$out_file" /statistics/cpus_soft_limit)" 1.25
	# A create that fails takes back what it has added, a deletion too; memory.max stays.
	edit '/process/args=["/no/such/program"]'
	shares "$ID.f" "$ID" '{"requests":{"cpus":7,"mem":"1GiB"}}'
	fails /no/such/program
	both cpu.weight 125 memory.low 101711872
	rt delete --force "$ID.c" # and with it $ID.d
	ok
	both cpu.weight 100 cpu.max "max 100000" memory.low 67108864 memory.max max
}
