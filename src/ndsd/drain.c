/* SPDX-License-Identifier: MIT */
#include "ndsd/drain.h"

/* Kept back at the end of the budget for killing and tidying up. */
#define DRAIN_RESERVE_MS 1000

static void
begin_quiet(struct drain *d, uint64_t accepted, int64_t now_ms)
{
	d->since_ms = now_ms;
	d->quiet_ms = now_ms;
	d->accepted = accepted;
}

int
drain_begin(struct drain *d, uint64_t accepted, int64_t now_ms)
{
	if (d->phase > DRAIN_DRAINED)
		return -1;
	if (d->phase == DRAIN_SERVING) {
		d->phase = DRAIN_DRAINING;
		begin_quiet(d, accepted, now_ms);
	}
	return 0;
}

int
drain_end(struct drain *d)
{
	if (d->phase != DRAIN_DRAINING && d->phase != DRAIN_DRAINED)
		return -1;
	d->phase = DRAIN_SERVING;
	return 0;
}

void
drain_stop(struct drain *d, uint64_t accepted, int quick, int64_t now_ms)
{
	if (d->phase > DRAIN_DRAINED) {
		d->hurry = 1;
		return;
	}
	if (d->phase == DRAIN_SERVING)
		begin_quiet(d, accepted, now_ms);
	/* a drain that has ended need not be done again */
	d->hurry = quick || d->phase == DRAIN_DRAINED;
	d->stop_ms = now_ms;
	d->phase = DRAIN_STOP_DRAIN;
}

int64_t
drain_deadline_ms(const struct drain *d, const struct settings *s)
{
	if (d->phase <= DRAIN_DRAINED)
		return INT64_MAX;
	return d->stop_ms + s->shutdown_timeout_ms;
}

/* Traffic has stopped, or has had its time. */
static int
is_quiet(struct drain *d, const struct settings *s,
    const struct drain_seen *seen, int64_t now_ms)
{
	int64_t since = now_ms - d->since_ms;

	if (seen->accepted != d->accepted || seen->busy > 0 ||
	    seen->queued > 0 || !seen->knows_traffic) {
		d->accepted = seen->accepted;
		d->quiet_ms = now_ms;
	}
	if (since >= s->drain_max_ms)
		return 1;
	return since >= s->drain_min_ms &&
	    now_ms - d->quiet_ms >= s->drain_quiet_ms;
}

/* libnds's workers empty the queue themselves. */
static int
step_queue(struct drain *d, const struct settings *s,
    const struct drain_seen *seen, int64_t now_ms)
{
	if (seen->queued > 0 && !seen->knows_traffic && !seen->door_stays &&
	    now_ms < drain_deadline_ms(d, s) - 2 * DRAIN_RESERVE_MS)
		return 0;
	d->phase = DRAIN_STOP_WORKERS;
	return DRAIN_RETIRE_ALL;
}

/* The front gets what the budget leaves after the requests that it may still
 * hold. */
static int
step_front(struct drain *d, const struct settings *s,
    const struct drain_seen *seen, int64_t now_ms)
{
	if (!seen->front_running ||
	    now_ms >= drain_deadline_ms(d, s) - DRAIN_RESERVE_MS) {
		d->phase = DRAIN_STOP_QUEUE; /* one that is held is left */
		if (seen->knows_traffic)
			return DRAIN_CLOSE_DOOR |
			    step_queue(d, s, seen, now_ms);
		return DRAIN_CLOSE_DOOR; /* then look again who waits */
	}
	if (now_ms < drain_deadline_ms(d, s) - 2 * DRAIN_RESERVE_MS)
		return 0;
	return DRAIN_KILL_FRONT;
}

/* One that a debugger or a disk holds does not even die of SIGKILL: when it is
 * left behind, there is still time to tidy up. */
static int64_t
leave_ms(const struct drain *d, const struct settings *s)
{
	int64_t end = drain_deadline_ms(d, s);

	return s->shutdown_timeout_ms <= DRAIN_RESERVE_MS ? end :
	    end - DRAIN_RESERVE_MS / 2;
}

static int
step_workers(struct drain *d, const struct settings *s,
    const struct drain_seen *seen, int64_t now_ms)
{
	if (seen->processes == 0 || now_ms >= leave_ms(d, s))
		d->phase = DRAIN_STOPPED;
	/* also when we come late and nobody was killed so far */
	if (seen->processes == 0 ||
	    now_ms < drain_deadline_ms(d, s) - DRAIN_RESERVE_MS)
		return 0;
	return DRAIN_KILL_ALL;
}

int
drain_step(struct drain *d, const struct settings *s,
    const struct drain_seen *seen, int64_t now_ms)
{
	switch (d->phase) {
	case DRAIN_DRAINING:
		if (is_quiet(d, s, seen, now_ms))
			d->phase = DRAIN_DRAINED;
		return 0;
	case DRAIN_STOP_DRAIN:
		if (!d->hurry && !is_quiet(d, s, seen, now_ms))
			return 0;
		d->phase = DRAIN_STOP_FRONT;
		return seen->front_running ? DRAIN_STOP_FRONT_NOW : 0;
	case DRAIN_STOP_FRONT:
		return step_front(d, s, seen, now_ms);
	case DRAIN_STOP_QUEUE:
		return step_queue(d, s, seen, now_ms);
	case DRAIN_STOP_WORKERS:
		return step_workers(d, s, seen, now_ms);
	default:
		return 0;
	}
}
