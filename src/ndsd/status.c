/* SPDX-License-Identifier: MIT */
#include "ndsd/status.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"

const char *
status_word(const struct supervisor *sup)
{
	uint32_t phase = sup->state->drain.phase;

	if (phase > DRAIN_DRAINED)
		return "stopping";
	if (phase > DRAIN_SERVING)
		return "draining";
	return sup->state->pool.was_ready ? "running" : "starting";
}

/* Every member of slot_counters is a 64-bit counter, so the sum goes over
 * them as an array. */
void
status_sum(const struct supervisor *sup, struct slot_counters *sum)
{
	_Atomic uint64_t *to = (_Atomic uint64_t *)sum;
	size_t members = sizeof(*sum) / sizeof(uint64_t);

	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		struct slot *map = sup->slot[i].map;
		_Atomic uint64_t *from;

		if (map == NULL)
			continue;
		from = (_Atomic uint64_t *)&map->count;
		for (size_t m = 0; m < members; m++)
			to[m] += atomic_load_explicit(&from[m],
			    memory_order_relaxed);
	}
}

static json_t *
number_or_null(int32_t value)
{
	return value > 0 ? json_integer(value) : json_null();
}

static const char *
worker_state(const struct slot_process *s, const struct pool_place *at)
{
	if (at->state == POOL_STARTING)
		return "starting";
	if (at->state == POOL_RETIRING)
		return "retiring";
	return slot_busy(s) ? "busy" : "idle";
}

static json_t *
worker_json(const struct slot_process *s, const struct pool_place *at)
{
	int32_t pid = atomic_load(&s->map->worker_pid);

	return json_pack("{s:i,s:i,s:o,s:i,s:s,s:I,s:I}", "slot",
	    (int)s->number, "pid", pid > 0 ? pid : at->pid, "guardian_pid",
	    number_or_null(atomic_load(&s->map->guardian_pid)), "generation",
	    (int)at->generation, "state", worker_state(s, at), "requests",
	    (json_int_t)atomic_load(&s->map->count.requests), "request_ms",
	    (json_int_t)slot_request_ms(s, clock_ms()));
}

static json_t *
workers_json(const struct supervisor *sup)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		const struct pool_place *at = &sup->state->pool.place[i];

		if (at->state != POOL_EMPTY && sup->slot[i].map != NULL)
			json_array_append_new(list,
			    worker_json(&sup->slot[i], at));
	}
	return list;
}

static json_t *
counters_json(const struct supervisor *sup)
{
	struct slot_counters c;
	struct pool_board *b = sup->board;

	status_sum(sup, &c);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,"
			 "s:I,s:I,s:I,s:I,s:I,s:I}",
	    "accepted", (json_int_t)c.accepted, "requests",
	    (json_int_t)c.requests, "status_1xx", (json_int_t)c.status[1],
	    "status_2xx", (json_int_t)c.status[2], "status_3xx",
	    (json_int_t)c.status[3], "status_4xx", (json_int_t)c.status[4],
	    "status_5xx", (json_int_t)c.status[5], "bad_input",
	    (json_int_t)c.bad_input, "cancelled", (json_int_t)c.cancelled,
	    "bytes_in", (json_int_t)c.bytes_in, "bytes_out",
	    (json_int_t)c.bytes_out, "log_dropped",
	    (json_int_t)(c.log_dropped + sup->logs.dropped),
	    "workers_spawned", (json_int_t)b->workers_spawned, "workers_died",
	    (json_int_t)b->workers_died, "replayed", (json_int_t)c.replayed,
	    "delivered", (json_int_t)c.delivered, "lost", (json_int_t)c.lost,
	    "expired", (json_int_t)c.expired);
}

json_t *
status_json(const struct supervisor *sup)
{
	const struct state *state = sup->state;
	json_t *super = json_pack("{s:i,s:I,s:i,s:i}", "pid", (int)getpid(),
	    "uptime_s", (json_int_t)((clock_ms() - sup->born_ms) / 1000),
	    "restarts", (int)state->restarts, "upgrades",
	    (int)state->upgrades);
	json_t *queue = json_pack("{s:i,s:I}", "length",
	    (int)sup->board->queue_length, "wait_ms",
	    (json_int_t)sup->board->queue_wait_ms);

	return json_pack("{s:s,s:s,s:i,s:i,s:I,s:i,s:o,s:o,s:o,s:o}",
	    "version", NDS_VERSION, "state", status_word(sup), "generation",
	    (int)state->pool.generation, "pid",
	    (int)atomic_load(&sup->board->main_pid), "uptime_s",
	    (json_int_t)((clock_ms() - state->started_ms) / 1000), "wanted",
	    (int)state->pool.wanted, "supervisor", super, "workers",
	    workers_json(sup), "queue", queue, "counters",
	    counters_json(sup));
}
