/* SPDX-License-Identifier: MIT */
#include "prove/record.h"

#include <stdio.h>
#include <string.h>

#define RATE_LEAST_US 1000000 /* of a phase */

void
record_begin(struct record *r, int64_t now_us)
{
	memset(r, 0, sizeof(*r));
	timeline_begin(&r->timeline);
	r->begin_us = r->answer_us = now_us;
}

static void
gap_note(struct record *r, int64_t now_us)
{
	enum phase phase = runs_phase(&r->runs, r->answer_us);
	struct tally *t = &r->phases[phase];

	if (now_us - r->answer_us <= t->gap_us)
		return;
	t->gap_us = now_us - r->answer_us;
	t->gap_at_us = r->answer_us - r->begin_us;
}

static void
loss_note(struct record *r, const struct finished *f)
{
	struct loss *loss;

	if (r->losses_kept == LOSSES_KEPT)
		return;
	loss = &r->losses[r->losses_kept++];
	loss->at_us = f->end_us - r->begin_us;
	loss->fate = f->fate;
	loss->status = f->seen->status;
	snprintf(loss->id, sizeof(loss->id), "%s", f->id);
	snprintf(loss->detail, sizeof(loss->detail), "%s", f->detail);
}

enum phase
record_add(struct record *r, const struct finished *f)
{
	enum phase phase = runs_phase(&r->runs, f->sent_us);
	struct tally *t = &r->phases[phase];
	int good = f->fate == FATE_ANSWERED;

	t->fates[f->fate]++;
	if (f->seen->status > 0 && f->seen->status < STATUS_END)
		r->statuses[f->seen->status]++;
	timeline_add(&r->timeline, f->end_us - r->begin_us,
	    good ? f->seen->latency_us : -1);
	if (!good) {
		loss_note(r, f);
		return phase;
	}
	hist_add(&t->latency, f->seen->latency_us);
	gap_note(r, f->end_us);
	r->answer_us = f->end_us;
	return phase;
}

void
record_twice(struct record *r, enum phase phase, int64_t end_us)
{
	static const struct outcome none;
	struct finished f = {.end_us = end_us, .seen = &none,
	    .fate = FATE_TWICE, .id = "", .detail = "seen on the connection"};

	r->phases[phase].fates[FATE_ANSWERED]--;
	r->phases[phase].fates[FATE_TWICE]++;
	timeline_lose(&r->timeline, end_us - r->begin_us);
	loss_note(r, &f);
}

void
record_end(struct record *r, int64_t now_us)
{
	const struct runs *runs = &r->runs;
	int64_t busy_us = runs->busy_us, before_us = now_us - r->begin_us;

	gap_note(r, now_us);
	timeline_settle(&r->timeline);
	r->end_us = now_us;
	if (runs->count > 0)
		before_us = runs->list[0].start_us - r->begin_us;
	if (runs->running)
		busy_us += now_us - runs->last.start_us;
	r->phases[PHASE_BEFORE].span_us = before_us;
	r->phases[PHASE_DURING].span_us = busy_us;
	r->phases[PHASE_AFTER].span_us = now_us - r->begin_us - before_us -
	    busy_us;
}

void
record_total(const struct record *r, struct tally *total)
{
	memset(total, 0, sizeof(*total));
	for (int p = 0; p < PHASES; p++) {
		const struct tally *t = &r->phases[p];

		for (int i = 0; i < FATES; i++)
			total->fates[i] += t->fates[i];
		hist_merge(&total->latency, &t->latency);
		total->span_us += t->span_us;
		if (t->gap_us > total->gap_us) {
			total->gap_us = t->gap_us;
			total->gap_at_us = t->gap_at_us;
		}
	}
}

uint64_t
tally_requests(const struct tally *t)
{
	return t->fates[FATE_ANSWERED] + tally_lost(t);
}

uint64_t
tally_lost(const struct tally *t)
{
	uint64_t lost = 0;

	for (int i = FATE_ANSWERED + 1; i < FATES; i++)
		lost += t->fates[i];
	return lost;
}

double
tally_rate(const struct tally *t, int whole)
{
	if (t->span_us < (whole ? 1 : RATE_LEAST_US))
		return -1;
	return (double)t->fates[FATE_ANSWERED] * 1e6 / (double)t->span_us;
}
