/* SPDX-License-Identifier: MIT */
/* The counters of slots: summed over a pool, and as JSON under their names. */
#ifndef PROTO_COUNTERS_H
#define PROTO_COUNTERS_H

#include <jansson.h>

#include "proto/board.h"

/* Add a slot's counters, as they are at this moment, to a sum of one's own
 * (zeroed to begin). */
void counters_add(struct slot_counters *sum, const struct slot_counters *from);

/* A new object: every counter but the latencies, and the workers that came and
 * died. */
json_t *
counters_json(const struct slot_counters *sum, const struct pool_board *pool);

/* Which of EVENT_EXIT_… a status of waitpid(2) is. */
enum board_event counters_exit(int status);

/* By enum shed_reason. */
extern const char *const counters_shed_names[SHED_REASONS];

/* A new object: what the shedder has refused, by reason. */
json_t *counters_shed_json(const struct pool_board *pool);

#endif
