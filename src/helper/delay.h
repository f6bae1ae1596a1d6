/* SPDX-License-Identifier: MIT */
/*
 * When a request that waits is refused: controlled delay, pure.  After
 * B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015 (a queue that was empty of
 * late may hold a burst for long, one that was not may make nobody wait), and
 * K. Nichols and V. Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012
 * (what tells a standing queue is its delay, not its length: workers that
 * always find the next request a few milliseconds old are well used, not
 * overloaded).
 *
 * The head may be as old as timeout_ms.  Once it has been, or was older than
 * target_ms for as long without a break, the queue stands, and target_ms is
 * all, until workers have emptied it or nobody had to be refused for
 * timeout_ms.
 *
 * Refused clients come back together, in waves between which the queue is
 * empty.  So for 16 times timeout_ms it is remembered how many were refused
 * while the queue stood last, and the next wave is given timeout_ms divided by
 * the square root of that: as CoDel, which keeps its count for as long (K.
 * Nichols et al., RFC 8289, 5.4), with the interval cut at once, because here
 * a wave is over before it would have been cut step by step.  Where few were
 * refused nothing changes.
 */
#ifndef HELPER_DELAY_H
#define HELPER_DELAY_H

#include <stdint.h>

#include "proto/board.h"

struct delay {
	int64_t timeout_ms, target_ms;
	struct board_delay *kept; /* zero to begin; written here alone */
};

/* At now_ms the head had waited head_ms (-1: nobody waits) and workers had
 * accepted so many connections since ever (always the same number where that
 * is not known).  Returns how old the head may be. */
int64_t delay_note(struct delay *d, int64_t now_ms, int64_t head_ms,
    uint64_t accepted);

/* The head was refused. */
void delay_refused(struct delay *d, int64_t now_ms, uint64_t accepted);

#endif
