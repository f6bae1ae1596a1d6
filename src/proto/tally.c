/* SPDX-License-Identifier: MIT */
#include "proto/tally.h"

#include <assert.h>

void
tally_begin(struct tally *t, struct slot *slot)
{
	tally_settle(slot);
	t->slot = slot;
	t->steps = 0;
}

void
tally_add(struct tally *t, _Atomic uint64_t *counter, uint64_t by)
{
	struct slot_tally *to = &t->slot->tally;

	assert(t->steps < TALLY_STEPS);
	to->step[t->steps].at =
	    (uint32_t)((uintptr_t)counter - (uintptr_t)t->slot);
	to->step[t->steps].value =
	    atomic_load_explicit(counter, memory_order_relaxed) + by;
	t->steps++;
}

/* A death cuts between two instructions, so it is their order alone that
 * matters. */
void
tally_settle(struct slot *slot)
{
	struct slot_tally *from = &slot->tally;
	uint32_t steps = atomic_load_explicit(&from->steps,
	    memory_order_acquire);
	uint64_t bytes = board_bytes(slot);

	if (steps == 0)
		return;
	for (uint32_t i = 0; i < steps && i < TALLY_STEPS; i++) {
		uint32_t at = from->step[i].at;

		if (at % sizeof(uint64_t) == 0 && at < bytes)
			atomic_store_explicit((_Atomic uint64_t *)(
			    (uintptr_t)slot + at), from->step[i].value,
			    memory_order_relaxed);
	}
	atomic_fetch_or_explicit(&slot->flags, SLOT_COUNTED,
	    memory_order_release);
	atomic_store_explicit(&from->steps, 0, memory_order_release);
}

void
tally_end(struct tally *t)
{
	atomic_store_explicit(&t->slot->tally.steps, t->steps,
	    memory_order_release);
	tally_settle(t->slot);
}
