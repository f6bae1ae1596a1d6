/* SPDX-License-Identifier: MIT */
/*
 * The record of a run: how many requests met which fate, how long the answers
 * took and how far apart they were, before, during and after the command; the
 * statuses, the first losses, the timeline.  Pure, and of fixed size.
 */
#ifndef PROVE_RECORD_H
#define PROVE_RECORD_H

#include <stdint.h>

#include "prove/fate.h"
#include "prove/runs.h"
#include "prove/timeline.h"

#define LOSSES_KEPT 20

struct tally {
	uint64_t fates[FATES];
	struct hist latency;	/* of those answered */
	int64_t gap_us;		/* longest time without a good answer */
	int64_t gap_at_us;	/* when it began */
	int64_t span_us;	/* how long the phase lasted */
};

/* One loss, for whoever looks for its cause. */
struct loss {
	int64_t at_us;
	enum fate fate;
	int status;
	char id[40];
	char detail[96]; /* libcurl's words; may be empty */
};

struct record {
	int64_t begin_us, end_us;
	int64_t answer_us; /* the newest good answer */
	int reached;	   /* a connection was made at least once */
	int interrupted;
	int losses_kept;
	struct loss losses[LOSSES_KEPT];
	uint64_t statuses[STATUS_END];
	struct tally phases[PHASES];
	struct runs runs;
	struct timeline timeline;
};

/* One finished request. */
struct finished {
	int64_t sent_us, end_us; /* of the clock */
	const struct outcome *seen;
	enum fate fate;
	const char *id, *detail;
};

void record_begin(struct record *r, int64_t now_us);

/* Count it; returns its phase. */
enum phase record_add(struct record *r, const struct finished *f);

/* A second answer came, too late to be seen with the first: what was counted
 * as answered in this phase, at end_us, was answered twice. */
void record_twice(struct record *r, enum phase phase, int64_t end_us);

/* The load has ended: the last gap and the spans of the phases. */
void record_end(struct record *r, int64_t now_us);

/* All phases as one. */
void record_total(const struct record *r, struct tally *total);

uint64_t tally_requests(const struct tally *t);
uint64_t tally_lost(const struct tally *t);
/* Good answers a second.  -1 for a phase of less than a second: requests that
 * reach over its edges count in it, and would make it look too fast. */
double tally_rate(const struct tally *t, int whole);

#endif
