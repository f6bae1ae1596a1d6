/* SPDX-License-Identifier: MIT */
/*
 * What happened when: buckets of equal width, 100 ms at first.  When all are
 * used, neighbours are joined and the width doubles, so that a run of any
 * length fits into the same memory.  Pure; times are microseconds since the
 * begin of the load, and do not go back.
 */
#ifndef PROVE_TIMELINE_H
#define PROVE_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "prove/hist.h"

#define TIMELINE_BUCKETS 36000 /* an hour of 100 ms */
#define TIMELINE_STEP_US 100000

struct bucket {
	uint32_t answered, lost;
	uint32_t p50_us, p99_us, max_us; /* of those answered */
};

struct timeline {
	int64_t step_us;
	size_t used; /* buckets begun */
	struct bucket buckets[TIMELINE_BUCKETS];
	struct hist open; /* latencies of the newest bucket */
};

void timeline_begin(struct timeline *t);

/* Count one request that ended at at_us; latency_us < 0 = lost. */
void timeline_add(struct timeline *t, int64_t at_us, int64_t latency_us);

/* One that was counted as answered at at_us was lost after all. */
void timeline_lose(struct timeline *t, int64_t at_us);

/* Work out the newest bucket's percentiles: call it before reading. */
void timeline_settle(struct timeline *t);

/* Join the buckets of [from, to) into one: sums, and the worst percentiles
 * (p50: the largest of the medians). */
struct bucket timeline_join(const struct timeline *t, size_t from, size_t to);

#endif
