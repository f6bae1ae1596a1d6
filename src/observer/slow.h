/* SPDX-License-Identifier: MIT */
/*
 * Requests that take longer than APP_SLOW: a log line for each, once, and at
 * most one a second for a worker, that says where its handler stands.
 */
#ifndef OBSERVER_SLOW_H
#define OBSERVER_SLOW_H

#include <stdint.h>

#include "proto/board.h"

/* What was told of a slot. */
struct slow {
	int64_t told_ms;    /* when */
	int64_t started_ms; /* of which request */
	int32_t pid;	    /* of which worker */
	uint32_t left_out;  /* others, since then */
};

/* Look at a slot; 0 slow_ms = never. */
void slow_look(struct slow *w, struct slot *s, int64_t slow_ms);

#endif
