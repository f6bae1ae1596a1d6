/* SPDX-License-Identifier: MIT */
#include "lib/delay.h"

/* A queue that our refusals alone have emptied tells nothing of the workers:
 * with all of them stuck it would be empty again and again. */
static int
has_passed(const struct delay *d, int64_t now_ms, int64_t head_ms,
    uint64_t accepted)
{
	if (head_ms < 0 && accepted != d->accepted)
		return 1;
	return head_ms < d->target_ms &&
	    now_ms - d->refused_ms >= d->timeout_ms;
}

int64_t
delay_note(struct delay *d, int64_t now_ms, int64_t head_ms, uint64_t accepted)
{
	if (d->standing && has_passed(d, now_ms, head_ms, accepted)) {
		d->standing = 0;
		d->above_ms = 0;
	}
	if (head_ms < d->target_ms)
		d->above_ms = 0;
	else if (d->above_ms == 0)
		d->above_ms = now_ms;
	else if (now_ms - d->above_ms >= d->timeout_ms)
		d->standing = 1;
	return d->standing ? d->target_ms : d->timeout_ms;
}

void
delay_refused(struct delay *d, int64_t now_ms, uint64_t accepted)
{
	d->standing = 1;
	d->refused_ms = now_ms;
	d->accepted = accepted;
}
