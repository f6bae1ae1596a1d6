/* SPDX-License-Identifier: MIT */
/*
 * Where all log lines meet: the rings of the workers, what children write to
 * stdout and stderr, and the supervisor's own events; and out they go on
 * stdout, in batches of whole lines, at most PIPE_BUF bytes at a time and only
 * when poll(2) says that there is room, so that a reader who has stopped
 * blocks nobody.  Lines that find no room are dropped and counted; the last
 * ones can be asked for in any case.
 */
#ifndef NDSD_LOGS_H
#define NDSD_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "ndsd/loop.h"
#include "ndsd/recent.h"
#include "ndsd/tail.h"
#include "proto/board.h"
#include "proto/settings.h"

#define LOGS_BYTES (2u << 20)
#define LOGS_ASIDE (64u << 10)

struct logs {
	struct loop *loop;
	struct watch out;  /* armed while stdout is full */
	_Atomic uint64_t *dropped; /* lines, counted there */
	size_t begin, end; /* of what waits in text */
	char text[LOGS_BYTES];
	char aside[LOGS_ASIDE]; /* lines that found no room there */
	struct recent *recent; /* every line, written or not; NULL = none */
};

/* dropped and recent stay the caller's. */
void logs_open(struct logs *logs, struct loop *loop,
    _Atomic uint64_t *dropped, struct recent *recent);

/* Become the sink of this process's log lines, in the form and from the level
 * of the settings. */
void logs_format(struct logs *logs, const struct settings *s);

/* Empty a slot's ring; its last lines are kept in tail as well. */
void logs_collect(struct logs *logs, struct slot *slot, struct tail *tail);

/* Write what can be written now. */
void logs_flush(struct logs *logs);

#endif
