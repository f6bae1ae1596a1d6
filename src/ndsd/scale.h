/* SPDX-License-Identifier: MIT */
/*
 * How many workers the pool should have, pure: (samples, now) → a number
 * between APP_WORKERS_MIN and APP_WORKERS_MAX.  No system call, no clock, no
 * memory of its own: struct scale lies in the state segment.
 */
#ifndef NDSD_SCALE_H
#define NDSD_SCALE_H

#include <stdint.h>

#include "proto/settings.h"

#define SCALE_PERIOD_MS 1000  /* one look at the mean of the samples */
#define SCALE_GAP_MS 1000     /* unseen for longer: begin anew */
#define SCALE_TARGET 80	      /* per cent of the workers that shall be busy */
#define SCALE_TOLERANCE 8     /* per cent beside it that change nothing */

struct scale {
	uint32_t wanted;    /* as we left it; another number: begin anew */
	uint32_t samples;   /* in this period */
	uint32_t unsettled; /* of them: with workers that still start */
	uint32_t low_peak;  /* the most that was needed since low_ms */
	int64_t period_ms;  /* this period began */
	int64_t last_ms;    /* last sample; 0 = none yet */
	int64_t low_ms;	    /* fewer are needed since then; 0 = not so */
	uint64_t work;	    /* sum over the samples: busy and waiting */
	uint64_t waited;    /* the same: waiting alone, and the refused */
	uint64_t refused;   /* the counter at the last sample */
	uint32_t use;	    /* per cent in the last whole period: for logs */
};

/* What is seen at one moment. */
struct scale_sample {
	uint32_t wanted, ready; /* workers */
	uint32_t busy;		/* of them */
	uint32_t waiting;	/* connections in the backlog */
	uint64_t refused;	/* for waiting too long, since ever */
};

/* 1 if these settings leave the number of workers to us. */
int scale_on(const struct settings *s);

/* Take a sample, several of them a period.  Returns the workers that should be
 * wanted from now on: the number of the sample, mostly. */
uint32_t scale_step(struct scale *sc, const struct settings *s,
    const struct scale_sample *seen, int64_t now_ms);

/* The workers to want when settings change while `wanted` are: a changed
 * APP_WORKERS wins, else the bounds hold. */
uint32_t scale_carry(uint32_t wanted, const struct settings *before,
    const struct settings *after);

#endif
