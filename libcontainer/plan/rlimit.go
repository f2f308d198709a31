package plan

// rlimitNames are the resources of setrlimit(2); the index is the resource's
// number, which is the same on every architecture that Go runs on but MIPS.
var rlimitNames = [...]string{
	"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK",
	"RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE",
	"RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING",
	"RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
}

// RlimitByName is the number of a resource of setrlimit(2) by its name ("RLIMIT_CPU").
func RlimitByName(name string) (resource int, known bool) {
	for i := range rlimitNames {
		if rlimitNames[i] == name {
			return i, true
		}
	}
	return 0, false
}

// RlimitNames are the names of all resources in the order of their numbers.
func RlimitNames() []string {
	return append([]string(nil), rlimitNames[:]...)
}
