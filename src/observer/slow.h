/* SPDX-License-Identifier: MIT */
/*
 * Requests that take longer than APP_SLOW: a log line for each, once, while it
 * runs, that says where its handler stands.  At most one a second for a worker,
 * and naming functions takes a tenth of a processor at most: who has to wait
 * for that is told later if it still runs, else only counted.
 */
#ifndef OBSERVER_SLOW_H
#define OBSERVER_SLOW_H

#include <stdint.h>

#include "proto/board.h"

/* What was told of a slot. */
struct slow_slot {
	int64_t told_ms;    /* when */
	int64_t started_ms; /* of which request */
	int32_t pid;	    /* of which worker */
	int64_t waiting_ms; /* start of the one that was last counted */
	uint32_t left_out;  /* counted since then */
};

struct slow {
	struct slow_slot slot[BOARD_SLOTS_MAX];
	uint32_t next;	 /* who is looked at first, so that all have a turn */
	int64_t rest_ms; /* nobody is looked at before */
};

/* Look at the slots (NULL = none there): of those that are due one is told. */
void slow_look(struct slow *w, struct slot *const *slots, uint32_t count,
    int64_t slow_ms, int64_t now_ms);

#endif
