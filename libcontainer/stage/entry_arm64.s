#include "go_asm.h"
#include "textflag.h"

// entry is where the kernel enters the binary. What it does and why is told
// in entry_amd64.s; this is the same.
TEXT ·entry(SB),NOSPLIT|NOFRAME,$0
	PCALIGN	$2048
	MOVD	0(RSP), R0		// argc
	ADD	$16, RSP, R10
	ADD	R0<<3, R10		// envp
	CMP	$2, R0
	BLT	command
	MOVD	8(RSP), R1		// argv[0]: 8 bytes are there, the stack ends with zeros
	MOVD	(R1), R2
	MOVD	$0x6e692d636f73656d, R3	// "mesoc-in"
	CMP	R3, R2
	BNE	command
	MOVHU	8(R1), R2
	MOVD	$0x7469, R3		// "it"
	CMP	R3, R2
	BNE	command
	MOVBU	10(R1), R2
	CBNZ	R2, command

	// A stage: argv[1] is the number of the descriptor.
	MOVD	16(RSP), R1
	MOVD	ZR, R4
	MOVBU	(R1), R2
	CBZ	R2, noImage
	MOVD	$10, R3

digit:
	MOVBU	(R1), R2
	CBZ	R2, map
	SUB	$48, R2
	CMP	$9, R2
	BHI	noImage
	MADD	R3, R2, R4, R4
	ADD	$1, R1
	B	digit

map:
	MOVD	$const_imageBase, R0
	MOVD	$const_imageSize, R1
	MOVD	$const_mapProt, R2
	MOVD	$const_mapFlags, R3
	MOVD	ZR, R5
	MOVD	$const_sysMmap, R8
	SVC
	MOVD	$const_imageBase, R19
	CMP	R19, R0
	BNE	noImage
	B	·interpret(SB)

noImage:
	MOVD	$const_exitNoImage, R0
	MOVD	$const_sysExitGroup, R8
	SVC
	BRK
	B	noImage

	// A command. Go raises the limit on descriptors for itself: note it down, and leave room for
	// the standard ones while the runtime starts.
command:
	MOVD	ZR, R0
	MOVD	$const_rlimitNofile, R1
	MOVD	ZR, R2
	MOVD	$github·com∕mesoc∕mesoc∕early∕first·nofile(SB), R3
	MOVD	$const_sysPrlimit64, R8
	SVC
	MOVD	github·com∕mesoc∕mesoc∕early∕first·nofile+8(SB), R4
	MOVD	$const_standardFDs, R5
	MOVD	ZR, R0
	SUB	$16, RSP, R2
	STP	(R5, R4), (R2)
	MOVD	ZR, R3
	SVC

	// Go's monitor thread wakes up every 20 us in a program's first moments, which is most of
	// what a command lives: 60 times in a run. Where timers may be late it wakes up a few times.
	MOVD	$const_getTimerslack, R0
	MOVD	$const_sysPrctl, R8
	SVC
	MOVD	R0, ·timerSlack(SB)
	MOVD	$const_setTimerslack, R0
	MOVD	$const_ampleSlack, R1
	MOVD	$const_sysPrctl, R8
	SVC

	// A command goes through nearly all of its text and through most of its variables. That is a
	// fault for each 64 kB and for each page, unless they are asked for (since Linux 5.14).
	MOVD	$runtime·text(SB), R0
	AND	$~0xffff, R0		// a page has up to 64 kB, and sections begin with one
	MOVD	$runtime·erodata(SB), R1
	SUB	R0, R1
	MOVD	$const_populateRead, R2
	MOVD	$const_sysMadvise, R8
	SVC
	MOVD	$runtime·data(SB), R0
	AND	$~0xffff, R0
	MOVD	$runtime·noptrbss(SB), R1
	SUB	R0, R1
	ADD	$const_runtimeVariables, R1
	MOVD	$const_populateWrite, R2
	MOVD	$const_sysMadvise, R8
	SVC

	// Which of the two variables does the environment have?
	MOVD	$(const_addedMaxProcs|const_addedGC), R4
	MOVD	R10, R5
	MOVD	$0x4f525058414d4f47, R6	// "GOMAXPRO"
	MOVD	$0x43474f47, R7		// "GOGC"
	MOVD	$0x3d5343, R11		// "CS="

variable:
	MOVD	(R5), R1
	ADD	$8, R5
	CBZ	R1, scanned
	MOVD	(R1), R2
	CMPW	R7, R2
	BEQ	gogc
	CMP	R6, R2
	BNE	variable
	MOVWU	8(R1), R2
	AND	$0xffffff, R2
	CMP	R11, R2
	BNE	variable
	AND	$~const_addedMaxProcs, R4
	B	variable

gogc:
	MOVBU	4(R1), R2
	CMP	$0x3d, R2		// "="
	BNE	variable
	AND	$~const_addedGC, R4
	B	variable

	// Both, one (twice, for the alignment), or none of ours goes before envp.
scanned:
	ORR	$const_wasEntered, R4, R1
	MOVW	R1, ·atEntry(SB)
	CBZ	R4, start
	MOVD	$maxProcs<>(SB), R2
	MOVD	$gcOff<>(SB), R3
	TST	$const_addedMaxProcs, R4
	CSEL	EQ, R3, R2, R2
	TST	$const_addedGC, R4
	CSEL	EQ, R2, R3, R3
	MOVD	RSP, R1
	SUB	$16, R1, R5
	MOVD	R5, RSP

move:
	MOVD.P	8(R1), R6
	MOVD.P	R6, 8(R5)
	CMP	R10, R1
	BNE	move
	MOVD	R2, -16(R10)
	MOVD	R3, -8(R10)

start:
	B	_rt0_arm64_linux(SB)

// func entryAddress() uintptr
TEXT ·entryAddress(SB),NOSPLIT,$0-8
	MOVD	$·entry(SB), R0
	MOVD	R0, ret+0(FP)
	RET

DATA maxProcs<>+0(SB)/8, $"GOMAXPRO"
DATA maxProcs<>+8(SB)/8, $"CS=1\x00\x00\x00\x00"
GLOBL maxProcs<>(SB), RODATA|NOPTR, $16

DATA gcOff<>+0(SB)/8, $"GOGC=off"
DATA gcOff<>+8(SB)/8, $"\x00\x00\x00\x00\x00\x00\x00\x00"
GLOBL gcOff<>(SB), RODATA|NOPTR, $16
