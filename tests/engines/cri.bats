#!/usr/bin/env bats
# What a kubelet asks of containerd's CRI plugin. Requests are those of Kubernetes' own definition, in
# JSON; tests/engines/cri sends them.

load helpers

# get POINTER: of the last answer.
get() { "$RIG" get "$T/stdout.$N" "$1"; }

# pod [JSON of LinuxPodSandboxConfig's security context [more of the config]]: sets POD, and SANDBOX for
# container. Its network is the host's unless something is said.
pod() {
	local security=${1-'"namespace_options":{"network":"NODE","pid":"CONTAINER"}'}
	SANDBOX='{"metadata":{"name":"'$ID'","uid":"'$ID.$N'","namespace":"default"},"log_directory":"'$T'/logs","linux":{"cgroup_parent":"'$PARENT'","security_context":{'$security'}}'${2:+,$2}'}'
	mkdir -p logs
	e RunPodSandbox '{"config":'"$SANDBOX"'}'
	ok
	POD=$(get /podSandboxId)
}

# container NAME 'COMMAND in sh' [JSON of LinuxContainerConfig] [more of the config]: sets BOX; not started.
container() {
	local command=${2//\\/\\\\}
	command=${command//\"/\\\"}
	e CreateContainer '{"pod_sandbox_id":"'"$POD"'","sandbox_config":'"$SANDBOX"',"config":{
		"metadata":{"name":"'"$1"'"},"image":{"image":"docker.io/library/box:latest"},
		"command":["/bin/sh","-c","'"$command"'"],"log_path":"'"$1"'.log","linux":{'"${3-}"'}'"${4:+,$4}"'}}'
	ok
	BOX=$(get /containerId)
}

start() {
	e StartContainer '{"container_id":"'"$BOX"'"}'
	ok
}

# state_is STATE: of the container.
state_is() {
	e ContainerStatus '{"container_id":"'"$BOX"'"}'
	[ "$(get /status/state)" = "CONTAINER_$1" ]
}

# ended CODE: it has exited so.
ended() {
	eventually state_is EXITED
	eq "$(get /status/exitCode)" "$1"
}

