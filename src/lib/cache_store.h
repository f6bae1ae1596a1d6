/* SPDX-License-Identifier: MIT */
/*
 * Answers kept in memory that all workers write: a ring of entries and an index
 * over it.  No locks.  A writer takes room at the ring's head, over the oldest
 * entries, writes the whole entry there and publishes its place with one store;
 * whoever dies before that has wasted room and nothing else.  A reader copies
 * an entry out, and takes it only if its sum and its key are right: what was
 * half written, overwritten meanwhile or scribbled over is simply not there.
 *
 * Each key also has a lease: who holds it makes the answer, and the others
 * need not.  It ends by its time, or when its owner comes again.
 *
 * Pure but for atomics and the futex: time comes from the caller.
 */
#ifndef LIB_CACHE_STORE_H
#define LIB_CACHE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buffer.h"

#define CACHE_KEY_MAX 4096
#define CACHE_FIELDS_MAX 16384
#define CACHE_BODY_MAX 65536
#define CACHE_LEASE_MAX_MS 30000 /* to make an answer */

struct cache_way; /* of the index, shared */
struct cache_hold;

/* The mapping as one process sees it; none of it is shared but what it points
 * to. */
struct cache_store {
	_Atomic uint64_t *head; /* bytes ever taken of the ring */
	struct cache_way *ways;
	struct cache_hold *holds; /* as many */
	uint64_t sets;
	uint8_t *ring;
	uint64_t ring_bytes;
};

struct cache_key {
	uint64_t hash;
	size_t bytes;
	char text[CACHE_KEY_MAX];
};

/* A stored answer; fields as in struct nds_response. */
struct cache_entry {
	int64_t stored_ms;
	uint32_t fresh_ms, stale_ms; /* the second after the first */
	unsigned field_count;
	size_t fields_bytes, body_bytes;
	const char *fields, *body;
};

enum cache_lease {
	CACHE_LEASED, /* the caller makes the answer */
	CACHE_HELD,   /* another one does */
	CACHE_VAIN    /* lately it could not be kept: let all make it */
};

/* Who asks for a lease, and when.  An owner (1..65534) makes one answer at a
 * time: a lease that it finds its own is its dead predecessor's. */
struct cache_claim {
	uint16_t owner;
	int64_t now_ms, until_ms;
	uint32_t bell; /* filled, for cache_store_wait() */
};

/* Use this zeroed area. Returns 0, or -1 when it is too small. */
int cache_store_open(struct cache_store *s, void *area, uint64_t bytes);

/* Add a part to a key that was zeroed before. Returns 0, -1 when it grows too
 * long; cache_key_end() makes it ready. */
int cache_key_add(struct cache_key *key, const char *text, size_t bytes);
void cache_key_end(struct cache_key *key);

/* Copy the entry of a key into `copy` and point *e there.  Returns 0, or -1
 * when there is none (or no memory). */
int cache_store_get(const struct cache_store *s, const struct cache_key *key,
    struct buffer *copy, struct cache_entry *e);

/* Keep an answer, in place of the one before. Returns 0, or -1 when it is too
 * large. */
int cache_store_put(const struct cache_store *s, const struct cache_key *key,
    const struct cache_entry *e);

/* Ask for the key's lease until claim->until_ms, at most CACHE_LEASE_MAX_MS
 * from now. */
enum cache_lease cache_store_lease(const struct cache_store *s,
    const struct cache_key *key, struct cache_claim *claim);

/* Give the lease back, if it is still the owner's, and wake who waits.
 * vain_until_ms is 0, or how long CACHE_VAIN is the answer to all who ask. */
void cache_store_release(const struct cache_store *s,
    const struct cache_key *key, uint16_t owner, int64_t vain_until_ms);

/* Wait for a release since bell was read, at most wait_ms. */
void cache_store_wait(const struct cache_store *s,
    const struct cache_key *key, uint32_t bell, int wait_ms);

#endif
