#include "go_asm.h"
#include "textflag.h"

// The kernel calls it with the signal in DI, on the signal stack. It has saved
// all registers, and the way back restores them.
TEXT handler<>(SB),NOSPLIT|NOFRAME,$0
	PUSHQ	DI
	MOVL	·pipe(SB), DI
	MOVQ	SP, SI
	MOVL	$1, DX
	MOVL	$const_sysWrite, AX
	SYSCALL
	POPQ	DI
	RET

TEXT restorer<>(SB),NOSPLIT|NOFRAME,$0
	MOVL	$const_sysSigreturn, AX
	SYSCALL
	INT	$3

// func handlerAddress() uintptr
TEXT ·handlerAddress(SB),NOSPLIT,$0-8
	LEAQ	handler<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func restorerAddress() uintptr
TEXT ·restorerAddress(SB),NOSPLIT,$0-8
	LEAQ	restorer<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
