#include "go_asm.h"
#include "textflag.h"

// entry is where the kernel enters the binary. The stack holds argc, the
// pointers of argv, 0, those of envp, 0, and the auxiliary vector.
//
// A stage is run here and now, without a Go runtime. Any other start goes on
// to the runtime's own entry, with GOMAXPROCS=1 and GOGC=off put before the
// environment: a command is over before a second processor or the collector
// pays. A variable that the environment has already is left alone, since the
// runtime takes the first of a name.
//
// Only argc and argv are moved, down by two words to make room, so that envp
// and the auxiliary vector (AT_SECURE, the vDSO) stay what the kernel wrote,
// and the stack stays aligned to 16 bytes.
//
// It is aligned so that it and the interpreter behind it lie in one block of 64 kB,
// which is how much of a file the kernel maps at a fault: a waiting init that is in
// two has 64 kB more.
TEXT ·entry(SB),NOSPLIT|NOFRAME,$0
	PCALIGN	$2048
	MOVQ	0(SP), AX		// argc
	LEAQ	16(SP)(AX*8), BX	// envp
	CMPQ	AX, $2
	JCS	command
	MOVQ	8(SP), SI		// argv[0]: 8 bytes are there, the stack ends with zeros
	MOVQ	$0x6e692d636f73656d, CX	// "mesoc-in"
	CMPQ	CX, (SI)
	JNE	command
	CMPW	8(SI), $0x7469		// "it"
	JNE	command
	CMPB	10(SI), $0
	JNE	command

	// A stage: argv[1] is the number of the descriptor.
	MOVQ	16(SP), SI
	XORL	R8, R8
	CMPB	(SI), $0
	JEQ	noImage

digit:
	MOVBLZX	(SI), CX
	TESTL	CX, CX
	JZ	map
	SUBL	$48, CX
	CMPL	CX, $9
	JHI	noImage
	LEAQ	(R8)(R8*4), R8
	LEAQ	(CX)(R8*2), R8
	ADDQ	$1, SI
	JMP	digit

map:
	MOVQ	$const_imageBase, DI
	MOVQ	$const_imageSize, SI
	MOVL	$const_mapProt, DX
	MOVL	$const_mapFlags, R10
	XORL	R9, R9
	MOVL	$const_sysMmap, AX
	SYSCALL
	MOVQ	$const_imageBase, R12
	CMPQ	AX, R12
	JNE	noImage
	JMP	·interpret(SB)

noImage:
	MOVL	$const_exitNoImage, DI
	MOVL	$const_sysExitGroup, AX
	SYSCALL
	INT	$3
	JMP	noImage

	// A command. Go raises the limit on descriptors for itself: note it down. While the runtime
	// starts there is to be room for three, which it opens where one is closed. It would open three
	// files more, to find out what /sys says of huge pages and, among all the mounts, how much
	// processor time its own cgroup has: it asks for neither here, and goes without.
command:
	XORL	DI, DI
	MOVL	$const_rlimitNofile, SI
	XORL	DX, DX
	LEAQ	github·com∕mesoc∕mesoc∕early∕first·nofile(SB), R10
	MOVL	$const_sysPrlimit64, AX
	SYSCALL
	MOVQ	github·com∕mesoc∕mesoc∕early∕first·nofile+8(SB), CX
	MOVQ	$const_standardFDs, -16(SP)
	MOVQ	CX, -8(SP)
	LEAQ	-16(SP), DX
	XORL	R10, R10
	MOVL	$const_sysPrlimit64, AX
	SYSCALL

	// Go's monitor thread wakes up every 20 us in a program's first moments, which is most of
	// what a command lives: 60 times in a run. Where timers may be late it wakes up a few times.
	MOVL	$const_getTimerslack, DI
	MOVL	$const_sysPrctl, AX
	SYSCALL
	MOVQ	AX, ·timerSlack(SB)
	MOVL	$const_setTimerslack, DI
	MOVL	$const_ampleSlack, SI
	MOVL	$const_sysPrctl, AX
	SYSCALL

	// A command goes through nearly all of its text and through most of its variables. That is a
	// fault for each 64 kB and for each page, unless they are asked for (since Linux 5.14).
	LEAQ	runtime·text(SB), DI
	ANDQ	$~0xfff, DI
	LEAQ	runtime·erodata(SB), SI
	SUBQ	DI, SI
	MOVL	$const_populateRead, DX
	MOVL	$const_sysMadvise, AX
	SYSCALL
	LEAQ	runtime·data(SB), DI
	ANDQ	$~0xfff, DI
	LEAQ	runtime·noptrbss(SB), SI
	SUBQ	DI, SI
	ADDQ	$const_runtimeVariables, SI
	MOVL	$const_populateWrite, DX
	MOVL	$const_sysMadvise, AX
	SYSCALL

	// Which of the two variables does the environment have?
	MOVL	$(const_addedMaxProcs|const_addedGC), R8
	MOVQ	BX, DI
	MOVQ	$0x4f525058414d4f47, DX	// "GOMAXPRO"

variable:
	MOVQ	(DI), SI
	ADDQ	$8, DI
	TESTQ	SI, SI
	JZ	scanned
	MOVL	(SI), CX
	CMPL	CX, $0x43474f47		// "GOGC"
	JEQ	gogc
	CMPQ	(SI), DX
	JNE	variable
	MOVL	8(SI), CX
	ANDL	$0xffffff, CX
	CMPL	CX, $0x3d5343		// "CS="
	JNE	variable
	ANDL	$~const_addedMaxProcs, R8
	JMP	variable

gogc:
	CMPB	4(SI), $0x3d		// "="
	JNE	variable
	ANDL	$~const_addedGC, R8
	JMP	variable

	// Both, one (twice, for the alignment), or none of ours goes before envp.
scanned:
	ORL	$const_wasEntered, R8
	MOVL	R8, ·atEntry(SB)
	LEAQ	maxProcs<>(SB), CX
	LEAQ	gcOff<>(SB), DX
	TESTL	$const_addedMaxProcs, R8
	CMOVQEQ	DX, CX
	TESTL	$const_addedGC, R8
	CMOVQEQ	CX, DX
	TESTL	$(const_addedMaxProcs|const_addedGC), R8
	JZ	start
	MOVQ	SP, SI
	LEAQ	-16(SP), DI
	MOVQ	DI, SP

move:
	MOVQ	(SI), R9
	MOVQ	R9, (DI)
	ADDQ	$8, SI
	ADDQ	$8, DI
	CMPQ	SI, BX
	JNE	move
	MOVQ	CX, -16(BX)
	MOVQ	DX, -8(BX)

start:
	JMP	_rt0_amd64_linux(SB)

// func entryAddress() uintptr
TEXT ·entryAddress(SB),NOSPLIT,$0-8
	LEAQ	·entry(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

DATA maxProcs<>+0(SB)/8, $"GOMAXPRO"
DATA maxProcs<>+8(SB)/8, $"CS=1\x00\x00\x00\x00"
GLOBL maxProcs<>(SB), RODATA|NOPTR, $16

DATA gcOff<>+0(SB)/8, $"GOGC=off"
DATA gcOff<>+8(SB)/8, $"\x00\x00\x00\x00\x00\x00\x00\x00"
GLOBL gcOff<>(SB), RODATA|NOPTR, $16
