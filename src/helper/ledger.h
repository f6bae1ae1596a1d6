/* SPDX-License-Identifier: MIT */
/*
 * The books of all slots added up.  What the workers wrote there is taken as
 * another program's: names are matched by what they say, and checked.
 */
#ifndef HELPER_LEDGER_H
#define HELPER_LEDGER_H

#include "helper/report.h"
#include "proto/books.h"

#define LEDGER_ROUTES (2 * BOOKS_ROUTES) /* slots may know different ones */
#define LEDGER_SERIES (4 * BOOKS_SERIES)
#define LEDGER_METRICS (2 * BOOKS_METRICS)

struct ledger_route {
	char label[BOOKS_LABEL_BYTES]; /* "unmatched", "other", or a pattern */
	uint64_t latency[BOARD_LATENCY_BUCKETS], latency_us;
};

struct ledger_series {
	uint64_t key; /* books_key() with a place in ledger.route; 0 = free */
	uint64_t count;
};

/* As struct books_metric. */
struct ledger_metric {
	uint32_t kind, edges;
	char name[BOOKS_NAME_BYTES], labels[BOOKS_LABELS_BYTES];
	char help[BOOKS_HELP_BYTES];
	double value, edge[BOOKS_EDGES];
	uint64_t bucket[BOOKS_EDGES + 1];
};

struct ledger {
	uint32_t routes, metrics; /* in use, from the begin */
	uint64_t rest;		  /* requests of no series */
	struct ledger_route route[LEDGER_ROUTES];
	struct ledger_series series[LEDGER_SERIES]; /* in no order */
	struct ledger_metric metric[LEDGER_METRICS]; /* by name and labels */
};

/* To be freed; NULL without memory. */
struct ledger *ledger_new(const struct report *r);

#endif
