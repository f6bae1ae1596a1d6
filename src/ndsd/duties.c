/* SPDX-License-Identifier: MIT */
#include "ndsd/duties.h"

#include <limits.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "ndsd/listen.h"
#include "ndsd/orphans.h"
#include "ndsd/status.h"
#include "ndsd/supervisor.h"
#include "proto/bulkhead.h"
#include "proto/queue.h"

/* Whoever has just looked an old socket up shall have come. */
#define ORPHANS_EVERY_MS 500

static uint32_t
pool_processes(const struct pool *pool)
{
	return BOARD_SLOTS_MAX - pool_count(pool, POOL_EMPTY);
}

/* Where no worker tells what it takes, the queue itself is asked. */
static uint32_t
count_waiting(const struct supervisor *sup)
{
	int length = sup->state->program_libnds ? -1 :
	    queue_length(sup->app_fd);

	return length < 0 ? atomic_load(&sup->board->queue_length) :
	    (uint32_t)length;
}

static void
look_around(struct supervisor *sup, struct drain_seen *seen)
{
	struct slot_counters sum;

	status_sum(sup, &sum);
	*seen = (struct drain_seen){
	    .accepted = sum.accepted,
	    .queued = count_waiting(sup),
	    .knows_traffic = (int)sup->state->program_libnds,
	    .front_running = helper_front_runs(sup),
	    .door_stays = (int)atomic_load(&sup->board->door_stays),
	    .processes = pool_processes(&sup->state->pool),
	};
	for (uint32_t i = 0; i < sup->state->slots; i++)
		seen->busy += slot_busy(&sup->slot[i]) != 0;
}

static void
tell_killed(const struct slot_process *s, int32_t pid)
{
	int64_t ms = slot_request_ms(s, clock_ms());
	char lost[128] = "";

	if (ms > 0)
		snprintf(lost, sizeof(lost),
		    "; its request %.63s of %lldms is lost",
		    s->map->request_id, (long long)ms);
	log_warnx("worker %u (pid %d) outlives APP_SHUTDOWN_TIMEOUT, killed%s",
	    s->number, pid, lost);
}

static void
kill_all(struct supervisor *sup)
{
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		struct pool_place *at = &sup->state->pool.place[i];

		if (at->state == POOL_EMPTY)
			continue;
		process_kill(at->pid);
		if (at->killed)
			continue;
		at->killed = 1;
		sup->state->killed++;
		tell_killed(&sup->slot[i], at->pid);
	}
}

/* Asked again until it is gone. */
static void
kill_front(struct supervisor *sup)
{
	if (sup->front_killed)
		return;
	sup->front_killed = 1;
	sup->state->killed++;
	log_warnx("lighttpd does not end in time, killed");
	helper_kill(&sup->helper[STATE_FRONT]);
}

static void
close_door(struct supervisor *sup)
{
	listen_close_door(&sup->state->settings, sup->state->made);
}

static void
begin_end(struct supervisor *sup)
{
	pool_stop(&sup->state->pool);
	helper_stop(&sup->helper[STATE_CHECKS]);
}

void
duties_repeat(struct supervisor *sup)
{
	uint32_t phase = sup->state->drain.phase;

	if (phase >= DRAIN_STOP_FRONT && phase < DRAIN_STOPPED)
		helper_stop(&sup->helper[STATE_FRONT]);
	if (phase >= DRAIN_STOP_QUEUE)
		close_door(sup);
	if (phase >= DRAIN_STOP_WORKERS)
		begin_end(sup);
}

static void
leave(struct state *state, uint32_t processes)
{
	log_errorx("processes that do not die though killed: %u; they are left",
	    processes);
	if (state->killed < processes)
		state->killed = processes;
}

void
duties_drain(struct supervisor *sup, int64_t now_ms)
{
	struct state *state = sup->state;
	uint32_t before = state->drain.phase;
	struct drain_seen seen;
	int duty;

	if (before == DRAIN_SERVING || before == DRAIN_STOPPED)
		return;
	look_around(sup, &seen);
	duty = drain_step(&state->drain, &state->settings, &seen, now_ms);
	if (state->drain.phase == DRAIN_DRAINED && before != DRAIN_DRAINED)
		log_info("drained: traffic has stopped after %lldms",
		    (long long)(now_ms - state->drain.since_ms));
	if (duty & DRAIN_STOP_FRONT_NOW)
		helper_stop(&sup->helper[STATE_FRONT]);
	if (duty & DRAIN_KILL_FRONT)
		kill_front(sup);
	if (duty & DRAIN_CLOSE_DOOR)
		close_door(sup);
	if (duty & DRAIN_RETIRE_ALL)
		begin_end(sup);
	if (duty & DRAIN_KILL_ALL)
		kill_all(sup);
	if (state->drain.phase == DRAIN_STOPPED && seen.processes > 0)
		leave(state, seen.processes);
}

