/* SPDX-License-Identifier: MIT */
/*
 * Calls of handlers to other services: the API over breaker.h and retry.h, and
 * the time of the request that bounds both.  Waits between tries; never makes
 * a call itself.
 */
#ifndef LIB_CALL_H
#define LIB_CALL_H

#include "lib/nds.h"
#include "lib/retry.h"
#include "proto/breaker.h"

struct nds_upstream {
	struct nds_upstream *next; /* of the application */
	const struct nds_app *app;
	const char *name;
	int timeout_ms; /* of one try */
	struct breaker_policy breaker;
	struct retry_policy retry;
	struct breaker *cell; /* NULL until first used */
	struct breaker own;   /* where nothing is shared, or it is full */
	struct nds_metric *ok, *failed, *refused, *opened; /* counters */
};

struct nds_call {
	struct nds_call *next; /* of the request */
	struct nds_request *req;
	struct nds_upstream *upstream;
	int64_t due_ms; /* clock_ms: no try, and no wait, goes on after it */
	int done;	/* tries made */
	int once;
	int trying;	/* one has begun and its result is not yet told */
	const char *why; /* why there is no success; NULL = there is one */
	int over;
	struct breaker_pass pass;
};

/* End the calls of a request, in memory and, if one has not said how it ended,
 * as a failed one. */
void call_end_all(struct nds_call *calls);

void upstream_free_all(struct nds_upstream *upstreams);

#endif
