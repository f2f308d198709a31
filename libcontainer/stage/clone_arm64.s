#include "go_asm.h"
#include "textflag.h"

// func clone(args *CloneArgs, image uintptr) (r uintptr)
//
// The child goes to the interpreter with nothing but a register; this frame
// is the parent's. Signals are blocked from before to after: being one piece of
// assembly, this needs no lock on the thread.
TEXT ·clone(SB),NOSPLIT,$16-24
	MOVD	$-1, R0
	MOVD	R0, all-8(SP)
	MOVD	$const_sigSetMask, R0
	MOVD	$all-8(SP), R1
	MOVD	$old-16(SP), R2
	MOVD	$const_sigMaskSize, R3
	MOVD	$const_sysSigprocmask, R8
	SVC

	// The child is to have the slack that we were started with, not the entry point's.
	MOVD	$const_setTimerslack, R0
	MOVD	·timerSlack(SB), R1
	MOVD	$const_sysPrctl, R8
	SVC

	MOVD	args+0(FP), R0
	MOVD	image+8(FP), R19
	MOVD	$const_cloneArgsSize, R1
	MOVD	$const_sysClone3, R8
	SVC
	CBNZ	R0, parent
	B	·interpret(SB)

parent:
	MOVD	R0, r+16(FP)
	MOVD	$const_sigSetMask, R0
	MOVD	$old-16(SP), R1
	MOVD	$0, R2
	MOVD	$const_sigMaskSize, R3
	MOVD	$const_sysSigprocmask, R8
	SVC
	RET
