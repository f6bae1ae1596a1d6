/* SPDX-License-Identifier: MIT */
/*
 * The processes beside the pool: the health responder, the shedder, the
 * observer, the process that runs the application's dependency checks, and
 * lighttpd when ndsd runs it.  Each is started, watched, started again with
 * back-off, and stopped.
 */
#ifndef NDSD_HELPERS_H
#define NDSD_HELPERS_H

#include "ndsd/process.h"
#include "ndsd/state.h"

struct supervisor;

struct helper {
	struct supervisor *sup;
	enum state_helper which;
	struct process process;
	int wanted;	/* should run now */
	int again;	/* was told to end, for another to begin */
	int was_up;	/* has lived for HELPER_UP_MS */
	struct watch alive; /* pidfd of one that may be nobody's child */
};

#define HELPER_YOUNG_MS 1000
#define HELPER_UP_MS 10000

void helper_init(struct supervisor *sup, enum state_helper which);

/* Go on with one that an earlier supervisor started. */
void helper_adopt(struct helper *h, int control_fd, int output_fd);

/* Start what should run and does not, when its back-off allows. */
void helper_step(struct helper *h, int64_t now_ms);
int64_t helper_next_ms(const struct helper *h, int64_t now_ms);

/* It is dead: log how and plan its next start. */
void helper_dead(struct helper *h, int status, int64_t now_ms);

/* Let it end gracefully, for good or to begin again; kill it. */
void helper_stop(struct helper *h);
void helper_again(struct helper *h);
void helper_kill(struct helper *h);

/* Whether lighttpd runs; from its stop on also one that it has left behind at a
 * graceful restart, in its process group, to end what that one had in hand. */
int helper_front_runs(const struct supervisor *sup);

/* Let the lighttpd that ndsd runs take up the settings in force, if those that
 * it depends on have changed: gracefully, without a gap on its port. */
void helper_front_settings(struct supervisor *sup);

/* Give a slot to those that look at slots. */
void helper_show_slot(struct supervisor *sup, uint32_t number);

/* It is now known whether the program is libnds's, and how many dependency
 * checks it has: the process that runs them may be wanted, and the observer. */
void helper_program_known(struct supervisor *sup);

/* Once a tick: an observer that makes no turns any more is killed.  Nobody
 * waits for it, but of what it does not see nobody is told. */
void helper_watch_observer(struct supervisor *sup);

#endif
