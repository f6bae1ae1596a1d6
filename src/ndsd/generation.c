/* SPDX-License-Identifier: MIT */
#include "ndsd/generation.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ndsd/front.h"
#include "ndsd/supervisor.h"
#include "proto/store.h"

/* ---- the program -------------------------------------------------------- */

static int
program_open(const struct supervisor *sup, struct nds_error *err)
{
	const char *path = sup->options->program_path;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || access(path, X_OK) < 0) {
		error_sys(err, "cannot execute %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* The one before is the one again. */
static void
program_back(struct supervisor *sup)
{
	if (sup->program_before_fd < 0)
		return;
	close(sup->program_fd);
	sup->program_fd = sup->program_before_fd;
	sup->program_before_fd = -1;
	store_put(sup->store_fd, STORE_PROGRAM, sup->program_fd);
	store_drop(sup->store_fd, STORE_PROGRAM_BEFORE);
}

/* What roll_note() has noted is in force again. */
static void
half_undo(struct supervisor *sup)
{
	struct state *state = sup->state;

	state->settings = state->settings_before;
	pool_limits(&state->pool, &state->settings);
	pool_scale(&state->pool, state->wanted_before);
	pool_take_back(&state->pool, state->generation_before,
	    state->roll_before);
	state->program_libnds = state->libnds_before;
	state->roll_token[0] = '\0';
	program_back(sup);
	sup->board->behind = 1;
	state->roll_open = STATE_ROLL_SETTLED;
}

int
generation_open(struct supervisor *sup, struct nds_error *err)
{
	if (sup->state->roll_open == STATE_ROLL_HALF)
		half_undo(sup);
	if (sup->program_fd >= 0)
		return 0; /* kept from the supervisor before */
	sup->program_fd = program_open(sup, err);
	if (sup->program_fd < 0)
		return -1;
	store_put(sup->store_fd, STORE_PROGRAM, sup->program_fd);
	return 0;
}

/* ---- the settings ------------------------------------------------------- */

/* What was made of these before anything ran cannot be made again. */
static int
check_fixed(const struct settings *is, const struct settings *shall,
    struct nds_error *err)
{
	static const char *const fixed[] = {"APP_RUNTIME_DIR", "APP_USER",
	    "APP_SOCKET_GROUP", "APP_BIND_ADDRESS", "APP_REPLAY_BYTES",
	    "APP_CACHE_BYTES", "APP_FRONT_CONFIG"};
	char old[SETTINGS_LIST_MAX], new[SETTINGS_LIST_MAX];

	for (const struct settings_row *row = settings_table; row->key != NULL;
	     row++)
		for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
			if (strcmp(row->key, fixed[i]) == 0 &&
			    strcmp(settings_show(is, row, old),
				settings_show(shall, row, new)) != 0)
				return error_set(err, "%s=%s cannot change "
						      "while ndsd runs (it is "
						      "%s): restart it, or set "
						      "it back",
				    row->key, new, old);
	return 0;
}

static void
settings_use(struct supervisor *sup, const struct settings *s)
{
	struct state *state = sup->state;

	pool_scale(&state->pool,
	    scale_carry(state->pool.wanted, &state->settings, s));
	state->settings = *s;
	pool_limits(&state->pool, s);
	logs_format(&sup->logs, s);
}

/* ---- the roll ----------------------------------------------------------- */

/* Between this and roll_begin()'s end a supervisor may die: its successor takes
 * back what was done. */
static void
roll_note(struct state *state)
{
	state->settings_before = state->settings;
	state->wanted_before = state->pool.wanted;
	state->libnds_before = state->program_libnds;
	state->generation_before = state->pool.generation;
	state->roll_before = state->pool.roll;
	atomic_signal_fence(memory_order_seq_cst);
	state->roll_open = STATE_ROLL_HALF;
}

static void
roll_begin(struct supervisor *sup, const struct settings *fresh,
    int program_fd, const char *token)
{
	struct state *state = sup->state;

	roll_note(state);
	store_put(sup->store_fd, STORE_PROGRAM_BEFORE, sup->program_fd);
	store_put(sup->store_fd, STORE_PROGRAM, program_fd);
	if (sup->program_before_fd >= 0)
		close(sup->program_before_fd);
	sup->program_before_fd = sup->program_fd;
	sup->program_fd = program_fd;
	settings_use(sup, fresh);
	state->program_libnds = 0; /* the new one has yet to say so */
	snprintf(state->roll_reason, sizeof(state->roll_reason),
	    "no reason known");
	state->roll_said[0] = '\0';
	snprintf(state->roll_token, sizeof(state->roll_token), "%s", token);
	pool_reload(&state->pool, clock_ms());
	atomic_signal_fence(memory_order_seq_cst);
	state->roll_open = STATE_ROLL_OPEN;
}

/* Settings and program of a reload.  Returns the program, or -1. */
static int
fresh_read(const struct supervisor *sup, struct settings *fresh,
    struct nds_error *err)
{
	const struct settings *now = &sup->state->settings;

	if (settings_load(fresh, sup->options->file, environ, err) < 0 ||
	    front_config_find(sup->options->front_lighttpd, fresh, err) < 0)
		return -1;
	if (!sup->options->front_lighttpd) /* nobody asks for it */
		memcpy(fresh->front_config, now->front_config,
		    sizeof(fresh->front_config));
	if (check_fixed(now, fresh, err) < 0)
		return -1;
	return program_open(sup, err);
}

int
generation_reload(struct supervisor *sup, const char *token,
    struct nds_error *err)
{
	struct state *state = sup->state;
	struct settings fresh;
	int program_fd;

	if (state->drain.phase > DRAIN_DRAINED)
		return error_set(err, "the service is stopping");
	program_fd = fresh_read(sup, &fresh, err);
	if (program_fd < 0) {
		sup->board->behind = 1;
		return -1;
	}
	if (state->roll_open != STATE_ROLL_SETTLED) {
		close(program_fd);
		return error_set(err, "a reload is under way");
	}
	roll_begin(sup, &fresh, program_fd, token);
	log_info("reload: generation %u starts", state->pool.generation);
	return 0;
}

void
generation_blame(struct supervisor *sup, const struct slot_process *s,
    const char *how)
{
	const struct pool_place *at = &sup->state->pool.place[s->number];
	const char *last = s->process.last;

	if (!sup->state->roll_open ||
	    at->generation != sup->state->pool.generation ||
	    (at->state != POOL_STARTING && at->state != POOL_READY))
		return;
	snprintf(sup->state->roll_reason, sizeof(sup->state->roll_reason),
	    "a worker of generation %u %s%s%.160s%s", at->generation, how,
	    last[0] != '\0' ? "; it said: '" : "", last,
	    last[0] != '\0' ? "'" : "");
	memcpy(sup->state->roll_said, s->process.tail.text, TAIL_BYTES);
}

/* What stood before a reload that has ended is history. */
int
generation_must_speak(const struct supervisor *sup)
{
	const struct state *state = sup->state;

	return state->program_libnds ||
	    (state->roll_open != STATE_ROLL_SETTLED && state->libnds_before);
}

const char *
generation_late(const struct supervisor *sup, uint32_t number)
{
	if (sup->state->speaks[number] || !sup->state->libnds_before)
		return "did not become ready within APP_START_TIMEOUT";
	return "does not say that it is linked with libnds, as the program "
	       "before it is; to change to one that is not, stop ndsd and "
	       "start it anew";
}

static void
go_back(struct supervisor *sup)
{
	struct state *state = sup->state;

	settings_use(sup, &state->settings_before);
	pool_scale(&state->pool, state->wanted_before);
	state->program_libnds = state->libnds_before;
	program_back(sup);
	helper_front_settings(sup); /* a new supervisor may have told it */
	atomic_fetch_add(&sup->board->reloads_failed, 1);
	sup->board->behind = 1;
	log_errorx("reload given up: %s; generation %u serves on",
	    state->roll_reason, state->pool.generation);
}

static void
go_on(struct supervisor *sup)
{
	if (sup->program_before_fd >= 0)
		close(sup->program_before_fd);
	sup->program_before_fd = -1;
	store_drop(sup->store_fd, STORE_PROGRAM_BEFORE);
	atomic_fetch_add(&sup->board->reloads, 1);
	sup->board->behind = 0;
	helper_again(&sup->helper[STATE_CHECKS]);
	helper_front_settings(sup);
	helper_program_known(sup);
	helper_again(&sup->helper[STATE_OBSERVER]);
	helper_again(&sup->helper[STATE_SHED]); /* it has settings of its own */
	log_info("reload done: generation %u serves",
	    sup->state->pool.generation);
}

void
generation_step(struct supervisor *sup)
{
	struct state *state = sup->state;

	if (!state->roll_open)
		return;
	if (state->pool.roll == POOL_ROLL_BACK)
		go_back(sup);
	else if (state->pool.roll == POOL_ROLL_DONE)
		go_on(sup);
	else if (!state->pool.stopping)
		return;
	state->roll_open = STATE_ROLL_SETTLED;
}
