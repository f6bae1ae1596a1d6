/* SPDX-License-Identifier: MIT */
/*
 * The clients of the control socket that wait for something: what they are
 * told meanwhile, and when it is over.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ndsd/control.h"
#include "ndsd/supervisor.h"

static void
tell(struct control_client *c, const char *text, int done, int total)
{
	if (done == c->last_done)
		return;
	c->last_done = done;
	control_send(c, json_pack("{s:s,s:i,s:i}", "progress", text, "done",
			   done, "total", total));
}

static void
wait_scaled(struct control_client *c, int64_t now_ms)
{
	struct pool *pool = &c->sup->state->pool;
	int ready = (int)pool_count(pool, POOL_READY);
	int rest = (int)(pool_count(pool, POOL_STARTING) +
	    pool_count(pool, POOL_RETIRING));
	char text[96];

	if (pool->wanted != c->wanted) {
		snprintf(text, sizeof(text), "called off: %u workers are "
					     "wanted by now",
		    pool->wanted);
		control_refuse(c, text);
		return;
	}
	if (ready == (int)pool->wanted && rest == 0) {
		control_ok(c, json_pack("{s:i}", "workers", ready));
		return;
	}
	if (now_ms - c->since_ms > pool->start_timeout_ms + 1000 &&
	    ready < (int)pool->wanted) {
		snprintf(text, sizeof(text), "%d of %u workers are ready; see "
					     "the log for what holds the rest",
		    ready, pool->wanted);
		control_refuse(c, text);
		return;
	}
	snprintf(text, sizeof(text), "%d of %u workers ready%s", ready,
	    pool->wanted, ready > (int)pool->wanted ? ", some retiring" : "");
	tell(c, text, ready, (int)pool->wanted);
}

static void
roll_ended(struct control_client *c)
{
	const struct state *state = c->sup->state;
	char text[512], said[TAIL_BYTES];

	if (state->pool.roll == POOL_ROLL_DONE) {
		control_ok(c, json_pack("{s:i}", "generation",
				  (int)state->pool.generation));
		return;
	}
	snprintf(text, sizeof(text), "%s; generation %u serves on",
	    state->pool.stopping ? "the service is stopping"
				 : state->roll_reason,
	    state->pool.generation);
	snprintf(said, sizeof(said), "%s",
	    state->pool.stopping ? "" : state->roll_said);
	control_refuse_with(c, text,
	    json_pack("{s:o}", "said", control_text(said, strlen(said))));
}

static void
wait_rolled(struct control_client *c)
{
	const struct pool *pool = &c->sup->state->pool;
	int fresh = 0;
	char text[96];

	if (!c->sup->state->roll_open) {
		roll_ended(c);
		return;
	}
	for (size_t i = 0; i < BOARD_SLOTS_MAX; i++)
		fresh += pool->place[i].state == POOL_READY &&
		    pool->place[i].generation == pool->generation;
	snprintf(text, sizeof(text), "generation %u: %d of %u workers are new",
	    pool->generation, fresh, pool->wanted);
	tell(c, text, fresh, (int)pool->wanted);
}

static void
wait_drained(struct control_client *c, int64_t now_ms)
{
	const struct drain *d = &c->sup->state->drain;
	char text[96];
	int seconds = (int)((now_ms - d->since_ms) / 1000);

	if (d->phase == DRAIN_DRAINED || d->phase > DRAIN_STOP_DRAIN) {
		control_ok(c, json_pack("{s:I}", "drain_ms",
				  (json_int_t)(now_ms - d->since_ms)));
		return;
	}
	if (d->phase == DRAIN_SERVING) {
		control_refuse(c, "the drain was called off (undrain)");
		return;
	}
	snprintf(text, sizeof(text), "draining: quiet for %lldms",
	    (long long)(now_ms - d->quiet_ms));
	tell(c, text, seconds,
	    (int)(c->sup->state->settings.drain_max_ms / 1000));
}

static void
wait_stopped(struct control_client *c)
{
	static const char *const words[] = {"", "", "", "draining",
	    "stopping the front", "emptying the queue",
	    "finishing requests", "stopped"};
	uint32_t phase = c->sup->state->drain.phase;

	tell(c, words[phase <= DRAIN_STOPPED ? phase : 0],
	    (int)phase - DRAIN_STOP_DRAIN,
	    DRAIN_STOPPED - DRAIN_STOP_DRAIN);
}

void
control_settle(struct supervisor *sup)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (sup->control.client[i].watch.fd >= 0 &&
		    sup->control.client[i].wait == CONTROL_ROLLED)
			wait_rolled(&sup->control.client[i]);
}

void
control_tick(struct supervisor *sup, int64_t now_ms)
{
	control_listen(sup);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &sup->control.client[i];

		if (c->watch.fd < 0)
			continue;
		if (c->wait == CONTROL_SCALED)
			wait_scaled(c, now_ms);
		else if (c->wait == CONTROL_ROLLED)
			wait_rolled(c);
		else if (c->wait == CONTROL_DRAINED)
			wait_drained(c, now_ms);
		else if (c->wait == CONTROL_STOPPED)
			wait_stopped(c);
		else if (now_ms - c->since_ms > CONTROL_SILENT_MS)
			control_drop(c);
	}
}

void
control_unheard(struct supervisor *sup)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &sup->control.client[i];

		if (c->watch.fd >= 0 && c->wait == CONTROL_NOTHING)
			control_refuse(c, "an upgrade is under way: ask again");
	}
}

void
control_close(struct supervisor *sup)
{
	uint32_t killed = sup->state->killed;
	char text[128];

	snprintf(text, sizeof(text), "%u processes had to be killed at "
				     "APP_SHUTDOWN_TIMEOUT; the log names them",
	    killed);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &sup->control.client[i];

		if (c->watch.fd < 0 || c->wait == CONTROL_NOTHING)
			continue;
		if (killed > 0)
			control_refuse(c, text);
		else
			control_ok(c, NULL);
	}
}
