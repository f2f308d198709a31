#include "go_asm.h"
#include "textflag.h"

// The kernel calls it with the signal in R0, on the signal stack. It has saved
// all registers, and the way back (in R30) restores them.
TEXT handler<>(SB),NOSPLIT|NOFRAME,$0
	SUB	$16, RSP
	MOVD	R0, (RSP)
	MOVW	·pipe(SB), R0
	MOVD	RSP, R1
	MOVD	$1, R2
	MOVD	$const_sysWrite, R8
	SVC
	ADD	$16, RSP
	RET

TEXT restorer<>(SB),NOSPLIT|NOFRAME,$0
	MOVD	$const_sysSigreturn, R8
	SVC
	BRK

// func handlerAddress() uintptr
TEXT ·handlerAddress(SB),NOSPLIT,$0-8
	MOVD	$handler<>(SB), R0
	MOVD	R0, ret+0(FP)
	RET

// func restorerAddress() uintptr
TEXT ·restorerAddress(SB),NOSPLIT,$0-8
	MOVD	$restorer<>(SB), R0
	MOVD	R0, ret+0(FP)
	RET
