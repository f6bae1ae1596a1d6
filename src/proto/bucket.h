/* SPDX-License-Identifier: MIT */
/*
 * Token buckets that all workers of a pool share, in memory of a fixed size.
 *
 * A bucket is one 64-bit word, moved by compare-and-swap, so there is nothing
 * that a dying worker could leave half done: 20 bits to know its client by, 44
 * of the time at which it will be full again, in microseconds of the monotonic
 * clock.  That is GCRA, the virtual scheduling algorithm of ITU-T I.371
 * (annex A), the same limit as a bucket of tokens that drip in: the time is the
 * "theoretical arrival time", and a request comes too early when it lies more
 * than burst - 1 intervals ahead.  So a bucket that is full is the same as none
 * and its word free, and nothing ever need be cleaned up.
 *
 * A client's word is one of the 8 of its set, which the hash of its key names;
 * the hash has a secret of the area's own, or an attacker could aim at a set.
 * When all 8 are in use the one that is next to be full gives way.
 */
#ifndef PROTO_BUCKET_H
#define PROTO_BUCKET_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rate.h"

#define BUCKET_WAYS 8

/* At the area's start, one line of the processor's cache as each set is. */
struct bucket_head {
	_Atomic uint64_t secret[2]; /* 0 = not yet chosen */
	_Atomic uint64_t refused, replaced;
	_Atomic uint64_t unused[4];
};

struct bucket_table {
	struct bucket_head *head; /* NULL: there is none, all is admitted */
	_Atomic uint64_t *word;
	uint32_t sets;
	uint64_t secret[2];
};

struct bucket_answer {
	int admitted;
	int64_t left;	 /* tokens in the bucket now */
	int64_t full_us; /* until it is full */
	int64_t next_us; /* refused: until a token is there; else 0 */
};

/* Take an area of zeroes, or one that others use already.  Returns 0, or -1
 * with errno when there is no randomness or no room. */
int bucket_open(struct bucket_table *t, void *area, uint64_t bytes);

/* Where the key's bucket is under that limit: one that changes begins anew. */
uint64_t bucket_hash(const struct bucket_table *t, const struct rate *rate,
    const void *key, size_t bytes);

/* Take a token at now_us (clock_us). */
void bucket_take(struct bucket_table *t, uint64_t hash,
    const struct rate *rate, int64_t now_us, struct bucket_answer *answer);

#endif
