/* SPDX-License-Identifier: MIT */
/*
 * When the command of --during ran, and what that makes of a stretch of time:
 * before it, during it, after it.  Pure; times are microseconds of one clock.
 */
#ifndef PROVE_RUNS_H
#define PROVE_RUNS_H

#include <stdint.h>

#define RUNS_KEPT 1000 /* later ones are counted only */

enum phase { PHASE_BEFORE, PHASE_DURING, PHASE_AFTER, PHASES };

struct run {
	int64_t start_us;
	int64_t end_us; /* -1 while it runs */
	int status;	/* of waitpid(2) */
};

struct runs {
	uint64_t count;	 /* begun */
	uint64_t failed; /* ended by a signal or with a status but 0 */
	int running;
	struct run last;
	int64_t busy_us; /* of all that have ended */
	struct run list[RUNS_KEPT];
};

void runs_begin(struct runs *r, int64_t now_us);
void runs_end(struct runs *r, int64_t now_us, int status);

/* How many of list[] are filled. */
uint64_t runs_kept(const struct runs *r);

/* The phase of what began at from_us and ends now: during when a run
 * overlapped it, before when none has begun yet, else after. */
enum phase runs_phase(const struct runs *r, int64_t from_us);

#endif