# in_box COMMAND: by ExecSync; sets output, stderr and CODE.
in_box() {
	local command=${1//\\/\\\\}
	command=${command//\"/\\\"}
	e ExecSync '{"container_id":"'"$BOX"'","cmd":["/bin/sh","-c","'"$command"'"],"timeout":'"${2:-10}"'}'
	ok
	CODE=$(get /exitCode)
	stderr=$(get /stderr | base64 -d)
	output=$(get /stdout | base64 -d)
}

# log NAME: what the container has printed, without the log's own fields.
log() { cut -d ' ' -f 4- "logs/$1.log"; }

@test "a pod: run, status, stop, remove" {
	pod
	e PodSandboxStatus '{"pod_sandbox_id":"'"$POD"'"}'
	eq "$(get /status/state)" SANDBOX_READY
	e ListPodSandbox
	has "$output" "$POD"
	e StopPodSandbox '{"pod_sandbox_id":"'"$POD"'"}'
	ok
	e PodSandboxStatus '{"pod_sandbox_id":"'"$POD"'"}'
	eq "$(get /status/state)" SANDBOX_NOTREADY
	e RemovePodSandbox '{"pod_sandbox_id":"'"$POD"'"}'
	ok
	[ -z "$(find /sys/fs/cgroup -mindepth 1 -type d -path "*$PARENT/*")" ]
}

@test "a container: create, start, log, exit code" {
	pod
	container c 'echo out; echo err >&2; exit 7'
	state_is CREATED
	start
	ended 7
	eq "$(log c | sort)" $'err\nout'
	eq "$(get /status/reason)" Error
	e RemoveContainer '{"container_id":"'"$BOX"'"}'
	ok
	container d 'exit 0'
	start
	ended 0
	eq "$(get /status/reason)" Completed
}

@test "stop: in time, and killed after it" {
	pod
	container c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'
	start
	eventually grep -q ready logs/c.log
	e StopContainer '{"container_id":"'"$BOX"'","timeout":10}'
	ok
	ended 5
	container d 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
	start
	eventually grep -q ready logs/d.log
	e StopContainer '{"container_id":"'"$BOX"'","timeout":1}'
	ok
	ended 137
}

@test "exec: output, exit code, a program that is not there, too long" {
	pod
	container c 'sleep 4321'
	start
	in_box 'echo out; echo err >&2; exit 3'
	eq "$CODE $output $stderr" "3 out err"
	e ExecSync '{"container_id":"'"$BOX"'","cmd":["/not/there"],"timeout":10}'
	[ "$status" -ne 0 ]
	has "$stderr" "no such file or directory"
	e ExecSync '{"container_id":"'"$BOX"'","cmd":["sleep","4322"],"timeout":1}'
	[ "$status" -ne 0 ]
	matches "$stderr" 'timeout|[Dd]eadline'
	eventually not pgrep -f 'sleep 4[3]22'
	in_box true
	eq "$CODE" 0
}

@test "programs that cannot be" {
	pod
	e CreateContainer '{"pod_sandbox_id":"'"$POD"'","sandbox_config":'"$SANDBOX"',"config":{"metadata":{"name":"m"},
		"image":{"image":"docker.io/library/box:latest"},"command":["/not/there"],"log_path":"m.log","linux":{}}}'
	ok
	BOX=$(get /containerId)
	e StartContainer '{"container_id":"'"$BOX"'"}'
	[ "$status" -ne 0 ]
	has "$stderr" /not/there
	has "$stderr" "no such file or directory"
	ended 128
	eq "$(get /status/reason)" StartError
}

@test "a runtime that nobody has configured" {
	e RunPodSandbox '{"runtime_handler":"unheard-of","config":{"metadata":{"name":"x","uid":"x","namespace":"x"},"linux":{"cgroup_parent":"'"$PARENT"'"}}}'
	[ "$status" -ne 0 ]
	has "$stderr" unheard-of
}

@test "the runtime by its name, as a RuntimeClass has it" {
	local handler
	handler=$(sed -n 's/^handler: //p' "$REPO/contrib/kubernetes/runtimeclass.yaml")
	is_mesoc || handler=$RUNTIME_NAME
	e RunPodSandbox '{"runtime_handler":"'"$handler"'","config":{"metadata":{"name":"x","uid":"x","namespace":"x"},"linux":{"cgroup_parent":"'"$PARENT"'","security_context":{"namespace_options":{"network":"NODE"}}}}}'
	ok
	POD=$(get /podSandboxId)
	e PodSandboxStatus '{"pod_sandbox_id":"'"$POD"'"}'
	eq "$(get /status/runtimeHandler)" "$handler"
}

@test "namespaces: of the pod, of the container, of the host" {
	local own='"security_context":{"namespace_options":{"network":"NODE","pid":"CONTAINER"}}'
	local links='for n in ipc net pid; do readlink /proc/self/ns/$n; done'
	pod
	container c 'sleep 4321' "$own"
	start
	in_box "$links"
	local first=$output
	eq "$(sed -n 2p <<<"$first")" "$(readlink /proc/self/ns/net)"
	container d 'sleep 4321' "$own"
	start
	in_box "$links"
	eq "$(head -n 2 <<<"$output")" "$(head -n 2 <<<"$first")"
	[ "$(sed -n 3p <<<"$output")" != "$(sed -n 3p <<<"$first")" ]
	pod '"namespace_options":{"network":"NODE","pid":"POD"}'
	container e 'sleep 4321' '"security_context":{"namespace_options":{"network":"NODE","pid":"POD"}}'
	start
	in_box 'tr "\0" " " </proc/1/cmdline; tr "\0" " " </proc/self/cmdline'
	has "$output" "sleep 4321 "
	pod '"namespace_options":{"network":"NODE","pid":"NODE","ipc":"NODE"}'
	container f 'sleep 4321' '"security_context":{"namespace_options":{"network":"NODE","pid":"NODE","ipc":"NODE"}}'
	start
	in_box "$links"
	eq "$output" "$(readlink /proc/self/ns/{ipc,net,pid})"
}

@test "network: an address of the pod's, a port of the host's" {
	pod '"namespace_options":{"network":"POD"}' '"hostname":"there","port_mappings":[{"container_port":80,"host_port":8083,"protocol":"TCP"}],"dns_config":{"servers":["10.0.0.9"]}'
	e PodSandboxStatus '{"pod_sandbox_id":"'"$POD"'"}'
	local address
	address=$(get /status/network/ip)
	matches "$address" '^10\.77\.'
	container c 'busybox httpd -f -p 80 -h /etc'
	start
	served() { exec 5<>"/dev/tcp/$1" && printf 'GET /group HTTP/1.0\r\n\r\n' >&5 && grep -q user:x:1000 <&5; } 2>/dev/null
	eventually served "$address/80"
	in_box 'uname -n; cat /etc/resolv.conf; busybox ip -4 addr show eth0'
	has "$output" there
	has "$output" "nameserver 10.0.0.9"
	has "$output" "$address"
	container d 'uname -n'
	start
	ended 0
	eq "$(log d)" there
}

@test "user, groups, capabilities, no new privileges, read-only root" {
	pod
	container c 'id -u; id -g; id -G; grep -E "CapBnd|NoNew" /proc/self/status; touch /x' \
		'"security_context":{"run_as_user":{"value":1000},"run_as_group":{"value":1000},"supplemental_groups":[50],"no_new_privs":true,
		"readonly_rootfs":true,"capabilities":{"drop_capabilities":["ALL"],"add_capabilities":["CHOWN"]}}'
	start
	ended 1
	eq "$(log c | head -n 5)" $'1000\n1000\n1000 50\nCapBnd:\t0000000000000001\nNoNewPrivs:\t1'
	has "$(log c)" "Read-only file system"
}

@test "seccomp: the default, none" {
	pod
	container c 'grep Seccomp: /proc/self/status; unshare -m true' '"security_context":{"seccomp":{"profile_type":"RuntimeDefault"}}'
	start
	ended 1
	eq "$(log c | head -n 1)" "Seccomp:	2"
	container d 'grep Seccomp: /proc/self/status' '"security_context":{"seccomp":{"profile_type":"Unconfined"}}'
	start
	ended 0
	eq "$(log d)" "Seccomp:	0"
}

@test "privileged" {
	need sys_resource
	pod '"namespace_options":{"network":"NODE"},"privileged":true'
	container c 'mount -t tmpfs t /tmp && echo mounted; [ -c /dev/kmsg ] && echo devices' '"security_context":{"privileged":true}'
	start
	ended 0
	eq "$(log c)" $'mounted\ndevices'
}

@test "masked and read-only paths" {
	pod
	container c 'ls /sys/firmware | wc -l; echo 1 >/proc/sys/kernel/randomize_va_space' \
		'"security_context":{"masked_paths":["/sys/firmware"],"readonly_paths":["/proc/sys"]}'
	start
	ended 1
	eq "$(log c | head -n 1)" 0
	has "$(log c)" "Read-only file system"
}

@test "mounts, environment, directory" {
	mkdir host
	echo from-host >host/file
	pod
	container c 'cat /h/file; echo $A; pwd; touch /h/x; touch /w/made' '' \
		'"mounts":[{"container_path":"/h","host_path":"'"$T"'/host","readonly":true},{"container_path":"/w","host_path":"'"$T"'"}],
		"envs":[{"key":"A","value":"Yg=="}],"working_dir":"/tmp"'
	start
	ended 0
	eq "$(log c | grep -v touch)" $'from-host\nb\n/tmp'
	has "$(log c)" "/h/x: Read-only file system"
	[ -e made ]
}

@test "mounts: what is mounted later" {
	mkdir host
	mount -t tmpfs host host
	undo "umount -R $T/host"
	mount --make-shared host
	pod
	container c 'sleep 4321' '' '"mounts":[{"container_path":"/h","host_path":"'"$T"'/host","propagation":"PROPAGATION_HOST_TO_CONTAINER"}]'
	start
	mkdir host/later
	mount -t tmpfs later host/later
	echo seen >host/later/file
	in_box 'cat /h/later/file'
	eq "$output" seen
}

@test "devices" {
	pod
	container c 'echo x >/dev/thing && echo opened; : </dev/thing' '' \
		'"devices":[{"container_path":"/dev/thing","host_path":"/dev/kmsg","permissions":"w"}]'
	start
	eventually state_is EXITED
	[ "$(get /status/exitCode)" -ne 0 ]
	has "$(log c)" opened
	has "$(log c)" "Operation not permitted"
}

@test "sysctls of a pod" {
	e RunPodSandbox '{"config":{"metadata":{"name":"s","uid":"s","namespace":"s"},"linux":{"cgroup_parent":"'"$PARENT"'","sysctls":{"kernel.shm_rmid_forced":"1","net.ipv4.ip_forward":"1"}}}}'
	ok
	POD=$(get /podSandboxId)
	SANDBOX='{"metadata":{"name":"s","uid":"s","namespace":"s"},"log_directory":"'$T'"}'
	mkdir -p logs
	container c 'cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_forward; sleep 4321'
	start
	in_box 'cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_forward'
	eq "$output" $'1\n1'
}

@test "a pod is removed with what runs in it" {
	pod
	container c 'sleep 4324'
	start
	container d 'sleep 4324'
	start
	e StopPodSandbox '{"pod_sandbox_id":"'"$POD"'"}'
	ok
	e RemovePodSandbox '{"pod_sandbox_id":"'"$POD"'"}'
	ok
	not pgrep -f 'sleep 4[3]24'
	e ListContainers
	hasnt "$output" "$POD"
}

@test "ten pods at once" {
	local i pids=()
	for i in {1..10}; do
		(
			ID=$ID.$i T=$T/$i
			mkdir "$T" && cd "$T"
			pod
			container c 'sleep 4321'
			start
		) &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	e ListContainers '{"filter":{"state":{"state":"CONTAINER_RUNNING"}}}'
	eq "$(grep -o '"podSandboxId"' <<<"$output" | wc -l)" 10
}

@test "the daemon is killed and starts again: pods live" {
	local pid
	pod
	container c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
	start
	pid=$(<"$HOME_OF/daemon")
	kill -KILL "$pid"
	eventually dead "$pid"
	run_containerd
	eventually state_is RUNNING
	in_box 'echo still'
	eq "$output" still
	e StopContainer '{"container_id":"'"$BOX"'","timeout":10}'
	ok
	ended 5
}

@test "statistics" {
	need controller:memory controller:cpu
	pod
	# A program that only sleeps can have all its memory in files that are not in use.
	container c 'head -c 4000000 /dev/zero >/dev/shm/held; : >/ready; sleep 4321'
	start
	in_box 'until [ -e /ready ]; do sleep 0.1; done'
	e ContainerStats '{"container_id":"'"$BOX"'"}'
	ok
	[ "$(get /stats/cpu/usageCoreNanoSeconds/value)" -gt 0 ]
	[ "$(get /stats/memory/workingSetBytes/value)" -ge 4000000 ]
	e ListContainerStats
	has "$output" "$BOX"
}

@test "limits, and an update of them" {
	need controller:memory controller:cpu controller:cpuset
	pod
	container c 'sleep 4321' '"resources":{"cpu_period":100000,"cpu_quota":50000,"cpu_shares":512,"memory_limit_in_bytes":33554432,"cpuset_cpus":"0"}'
	start
	in_box 'cd /sys/fs/cgroup; cat memory.max cpu.max cpuset.cpus.effective'
	eq "$output" $'33554432\n50000 100000\n0'
	e UpdateContainerResources '{"container_id":"'"$BOX"'","linux":{"cpu_period":100000,"cpu_quota":25000,"memory_limit_in_bytes":50331648}}'
	ok
	in_box 'cd /sys/fs/cgroup; cat memory.max cpu.max'
	eq "$output" $'50331648\n25000 100000'
	e ContainerStats '{"container_id":"'"$BOX"'"}'
	[ "$(get /stats/memory/availableBytes/value)" -lt 50331648 ]
}

@test "out of memory" {
	need controller:memory
	pod
	# The first process is what is killed: a kubelet wants to hear of that.
	container c 'exec tail /dev/zero' '"resources":{"memory_limit_in_bytes":16777216}'
	start
	ended 137
	eventually eval 'state_is EXITED && [ "$(get /status/reason)" = OOMKilled ]'
}
