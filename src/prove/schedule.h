/* SPDX-License-Identifier: MIT */
/*
 * When the next request is due, and when there is none any more: by time or
 * by count, in a closed loop (whenever a client is free) or an open one (at
 * fixed times, whatever the answers do).  Pure; microseconds of one clock.
 */
#ifndef PROVE_SCHEDULE_H
#define PROVE_SCHEDULE_H

#include <stdint.h>

#define SCHEDULE_NEVER INT64_MAX

struct schedule {
	int64_t begin_us;
	int64_t duration_us; /* ignored where there is a count */
	int64_t count;	     /* 0 = by duration */
	int64_t rate;	     /* a second; 0 = closed loop */
	int64_t hold_us;     /* not to end before that: the command's time */
	int64_t issued;	     /* requests begun */
	int stopped;
};

/* When the next request is due (it may have been due long ago), or
 * SCHEDULE_NEVER. */
int64_t schedule_next(const struct schedule *s, int64_t now_us);

#endif
