/* SPDX-License-Identifier: MIT */
/*
 * A circuit breaker whose state all workers share, after M. Nygard, "Release
 * It!" (Stability Patterns), and M. Fowler, "CircuitBreaker" (2014).  Closed,
 * it counts; when too many tries fail it opens and lets none pass; then one
 * trial at a time, over all workers, finds out whether to close it again.
 *
 * Pure but for atomics on one cell: time comes from the caller.  Each word is
 * true in itself, so a worker may die between any two instructions.
 */
#ifndef PROTO_BREAKER_H
#define PROTO_BREAKER_H

#include <stdatomic.h>
#include <stdint.h>

#define BREAKER_TIME_MAX_MS 3600000 /* of every time below */

struct breaker_policy {
	int failure_percent; /* of the tries in the window open it; 1..100 */
	int min_calls;	     /* fewer tries in the window never do; >= 1 */
	int window_ms;	     /* sliding, in two halves */
	int open_ms;	     /* so long nothing passes */
};

/* In shared memory; zero = closed, nothing counted, no debt. */
struct breaker {
	_Atomic uint64_t key;	  /* of its name; 0 = free */
	_Atomic uint64_t state;	  /* a time in ms << 2 | enum breaker_phase */
	_Atomic uint64_t half[2]; /* number << 40 | tries << 20 | failures */
	_Atomic int64_t debt;	  /* of retries: retry.h */
	uint64_t unused[3];
};

/* What the time in the state means: since when it is closed, until when it is
 * open, until when the trial must have its result. */
enum breaker_phase { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_TRIAL };

/* Leave to try, and what breaker_result() must know of it. */
struct breaker_pass {
	uint64_t state; /* as it was when the leave was given */
	int64_t at_ms;
};

enum breaker_change { BREAKER_SAME, BREAKER_OPENED, BREAKER_RECOVERED };

/* The cell of a name among those of an area: its own, or a free one from now
 * on.  NULL when there is no room. */
struct breaker *breaker_find(void *area, uint64_t bytes, const char *name);

/* For reading: whether the cell of that name stands and is not closed. */
int breaker_is_open(const void *area, uint64_t bytes, const char *name);

/* Ask for leave to try once. Returns 0 with pass filled, or -1: it is open, or
 * another one makes the trial.  A trial whose result does not come within
 * try_ms is another's to make. */
int breaker_ask(struct breaker *b, int64_t now_ms, int try_ms,
    struct breaker_pass *pass);

/* 1 when breaker_ask() would say no now. */
int breaker_refuses(struct breaker *b, int64_t now_ms);

/* Tell how a try ended (ok = 0: it failed), once for each leave.  Returns what
 * that has changed. */
enum breaker_change breaker_result(struct breaker *b,
    const struct breaker_policy *policy, const struct breaker_pass *pass,
    int64_t now_ms, int ok);

#endif
