/* SPDX-License-Identifier: MIT */
#include "prove/schedule.h"

static int64_t
due(const struct schedule *s, int64_t now_us)
{
	int64_t seconds, rest;

	if (s->rate == 0)
		return now_us;
	seconds = s->issued / s->rate;
	rest = s->issued % s->rate;
	return s->begin_us + seconds * 1000000 + rest * 1000000 / s->rate;
}

int64_t
schedule_next(const struct schedule *s, int64_t now_us)
{
	int64_t at = due(s, now_us);
	int more = s->count > 0 ? s->issued < s->count :
	    at < s->begin_us + s->duration_us;

	if (s->stopped || (!more && at >= s->hold_us))
		return SCHEDULE_NEVER;
	return at;
}
