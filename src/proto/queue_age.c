/* SPDX-License-Identifier: MIT */
#include "proto/queue_age.h"

#include <string.h>

static struct queue_sample *
at(struct queue_age *q, size_t i)
{
	return &q->sample[(q->first + i) % QUEUE_SAMPLES];
}

/* What arrived in two samples counts as arrived in the first: is that near
 * enough for its age? */
static int
may_merge(struct queue_age *q, size_t kept, size_t i, int64_t now_ms)
{
	int64_t end = i + 1 < q->count ? at(q, i + 1)->ms : now_ms;

	return (end - at(q, kept)->ms) * QUEUE_PRECISION < now_ms - end;
}

/* Make room. */
static void
thin(struct queue_age *q, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 1; i < q->count; i++)
		if (may_merge(q, kept, i, now_ms))
			at(q, kept)->arrived = at(q, i)->arrived;
		else
			*at(q, ++kept) = *at(q, i);
	q->count = kept + 1;
}

/* Fewer have arrived than it seemed: accepts were not counted (their worker
 * died, or it counts none).  Those that wait are then older than it seemed. */
static void
take_back(struct queue_age *q, uint64_t arrived)
{
	while (q->count > 1 && at(q, q->count - 2)->arrived >= arrived)
		q->count--;
	if (q->count > 0 && at(q, q->count - 1)->arrived > arrived)
		at(q, q->count - 1)->arrived = arrived;
}

void
queue_age_note(struct queue_age *q, int64_t now_ms, uint64_t accepted,
    uint32_t waiting)
{
	uint64_t arrived = accepted + waiting;

	take_back(q, arrived);
	while (q->count > 0 && at(q, 0)->arrived <= accepted) {
		q->first = (q->first + 1) % QUEUE_SAMPLES;
		q->count--;
	}
	if (waiting == 0 ||
	    (q->count > 0 && at(q, q->count - 1)->arrived >= arrived))
		return;
	if (q->count == QUEUE_SAMPLES)
		thin(q, now_ms);
	if (q->count > 0 && (at(q, q->count - 1)->ms == now_ms ||
	    q->count == QUEUE_SAMPLES))
		at(q, q->count - 1)->arrived = arrived;
	else
		*at(q, q->count++) = (struct queue_sample){now_ms, arrived};
}

int64_t
queue_age_head(const struct queue_age *q, int64_t now_ms)
{
	return q->count == 0 ? -1 : now_ms - q->sample[q->first].ms;
}

/* Where the first in the new list who still is somebody stood before, less
 * those in front of him. */
static size_t
list_shift(const struct queue_list *list, const uint32_t *peer, size_t count)
{
	size_t j = 0;

	while (j < count && peer[j] == 0)
		j++;
	if (j == count) /* none, or all have hung up */
		return list->count > count ? list->count - count : 0;
	for (size_t i = j; i < list->count; i++)
		if (list->peer[i] == peer[j])
			return i - j;
	return list->count;
}

size_t
queue_list_taken(struct queue_list *list, const uint32_t *peer, size_t count)
{
	size_t taken = list_shift(list, peer, count);

	memcpy(list->peer, peer, count * sizeof(peer[0]));
	list->count = count;
	return taken;
}
