#include "go_asm.h"
#include "textflag.h"

// interpret runs the image whose address is in R12 and never comes back. It
// may run in a child that shares the parent's memory and whose stack pointer
// is the parent's: it must not touch the stack, not even by a CALL.
//
//	R12 image       R13 index of the operation   R14 repetitions left
//	BX  operation   R15 number of operations
//
// A system call destroys AX, CX and R11, no others.
TEXT ·interpret(SB),NOSPLIT|NOFRAME,$0
	MOVQ	$const_imageMagic, AX
	CMPQ	(R12), AX
	JNE	badImage
	MOVQ	const_offOps(R12), R15
	MOVQ	const_offFirst(R12), BX
	ADDQ	R12, BX
	XORL	R13, R13

fresh:
	MOVL	$const_maxAgain, R14
	CMPQ	R13, R15
	JCC	ranOff

again:
	MOVQ	(const_opArgs+0)(BX), DI
	MOVQ	(const_opArgs+8)(BX), SI
	MOVQ	(const_opArgs+16)(BX), DX
	MOVQ	(const_opArgs+24)(BX), R10
	MOVQ	(const_opArgs+32)(BX), R8
	MOVQ	(const_opArgs+40)(BX), R9
	MOVL	const_opCells(BX), AX
	TESTL	AX, AX
	JZ	ready
	TESTL	$1, AX
	JZ	2(PC)
	MOVQ	(DI), DI
	TESTL	$2, AX
	JZ	2(PC)
	MOVQ	(SI), SI
	TESTL	$4, AX
	JZ	2(PC)
	MOVQ	(DX), DX
	TESTL	$8, AX
	JZ	2(PC)
	MOVQ	(R10), R10
	TESTL	$16, AX
	JZ	2(PC)
	MOVQ	(R8), R8
	TESTL	$32, AX
	JZ	2(PC)
	MOVQ	(R9), R9

ready:
	MOVL	(BX), CX
	CMPL	CX, $const_kindCall
	JNE	notCall
	MOVL	const_opNr(BX), AX
	SYSCALL

	// AX is the result; DX becomes the errno.
outcome:
	XORL	DX, DX
	CMPQ	AX, $-const_maxErrno
	JCS	success
	MOVL	AX, DX
	NEGL	DX
	JMP	rules

success:
	TESTL	$const_flagWant, const_opFlags(BX)
	JZ	keep
	CMPQ	AX, const_opWant(BX)
	JEQ	keep
	MOVL	$const_errProto, DX
	JMP	rules

keep:
	MOVQ	const_opKeep(BX), CX
	TESTQ	CX, CX
	JZ	rules
	MOVQ	AX, (CX)

rules:
	MOVL	const_opFlags(BX), SI
	SHRL	$const_ruleShift, SI
	LEAQ	const_opRules(BX), DI

rule:
	SUBL	$1, SI
	JCS	noRule
	MOVL	(DI), CX
	CMPL	CX, DX
	JEQ	match
	CMPL	CX, $-1
	JNE	nextRule
	TESTL	DX, DX
	JNZ	match

nextRule:
	ADDQ	$const_ruleSize, DI
	JMP	rule

match:
	MOVLQSX	4(DI), CX
	TESTQ	CX, CX
	JPL	advance
	SUBL	$1, R14
	JCC	again
	JMP	fail

noRule:
	TESTL	DX, DX
	JNZ	fail
	XORL	CX, CX

	// CX operations are skipped.
advance:
	ADDQ	$1, CX
	ADDQ	CX, R13
	IMULQ	$const_opSize, CX
	ADDQ	CX, BX
	JMP	fresh

notCall:
	XORL	AX, AX
	CMPL	CX, $const_kindCheck
	JEQ	check
	CMPL	CX, $const_kindStore32
	JEQ	store32
	CMPL	CX, $const_kindStore64
	JEQ	store64
	MOVQ	$-const_errNoExec, AX
	JMP	outcome

check:
	ANDQ	(DI), SI
	CMPQ	SI, DX
	JEQ	outcome
	SUBQ	R10, AX
	JMP	outcome

store32:
	MOVL	SI, (DI)
	JMP	outcome

store64:
	MOVQ	SI, (DI)
	JMP	outcome

ranOff:
	MOVL	$const_errNoExec, DX

	// Report {index, errno}; nobody may be listening.
fail:
	ADDL	const_offIndexBase(R12), R13
	MOVL	R13, (const_offScratch+0)(R12)
	MOVL	DX, (const_offScratch+4)(R12)

report:
	MOVL	$const_sysWrite, AX
	MOVQ	const_offReport(R12), DI
	LEAQ	const_offScratch(R12), SI
	MOVL	$8, DX
	SYSCALL
	CMPQ	AX, $-const_errIntr
	JEQ	report
	MOVL	$const_exitFailed, DI
	JMP	exit

badImage:
	MOVL	$const_exitBadImage, DI

exit:
	MOVL	$const_sysExitGroup, AX
	SYSCALL

trap:
	INT	$3
	JMP	trap
