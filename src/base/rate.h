/* SPDX-License-Identifier: MIT */
/* Rates as people write them: off, 50/s, 50/s burst 100, 6/m, 100/h. */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include <stdint.h>

#define RATE_EVERY_MIN_US 10 /* 100,000 a second; rounded by at most 5 % */
#define RATE_REFILL_MAX_US (INT64_C(86400) * 1000000)

/* A bucket of burst tokens, into which one more comes every so often. */
struct rate {
	int64_t every_us; /* 0 = off: no limit */
	int64_t burst;	  /* at least 1 */
};

/* Parse text.  Without a burst it is the count: what the unit of time allows
 * may come at once.  An empty bucket must be full again within a day.  Returns
 * NULL, or a few words that say what is wrong; *rate is then as it was. */
const char *rate_parse(const char *text, struct rate *rate);

#endif
