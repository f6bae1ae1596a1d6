/* SPDX-License-Identifier: MIT */
/*
 * The last fifteen minutes of a pool, a sample a second, and what happened in
 * them.  The health responder keeps it in memory of its own and of fixed size:
 * it outlives workers, generations, supervisors and upgrades, and ends with
 * the health responder.
 */
#ifndef HELPER_HISTORY_H
#define HELPER_HISTORY_H

#include <stdint.h>

#include <jansson.h>

#include "helper/report.h"

#define HISTORY_SAMPLES 900
#define HISTORY_EVENTS 128
#define HISTORY_EVERY_MS 1000
#define HISTORY_COUNTERS 6

/* What has come since the sample before, and how things stood. */
struct history_sample {
	int64_t at_ms;
	uint32_t counter[HISTORY_COUNTERS]; /* see history_counters */
	uint32_t queue, queue_wait_ms;
	uint32_t busy, idle;
	uint32_t latency[BOARD_LATENCY_BUCKETS];
};

enum history_kind {
	HISTORY_RELOAD,	       /* a reload was done */
	HISTORY_RELOAD_FAILED, /* … was given up */
	HISTORY_DEATH,	       /* workers died */
	HISTORY_REPLAY,	       /* requests were run again */
	HISTORY_LOST,	       /* … were answered 502 or broken off */
	HISTORY_EXPIRED,       /* … were answered 504 at their deadline */
	HISTORY_UPGRADE,       /* another ndsd took over */
	HISTORY_RESTART,       /* the supervisor came back */
	HISTORY_COUNTED,       /* those above are told by counters */
	HISTORY_DRAIN = HISTORY_COUNTED,
	HISTORY_UNDRAIN,
	HISTORY_STOP,
	HISTORY_KINDS
};

struct history_event {
	int64_t at_ms;
	enum history_kind kind;
	uint32_t count;
};

/* All counters as they were at the last look. */
struct history_seen {
	uint64_t counter[HISTORY_COUNTERS];
	uint64_t latency[BOARD_LATENCY_BUCKETS];
	uint64_t event[HISTORY_COUNTED];
	uint32_t draining, stopping;
};

struct history {
	uint64_t samples, events; /* so far; the last ones are kept */
	int64_t next_ms;	  /* when the next look is due; 0 = at once */
	struct history_seen seen;
	struct history_sample sample[HISTORY_SAMPLES];
	struct history_event event[HISTORY_EVENTS];
};

/* {"samples_so_far","columns":[name…],"latency_edges_us":[…],
 * "samples":[[…]…],"events":[{"ago_ms","kind","count"}…]} with that many
 * of the last samples at most, and all events: a new reference, NULL without
 * memory.  Times are ms before r->now_ms. */
json_t *history_json(const struct history *h, const struct report *r,
    uint32_t samples_most);

/* Look, if a second has passed since the last time.  The first look only
 * notes how the counters stand.  Zeroed memory is an empty history. */
void history_look(struct history *h, const struct report *r);

#endif
