package seccomp

import specs "github.com/opencontainers/runtime-spec/specs-go"

// arch is what filters must know about an architecture.
type arch struct {
	name specs.Arch
	// audit is its AUDIT_ARCH value, which seccomp_data.arch has. x32 shares
	// that of x86_64.
	audit uint32
	// numbers is its column of the syscall table.
	numbers string
	// base is added to the numbers of the table.
	base      uint32
	is64      bool
	bigEndian bool
	// multiplexed says that socketcall and ipc carry what are syscalls of
	// their own elsewhere (or as well).
	multiplexed bool
}

const (
	x32Bit = 0x40000000

	// The numbers of the multiplexing calls, the same wherever they exist.
	socketcallNr = 102
	ipcNr        = 117
)

// The parts of AUDIT_ARCH values (linux/audit.h, linux/elf-em.h).
const (
	audit64  = 0x80000000
	auditLE  = 0x40000000
	auditN32 = 0x20000000

	em386       = 3
	emM68K      = 4
	emMIPS      = 8
	emPARISC    = 15
	emPPC       = 20
	emPPC64     = 21
	emS390      = 22
	emARM       = 40
	emSH        = 42
	emX86_64    = 62
	emAARCH64   = 183
	emRISCV     = 243
	emLOONGARCH = 258

	auditX86_64 = emX86_64 | audit64 | auditLE
)

// lookupArch finds an architecture by its name in profiles. It is a switch
// rather than a table so that nothing is initialised at start.
func lookupArch(name specs.Arch) (arch, bool) {
	a := arch{name: name}
	switch name {
	case specs.ArchX86:
		a.audit, a.numbers, a.multiplexed = em386|auditLE, numbersX86, true
	case specs.ArchX86_64:
		a.audit, a.numbers = auditX86_64, numbersX86_64
	case specs.ArchX32:
		a.audit, a.numbers, a.base = auditX86_64, numbersX32, x32Bit
	case specs.ArchARM:
		a.audit, a.numbers = emARM|auditLE, numbersARM
	case specs.ArchAARCH64:
		a.audit, a.numbers = emAARCH64|audit64|auditLE, numbersAARCH64
	case specs.ArchLOONGARCH64:
		a.audit, a.numbers = emLOONGARCH|audit64|auditLE, numbersLOONGARCH64
	case specs.ArchM68K:
		a.audit, a.numbers, a.multiplexed = emM68K, numbersM68K, true
	case specs.ArchMIPS:
		a.audit, a.numbers, a.base, a.multiplexed = emMIPS, numbersMIPS, 4000, true
	case specs.ArchMIPSEL:
		a.audit, a.numbers, a.base, a.multiplexed = emMIPS|auditLE, numbersMIPS, 4000, true
	case specs.ArchMIPS64:
		a.audit, a.numbers, a.base = emMIPS|audit64, numbersMIPS64, 5000
	case specs.ArchMIPSEL64:
		a.audit, a.numbers, a.base = emMIPS|audit64|auditLE, numbersMIPS64, 5000
	case specs.ArchMIPS64N32:
		a.audit, a.numbers, a.base = emMIPS|audit64|auditN32, numbersMIPS64N32, 6000
	case specs.ArchMIPSEL64N32:
		a.audit, a.numbers, a.base = emMIPS|audit64|auditN32|auditLE, numbersMIPS64N32, 6000
	case specs.ArchPARISC:
		a.audit, a.numbers = emPARISC, numbersPARISC
	case specs.ArchPARISC64:
		a.audit, a.numbers = emPARISC|audit64, numbersPARISC64
	case specs.ArchPPC:
		a.audit, a.numbers, a.multiplexed = emPPC, numbersPPC, true
	case specs.ArchPPC64:
		a.audit, a.numbers, a.multiplexed = emPPC64|audit64, numbersPPC64, true
	case specs.ArchPPC64LE:
		a.audit, a.numbers, a.multiplexed = emPPC64|audit64|auditLE, numbersPPC64, true
	case specs.ArchRISCV64:
		a.audit, a.numbers = emRISCV|audit64|auditLE, numbersRISCV64
	case specs.ArchS390:
		a.audit, a.numbers, a.multiplexed = emS390, numbersS390, true
	case specs.ArchS390X:
		a.audit, a.numbers, a.multiplexed = emS390|audit64, numbersS390X, true
	case specs.ArchSH:
		a.audit, a.numbers, a.multiplexed = emSH|auditLE, numbersSH, true
	case specs.ArchSHEB:
		a.audit, a.numbers, a.multiplexed = emSH, numbersSH, true
	default:
		return arch{}, false
	}
	a.bigEndian = a.audit&auditLE == 0
	// x32 and n32 pass their arguments in 64-bit registers, but libseccomp
	// compares 32 bits of them: the ABI's values are that wide.
	a.is64 = a.audit&audit64 != 0 && a.audit&auditN32 == 0 && name != specs.ArchX32
	return a, true
}

