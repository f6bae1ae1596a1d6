/* SPDX-License-Identifier: MIT */
#include "proto/bulkhead.h"

#include <stddef.h>
#include <string.h>

#include "proto/board.h"

_Static_assert(sizeof(struct bulkhead) <= BULKHEAD_BYTES, "one fits its place");

static uint32_t
table_size(const struct shared *s)
{
	uint64_t all = s->area_bytes[SHARED_BULKHEADS] / BULKHEAD_BYTES;

	if (s->area[SHARED_BULKHEADS] == NULL || all == 0)
		return 0;
	return all > BULKHEADS_MAX ? BULKHEADS_MAX : (uint32_t)all - 1;
}

static struct bulkhead *
table_at(const struct shared *s, uint32_t i)
{
	return (void *)((char *)s->area[SHARED_BULKHEADS] +
	    (size_t)(i + 1) * BULKHEAD_BYTES);
}

/* FNV-1a (Fowler, Noll, Vo): names are the program's own, nobody aims. */
static uint64_t
name_id(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) *
		    UINT64_C(0x100000001b3);
	return hash == 0 ? 1 : hash;
}

/* Whether it is the id's, or is now. */
static int
claim(struct bulkhead *b, uint64_t id)
{
	uint64_t was = 0;

	return atomic_compare_exchange_strong(&b->id, &was, id) || was == id;
}

struct bulkhead *
bulkhead_find(const struct shared *s, const char *name, uint32_t places)
{
	uint32_t i, size = table_size(s);
	uint64_t id = name_id(name);
	struct bulkhead *b;

	for (i = 0; i < size && !claim(table_at(s, i), id); i++)
		;
	if (i == size)
		return NULL;
	b = table_at(s, i);
	if (!atomic_load(&b->named)) {
		strncpy(b->name, name, sizeof(b->name) - 1);
		atomic_store(&b->named, 1);
	}
	atomic_store(&b->places, places);
	return b;
}

int
bulkhead_tell_full(const struct shared *s)
{
	if (table_size(s) == 0)
		return 0;
	return atomic_exchange((_Atomic uint32_t *)s->area[SHARED_BULKHEADS],
		   1) == 0;
}

/* Also what somebody scribbled there and no slot can have written. */
static int
is_free(uint16_t owner)
{
	return owner == 0 || owner > BOARD_SLOTS_MAX;
}

/* Where a slot looks first: each elsewhere, so that they need not look far,
 * and where there are enough places in a line of the processor's cache of its
 * own. */
static uint32_t
place_first(uint32_t places, uint32_t slot)
{
	const uint32_t line = 64 / sizeof(uint16_t);
	uint32_t at = slot * line;

	return (places < 2 * line ? slot : at + at / places) % places;
}

/* The slot's own place, or a free one; `places` when there is neither. */
static uint32_t
place_find(const struct bulkhead *b, uint32_t places, uint32_t slot, int again)
{
	uint32_t i, at, first = place_first(places, slot), vacant = places;
	uint16_t owner;

	for (i = 0; i < places && (again || vacant == places); i++) {
		at = (first + i) % places;
		owner = atomic_load(&b->owner[at]);
		if (owner == slot + 1)
			return at;
		if (vacant == places && is_free(owner))
			vacant = at;
	}
	return vacant;
}

int
bulkhead_enter(struct bulkhead *b, uint32_t places, uint32_t slot, int again)
{
	uint16_t own = (uint16_t)(slot + 1), old;
	uint32_t at;

	do {
		at = place_find(b, places, slot, again);
		if (at == places) {
			atomic_fetch_add(&b->refused, 1);
			return -1;
		}
		old = atomic_load(&b->owner[at]);
	} while ((old != own && !is_free(old)) ||
	    !atomic_compare_exchange_strong(&b->owner[at], &old, own));
	return (int)at;
}

void
bulkhead_leave(struct bulkhead *b, int place, uint32_t slot)
{
	uint16_t own = (uint16_t)(slot + 1);

	atomic_compare_exchange_strong(&b->owner[place], &own, 0);
}

void
bulkhead_release(const struct shared *s, uint32_t slot)
{
	uint32_t i, size = table_size(s);
	struct bulkhead *b;

	for (i = 0; i < size; i++) {
		b = table_at(s, i);
		if (atomic_load(&b->id) == 0)
			return; /* they are claimed in order */
		for (int at = 0; at < BULKHEAD_PLACES_MAX; at++)
			if (atomic_load(&b->owner[at]) == slot + 1)
				bulkhead_leave(b, at, slot);
	}
}

static void
sweep_one(struct bulkhead *b, int (*used)(const void *arg, uint32_t slot),
    const void *arg)
{
	uint16_t owner;

	for (int at = 0; at < BULKHEAD_PLACES_MAX; at++) {
		owner = atomic_load(&b->owner[at]);
		if (!is_free(owner) && !used(arg, owner - 1u))
			bulkhead_leave(b, at, owner - 1u);
	}
}

void
bulkhead_sweep(const struct shared *s,
    int (*used)(const void *arg, uint32_t slot), const void *arg)
{
	uint32_t i, size = table_size(s);

	for (i = 0; i < size && atomic_load(&table_at(s, i)->id) != 0; i++)
		sweep_one(table_at(s, i), used, arg);
}

int
bulkhead_read(const struct shared *s, uint32_t i, struct bulkhead_state *state)
{
	const struct bulkhead *b;

	memset(state, 0, sizeof(*state));
	if (i >= table_size(s) || !atomic_load(&table_at(s, i)->named))
		return -1;
	b = table_at(s, i);
	memcpy(state->name, b->name, sizeof(state->name) - 1);
	for (int at = 0; at < BULKHEAD_PLACES_MAX; at++)
		state->held += !is_free(b->owner[at]);
	state->places = b->places;
	state->refused = b->refused;
	return 0;
}
