/* SPDX-License-Identifier: MIT */
/*
 * Counters of a slot that move all together or not at all, whatever instruction
 * their writer is killed at.  What they shall be is noted in the slot first;
 * one store decides; whoever comes after a death stores the same values again.
 * One writer at a time, no locked instruction.
 */
#ifndef PROTO_TALLY_H
#define PROTO_TALLY_H

#include "proto/board.h"

struct tally {
	struct slot *slot;
	uint32_t steps;
};

/* Begin; anything that a dead writer had decided is carried out first. */
void tally_begin(struct tally *t, struct slot *slot);

/* This counter of the slot or its books shall grow; each at most once, and at
 * most TALLY_STEPS of them. */
void tally_add(struct tally *t, _Atomic uint64_t *counter, uint64_t by);

/* Decide and carry out: the counters have moved, and SLOT_COUNTED stands. */
void tally_end(struct tally *t);

/* Carry out what a dead writer had decided, if it had. */
void tally_settle(struct slot *slot);

#endif
