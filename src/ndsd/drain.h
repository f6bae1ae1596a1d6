/* SPDX-License-Identifier: MIT */
/*
 * Drain and stop, pure: (phase, what is seen, now) → what to do.  One budget,
 * APP_SHUTDOWN_TIMEOUT, spans the whole stop from its signal to the exit:
 *
 *	SERVING ⇄ DRAINING → DRAINED		ndsctl drain, undrain
 *	      ↘ STOP_DRAIN → STOP_FRONT → STOP_QUEUE → STOP_WORKERS
 *							      → STOPPED
 *
 * Silence proves little at low traffic, so the minimum must cover the time in
 * which balancers learn of the drain; the maximum bounds clients that never
 * pause.
 */
#ifndef NDSD_DRAIN_H
#define NDSD_DRAIN_H

#include <stdint.h>

#include "proto/settings.h"

enum drain_phase {
	DRAIN_SERVING,
	DRAIN_DRAINING, /* unready; waits for quiet */
	DRAIN_DRAINED,	/* traffic has stopped; still serves what comes */
	DRAIN_STOP_DRAIN,
	DRAIN_STOP_FRONT,   /* the front that ndsd runs ends gracefully */
	DRAIN_STOP_QUEUE,   /* no new connections; a program that does not
			       empty the queue when it is told to end is told
			       when the queue is empty */
	DRAIN_STOP_WORKERS, /* queue and requests end */
	DRAIN_STOPPED
};

struct drain { /* lies in the state segment */
	uint32_t phase; /* enum drain_phase */
	uint32_t hurry; /* a second signal: skip the quiet time */
	int64_t since_ms;   /* drain began */
	int64_t stop_ms;    /* stop began */
	int64_t quiet_ms;   /* last moment at which traffic was seen */
	uint64_t accepted;  /* connections accepted until then */
};

struct drain_seen {
	uint64_t accepted;  /* by the pool since ever */
	uint32_t busy;	    /* workers in a request */
	uint32_t queued;    /* connections in the backlog */
	int knows_traffic;  /* 0: workers do not count (without libnds) */
	int front_running;  /* a front that ndsd runs */
	int door_stays;	    /* the listener goes on to another ndsd */
	uint32_t processes; /* workers that live */
};

/* What the caller must do now; a set of bits. */
enum drain_duty {
	DRAIN_STOP_FRONT_NOW = 1, /* tell the front to end gracefully */
	DRAIN_KILL_FRONT = 2,
	DRAIN_CLOSE_DOOR = 4, /* nobody shall find the application's socket */
	DRAIN_RETIRE_ALL = 8, /* retire every worker */
	DRAIN_KILL_ALL = 16   /* the budget is spent */
};

/* Begin; each is refused (-1) where it makes no sense: a drain while stopping,
 * an undrain while serving or stopping.  drain_stop with quick = 1 leaves the
 * drain out; called again while stopping it skips the quiet time. */
int drain_begin(struct drain *d, uint64_t accepted, int64_t now_ms);
int drain_end(struct drain *d);
void drain_stop(struct drain *d, uint64_t accepted, int quick, int64_t now_ms);

/* Move on. Returns the duties (each but KILL is given once). */
int drain_step(struct drain *d, const struct settings *s,
    const struct drain_seen *seen, int64_t now_ms);

/* clock_ms at which a stop's budget ends; INT64_MAX while not stopping. */
int64_t drain_deadline_ms(const struct drain *d, const struct settings *s);

#endif
