/* SPDX-License-Identifier: MIT */
#include "prove/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "prove/show.h"

#define TICK_US 200000
#define WINDOW_US 1000000 /* what the rate and the p99 are of */

int
live_wanted(void)
{
	return isatty(STDERR_FILENO);
}

int64_t
live_show(struct record *r, int64_t now_us)
{
	struct timeline *t = &r->timeline;
	int64_t at_us = now_us - r->begin_us, span_us;
	size_t here = (size_t)(at_us / t->step_us), from;
	struct bucket recent;
	uint64_t lost = 0;
	char p99[24];

	from = (size_t)(at_us > WINDOW_US ? (at_us - WINDOW_US) / t->step_us :
	    0);
	span_us = at_us - (int64_t)from * t->step_us;
	timeline_settle(t);
	recent = timeline_join(t, from, here + 1);
	for (int p = 0; p < PHASES; p++)
		lost += tally_lost(&r->phases[p]);
	fprintf(stderr, "\r%6.1f s  %8.0f answers/s  %" PRIu64 " lost  "
	    "p99 %s ms%s\033[K", (double)at_us / 1e6,
	    span_us <= 0 ? 0.0 : recent.answered * 1e6 / (double)span_us, lost,
	    show_ms(recent.p99_us, p99),
	    r->runs.running ? "  the command runs" : "");
	fflush(stderr);
	return now_us + TICK_US;
}

void
live_end(void)
{
	if (live_wanted())
		fputs("\r\033[K", stderr);
}
