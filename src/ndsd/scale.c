/* SPDX-License-Identifier: MIT */
/*
 * The rule is that of the Kubernetes Horizontal Pod Autoscaler ("Algorithm
 * details" of its documentation): wanted = ceil(current × use ÷ target), with
 * a tolerance about the target, a stabilisation window before it shrinks, and
 * growth to at most the double at a time.  Use is work in hand and in the
 * queue over workers, so that current × use is the mean number of requests in
 * the pool, which is what the number of blocking workers has to hold.
 *
 * Limits that follow latency (TCP Vegas, gradients) search for how much a
 * server can take, and refuse the rest.  Refusing is the shedder's work here;
 * workers that block on others ask only how many of them are missing, and the
 * processors are respected by a maximum that a human knows.
 *
 * It grows only when somebody waited, and when all earlier growth has arrived:
 * neither a full pool without a queue nor a worker on its way is a lack.
 */
#include "ndsd/scale.h"

int
scale_on(const struct settings *s)
{
	return s->workers_min < s->workers_max;
}

static uint32_t
clamp(uint32_t wanted, const struct settings *s)
{
	if (wanted < s->workers_min)
		return (uint32_t)s->workers_min;
	return wanted > s->workers_max ? (uint32_t)s->workers_max : wanted;
}

uint32_t
scale_carry(uint32_t wanted, const struct settings *before,
    const struct settings *after)
{
	if (after->workers != before->workers ||
	    (scale_on(before) && !scale_on(after)))
		return (uint32_t)after->workers;
	return scale_on(after) ? clamp(wanted, after) : wanted;
}

static void
period_begin(struct scale *sc, int64_t now_ms)
{
	sc->period_ms = now_ms;
	sc->samples = sc->unsettled = 0;
	sc->work = sc->waited = 0;
}

static void
begin(struct scale *sc, const struct scale_sample *seen, int64_t now_ms)
{
	*sc = (struct scale){.wanted = seen->wanted, .last_ms = now_ms,
	    .refused = seen->refused, .use = sc->use};
	period_begin(sc, now_ms);
}

static void
sample_add(struct scale *sc, const struct scale_sample *seen, int64_t now_ms)
{
	sc->last_ms = now_ms;
	sc->samples++;
	sc->unsettled += seen->ready < seen->wanted;
	sc->work += (uint64_t)seen->busy + seen->waiting;
	sc->waited += seen->waiting + (seen->refused - sc->refused);
	sc->refused = seen->refused;
}

/* What the last period asks for, by the formula alone. */
static uint32_t
needed(const struct scale *sc)
{
	uint64_t per = (uint64_t)sc->samples * SCALE_TARGET;
	uint64_t need = (sc->work * 100 + per - 1) / per;

	return need > UINT32_MAX ? UINT32_MAX : (uint32_t)need;
}

static uint32_t
grow(const struct scale *sc, const struct settings *s, uint32_t need)
{
	uint32_t most = 2 * sc->wanted;

	if (sc->waited == 0 || sc->unsettled > 0)
		return sc->wanted;
	return clamp(need < most ? need : most, s);
}

/* Down to the most that was needed in a whole APP_WORKERS_IDLE. */
static uint32_t
shrink(struct scale *sc, const struct settings *s, uint32_t need,
    int64_t now_ms)
{
	if (sc->low_ms == 0) {
		sc->low_ms = sc->period_ms;
		sc->low_peak = 0;
	}
	if (need > sc->low_peak)
		sc->low_peak = need;
	if (now_ms - sc->low_ms < s->workers_idle_ms)
		return sc->wanted;
	sc->low_ms = 0;
	return clamp(sc->low_peak, s);
}

/* A period has ended. */
static uint32_t
decide(struct scale *sc, const struct settings *s, int64_t now_ms)
{
	uint32_t need = needed(sc);

	sc->use = (uint32_t)(sc->work * 100 / sc->samples / sc->wanted);
	if (sc->use < SCALE_TARGET - SCALE_TOLERANCE && need < sc->wanted)
		return shrink(sc, s, need, now_ms);
	sc->low_ms = 0;
	if (sc->use > SCALE_TARGET + SCALE_TOLERANCE && need > sc->wanted)
		return grow(sc, s, need);
	return sc->wanted;
}

uint32_t
scale_step(struct scale *sc, const struct settings *s,
    const struct scale_sample *seen, int64_t now_ms)
{
	uint32_t bounded = clamp(seen->wanted, s);

	if (sc->last_ms == 0 || now_ms < sc->last_ms ||
	    now_ms - sc->last_ms > SCALE_GAP_MS ||
	    seen->wanted != sc->wanted || seen->wanted != bounded ||
	    seen->refused < sc->refused) {
		begin(sc, seen, now_ms);
		sc->wanted = bounded;
		return bounded;
	}
	sample_add(sc, seen, now_ms);
	if (now_ms - sc->period_ms < SCALE_PERIOD_MS)
		return sc->wanted;
	sc->wanted = decide(sc, s, now_ms);
	period_begin(sc, now_ms);
	return sc->wanted;
}
