/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: the lifecycle of the pool, and nothing of a request.  It is
 * crash-only: what it must not forget lies in the state segment and in the
 * keeper's fd store, everything in struct supervisor can be made again.
 */
#ifndef NDSD_SUPERVISOR_H
#define NDSD_SUPERVISOR_H

#include "ndsd/announce.h"
#include "ndsd/control.h"
#include "ndsd/helpers.h"
#include "ndsd/logs.h"
#include "ndsd/loop.h"
#include "ndsd/slot.h"
#include "ndsd/state.h"
#include "ndsd/upgrade.h"
#include "proto/board.h"
#include "proto/shared.h"

/* Names of descriptors in the store. */
#define STORE_STATE "state"
#define STORE_BOARD "board"
#define STORE_SHARED "shared"
#define STORE_APP "listen.app"
#define STORE_HEALTH "listen.health"
#define STORE_CONTROL "listen.control"
#define STORE_RECENT "recent"
#define STORE_LOCK "lock"
#define STORE_PROGRAM "program"
#define STORE_PROGRAM_BEFORE "program.before"

/* What the command line says; the same for each supervisor of one ndsd. */
struct options {
	const char *file;	/* -f, NULL = none */
	int front_lighttpd;	/* --front=lighttpd */
	char **program;		/* NULL-terminated; never NULL */
	const char *program_path; /* where PATH finds it */
	const char *self_path;	/* of ndsd itself */
	const char *responder;	/* nds-responder: serves health.sock */
	const char *observer;	/* nds-observer */
	const char *lighttpd;	/* of --front=lighttpd, else NULL */
};

struct supervisor {
	const struct options *options;
	struct loop loop;
	struct state *state;
	struct pool_board *board;
	int store_fd, board_fd, state_fd;
	int shared_fd; /* what workers share with each other */
	struct shared shared;
	int app_fd, health_fd, control_fd; /* listeners */
	int program_fd;	       /* of this generation */
	int program_before_fd; /* of the last one, while a roll may go back */
	struct watch store, signals;
	struct slot_process slot[BOARD_SLOTS_MAX];
	struct helper helper[STATE_HELPERS];
	struct logs logs;
	struct control control;
	struct upgrade upgrade;
	struct announce announce;
	int64_t born_ms;    /* this supervisor began */
	int64_t close_ms;   /* STOPPED: helpers may take until then */
	int observer_told;  /* STOPPED: to end, behind the last refusal */
	int64_t tick_ms;	 /* next tick */
	unsigned shedder_ticks; /* since it was last seen to look */
	unsigned observer_ticks; /* since it last made a turn */
	uint64_t observer_turns; /* … as seen at the last tick */
	int64_t recycle_ms;	 /* next look for worn workers */
	int shown;   /* 1: all that we have made is in its place */
	int64_t answered_ms; /* next look whether others still are */
	int64_t orphans_ms; /* next look for who does not see that; 0 = none */
	int64_t orphans_last_ms; /* they are told by then, come what may */
	int unshown; /* 1: could not be put there, and it was told */
	int lost;    /* 1: the place of a socket is, and it was told */
	int front_killed;	 /* it did not end in time */
	uint32_t unproved; /* the last generation of which that was told */
	int done;
	int status;
};

/* Run with the store handed over by the keeper. Returns the exit status. */
int supervisor_run(const struct options *options, int store_fd);

/* Let the policies look at the tables now. */
void supervisor_step(struct supervisor *sup);

/* The verbs and signals that change the lifecycle.  Return 0, or -1 with err
 * saying why not. */
int supervisor_drain(struct supervisor *sup, struct nds_error *err);
int supervisor_undrain(struct supervisor *sup, struct nds_error *err);
int supervisor_reload(struct supervisor *sup, const char *token,
    struct nds_error *err);
int supervisor_scale(struct supervisor *sup, long wanted,
    struct nds_error *err);
void supervisor_stop(struct supervisor *sup, int quick);

#endif
