/* SPDX-License-Identifier: MIT */
#include "ndsd/recycle.h"

#include "base/log.h"
#include "base/resident.h"
#include "ndsd/supervisor.h"

#define RECYCLE_EVERY_MS 1000

int64_t
recycle_limit(int64_t max_requests, uint32_t place, int32_t pid)
{
	uint32_t mixed = (place + 1) * 2654435761u ^ (uint32_t)pid * 40503u;

	return max_requests + max_requests * (mixed % 101) / 1000;
}

static int
is_worn(const struct slot_process *s, const struct pool_place *at,
    const struct settings *set)
{
	int32_t pid = s->map != NULL ? atomic_load(&s->map->worker_pid) : 0;
	uint64_t served = s->map != NULL
	    ? atomic_load(&s->map->count.requests) - at->requests_before
	    : 0;

	if (set->max_requests > 0 &&
	    served >= (uint64_t)recycle_limit(set->max_requests, s->number,
			  at->pid))
		return 1;
	return set->max_rss_bytes > 0 &&
	    resident_bytes(pid > 0 ? pid : at->pid) > set->max_rss_bytes;
}

void
recycle_tick(struct supervisor *sup, int64_t now_ms)
{
	const struct settings *set = &sup->state->settings;

	if ((set->max_requests == 0 && set->max_rss_bytes == 0) ||
	    now_ms < sup->recycle_ms)
		return;
	sup->recycle_ms = now_ms + RECYCLE_EVERY_MS;
	for (uint32_t i = 0; i < sup->state->slots; i++) {
		struct pool_place *at = &sup->state->pool.place[i];

		if (at->state != POOL_READY || at->worn ||
		    !is_worn(&sup->slot[i], at, set))
			continue;
		log_info("worker %u (pid %d) has served its time, it is "
			 "replaced",
		    i, at->pid);
		pool_worn(&sup->state->pool, i);
	}
}
