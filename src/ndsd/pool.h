/* SPDX-License-Identifier: MIT */
/*
 * The pool's policy, pure: what happened and what time it is goes in, orders
 * come out.  No system call, no clock, no memory of its own: struct pool lies
 * in the supervisor's state segment and is understood by the supervisor that
 * follows one that died.
 *
 * The table is declarative.  After each event pool_step() compares what there
 * is with what should be and names the steps that close the gap.
 */
#ifndef NDSD_POOL_H
#define NDSD_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/board.h"
#include "proto/settings.h"

enum pool_place_state {
	POOL_EMPTY,    /* no process; may wait for retry_ms */
	POOL_STARTING, /* spawned, has not answered its first request */
	POOL_READY,    /* serves */
	POOL_RETIRING  /* told to finish */
};

/* One place of the pool: the policy's view of one slot. */
struct pool_place {
	uint32_t state; /* enum pool_place_state */
	uint32_t generation;
	_Atomic int32_t pid; /* the process we spawned; 0 = none */
	uint32_t killed;    /* 1: SIGKILL is on its way */
	uint32_t worn;	    /* 1: to be replaced, by another before it goes */
	uint32_t failures;  /* young deaths in a row */
	int64_t spawned_ms; /* clock_ms of the spawn */
	int64_t since_ms;   /* clock_ms when this state began */
	int64_t retry_ms;   /* EMPTY: not to be filled before; 0 = at once */
	uint64_t requests_before; /* of the slot, when this one began */
};

/* The change from one generation to the next. */
enum pool_roll_state {
	POOL_ROLL_NONE,	   /* none yet */
	POOL_ROLL_RUNNING, /* new workers start, old ones retire */
	POOL_ROLL_PROOF,   /* all are new; any death now is held against them */
	POOL_ROLL_DONE,
	POOL_ROLL_BACK /* given up: the generation is the old one again */
};

struct pool {
	uint32_t wanted;     /* workers that should be ready */
	uint32_t generation; /* new workers are of this one */
	uint32_t stopping;   /* 1: retire all, start none */
	uint32_t was_ready;  /* 1: `wanted` workers were once ready together */
	int64_t start_timeout_ms;
	int64_t retire_timeout_ms; /* a retiring worker may take so long */
	uint32_t roll;	      /* enum pool_roll_state */
	uint32_t roll_from;   /* generation that served before */
	uint32_t roll_deaths; /* of new workers that had been ready */
	uint32_t latest;      /* highest generation ever given */
	int64_t roll_ms;      /* clock_ms when this roll state began */
	struct pool_place place[BOARD_SLOTS_MAX];
};

enum pool_order_type {
	POOL_SPAWN,  /* start a process in an EMPTY place */
	POOL_RETIRE, /* tell it to finish */
	POOL_KILL    /* SIGKILL */
};

struct pool_order {
	enum pool_order_type type;
	uint32_t place;
};

#define POOL_PROOF_MS 1000 /* how long all must be new and well */
#define POOL_ROLL_DEATHS 2 /* so many deaths of new workers end a roll */
#define POOL_RETIRE_EXTRA_MS 1000
#define POOL_YOUNG_MS 1000 /* a death before this age counts as young */
#define POOL_RETRY_FIRST_MS 100
#define POOL_RETRY_MAX_MS 5000

/* Begin with an empty pool of generation 1. */
void pool_init(struct pool *p, const struct settings *s);

/* Take over how long a start and a retirement may take. */
void pool_limits(struct pool *p, const struct settings *s);

/* Events.  pool_spawned: the order was carried out (pid > 0) or could not be
 * (pid 0: counts as a young death).  pool_ready: it answered a real request.
 * pool_died: waitpid has it. */
void pool_spawned(struct pool *p, uint32_t place, int32_t pid, int64_t now_ms);
void pool_ready(struct pool *p, uint32_t place, int64_t now_ms);
void pool_died(struct pool *p, uint32_t place, int64_t now_ms);

/* It was taken for ready and is not: its start goes on. */
void pool_unready(struct pool *p, uint32_t place);
/* 1 <= wanted <= BOARD_SLOTS_MAX / 2, so that a surge always has room. */
void pool_scale(struct pool *p, uint32_t wanted);
void pool_stop(struct pool *p);

/* Change to a new generation: one new worker beside the old at a time, and an
 * old one retires only once as many as wanted are ready.  A new worker that
 * dies or must be killed before it is ready ends the roll, and so do
 * POOL_ROLL_DEATHS deaths of ready ones: the pool goes back by the same steps.
 * Returns -1 while a roll is under way or the pool stops. */
int pool_reload(struct pool *p, int64_t now_ms);

/* That has not happened: generation and roll are what they were before. */
void pool_take_back(struct pool *p, uint32_t generation, uint32_t roll);

/* It has served enough, or grown too large: replace it, another first. */
void pool_worn(struct pool *p, uint32_t place);

/* A guardian replaced its worker in place: the place lives on, but the death
 * counts against a generation on its way in. */
void pool_worker_died(struct pool *p, uint32_t place, int64_t now_ms);

/* The orders that are due now, at most max of them; call again until it
 * returns 0.  Each order changes the table as if it had been carried out, save
 * POOL_SPAWN, which pool_spawned() must follow. */
size_t pool_step(struct pool *p, int64_t now_ms, struct pool_order *orders,
    size_t max);

/* clock_ms at which pool_step() has something to say without a further event;
 * INT64_MAX = never. */
int64_t pool_next_ms(const struct pool *p, int64_t now_ms);

/* Places in a state. */
uint32_t pool_count(const struct pool *p, enum pool_place_state state);

/* How long the next start waits after so many young deaths in a row. */
int64_t pool_retry_ms(uint32_t failures);

#endif
