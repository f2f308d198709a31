package bundle

import "testing"

var badAttributes = []badCase{
	one("no policy", "/process/scheduler", `{"nice":1}`, `/process/scheduler/policy: is required`),
	one("unknown policy", "/process/scheduler", `{"policy":"SCHED_EXT"}`,
		`/process/scheduler/policy: "SCHED_EXT": must be one of SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE`),
	one("policy in lower case", "/process/scheduler", `{"policy":"sched_fifo","priority":1}`,
		`/process/scheduler/policy: "sched_fifo": must be one of SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE`),
	one("unknown scheduler flag", "/process/scheduler", `{"policy":"SCHED_OTHER","flags":["SCHED_FLAG_RECLAIM","SCHED_FLAG_X"]}`,
		`/process/scheduler/flags/1: "SCHED_FLAG_X": must be one of SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN, `+
			`SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX`),
	one("too nice", "/process/scheduler", `{"policy":"SCHED_BATCH","nice":20}`, `/process/scheduler/nice: 20: must be from -20 to 19`),
	one("too nasty", "/process/scheduler", `{"policy":"SCHED_BATCH","nice":-21}`, `/process/scheduler/nice: -21: must be from -20 to 19`),
	one("priority of no real-time policy", "/process/scheduler", `{"policy":"SCHED_BATCH","priority":1}`,
		`/process/scheduler/priority: 1: is for SCHED_FIFO and SCHED_RR only`),
	one("no priority", "/process/scheduler", `{"policy":"SCHED_FIFO"}`, `/process/scheduler/priority: 0: must be from 1 to 99 for SCHED_FIFO`),
	one("priority too high", "/process/scheduler", `{"policy":"SCHED_RR","priority":100}`, `/process/scheduler/priority: 100: must be from 1 to 99 for SCHED_RR`),
	{"deadline of another policy", []string{"/process/scheduler", `{"policy":"SCHED_RR","priority":1,"runtime":1,"deadline":2,"period":3}`}, []string{
		`/process/scheduler/runtime: 1: is for SCHED_DEADLINE only`,
		`/process/scheduler/deadline: 2: is for SCHED_DEADLINE only`,
		`/process/scheduler/period: 3: is for SCHED_DEADLINE only`}},
	one("no runtime", "/process/scheduler", `{"policy":"SCHED_DEADLINE","deadline":5000}`,
		`/process/scheduler/runtime: 0: must be at least 1024 ns for SCHED_DEADLINE`),
	one("deadline before the runtime", "/process/scheduler", `{"policy":"SCHED_DEADLINE","runtime":5000,"deadline":4999}`,
		`/process/scheduler/deadline: 4999: must not be below the runtime`),
	one("period before the deadline", "/process/scheduler", `{"policy":"SCHED_DEADLINE","runtime":4000,"deadline":5000,"period":4999}`,
		`/process/scheduler/period: 4999: must not be below the deadline, unless it is 0 for the same`),
	one("period for ever", "/process/scheduler", `{"policy":"SCHED_DEADLINE","runtime":4000,"deadline":5000,"period":9223372036854775808}`,
		`/process/scheduler/deadline: 5000: must be below 2^63 ns, like the period`),
	{"I/O priority of nothing", []string{"/process/ioPriority", `{"priority":8}`}, []string{
		`/process/ioPriority/class: is required`, `/process/ioPriority/priority: 8: must be from 0 to 7`}},
	{"I/O priority unknown", []string{"/process/ioPriority", `{"class":"RT","priority":-1}`}, []string{
		`/process/ioPriority/class: "RT": must be one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE`,
		`/process/ioPriority/priority: -1: must be from 0 to 7`}},
	{"affinity", []string{"/process/execCPUAffinity", `{"initial":"0-","final":"8192"}`}, []string{
		`/process/execCPUAffinity/initial: "0-": must be a list of numbers and ranges, such as 0-3,5`,
		`/process/execCPUAffinity/final: "8192": must have no number above 8191`}},
	{"no domain", []string{"/linux/personality", `{}`}, []string{`/linux/personality/domain: is required`}},
	{"personality", []string{"/linux/personality", `{"domain":"LINUX64","flags":["ADDR_NO_RANDOMIZE"]}`}, []string{
		`/linux/personality/domain: "LINUX64": must be one of LINUX, LINUX32`,
		`/linux/personality/flags/0: "ADDR_NO_RANDOMIZE": unknown flag: the spec has none`}},
	one("no mode", "/linux/memoryPolicy", `{"nodes":"0"}`, `/linux/memoryPolicy/mode: is required`),
	one("unknown mode", "/linux/memoryPolicy", `{"mode":"BIND","nodes":"0"}`,
		`/linux/memoryPolicy/mode: "BIND": must be one of MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY, MPOL_WEIGHTED_INTERLEAVE`),
	one("default with nodes", "/linux/memoryPolicy", `{"mode":"MPOL_DEFAULT","nodes":"0"}`, `/linux/memoryPolicy/nodes: "0": must be empty for MPOL_DEFAULT`),
	one("local with nodes", "/linux/memoryPolicy", `{"mode":"MPOL_LOCAL","nodes":"0"}`, `/linux/memoryPolicy/nodes: "0": must be empty for MPOL_LOCAL`),
	one("bind without nodes", "/linux/memoryPolicy", `{"mode":"MPOL_BIND"}`, `/linux/memoryPolicy/nodes: must not be empty for MPOL_BIND`),
	one("interleave without nodes", "/linux/memoryPolicy", `{"mode":"MPOL_INTERLEAVE","nodes":""}`, `/linux/memoryPolicy/nodes: must not be empty for MPOL_INTERLEAVE`),
	one("weighted without nodes", "/linux/memoryPolicy", `{"mode":"MPOL_WEIGHTED_INTERLEAVE"}`, `/linux/memoryPolicy/nodes: must not be empty for MPOL_WEIGHTED_INTERLEAVE`),
	one("many without nodes", "/linux/memoryPolicy", `{"mode":"MPOL_PREFERRED_MANY"}`, `/linux/memoryPolicy/nodes: must not be empty for MPOL_PREFERRED_MANY`),
	one("list of nodes", "/linux/memoryPolicy", `{"mode":"MPOL_BIND","nodes":"0, 1"}`,
		`/linux/memoryPolicy/nodes: "0, 1": must be a list of numbers and ranges, such as 0-3,5`),
	one("flag of memory", "/linux/memoryPolicy", `{"mode":"MPOL_BIND","nodes":"0","flags":["STATIC"]}`,
		`/linux/memoryPolicy/flags/0: "STATIC": must be one of MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES`),
	one("static and relative", "/linux/memoryPolicy", `{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_STATIC_NODES","MPOL_F_RELATIVE_NODES"]}`,
		`/linux/memoryPolicy/flags: must not have both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES`),
	one("two lines of profile", "/process/apparmorProfile", `"a\nb"`, `/process/apparmorProfile: "a\nb": must not contain a NUL byte or a newline`),
	one("label of two parts", "/process/selinuxLabel", `"a:b"`,
		`/process/selinuxLabel: "a:b": must have the form USER:ROLE:TYPE:LEVEL, such as system_u:system_r:container_t:s0:c1,c2`),
	one("label without type", "/process/selinuxLabel", `"a:b::s0"`,
		`/process/selinuxLabel: "a:b::s0": must have the form USER:ROLE:TYPE:LEVEL, such as system_u:system_r:container_t:s0:c1,c2`),
	one("label with an option", "/linux/mountLabel", `"a:b:c\",mode=777,x=\""`,
		`/linux/mountLabel: "a:b:c\",mode=777,x=\"": must consist of letters, digits and punctuation without quotes`),
	one("label with a space", "/linux/mountLabel", `"a:b:c d"`, `/linux/mountLabel: "a:b:c d": must consist of letters, digits and punctuation without quotes`),
}

