/* SPDX-License-Identifier: MIT */
/*
 * Workers that have served enough (APP_MAX_REQUESTS) or grown too large
 * (APP_MAX_RSS) are replaced: another becomes ready first, and they finish what
 * they have in hand.
 */
#ifndef NDSD_RECYCLE_H
#define NDSD_RECYCLE_H

#include <stdint.h>

struct supervisor;

/* Look at all workers, at most once a second. */
void recycle_tick(struct supervisor *sup, int64_t now_ms);

/* After how many requests the worker in this place goes: max_requests and up to
 * a tenth more, by its place and pid, so that workers that began together do
 * not go together. */
int64_t recycle_limit(int64_t max_requests, uint32_t place, int32_t pid);

#endif
