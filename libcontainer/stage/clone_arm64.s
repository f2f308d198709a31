#include "go_asm.h"
#include "textflag.h"

// func clone(args *CloneArgs, image uintptr) (r uintptr)
//
// The child goes to the interpreter with nothing but a register; this frame
// is the parent's.
TEXT ·clone(SB),NOSPLIT|NOFRAME,$0-24
	MOVD	args+0(FP), R0
	MOVD	image+8(FP), R19
	MOVD	$const_cloneArgsSize, R1
	MOVD	$const_sysClone3, R8
	SVC
	CBNZ	R0, parent
	B	·interpret(SB)

parent:
	MOVD	R0, r+16(FP)
	RET
