/* SPDX-License-Identifier: MIT */
/*
 * The application's own counters, gauges and histograms, and those that libnds
 * keeps for its upstreams in the same way: described before the worker begins,
 * counted in the books of its slot.
 */
#ifndef LIB_METRIC_H
#define LIB_METRIC_H

#include "base/error.h"
#include "lib/nds.h"
#include "proto/books.h"

struct nds_metric {
	struct nds_metric *next; /* of the application */
	struct nds_app *app;
	struct books_metric what;  /* its description, no number */
	struct books_metric *cell; /* NULL: nowhere to count */
	size_t labels_bytes;	   /* of what.labels, in use */
};

/* As nds_counter(), for libnds's own names, with one label (or NULL). */
struct nds_metric *metric_own(struct nds_app *app, const char *name,
    const char *help, const char *label, const char *value);

/* Find mistakes that show only when all is described. The first goes to err. */
void metric_check(const struct nds_app *app, struct nds_error *err);

/* Give everything that is counted its place in the slot's books: routes and
 * metrics.  Once, before the worker is split off its guardian. */
void metric_open(struct nds_app *app);

/* A worker begins: its gauges are 0. */
void metric_begin(const struct nds_app *app);

void metric_free_all(struct nds_metric *metrics);

#endif
