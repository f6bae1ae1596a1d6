/* SPDX-License-Identifier: MIT */
#include "prove/runs.h"

void
runs_begin(struct runs *r, int64_t now_us)
{
	r->last = (struct run){.start_us = now_us, .end_us = -1};
	if (r->count < RUNS_KEPT)
		r->list[r->count] = r->last;
	r->count++;
	r->running = 1;
}

void
runs_end(struct runs *r, int64_t now_us, int status)
{
	r->last.end_us = now_us;
	r->last.status = status;
	if (r->count <= RUNS_KEPT)
		r->list[r->count - 1] = r->last;
	r->failed += status != 0;
	r->busy_us += now_us - r->last.start_us;
	r->running = 0;
}

uint64_t
runs_kept(const struct runs *r)
{
	return r->count < RUNS_KEPT ? r->count : RUNS_KEPT;
}

enum phase
runs_phase(const struct runs *r, int64_t from_us)
{
	if (r->count == 0)
		return PHASE_BEFORE;
	if (r->running || r->last.end_us >= from_us)
		return PHASE_DURING;
	return PHASE_AFTER;
}
