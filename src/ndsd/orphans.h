/* SPDX-License-Identifier: MIT */
/*
 * Workers of a program without libnds whose ndsd was killed: nothing tells them
 * that another has come, so it does.
 */
#ifndef NDSD_ORPHANS_H
#define NDSD_ORPHANS_H

#include "ndsd/pool.h"

/* Tell those of this runtime directory that are not of the pool to end, unless
 * somebody still waits for them, or may, and it is not the last time.  Known by
 * what /proc tells of their environment and of the socket on their descriptor
 * 0.  Returns how many must be asked for again. */
int orphans_end(const char *runtime_dir, const struct pool *pool, int last);

#endif
