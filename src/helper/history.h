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
#define HISTORY_CALM_MS 10000 /* without a refusal ends an overload */

/* What has come since the sample before, and how things stood. */
struct history_sample {
	int64_t at_ms;
	uint32_t counter[HISTORY_COUNTERS]; /* see history_counters */
	uint32_t queue, queue_wait_ms;
	uint32_t busy, idle;
	uint32_t latency[BOARD_LATENCY_BUCKETS];
};

enum history_kind {
	HISTORY_RELOAD,		/* a reload was done */
	HISTORY_RELOAD_FAILED,	/* … was given up */
	HISTORY_RELOAD_REFUSED, /* … did not begin */
	HISTORY_EXITED,		/* workers died: by EVENT_EXIT_… */
	HISTORY_CRASHED,
	HISTORY_KILLED,
	HISTORY_DEADLINE,
	HISTORY_MEMORY,
	HISTORY_OVERDUE,
	HISTORY_REPLAY,		/* requests were run again */
	HISTORY_LOST,		/* … were answered 502 or broken off */
	HISTORY_EXPIRED,	/* … were answered 504 at their deadline */
	HISTORY_UPGRADE,	/* another ndsd took over */
	HISTORY_UPGRADE_FAILED, /* … did not */
	HISTORY_RESTART,	/* the supervisor came back */
	HISTORY_COUNTED,	/* those above are told by counters */
	HISTORY_DRAIN = HISTORY_COUNTED,
	HISTORY_UNDRAIN,
	HISTORY_STOP,
	HISTORY_AWAY,	      /* the supervisor is not seen */
	HISTORY_BACK,	      /* it is seen again */
	HISTORY_OVERLOAD,     /* requests began to be refused */
	HISTORY_OVERLOAD_END, /* none was for some seconds: so many had been */
	HISTORY_CHECK_FAILED, /* a dependency check */
	HISTORY_CHECK_OK,     /* one that had failed */
	HISTORY_KINDS
};

struct history_event {
	int64_t at_ms;
	enum history_kind kind;
	uint32_t count;
	char what[96]; /* the check, and what it said; else "" */
};

/* All counters as they were at the last look, of the slots that are known. */
struct history_seen {
	uint64_t counter[HISTORY_COUNTERS];
	uint64_t latency[BOARD_LATENCY_BUCKETS];
	uint64_t event[HISTORY_COUNTED];
	uint64_t overload; /* requests that the pool refused under load */
	uint32_t draining, stopping, away;
};

struct history {
	uint64_t samples, events; /* so far; the last ones are kept */
	int64_t next_ms;	  /* when the next look is due; 0 = at once */
	int64_t unready_ms;	  /* running, but not ready since; 0 = not */
	int64_t overload_ms;	  /* the last refusal of one; 0 = none */
	uint32_t refused;	  /* in it so far */
	uint8_t check_failed[BOARD_CHECKS_MAX];
	uint8_t known[BOARD_SLOTS_MAX]; /* slots that stand in seen */
	struct history_seen seen;
	struct history_sample sample[HISTORY_SAMPLES];
	struct history_event event[HISTORY_EVENTS];
};

/* {"samples_so_far","columns":[name…],"latency_edges_us":[…],
 * "samples":[[…]…],"events":[{"ago_ms","kind","count","what"}…]} with that many
 * of the last samples at most, and all events: a new reference, NULL without
 * memory.  Times are ms before r->now_ms. */
json_t *history_json(const struct history *h, const struct report *r,
    uint32_t samples_most);

/* Look, if a second has passed since the last time.  The first look only
 * notes how the counters stand.  Zeroed memory is an empty history. */
void history_look(struct history *h, const struct report *r);

/* Slots have come: what they have counted by now is not of the next second.
 * To be called at once, or what they count until the next look goes unseen. */
void history_slots(struct history *h, const struct report *r);

#endif
