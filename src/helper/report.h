/* SPDX-License-Identifier: MIT */
/*
 * What the board says, as documents: the probes, /status and /metrics.  Reading
 * of memory; no waiting, and no system calls but those that report_metrics()
 * names.  Every value is taken as one that another program wrote.
 */
#ifndef HELPER_REPORT_H
#define HELPER_REPORT_H

#include <stdint.h>

#include <jansson.h>

#include "proto/board.h"
#include "proto/shared.h"

#define REPORT_HEARTBEAT_MS 15000 /* a supervisor restarts well within */
#define REPORT_AWAY_MS 5000 /* not seen for so long, people are told */

struct history;

struct report {
	const struct pool_board *pool;
	const struct slot *const *slot; /* BOARD_SLOTS_MAX; NULL = not known */
	int64_t now_ms;
	int orphaned; /* 1: the main process is gone */
	struct shared shared; /* no areas: not known */
	const struct history *history; /* of the pool, NULL = none */
};

/* The counters of all slots added up. */
struct report_sums {
	struct slot_counters count;
	uint64_t event[EVENTS]; /* those of ndsd included */
	uint64_t queue_wait[BOARD_LATENCY_BUCKETS], queue_wait_us;
	uint32_t busy, idle, starting, retiring; /* workers */
};

void report_sum(const struct report *r, struct report_sums *sums);

/* The same of slots alone, without ndsd's own events. */
void report_sum_slots(const struct report *r, struct report_sums *sums);

/* Spans that were lost before a collector or a file could take them. */
uint64_t report_spans_early(const struct report *r);

/* Milliseconds since the supervisor was last seen. */
int64_t report_seen_ms(const struct report *r);

/* One dependency check as it counts at this moment. */
struct report_check {
	char name[64];
	char message[192]; /* UTF-8 */
	enum check_status status; /* a stale result is CHECK_FAILED */
	uint32_t duration_ms;
};

/* Fills check[] and returns how many there are. */
uint32_t report_checks(const struct report *r,
    struct report_check check[BOARD_CHECKS_MAX]);

/* Why /ready refuses, the first reason in words of UTF-8; the longest has
 * REPORT_WHY bytes with its NUL.  Returns 0 and "" when it does not, else 1. */
#define REPORT_WHY 320
int report_unready(const struct report *r, char why[REPORT_WHY]);

/* "starting", "running", "draining" or "stopping": whether what runs is well is
 * another question. */
const char *report_state(const struct report *r);

/* The three probes. Each returns the HTTP status, 200 or 503, and *body the
 * document, a new reference, NULL without memory. */
int report_live(const struct report *r, json_t **body);
int report_ready(const struct report *r, json_t **body);
int report_startup(const struct report *r, json_t **body);

/* The document of /status: a new reference, NULL without memory. */
json_t *report_status(const struct report *r);

/* The document of /metrics in Prometheus' text format 0.0.4 or (open = 1) in
 * OpenMetrics 1.0, to be freed; NULL without memory.  Asks /proc what the
 * workers take. */
char *report_metrics(const struct report *r, int open);

#endif
