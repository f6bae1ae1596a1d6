/* SPDX-License-Identifier: MIT */
/* The families of /metrics whose series are found and not known: by route, by
 * group, by upstream, and the application's own. */
#ifndef HELPER_METRICS_BOOKS_H
#define HELPER_METRICS_BOOKS_H

#include "helper/exposition.h"
#include "helper/ledger.h"

/* The samples of a histogram with the edges of BOARD_LATENCY_EDGES; label is
 * "" or a pattern of a route. */
void metrics_histogram(const struct exposition *e, const char *name,
    const char *route, const uint64_t bucket[BOARD_LATENCY_BUCKETS],
    uint64_t sum_us);

/* Requests and their times by route. */
void metrics_requests(const struct exposition *e, const struct ledger *l);

/* Rate limit and groups. */
void metrics_limits(const struct exposition *e, const struct report *r);

/* The application's own, and upstreams with their circuits. */
void metrics_own(const struct exposition *e, const struct report *r,
    const struct ledger *l);

#endif
