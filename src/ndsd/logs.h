/* SPDX-License-Identifier: MIT */
/*
 * Where all log lines meet: the rings of the workers, what children write to
 * stdout and stderr, and the supervisor's own events; and out they go on
 * stdout, in batches of whole lines, at most PIPE_BUF bytes at a time and only
 * when poll(2) says that there is room, so that a reader who has stopped
 * blocks nobody.  Lines that find no room are dropped and counted.
 */
#ifndef NDSD_LOGS_H
#define NDSD_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "ndsd/loop.h"
#include "ndsd/tail.h"
#include "proto/board.h"
#include "proto/settings.h"

#define LOGS_BYTES (1u << 20)
#define LOGS_KEPT (256u << 10) /* of the last lines, for who asks */

struct logs {
	struct loop *loop;
	struct watch out;  /* armed while stdout is full */
	_Atomic uint64_t *dropped; /* lines, counted there */
	size_t begin, end; /* of what waits in text */
	char text[LOGS_BYTES];
	uint64_t seen; /* bytes so far; the last of them are in kept */
	char kept[LOGS_KEPT];
};

void logs_open(struct logs *logs, struct loop *loop,
    _Atomic uint64_t *dropped);

/* Become the sink of this process's log lines, in the form and from the level
 * of the settings. */
void logs_format(struct logs *logs, const struct settings *s);

/* Empty a slot's ring; its last lines are kept in tail as well. */
void logs_collect(struct logs *logs, struct slot *slot, struct tail *tail);

/* Copy the lines behind a position (0 = the first) out, as far as they are
 * still kept, written or not.  Returns how many bytes; the next position is
 * logs->seen. */
size_t logs_since(const struct logs *logs, uint64_t position,
    char out[LOGS_KEPT]);

/* Write what can be written now. */
void logs_flush(struct logs *logs);

#endif
