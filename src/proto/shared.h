/* SPDX-License-Identifier: MIT */
/*
 * What the workers of a pool share with each other and write together: limits,
 * breakers, the cache.  One segment of a few areas; what stands in an area is
 * the matter of the file that uses it, for which zeroed memory must mean
 * "empty".  No locks: a worker may die at any instruction, and all others go
 * on.  It outlives workers, generations and supervisors.
 *
 * Any worker can scribble over it.  So places and sizes are checked once, at
 * mapping, and kept outside of it; whoever reads an area checks what it takes.
 */
#ifndef PROTO_SHARED_H
#define PROTO_SHARED_H

#include <stdint.h>

#include "base/error.h"
#include "proto/settings.h"

#define SHARED_ENV "NDS_SHARED_FD"

/* Pages that nobody writes to take no memory. */
#define SHARED_BULKHEADS_BYTES (256 << 10)
#define SHARED_BUCKETS_BYTES (2 << 20)
#define SHARED_BREAKERS_BYTES (64 << 10)

/* Appended to only: an older libnds finds the areas it knows. */
enum shared_area {
	SHARED_BULKHEADS, /* places of concurrency limits */
	SHARED_BUCKETS,	  /* of rate limits */
	SHARED_BREAKERS,  /* circuit breakers and retry budgets */
	SHARED_CACHE,	  /* responses */
	SHARED_AREAS
};

/* A mapped segment.  An area that it does not have is NULL and 0 bytes. */
struct shared {
	void *base; /* of the mapping */
	uint64_t bytes;
	void *area[SHARED_AREAS];
	uint64_t area_bytes[SHARED_AREAS];
};

/* Make a zeroed segment with areas of at least those sizes (0 = none).
 * Returns a CLOEXEC fd, or -1 with err. */
int shared_new(const uint64_t area_bytes[SHARED_AREAS],
    struct nds_error *err);

/* The one of a pool with these settings. Returns as shared_new(). */
int shared_pool_new(const struct settings *settings, struct nds_error *err);

/* Map one for reading and writing, or (writable = 0) for reading alone, after
 * checking it. Returns 0, to be released with shared_unmap(), or -1 with err.
 * The fd stays the caller's. */
int shared_map(struct shared *s, int fd, int writable,
    struct nds_error *err);
void shared_unmap(struct shared *s);

#endif
