/* SPDX-License-Identifier: MIT */
#include "prove/timeline.h"

#include <string.h>

static uint32_t
larger(uint64_t a, uint64_t b)
{
	uint64_t most = a > b ? a : b;

	return most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
}

static void
join(struct bucket *to, const struct bucket *more)
{
	to->answered += more->answered;
	to->lost += more->lost;
	to->p50_us = larger(to->p50_us, more->p50_us);
	to->p99_us = larger(to->p99_us, more->p99_us);
	to->max_us = larger(to->max_us, more->max_us);
}

void
timeline_begin(struct timeline *t)
{
	memset(t, 0, sizeof(*t));
	t->step_us = TIMELINE_STEP_US;
	t->used = 1;
}

/* A bucket may be settled more than once, of what came meanwhile. */
void
timeline_settle(struct timeline *t)
{
	struct bucket *b = &t->buckets[t->used - 1];

	b->p50_us = larger(b->p50_us, hist_at(&t->open, 0.5));
	b->p99_us = larger(b->p99_us, hist_at(&t->open, 0.99));
	b->max_us = larger(b->max_us, t->open.max);
}

static void
widen(struct timeline *t)
{
	size_t half = (t->used + 1) / 2;

	for (size_t i = 0; i < half; i++) {
		struct bucket two = t->buckets[2 * i];

		if (2 * i + 1 < t->used)
			join(&two, &t->buckets[2 * i + 1]);
		t->buckets[i] = two;
	}
	memset(&t->buckets[half], 0,
	    (TIMELINE_BUCKETS - half) * sizeof(t->buckets[0]));
	t->used = half;
	t->step_us *= 2;
}

static struct bucket *
bucket_at(struct timeline *t, int64_t at_us)
{
	size_t at = (size_t)(at_us < 0 ? 0 : at_us / t->step_us);

	return &t->buckets[at < t->used ? at : t->used - 1];
}

void
timeline_add(struct timeline *t, int64_t at_us, int64_t latency_us)
{
	struct bucket *b;

	while (at_us / t->step_us >= TIMELINE_BUCKETS)
		widen(t);
	if ((size_t)(at_us / t->step_us) >= t->used) {
		timeline_settle(t);
		hist_clear(&t->open);
		t->used = (size_t)(at_us / t->step_us) + 1;
	}
	b = bucket_at(t, at_us);
	if (latency_us < 0) {
		b->lost++;
		return;
	}
	b->answered++;
	hist_add(&t->open, latency_us);
}

void
timeline_lose(struct timeline *t, int64_t at_us)
{
	struct bucket *b = bucket_at(t, at_us);

	b->lost++;
	if (b->answered > 0)
		b->answered--;
}

struct bucket
timeline_join(const struct timeline *t, size_t from, size_t to)
{
	struct bucket all = {0};

	for (size_t i = from; i < to && i < t->used; i++)
		join(&all, &t->buckets[i]);
	return all;
}
