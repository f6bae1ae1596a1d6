/* SPDX-License-Identifier: MIT */
/* The ends of the pool's processes, as counted on its board. */
#ifndef NDSD_EXITS_H
#define NDSD_EXITS_H

#include "ndsd/pool.h"
#include "ndsd/slot.h"

/* Count that the slot's process has ended with a status of waitpid(2), out of
 * the place as it was; and the request that it held, if nobody is left who
 * could have settled that.  For before the slot is used again. */
void exits_count(const struct slot_process *s, const struct pool_place *was,
    int status);

#endif
