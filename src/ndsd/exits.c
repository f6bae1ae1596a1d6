/* SPDX-License-Identifier: MIT */
#include "ndsd/exits.h"

#include <sys/wait.h>

#include "ndsd/supervisor.h"
#include "proto/counters.h"
#include "proto/tally.h"

static int
holds_request(struct slot *map)
{
	uint32_t state = atomic_load(&map->state);

	tally_settle(map);
	return atomic_load(&map->fd) >= 0 && state != SLOT_ACCEPTING &&
	    state != SLOT_SENT && state != SLOT_EXPIRED &&
	    !(atomic_load(&map->flags) & (SLOT_COUNTED | SLOT_PROBE));
}

static enum board_event
exit_reason(const struct pool_place *was, int status)
{
	if (was->killed)
		return EVENT_EXIT_OVERDUE;
	if (was->state == POOL_RETIRING && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0)
		return EVENT_EXIT_RETIRED;
	return counters_exit(status);
}

void
exits_count(const struct slot_process *s, const struct pool_place *was,
    int status)
{
	struct pool_board *board = s->sup->board;

	if (s->map == NULL || !atomic_exchange(&s->map->death_counted, 0))
		atomic_fetch_add(&board->event[exit_reason(was, status)], 1);
	if (s->map != NULL && holds_request(s->map))
		atomic_fetch_add(&board->event[EVENT_LOST_UNGUARDED], 1);
}
