#include "go_asm.h"
#include "textflag.h"

// func clone(args *CloneArgs, image uintptr) (r uintptr)
//
// The child goes to the interpreter with nothing but a register; this frame
// is the parent's. Signals are blocked from before to after: being one piece of
// assembly, this needs no lock on the thread.
TEXT ·clone(SB),NOSPLIT,$16-24
	MOVQ	$-1, all-8(SP)
	MOVL	$const_sigSetMask, DI
	LEAQ	all-8(SP), SI
	LEAQ	old-16(SP), DX
	MOVL	$const_sigMaskSize, R10
	MOVL	$const_sysSigprocmask, AX
	SYSCALL

	// The child is to have the slack that we were started with, not the entry point's.
	MOVL	$const_setTimerslack, DI
	MOVQ	·timerSlack(SB), SI
	MOVL	$const_sysPrctl, AX
	SYSCALL

	MOVQ	args+0(FP), DI
	MOVQ	image+8(FP), R12
	MOVL	$const_cloneArgsSize, SI
	MOVL	$const_sysClone3, AX
	SYSCALL
	TESTQ	AX, AX
	JNZ	parent
	JMP	·interpret(SB)

parent:
	MOVQ	AX, r+16(FP)
	MOVL	$const_sigSetMask, DI
	LEAQ	old-16(SP), SI
	XORL	DX, DX
	MOVL	$const_sigMaskSize, R10
	MOVL	$const_sysSigprocmask, AX
	SYSCALL
	RET
