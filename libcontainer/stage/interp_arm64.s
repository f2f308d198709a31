#include "go_asm.h"
#include "textflag.h"

// interpret runs the image whose address is in R19 and never comes back. It
// may run in a child that shares the parent's memory and whose stack pointer
// is the parent's: it must not touch the stack, not even by a CALL.
//
//	R19 image       R21 index of the operation   R23 repetitions left
//	R20 operation   R22 number of operations
//
// A system call destroys R0, no others.
TEXT ·interpret(SB),NOSPLIT|NOFRAME,$0
	MOVD	(R19), R0
	MOVD	$const_imageMagic, R1
	CMP	R1, R0
	BNE	badImage
	MOVD	const_offOps(R19), R22
	MOVD	const_offFirst(R19), R20
	ADD	R19, R20
	MOVD	ZR, R21

fresh:
	MOVD	$const_maxAgain, R23
	CMP	R22, R21
	BHS	ranOff

again:
	MOVD	(const_opArgs+0)(R20), R0
	MOVD	(const_opArgs+8)(R20), R1
	MOVD	(const_opArgs+16)(R20), R2
	MOVD	(const_opArgs+24)(R20), R3
	MOVD	(const_opArgs+32)(R20), R4
	MOVD	(const_opArgs+40)(R20), R5
	MOVWU	const_opCells(R20), R6
	CBZ	R6, ready
	TBZ	$0, R6, 2(PC)
	MOVD	(R0), R0
	TBZ	$1, R6, 2(PC)
	MOVD	(R1), R1
	TBZ	$2, R6, 2(PC)
	MOVD	(R2), R2
	TBZ	$3, R6, 2(PC)
	MOVD	(R3), R3
	TBZ	$4, R6, 2(PC)
	MOVD	(R4), R4
	TBZ	$5, R6, 2(PC)
	MOVD	(R5), R5

ready:
	MOVWU	(R20), R6
	CMPW	$const_kindCall, R6
	BNE	notCall
	MOVWU	const_opNr(R20), R8
	SVC

	// R0 is the result; R7 becomes the errno.
outcome:
	MOVD	ZR, R7
	MOVWU	const_opFlags(R20), R9
	CMN	$const_maxErrno, R0
	BCC	success
	NEG	R0, R7
	B	rules

success:
	TST	$const_flagWant, R9
	BEQ	keep
	MOVD	const_opWant(R20), R6
	CMP	R6, R0
	BEQ	keep
	MOVD	$const_errProto, R7
	B	rules

keep:
	MOVD	const_opKeep(R20), R6
	CBZ	R6, rules
	MOVD	R0, (R6)

rules:
	LSR	$const_ruleShift, R9
	ADD	$const_opRules, R20, R10

rule:
	CBZ	R9, noRule
	SUB	$1, R9
	MOVWU	(R10), R6
	CMPW	R6, R7
	BEQ	match
	CMNW	$1, R6
	BNE	nextRule
	CBNZ	R7, match

nextRule:
	ADD	$const_ruleSize, R10
	B	rule

match:
	MOVW	4(R10), R6
	TBZ	$63, R6, advance
	CBZ	R23, fail
	SUB	$1, R23
	B	again

noRule:
	CBNZ	R7, fail
	MOVD	ZR, R6

	// R6 operations are skipped.
advance:
	ADD	$1, R6
	ADD	R6, R21
	MOVD	$const_opSize, R9
	MADD	R9, R20, R6, R20
	B	fresh

notCall:
	CMPW	$const_kindCheck, R6
	BEQ	check
	CMPW	$const_kindStore32, R6
	BEQ	store32
	CMPW	$const_kindStore64, R6
	BEQ	store64
	MOVD	$-const_errNoExec, R0
	B	outcome

check:
	MOVD	(R0), R6
	AND	R1, R6
	MOVD	ZR, R0
	CMP	R2, R6
	BEQ	outcome
	NEG	R3, R0
	B	outcome

store32:
	MOVW	R1, (R0)
	MOVD	ZR, R0
	B	outcome

store64:
	MOVD	R1, (R0)
	MOVD	ZR, R0
	B	outcome

ranOff:
	MOVD	$const_errNoExec, R7

	// Report {index, errno}; nobody may be listening.
fail:
	MOVWU	const_offIndexBase(R19), R6
	ADDW	R6, R21
	MOVW	R21, (const_offScratch+0)(R19)
	MOVW	R7, (const_offScratch+4)(R19)

report:
	MOVD	const_offReport(R19), R0
	ADD	$const_offScratch, R19, R1
	MOVD	$8, R2
	MOVD	$const_sysWrite, R8
	SVC
	CMN	$const_errIntr, R0
	BEQ	report
	MOVD	$const_exitFailed, R0
	B	exit

badImage:
	MOVD	$const_exitBadImage, R0

exit:
	MOVD	$const_sysExitGroup, R8
	SVC

trap:
	BRK
	B	trap
