/* SPDX-License-Identifier: MIT */
/* What a drain and a stop have to do, done: drain.h's duties as deeds; and
 * those of scale.h. */
#ifndef NDSD_DUTIES_H
#define NDSD_DUTIES_H

#include <stdint.h>

struct supervisor;

/* Look at what there is, let the policy move on, and obey it. */
void duties_drain(struct supervisor *sup, int64_t now_ms);

/* The last supervisor may have died between a phase and its deeds: do again
 * what may be done twice. */
void duties_repeat(struct supervisor *sup);

/* Put our sockets into their places, once we can serve, where the workers of a
 * killed ndsd have been serving meanwhile. */
void duties_show(struct supervisor *sup, int64_t now_ms);

/* Look whether our sockets are still where they were made, and tell when they
 * are not: only a restart can mend that. */
void duties_places(struct supervisor *sup);

/* Free the places of bulkheads that slots without a process seem to hold. */
void duties_sweep(struct supervisor *sup);

/* Look how busy the pool is, and want more workers or fewer of it.  Nothing
 * happens while it rolls, drains or stops, and with a program that is not
 * libnds's: nobody sees whether its workers are busy. */
void duties_scale(struct supervisor *sup, int64_t now_ms);

#endif