func TestGoodAttributes(t *testing.T) {
	for _, set := range [][]string{
		{"/process/scheduler", `{"policy":"SCHED_OTHER","nice":-20}`},
		{"/process/scheduler", `{"policy":"SCHED_FIFO","priority":99,"nice":19,"flags":["SCHED_FLAG_RESET_ON_FORK"]}`},
		{"/process/scheduler", `{"policy":"SCHED_RR","flags":["SCHED_FLAG_KEEP_PARAMS"]}`},
		{"/process/scheduler", `{"policy":"SCHED_ISO"}`},
		{"/process/scheduler", `{"policy":"SCHED_DEADLINE","nice":19,"runtime":1024,"deadline":1024}`},
		{"/process/scheduler", `{"policy":"SCHED_DEADLINE","flags":["SCHED_FLAG_KEEP_PARAMS"]}`},
		{"/process/ioPriority", `{"class":"IOPRIO_CLASS_IDLE","priority":7}`},
		{"/process/execCPUAffinity", `{"initial":"0-3,7","final":""}`},
		{"/linux/personality", `{"domain":"LINUX32","flags":[]}`},
		{"/linux/memoryPolicy", `{"mode":"MPOL_PREFERRED"}`},
		{"/linux/memoryPolicy", `{"mode":"MPOL_PREFERRED","nodes":"1023"}`},
		{"/linux/memoryPolicy", `{"mode":"MPOL_DEFAULT","nodes":""}`},
		{"/process/apparmorProfile", `"docker-default"`},
		{"/process/apparmorProfile", `":ns:profile//&other name"`},
		{"/process/selinuxLabel", `"system_u:system_r:container_t:s0:c1,c2"`, "/linux/mountLabel", `"u:r:t"`},
	} {
		if problems, warnings := problemsOf(t, patched(t, set...)); problems != nil || warnings != nil {
			t.Errorf("%s: problems %q, warnings %q", set, problems, warnings)
		}
	}
}
