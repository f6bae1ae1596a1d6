/* SPDX-License-Identifier: MIT */
/*
 * Where a process stands.  It is held only while its registers and the top of
 * its stack are copied; which functions these are is found out afterwards,
 * from the copy and the files.
 */
#ifndef OBSERVER_STACK_H
#define OBSERVER_STACK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/board.h"

#define STACK_BYTES 65536 /* copied at most */

struct stack_sample {
	pid_t pid;	 /* whose memory map it belongs to */
	struct board_registers registers;
	size_t bytes;	 /* copied */
	int64_t held_us; /* how long it was held */
	int error;	 /* errno of a look that failed, else 0 */
	const char *why; /* there is none, in words */
	uint8_t stack[STACK_BYTES]; /* from the stack pointer on */
};

/* A sample's room, once for all. Returns NULL without memory. */
struct stack_sample *stack_room(void);

/* Look at a living process (s is of stack_room()).  Returns 0, or -1 with why
 * set. */
int stack_take(struct stack_sample *s, pid_t pid);

/* Of a jump to where no code is: go back to the call that it came by.  Returns
 * 0, or -1 when that is not known. */
int stack_return(struct stack_sample *s);

/* Name the functions, innermost first: "read < fetch db.c:80 < main".  Without
 * debugging information a place is FILE+OFFSET. Returns text. */
char *stack_name(struct stack_sample *s, char *text, size_t room);

#endif
