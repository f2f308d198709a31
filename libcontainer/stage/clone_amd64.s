#include "go_asm.h"
#include "textflag.h"

// func clone(args *CloneArgs, image uintptr) (r uintptr)
//
// The child goes to the interpreter with nothing but a register; this frame
// is the parent's.
TEXT ·clone(SB),NOSPLIT,$0-24
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
	RET