// number is the syscall number of a row of the table here.
func (a *arch) number(row int) (uint32, bool) {
	n := uint32(a.numbers[3*row]) | uint32(a.numbers[3*row+1])<<8 | uint32(a.numbers[3*row+2])<<16
	return n + a.base, n != noNumber
}

// noNumber in the table stands for a syscall that the architecture lacks.
const noNumber = 0xffffff

// lookupSyscall finds the row of a syscall in the table, -1 if it is unknown.
func lookupSyscall(name string) int {
	lo, hi := 0, len(syscallOffsets)/2-1
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		switch row := syscallName(mid); {
		case row == name:
			return mid
		case row < name:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return -1
}

func syscallName(row int) string {
	return syscallNames[syscallOffset(row):syscallOffset(row+1)]
}

func syscallOffset(row int) int {
	return int(syscallOffsets[2*row]) | int(syscallOffsets[2*row+1])<<8
}

// multiplexedCall returns the multiplexing syscall and its call number for a
// syscall that has one (linux/net.h, linux/ipc.h).
func multiplexedCall(name string) (nr uint32, call uint32) {
	switch name {
	case "socket":
		return socketcallNr, 1
	case "bind":
		return socketcallNr, 2
	case "connect":
		return socketcallNr, 3
	case "listen":
		return socketcallNr, 4
	case "accept":
		return socketcallNr, 5
	case "getsockname":
		return socketcallNr, 6
	case "getpeername":
		return socketcallNr, 7
	case "socketpair":
		return socketcallNr, 8
	case "send":
		return socketcallNr, 9
	case "recv":
		return socketcallNr, 10
	case "sendto":
		return socketcallNr, 11
	case "recvfrom":
		return socketcallNr, 12
	case "shutdown":
		return socketcallNr, 13
	case "setsockopt":
		return socketcallNr, 14
	case "getsockopt":
		return socketcallNr, 15
	case "sendmsg":
		return socketcallNr, 16
	case "recvmsg":
		return socketcallNr, 17
	case "accept4":
		return socketcallNr, 18
	case "recvmmsg":
		return socketcallNr, 19
	case "sendmmsg":
		return socketcallNr, 20
	case "semop":
		return ipcNr, 1
	case "semget":
		return ipcNr, 2
	case "semctl":
		return ipcNr, 3
	case "semtimedop":
		return ipcNr, 4
	case "msgsnd":
		return ipcNr, 11
	case "msgrcv":
		return ipcNr, 12
	case "msgget":
		return ipcNr, 13
	case "msgctl":
		return ipcNr, 14
	case "shmat":
		return ipcNr, 21
	case "shmdt":
		return ipcNr, 22
	case "shmget":
		return ipcNr, 23
	case "shmctl":
		return ipcNr, 24
	}
	return 0, 0
}
