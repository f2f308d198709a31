#include "textflag.h"

// func setNofile()
TEXT ·setNofile(SB),NOSPLIT,$0
	MOVD	ZR, R0
	MOVD	$7, R1			// RLIMIT_NOFILE
	MOVD	$·nofile(SB), R2
	MOVD	ZR, R3
	MOVD	$261, R8		// prlimit64
	SVC
	RET

// func populate(start, length uintptr)
TEXT ·populate(SB),NOSPLIT,$0-16
	MOVD	start+0(FP), R0
	AND	$~0xffff, R0		// a page has up to 64 kB
	MOVD	length+8(FP), R1
	MOVD	$23, R2			// MADV_POPULATE_WRITE
	MOVD	$233, R8		// madvise
	SVC
	RET
