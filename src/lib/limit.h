/* SPDX-License-Identifier: MIT */
/*
 * The limits of a worker: how often one client may ask (buckets), and how many
 * requests of a group of routes run at once (bulkheads).  Both count over the
 * whole pool; without ndsd each responder counts for itself.
 */
#ifndef LIB_LIMIT_H
#define LIB_LIMIT_H

#include "base/error.h"
#include "base/rate.h"
#include "lib/client.h"
#include "lib/route.h"
#include "proto/bucket.h"
#include "proto/settings.h"

struct nds_app;
struct nds_request;
struct nds_response;

struct limits {
	struct rate rate; /* of one client */
	struct bucket_table buckets;
	const char *key_header; /* NULL: clients are known by address */
	char policy[80];	/* the field RateLimit-Policy, its line */
	struct client_rule client;
	int64_t retry_after_ms;
	uint32_t slot;
};

/* Make app->limits, and find app's groups in the pool's memory; settings, slot
 * and shared stand. Returns 0, or -1 with err. */
int limits_open(struct nds_app *app, struct nds_error *err);

/* Take a token for the request, unless it is a probe or runs again.  Returns 1,
 * or 0 when the client has none left; the answer then says when. Costs one
 * branch when there is no rate. */
int limits_take(struct limits *limits, struct nds_request *req,
    struct nds_response *res);

/* Take a place of the group of its route.  Returns its number, or -1 when all
 * are taken; the answer then says when to come back. */
int limits_enter(const struct limits *limits, const struct nds_request *req,
    struct nds_response *res);
void limits_leave(const struct limits *limits,
    const struct route_group *group, int place);

#endif
