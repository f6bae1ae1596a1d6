/* SPDX-License-Identifier: MIT */
#include "ndsd/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "proto/counters.h"

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

void
status_sum(const struct supervisor *sup, struct slot_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		if (sup->slot[i].map != NULL)
			counters_add(sum, &sup->slot[i].map->count);
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
totals_json(const struct supervisor *sup)
{
	struct slot_counters sum;

	status_sum(sup, &sum);
	sum.log_dropped += sup->board->event[EVENT_LOG_DROPPED];
	return counters_json(&sum, sup->board);
}

json_t *
status_json(const struct supervisor *sup)
{
	const struct state *state = sup->state;
	json_t *super = json_pack("{s:i,s:I,s:i,s:i}", "pid", (int)getpid(),
	    "uptime_s", (json_int_t)((clock_ms() - sup->born_ms) / 1000),
	    "restarts", (int)state->restarts, "upgrades",
	    (int)state->upgrades);
	json_t *queue = json_pack("{s:i,s:I,s:o}", "length",
	    (int)sup->board->queue_length, "wait_ms",
	    (json_int_t)sup->board->queue_wait_ms, "shed",
	    counters_shed_json(sup->board));
	char program[512];

	snprintf(program, sizeof(program), "%s", sup->options->program[0]);
	text_make_utf8(program);
	return json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:I,s:i,s:I,s:I,s:o,s:o,"
	    "s:o,s:o}",
	    "program", program, "address", state->settings.bind_address,
	    "version", NDS_VERSION, "state", status_word(sup), "generation",
	    (int)state->pool.generation, "pid",
	    (int)atomic_load(&sup->board->main_pid), "uptime_s",
	    (json_int_t)((clock_ms() - state->started_ms) / 1000), "wanted",
	    (int)state->pool.wanted, "wanted_min",
	    (json_int_t)state->settings.workers_min, "wanted_max",
	    (json_int_t)state->settings.workers_max, "supervisor", super,
	    "workers", workers_json(sup), "queue", queue, "counters",
	    totals_json(sup));
}
