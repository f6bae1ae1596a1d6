/* SPDX-License-Identifier: MIT */
/* The line that a terminal shows meanwhile; into a pipe nothing is written. */
#ifndef PROVE_LIVE_H
#define PROVE_LIVE_H

#include <stdint.h>

#include "prove/record.h"

/* Is stderr a terminal? */
int live_wanted(void);

/* Write the line anew; returns when it wants to be called again. */
int64_t live_show(struct record *r, int64_t now_us);

/* Take the line away. */
void live_end(void);

#endif
