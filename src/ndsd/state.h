/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor must not forget, in a shared segment that the keeper
 * holds: its tables live in it, so there is nothing to save.  A supervisor
 * that follows one which died, or another binary, maps it and goes on.
 *
 * Another release may know more.  What it adds takes from the room; settings
 * stand at the end, and when they are of another size they are read anew from
 * where they came.
 */
#ifndef NDSD_STATE_H
#define NDSD_STATE_H

#include <stdint.h>

#include "base/error.h"
#include "ndsd/drain.h"
#include "ndsd/listen.h"
#include "ndsd/pool.h"
#include "ndsd/scale.h"
#include "ndsd/tail.h"
#include "proto/settings.h"

#define STATE_MAGIC 0x5453534eu /* "NSST" */
#define STATE_VERSION 3
#define STATE_ROOM 4096
#define STATE_HELPERS_MAX 8

/* The processes beside the pool, by number of their record. */
enum state_helper {
	STATE_HEALTH, /* answers probes on health.sock */
	STATE_CHECKS, /* runs the dependency checks of the application */
	STATE_FRONT,  /* lighttpd */
	STATE_SHED,   /* refuses what has waited too long */
	STATE_OBSERVER, /* exports traces, tells of slow requests */
	STATE_HELPERS
};

/* A reload, as far as it is the supervisor's. */
enum state_roll {
	STATE_ROLL_SETTLED,
	STATE_ROLL_OPEN,
	STATE_ROLL_HALF /* begun; a supervisor that finds it takes it back */
};

struct state_process {
	_Atomic int32_t pid; /* 0 = none */
	uint32_t failures;
	int64_t spawned_ms;
	int64_t retry_ms; /* not to be started before */
};

struct state {
	uint32_t magic, version;
	uint64_t bytes;
	uint64_t settings_bytes; /* sizeof(struct settings) of their writer */
	int64_t started_ms;	  /* the main process, clock_ms */
	uint32_t restarts;	  /* of the supervisor */
	uint32_t upgrades;
	uint32_t slots;		  /* slot segments made so far: 0..slots-1 */
	uint32_t program_checks;  /* dependency checks the program registered */
	uint32_t program_libnds;  /* 1: the program is libnds's */
	uint32_t killed;	  /* processes that a stop had to kill */
	struct drain drain;
	struct pool pool;
	struct state_process helper[STATE_HELPERS_MAX];
	uint32_t roll_open;	/* enum state_roll */
	uint32_t wanted_before; /* workers to go back to */
	uint8_t speaks[BOARD_SLOTS_MAX]; /* 1: this worker is libnds's */
	uint32_t libnds_before;
	int32_t signal_serial; /* of the last signal obeyed */
	struct listen_made made[LISTEN_MADE];
	int32_t proved_by; /* pid of the binary that has read this state */
	char roll_reason[400]; /* why the last roll ended as it did */
	char roll_token[32];   /* of the client that asked for it, or "" */
	uint32_t front_again;  /* 1: lighttpd has yet to be told that its
				  settings have changed */
	struct scale scale;
	int32_t front_stopping; /* pid of the lighttpd that was told to stop */
	uint32_t generation_before; /* to go back to when the change from one
				       to the other is found half done, */
	uint32_t roll_before;	    /* and enum pool_roll_state */
	char roll_said[TAIL_BYTES]; /* the last lines of who ended it */
	uint8_t room[STATE_ROOM - sizeof(struct scale) - sizeof(int32_t) -
	    2 * sizeof(uint32_t) - TAIL_BYTES];
				/* what is added here takes from it: settings
				   stay in place */
	struct settings settings;	 /* in force */
	struct settings settings_before; /* to go back to */
};

/* Make a fresh segment: *state is its mapping. Returns a CLOEXEC fd or -1. */
int state_new(struct state **state, struct nds_error *err);

/* Map one that the keeper kept, after checking that this binary can read it;
 * a smaller one is made larger, its new end zero.  Returns NULL with err
 * filled. */
struct state *state_map(int fd, struct nds_error *err);

/* Whether its settings were written by a binary that knew the same ones. */
int state_knows_settings(const struct state *state);

#endif
