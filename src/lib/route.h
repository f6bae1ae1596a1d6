/* SPDX-License-Identifier: MIT */
/*
 * The router: from a method and a path to a route.  Pure: it allocates while
 * the application is described and never while it serves.
 *
 * Routes stand in a tree of path segments.  At each segment a literal is tried
 * before a parameter, a parameter before a rest; what leads nowhere is given
 * up again, so each node is visited at most once a request.
 */
#ifndef LIB_ROUTE_H
#define LIB_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "lib/nds.h"
#include "proto/bulkhead.h"

#define ROUTE_PATH_MAX 8192  /* bytes of a decoded path */
#define ROUTE_SEGMENTS_MAX 32 /* of a pattern */
#define ROUTE_PARAMS_MAX 16   /* of a pattern */
#define ROUTE_METHODS_MAX 31
#define ROUTE_GROUPS_MAX 32
#define ROUTE_ANY (1u << ROUTE_METHODS_MAX)

/* A path split at its slashes, each segment decoded. */
struct route_path {
	unsigned count;			    /* segments, may be over the max */
	uint16_t start[ROUTE_SEGMENTS_MAX]; /* of the first ones */
	uint16_t bytes[ROUTE_SEGMENTS_MAX];
	char text[ROUTE_PATH_MAX + 1];	/* all of it */
	char parts[ROUTE_PATH_MAX + 1]; /* the same, NUL for each slash */
};

struct nds_route {
	struct nds_route *next; /* at the same node */
	uint32_t methods;	/* bits of router.methods; or ROUTE_ANY */
	nds_handler handler;
	char *names; /* of its parameters, each ended by a NUL */
	unsigned param_count;
	struct {
		const char *name;
		unsigned segment;
		int rest;
	} param[ROUTE_PARAMS_MAX];
	int stream_body;
	int idempotent;	   /* may be run again, whatever the method */
	int deadline_ms;   /* of its own; 0 = none */
	const struct route_group *group; /* NULL: any number at once */
	int cache_ttl_ms;  /* 0 = answers are not cached */
	int cache_stale_ms;
	const char *cache_vary; /* headers, with commas between */
	struct router *router;
	int has_max_body;
	uint64_t max_body; /* 0 = no limit */
	int probe_only;	   /* there for ORDER_PROBE connections alone */
	struct nds_route *after; /* in the order of their making */
	char *pattern;
	uint32_t place; /* in the books; BOOKS_UNMATCHED until it has one */
};

struct route_node {
	struct route_node *next;     /* of the literals of one parent */
	struct route_node *literals; /* the segments that may follow */
	struct route_node *param, *rest;
	struct nds_route *routes;
	size_t bytes;
	char literal[];
};

/* Routes that share a limit of requests at once. */
struct route_group {
	char name[BULKHEAD_NAME_BYTES];
	uint32_t places;
	struct bulkhead *bulkhead; /* of the worker; NULL: not limited */
};

struct router {
	struct nds_error *wrong; /* of the application; NULL = none */
	struct route_group group[ROUTE_GROUPS_MAX];
	unsigned group_count;
	int shortest_ms; /* of the routes' own deadlines; 0 = none */
	struct route_node *root;
	struct nds_route *first, *last; /* of all, as they were made */
	char *methods[ROUTE_METHODS_MAX]; /* bit i is methods[i] */
	unsigned method_count;
};

struct route_match {
	const struct nds_route *route; /* NULL: none */
	uint32_t allowed; /* methods of the path; 0: no such path */
};

/* Split and decode a raw path; decode = 0 takes it as already decoded.
 * Returns 0, or -1 with EINVAL (malformed escape, NUL, not UTF-8, no leading
 * slash) or ENAMETOOLONG; the path is then empty. */
int route_split(struct route_path *path, const char *raw, size_t bytes,
    int decode);

/* Add a route. Returns it (the router's), or NULL with err filled. */
struct nds_route *router_add(struct router *r, const char *methods,
    const char *pattern, nds_handler handler, struct nds_error *err);

/* Find the route of a request; HEAD is found where GET is. */
struct route_match router_find(const struct router *r, const char *method,
    const struct route_path *path, int is_probe);

/* The value of a route's parameter in the path that it was found for, or
 * NULL. */
const char *route_param(const struct nds_route *route,
    const struct route_path *path, const char *name);

/* Write the Allow list of route_match.allowed, or of every route (ROUTE_ANY),
 * cut at a method when it does not fit. Returns text. */
char *router_allow(const struct router *r, uint32_t allowed, char *text,
    size_t bytes);

void router_free(struct router *r);

#endif