/* Else /ready would be 503 until the first results are there. */
static int
checks_known(const struct supervisor *sup)
{
	const struct pool_board *b = sup->board;
	uint32_t count = sup->state->program_libnds ?
	    sup->state->program_checks : 0;

	if (count > BOARD_CHECKS_MAX)
		count = BOARD_CHECKS_MAX;
	if (atomic_load(&b->checks) < count)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		if (atomic_load(&b->check[i].checked_ms) == 0)
			return 0;
	return 1;
}

/* Those who served until now do so until we can; but once they are gone, who
 * comes shall wait for us. */
static int
place_is_free(struct supervisor *sup, int64_t now_ms)
{
	if (sup->state->pool.was_ready && checks_known(sup))
		return 1;
	if (now_ms < sup->answered_ms ||
	    !listen_is_hidden(&sup->state->settings, sup->state->made))
		return 0;
	sup->answered_ms = now_ms + ORPHANS_EVERY_MS;
	return !listen_is_answered(&sup->state->settings, LISTEN_APP);
}

static void
orphans_tell(struct supervisor *sup, int64_t now_ms)
{
	int left = orphans_end(sup->state->settings.runtime_dir,
	    &sup->state->pool, now_ms >= sup->orphans_last_ms);

	sup->orphans_ms = left > 0 ? now_ms + ORPHANS_EVERY_MS : 0;
}

void
duties_show(struct supervisor *sup, int64_t now_ms)
{
	const struct state *state = sup->state;
	struct nds_error err;
	int count;

	if (sup->orphans_ms != 0 && now_ms >= sup->orphans_ms)
		orphans_tell(sup, now_ms);
	if (sup->shown || state->drain.phase > DRAIN_DRAINED ||
	    !place_is_free(sup, now_ms))
		return;
	count = listen_show(&state->settings, state->made, &err);
	sup->shown = count >= 0;
	if (sup->shown) {
		sup->orphans_ms = now_ms + ORPHANS_EVERY_MS;
		sup->orphans_last_ms = now_ms +
		    state->settings.start_timeout_ms;
	}
	if (count > 0)
		log_info("took the sockets' places from the ndsd before");
	else if (count < 0 && !sup->unshown)
		log_errorx("%s: we cannot be reached, trying again", err.text);
	sup->unshown = count < 0;
}

static int
slot_used(const void *arg, uint32_t slot)
{
	const struct supervisor *sup = arg;

	return sup->state->pool.place[slot].state != POOL_EMPTY;
}

void
duties_sweep(struct supervisor *sup)
{
	bulkhead_sweep(&sup->shared, slot_used, sup);
}

void
duties_places(struct supervisor *sup)
{
	const struct state *state = sup->state;
	char path[PATH_MAX];
	int lost = 0;

	/* from then on we remove them ourselves */
	if (state->drain.phase < DRAIN_STOP_QUEUE)
		lost = listen_lost(&state->settings, state->made, path);
	if (lost && !sup->lost)
		log_errorx("%s was removed or replaced while we listen on it: "
			   "nobody can reach us there until ndsd (pid %d) is "
			   "restarted",
		    path, atomic_load(&sup->board->main_pid));
	else if (sup->lost && !lost)
		log_info("the sockets are in their places again");
	sup->lost = lost;
}

static void
look_how_busy(const struct supervisor *sup, struct scale_sample *seen)
{
	const struct pool *pool = &sup->state->pool;

	*seen = (struct scale_sample){.wanted = pool->wanted,
	    .waiting = sup->board->queue_length,
	    .refused = atomic_load(&sup->board->shed[SHED_TIMEOUT]) +
		atomic_load(&sup->board->shed[SHED_TARGET])};
	for (uint32_t i = 0; i < sup->state->slots; i++) {
		if (pool->place[i].state != POOL_READY)
			continue;
		seen->ready++;
		seen->busy += slot_busy(&sup->slot[i]) != 0;
	}
}

void
duties_scale(struct supervisor *sup, int64_t now_ms)
{
	struct state *state = sup->state;
	const struct settings *set = &state->settings;
	struct scale_sample seen;
	uint32_t wanted;

	if (!scale_on(set) || !state->program_libnds || state->roll_open ||
	    state->drain.phase != DRAIN_SERVING)
		return;
	look_how_busy(sup, &seen);
	wanted = scale_step(&state->scale, set, &seen, now_ms);
	if (wanted == seen.wanted)
		return;
	if (wanted > seen.wanted)
		log_info("workers: %u wanted, was %u: requests wait, the work "
			 "at hand is %u%% of the workers",
		    wanted, seen.wanted, state->scale.use);
	else
		log_info("workers: %u wanted, was %u: no more were needed for "
			 "%llds",
		    wanted, seen.wanted,
		    (long long)set->workers_idle_ms / 1000);
	pool_scale(&state->pool, wanted);
}
