#include "textflag.h"

// func setNofile()
TEXT ·setNofile(SB),NOSPLIT,$0
	XORL	DI, DI
	MOVL	$7, SI			// RLIMIT_NOFILE
	LEAQ	·nofile(SB), DX
	XORL	R10, R10
	MOVL	$302, AX		// prlimit64
	SYSCALL
	RET

// func populate(start, length uintptr)
TEXT ·populate(SB),NOSPLIT,$0-16
	MOVQ	start+0(FP), DI
	ANDQ	$~0xfff, DI
	MOVQ	length+8(FP), SI
	MOVL	$23, DX			// MADV_POPULATE_WRITE
	MOVL	$28, AX			// madvise
	SYSCALL
	RET
