/* SPDX-License-Identifier: MIT */
/*
 * Bulkheads: how many requests of a group of routes may run at once over the
 * whole pool.  In the shared area each group has places; who runs a request
 * holds one, marked with its slot's number, so whatever a worker dies of, its
 * place is known and freed by whoever buries it: guardian, supervisor, or the
 * slot's next worker.  No count is kept, so none can be wrong.
 */
#ifndef PROTO_BULKHEAD_H
#define PROTO_BULKHEAD_H

#include <stdatomic.h>
#include <stdint.h>

#include "proto/shared.h"

#define BULKHEAD_PLACES_MAX 1024
#define BULKHEAD_NAME_BYTES 64
#define BULKHEAD_BYTES 4096 /* of one group; the first is the area's head */
#define BULKHEADS_MAX (SHARED_BULKHEADS_BYTES / BULKHEAD_BYTES - 1)

/* A group.  Claimed by its id; the name is written after that, by each that
 * looks for it, until one has said that it stands. */
struct bulkhead {
	_Atomic uint64_t id; /* hash of the name, 0 = nobody's */
	_Atomic uint32_t named;
	_Atomic uint32_t places; /* as last asked for; to be shown */
	_Atomic uint64_t refused;
	char name[BULKHEAD_NAME_BYTES];
	_Alignas(64) _Atomic uint16_t owner[BULKHEAD_PLACES_MAX];
};

/* The group of that name (1..63 bytes), made if it is new; NULL when there are
 * BULKHEADS_MAX others, or no area. */
struct bulkhead *bulkhead_find(const struct shared *s, const char *group_name,
    uint32_t places_shown);

/* 1 for the first caller after the table was found full, to say so once. */
int bulkhead_tell_full(const struct shared *s);

/* Take one of the first `places` places for the slot; `again` finds the one
 * that it may hold already, for a request that is run again.  Returns its
 * number, or -1 when all are taken, which is counted. */
int bulkhead_enter(struct bulkhead *b, uint32_t places, uint32_t slot,
    int again);

/* Give it back. */
void bulkhead_leave(struct bulkhead *b, int place, uint32_t slot);

/* Free whatever the slot holds: its worker is dead. */
void bulkhead_release(const struct shared *s, uint32_t slot);

/* Free what a slot holds that has no process now (used(arg, slot) is 0): it
 * took nothing, somebody scribbled there.  For whoever starts the processes. */
void bulkhead_sweep(const struct shared *s,
    int (*used)(const void *arg, uint32_t slot), const void *arg);

struct bulkhead_state {
	char name[BULKHEAD_NAME_BYTES]; /* any bytes, terminated */
	uint32_t held, places;
	uint64_t refused;
};

/* What group i (0..BULKHEADS_MAX - 1) shows. Returns 0, -1: there is none. */
int bulkhead_read(const struct shared *s, uint32_t i,
    struct bulkhead_state *state);

#endif
