/* SPDX-License-Identifier: MIT */
#include "helper/history.h"

#include <string.h>

static const char *const history_counters[HISTORY_COUNTERS] = {"requests",
    "errors", "shed", "replayed", "lost", "expired"};

static const char *const kinds[HISTORY_KINDS] = {"reload", "reload failed",
    "death", "replay", "lost", "expired", "upgrade", "supervisor restart",
    "drain", "undrain", "stop"};

/* ---- looking ------------------------------------------------------------- */

static void
seen_now(struct history_seen *now, const struct report *r,
    const struct report_sums *sums)
{
	const struct slot_counters *c = &sums->count;
	const struct pool_board *pool = r->pool;
	uint64_t shed = c->late;

	for (int i = 0; i < SHED_REASONS; i++)
		shed += pool->shed[i];
	now->counter[0] = c->requests;
	now->counter[1] = c->status[5];
	now->counter[2] = shed;
	now->counter[3] = c->replayed;
	now->counter[4] = c->lost;
	now->counter[5] = c->expired;
	for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
		now->latency[i] = c->latency[i];
	now->event[HISTORY_RELOAD] = pool->reloads;
	now->event[HISTORY_RELOAD_FAILED] = pool->reloads_failed;
	now->event[HISTORY_DEATH] = pool->workers_died;
	now->event[HISTORY_REPLAY] = c->replayed;
	now->event[HISTORY_LOST] = c->lost;
	now->event[HISTORY_EXPIRED] = c->expired;
	now->event[HISTORY_UPGRADE] = pool->upgrades;
	now->event[HISTORY_RESTART] = pool->supervisor_restarts;
	now->draining = pool->draining != 0 || pool->unready == 1;
	now->stopping = pool->stopping != 0;
}

/* Another program writes the counters: one that went back has not moved. */
static uint32_t
grown(uint64_t now, uint64_t before)
{
	uint64_t by = now > before ? now - before : 0;

	return by > UINT32_MAX ? UINT32_MAX : (uint32_t)by;
}

static void
event_add(struct history *h, int64_t at_ms, enum history_kind kind,
    uint32_t count)
{
	struct history_event *e = &h->event[h->events++ % HISTORY_EVENTS];

	e->at_ms = at_ms;
	e->kind = kind;
	e->count = count;
}

static void
events_note(struct history *h, const struct history_seen *now, int64_t at_ms)
{
	const struct history_seen *before = &h->seen;
	uint32_t by;

	for (int i = 0; i < HISTORY_COUNTED; i++) {
		by = grown(now->event[i], before->event[i]);
		if (by > 0)
			event_add(h, at_ms, (enum history_kind)i, by);
	}
	if (now->stopping && !before->stopping)
		event_add(h, at_ms, HISTORY_STOP, 1);
	else if (now->draining && !before->draining)
		event_add(h, at_ms, HISTORY_DRAIN, 1);
	else if (!now->draining && before->draining)
		event_add(h, at_ms, HISTORY_UNDRAIN, 1);
}

static void
sample_take(struct history_sample *s, const struct report *r,
    const struct report_sums *sums)
{
	int64_t wait = r->pool->queue_wait_ms;

	s->at_ms = r->now_ms;
	s->queue = r->pool->queue_length;
	s->queue_wait_ms = wait < 0 ? 0 : wait > UINT32_MAX ? UINT32_MAX
							    : (uint32_t)wait;
	s->busy = sums->busy;
	s->idle = sums->idle;
}

static void
sample_add(struct history *h, const struct report *r,
    const struct report_sums *sums, const struct history_seen *now)
{
	struct history_sample *s = &h->sample[h->samples++ % HISTORY_SAMPLES];

	sample_take(s, r, sums);
	for (int i = 0; i < HISTORY_COUNTERS; i++)
		s->counter[i] = grown(now->counter[i], h->seen.counter[i]);
	for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
		s->latency[i] = grown(now->latency[i], h->seen.latency[i]);
}

void
history_look(struct history *h, const struct report *r)
{
	struct report_sums sums;
	struct history_seen now;

	if (r->now_ms < h->next_ms)
		return;
	report_sum(r, &sums);
	seen_now(&now, r, &sums);
	if (h->next_ms != 0) {
		events_note(h, &now, r->now_ms);
		sample_add(h, r, &sums, &now);
	}
	h->seen = now;
	h->next_ms += HISTORY_EVERY_MS;
	if (h->next_ms <= r->now_ms) /* the first, or we did not run */
		h->next_ms = r->now_ms + HISTORY_EVERY_MS;
}

/* ---- telling ------------------------------------------------------------- */

/* Without the zeroes at its end. */
static json_t *
latency_json(const struct history_sample *s)
{
	json_t *list = json_array();
	int used = BOARD_LATENCY_BUCKETS;

	while (used > 0 && s->latency[used - 1] == 0)
		used--;
	for (int i = 0; i < used; i++)
		json_array_append_new(list, json_integer(s->latency[i]));
	return list;
}

/* [ms ago, counters…, queue, queue_wait_ms, busy, idle, [latency…]] */
static json_t *
sample_json(const struct history_sample *s, int64_t now_ms)
{
	json_t *list = json_pack("[I]", (json_int_t)(now_ms - s->at_ms));
	const uint32_t gauges[] = {s->queue, s->queue_wait_ms, s->busy,
	    s->idle};

	for (int i = 0; i < HISTORY_COUNTERS; i++)
		json_array_append_new(list, json_integer(s->counter[i]));
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		json_array_append_new(list, json_integer(gauges[i]));
	json_array_append_new(list, latency_json(s));
	return list;
}

static json_t *
columns_json(void)
{
	static const char *const gauges[] = {"queue", "queue_wait_ms", "busy",
	    "idle", "latency"};
	json_t *list = json_pack("[s]", "ago_ms");

	for (int i = 0; i < HISTORY_COUNTERS; i++)
		json_array_append_new(list, json_string(history_counters[i]));
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		json_array_append_new(list, json_string(gauges[i]));
	return list;
}

static json_t *
edges_json(void)
{
	static const int64_t edges[] = BOARD_LATENCY_EDGES;
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		json_array_append_new(list, json_integer(edges[i]));
	return list;
}

static json_t *
events_json(const struct history *h, int64_t now_ms)
{
	uint64_t i = h->events > HISTORY_EVENTS ? h->events - HISTORY_EVENTS
						: 0;
	const struct history_event *e;
	json_t *list = json_array();

	for (; i < h->events; i++) {
		e = &h->event[i % HISTORY_EVENTS];
		json_array_append_new(list, json_pack("{s:I, s:s, s:I}",
		    "ago_ms", (json_int_t)(now_ms - e->at_ms),
		    "kind", kinds[e->kind], "count", (json_int_t)e->count));
	}
	return list;
}

json_t *
history_json(const struct history *h, const struct report *r,
    uint32_t samples_most)
{
	json_t *list = json_array();
	uint64_t i;

	if (samples_most > HISTORY_SAMPLES)
		samples_most = HISTORY_SAMPLES;
	i = h->samples > samples_most ? h->samples - samples_most : 0;
	for (; i < h->samples; i++)
		json_array_append_new(list, sample_json(
		    &h->sample[i % HISTORY_SAMPLES], r->now_ms));
	return json_pack("{s:I, s:o, s:o, s:o, s:o}",
	    "samples_so_far", (json_int_t)h->samples,
	    "columns", columns_json(), "latency_edges_us", edges_json(),
	    "samples", list, "events", events_json(h, r->now_ms));
}
