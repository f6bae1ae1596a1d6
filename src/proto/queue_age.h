/* SPDX-License-Identifier: MIT */
/*
 * How long the head of a listener's queue has waited, from samples; pure.  The
 * queue is first in, first out, so connection number n is at its head once
 * n - 1 were accepted, and it arrived when accepted + waiting first reached n.
 * Wait = length / throughput would be wrong by far where requests differ in
 * cost.
 *
 * Where accepts are not known (0 for ever) the same sum tells for how long the
 * queue has not been empty, which is the most that its head can have waited.
 */
#ifndef PROTO_QUEUE_AGE_H
#define PROTO_QUEUE_AGE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/queue.h"

#define QUEUE_SAMPLES 1024 /* even */
#define QUEUE_PRECISION 32 /* a wait is known to this part of it */

struct queue_sample {
	int64_t ms;
	uint64_t arrived; /* connections that had arrived by then, ever */
};

/* Who waited at the last look; zero it to begin. */
struct queue_list {
	size_t count;
	uint32_t peer[QUEUE_PEERS];
};

/* Zero it to begin. */
struct queue_age {
	size_t first, count;
	struct queue_sample sample[QUEUE_SAMPLES]; /* whose arrivals wait */
};

/* At now_ms (which never goes back) so many were accepted since ever, and so
 * many wait.  Read the accepts first, then the queue: one that is accepted in
 * between is then missed for a moment, and none is seen that never came. */
void queue_age_note(struct queue_age *q, int64_t now_ms, uint64_t accepted,
    uint32_t waiting);

/* Milliseconds that the head had waited at now_ms, right to a distance between
 * two samples or, where there are too many to keep, to 1/QUEUE_PRECISION of it;
 * -1 when nobody waited at the last sample. */
int64_t queue_age_head(const struct queue_age *q, int64_t now_ms);

/* So many of those who waited at the last look have been taken: what stands in
 * for the count of accepts where nobody counts them. Who came and was taken
 * between two looks is not seen.  The new list (as of queue_peers()) is kept
 * for the next time. */
size_t queue_list_taken(struct queue_list *list, const uint32_t *peer,
    size_t count);

#endif
