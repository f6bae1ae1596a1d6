/* SPDX-License-Identifier: MIT */
#include "helper/delay.h"

#define MEMORY_TIMEOUTS 16 /* RFC 8289, 4.3 */

/* A queue that our refusals alone have emptied tells nothing of the workers:
 * with all of them stuck it would be empty again and again. */
static int
has_passed(const struct delay *d, int64_t now_ms, int64_t head_ms,
    uint64_t accepted)
{
	if (head_ms < 0 && accepted != d->kept->accepted)
		return 1;
	return head_ms < d->target_ms &&
	    now_ms - d->kept->refused_ms >= d->timeout_ms;
}

/* How old the head may be, and be too old, before the queue stands. */
static int64_t
patience_ms(const struct delay *d, int64_t now_ms)
{
	uint64_t root = 1, refusals = d->kept->refusals;
	int64_t ms = d->timeout_ms;

	if (now_ms - d->kept->refused_ms >= MEMORY_TIMEOUTS * d->timeout_ms)
		return ms;
	while (ms > d->target_ms && (root + 1) * (root + 1) <= refusals)
		ms = d->timeout_ms / (int64_t)++root;
	return ms < d->target_ms ? d->target_ms : ms;
}

static void
stand(struct delay *d)
{
	if (!d->kept->standing)
		d->kept->refusals = 0;
	d->kept->standing = 1;
}

int64_t
delay_note(struct delay *d, int64_t now_ms, int64_t head_ms, uint64_t accepted)
{
	struct board_delay *kept = d->kept;
	int64_t patience = patience_ms(d, now_ms);

	if (kept->standing && has_passed(d, now_ms, head_ms, accepted)) {
		kept->standing = 0;
		kept->above_ms = 0;
	}
	if (head_ms < d->target_ms)
		kept->above_ms = 0;
	else if (kept->above_ms == 0)
		kept->above_ms = now_ms;
	else if (now_ms - kept->above_ms >= patience)
		stand(d);
	return kept->standing ? d->target_ms : patience;
}

void
delay_refused(struct delay *d, int64_t now_ms, uint64_t accepted)
{
	stand(d);
	d->kept->refusals++;
	d->kept->refused_ms = now_ms;
	d->kept->accepted = accepted;
}
