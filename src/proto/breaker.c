/* SPDX-License-Identifier: MIT */
#include "proto/breaker.h"

#include <stddef.h>

#define COUNT_BITS 20
#define COUNT_MAX ((1u << COUNT_BITS) - 1)
#define NUMBER_MASK ((1u << 24) - 1)
#define PROBES_MAX 16 /* cells looked at for one name */

_Static_assert(sizeof(struct breaker) == 64, "one cell, one cache line");

static uint64_t
state_make(int64_t time_ms, enum breaker_phase phase)
{
	return (uint64_t)time_ms << 2 | phase;
}

static enum breaker_phase
state_phase(uint64_t state)
{
	return state & 3;
}

/* Has its time come?  A time too far ahead is nobody's: somebody scribbled. */
static int
state_over(uint64_t state, int64_t now_ms)
{
	int64_t left = (int64_t)(state >> 2) - now_ms;

	return left <= 0 || left > 2 * BREAKER_TIME_MAX_MS;
}

/* ---- cells --------------------------------------------------------------- */

/* FNV-1a (Fowler, Noll, Vo), never 0. */
static uint64_t
name_key(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
	return hash | 1;
}

struct breaker *
breaker_find(void *area, uint64_t bytes, const char *name)
{
	uint64_t count = bytes / sizeof(struct breaker), found;
	uint64_t key = name_key(name);
	struct breaker *b;

	for (uint64_t i = 0; i < PROBES_MAX && i < count; i++) {
		b = (struct breaker *)area + (key + i) % count;
		found = 0;
		if (atomic_compare_exchange_strong(&b->key, &found, key) ||
		    found == key)
			return b;
	}
	return NULL;
}

int
breaker_is_open(const void *area, uint64_t bytes, const char *name)
{
	uint64_t count = bytes / sizeof(struct breaker), key = name_key(name);
	const struct breaker *b;

	for (uint64_t i = 0; i < PROBES_MAX && i < count; i++) {
		b = (const struct breaker *)area + (key + i) % count;
		if (b->key == key)
			return state_phase(b->state) != BREAKER_CLOSED;
	}
	return 0;
}

/* ---- counting ------------------------------------------------------------ */

static uint64_t
half_number(const struct breaker_policy *policy, int64_t now_ms)
{
	int64_t half_ms = policy->window_ms / 2;

	return (uint64_t)(now_ms / (half_ms < 1 ? 1 : half_ms)) & NUMBER_MASK;
}

static void
half_count(_Atomic uint64_t *half, uint64_t number, int ok)
{
	uint64_t old = atomic_load(half), next, tries, failures;

	do {
		next = old >> 40 == number ? old : number << 40;
		tries = next >> COUNT_BITS & COUNT_MAX;
		failures = next & COUNT_MAX;
		if (tries < COUNT_MAX)
			next += (uint64_t)1 << COUNT_BITS;
		if (!ok && failures < COUNT_MAX)
			next += 1;
	} while (!atomic_compare_exchange_weak(half, &old, next));
}

/* Are the failures of this half window and the one before too many? */
static int
window_fails(struct breaker *b, const struct breaker_policy *policy,
    uint64_t number)
{
	uint64_t tries = 0, failures = 0, half;

	for (uint64_t back = 0; back < 2; back++) {
		half = atomic_load(&b->half[(number - back) & 1]);
		if (half >> 40 != ((number - back) & NUMBER_MASK))
			continue;
		tries += half >> COUNT_BITS & COUNT_MAX;
		failures += half & COUNT_MAX;
	}
	return tries > 0 && tries >= (uint64_t)policy->min_calls &&
	    failures * 100 >= tries * (uint64_t)policy->failure_percent;
}

/* ---- asking and telling -------------------------------------------------- */

int
breaker_ask(struct breaker *b, int64_t now_ms, int try_ms,
    struct breaker_pass *pass)
{
	uint64_t old = atomic_load(&b->state);
	uint64_t trial = state_make(now_ms + try_ms, BREAKER_TRIAL);

	pass->at_ms = now_ms;
	pass->state = old;
	if (state_phase(old) == BREAKER_CLOSED)
		return 0;
	pass->state = trial;
	return state_over(old, now_ms) &&
	    atomic_compare_exchange_strong(&b->state, &old, trial) ? 0 : -1;
}

int
breaker_refuses(struct breaker *b, int64_t now_ms)
{
	uint64_t state = atomic_load(&b->state);

	return state_phase(state) != BREAKER_CLOSED &&
	    !state_over(state, now_ms);
}

static enum breaker_change
trial_result(struct breaker *b, const struct breaker_policy *policy,
    uint64_t trial, int64_t now_ms, int ok)
{
	uint64_t next = ok ? state_make(now_ms, BREAKER_CLOSED) :
	    state_make(now_ms + policy->open_ms, BREAKER_OPEN);

	if (atomic_load(&b->state) != trial)
		return BREAKER_SAME; /* it took too long */
	if (ok) { /* the failures that opened it must not do so again */
		atomic_store(&b->half[0], 0);
		atomic_store(&b->half[1], 0);
	}
	if (!atomic_compare_exchange_strong(&b->state, &trial, next))
		return BREAKER_SAME;
	return ok ? BREAKER_RECOVERED : BREAKER_OPENED;
}

enum breaker_change
breaker_result(struct breaker *b, const struct breaker_policy *policy,
    const struct breaker_pass *pass, int64_t now_ms, int ok)
{
	uint64_t state = atomic_load(&b->state), open;
	uint64_t number = half_number(policy, now_ms);

	if (state_phase(pass->state) == BREAKER_TRIAL)
		return trial_result(b, policy, pass->state, now_ms, ok);
	/* A try from before the last opening says nothing of today. */
	if (state != pass->state)
		return BREAKER_SAME;
	half_count(&b->half[number & 1], number, ok);
	if (ok || !window_fails(b, policy, number))
		return BREAKER_SAME;
	open = state_make(now_ms + policy->open_ms, BREAKER_OPEN);
	return atomic_compare_exchange_strong(&b->state, &state, open) ?
	    BREAKER_OPENED : BREAKER_SAME;
}
