/* SPDX-License-Identifier: MIT */
/*
 * A histogram of latencies in microseconds: 128 cells to each power of two,
 * so that a value is known to better than 1 %, from 1 us to over an hour in
 * 26 KB however many are counted.  Pure.
 */
#ifndef PROVE_HIST_H
#define PROVE_HIST_H

#include <stdint.h>

#define HIST_SUB 128			 /* cells a power of two */
#define HIST_CELLS (26 * HIST_SUB)	 /* up to 2^32 us = 71 min */

struct hist {
	uint64_t count;
	uint64_t max; /* exact, also beyond the last cell */
	uint64_t cells[HIST_CELLS];
};

void hist_clear(struct hist *h);
void hist_add(struct hist *h, int64_t us);

/* Add what is in `more` to h. */
void hist_merge(struct hist *h, const struct hist *more);

/* The value that `part` of all (0..1) do not exceed; 0 when there are none. */
uint64_t hist_at(const struct hist *h, double part);

#endif
