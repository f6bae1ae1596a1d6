/* SPDX-License-Identifier: MIT */
#include "helper/history.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const history_counters[HISTORY_COUNTERS] = {"requests",
    "errors", "shed", "replayed", "lost", "expired"};

/* What people call it, and why it came where one word is many kinds. */
static const struct {
	const char *word, *cause;
} kinds[HISTORY_KINDS] = {
	[HISTORY_RELOAD] = {"reload", ""},
	[HISTORY_RELOAD_FAILED] = {"reload failed", ""},
	[HISTORY_RELOAD_REFUSED] = {"reload refused", ""},
	[HISTORY_EXITED] = {"death", "exited"},
	[HISTORY_CRASHED] = {"death", "crashed"},
	[HISTORY_KILLED] = {"death", "killed"},
	[HISTORY_DEADLINE] = {"death", "deadline"},
	[HISTORY_MEMORY] = {"death", "memory"},
	[HISTORY_OVERDUE] = {"death", "overdue"},
	[HISTORY_REPLAY] = {"replay", ""},
	[HISTORY_LOST] = {"lost", ""},
	[HISTORY_EXPIRED] = {"expired", ""},
	[HISTORY_UPGRADE] = {"upgrade", ""},
	[HISTORY_UPGRADE_FAILED] = {"upgrade failed", ""},
	[HISTORY_RESTART] = {"supervisor restart", ""},
	[HISTORY_DRAIN] = {"drain", ""},
	[HISTORY_UNDRAIN] = {"undrain", ""},
	[HISTORY_STOP] = {"stop", ""},
	[HISTORY_AWAY] = {"supervisor not seen", ""},
	[HISTORY_BACK] = {"supervisor seen again", ""},
	[HISTORY_OVERLOAD] = {"overload began", ""},
	[HISTORY_OVERLOAD_END] = {"overload ended", ""},
	[HISTORY_CHECK_FAILED] = {"check failed", ""},
	[HISTORY_CHECK_OK] = {"check ok again", ""},
};

/* ---- looking ------------------------------------------------------------- */

_Static_assert(HISTORY_OVERDUE - HISTORY_EXITED ==
    EVENT_EXIT_OVERDUE - EVENT_EXIT_EXITED, "one is the other");

/* Adds what slots have counted; the pool's board, likewise. */
static void
seen_add(struct history_seen *seen, const struct report_sums *sums)
{
	const struct slot_counters *c = &sums->count;

	seen->counter[0] += c->requests;
	seen->counter[1] += c->status[5];
	seen->counter[2] += c->late;
	seen->counter[3] += c->replayed;
	seen->counter[4] += c->lost;
	seen->counter[5] += c->expired;
	for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
		seen->latency[i] += c->latency[i];
	for (int i = HISTORY_EXITED; i <= HISTORY_OVERDUE; i++)
		seen->event[i] +=
		    sums->event[EVENT_EXIT_EXITED + i - HISTORY_EXITED];
	seen->event[HISTORY_REPLAY] += c->replayed;
	seen->event[HISTORY_LOST] += c->lost;
	seen->event[HISTORY_EXPIRED] += c->expired;
}

static void
seen_add_pool(struct history_seen *seen, const struct report *r)
{
	const struct pool_board *pool = r->pool;

	for (int i = 0; i < SHED_REASONS; i++)
		seen->counter[2] += pool->shed[i];
	for (int i = HISTORY_EXITED; i <= HISTORY_OVERDUE; i++)
		seen->event[i] +=
		    pool->event[EVENT_EXIT_EXITED + i - HISTORY_EXITED];
	seen->event[HISTORY_RELOAD] = pool->reloads;
	seen->event[HISTORY_RELOAD_FAILED] = pool->reloads_failed;
	seen->event[HISTORY_RELOAD_REFUSED] = pool->event[EVENT_RELOAD_REFUSED];
	seen->event[HISTORY_UPGRADE] = pool->upgrades;
	seen->event[HISTORY_UPGRADE_FAILED] = pool->event[EVENT_UPGRADE_FAILED];
	seen->event[HISTORY_RESTART] = pool->supervisor_restarts;
	seen->overload = pool->shed[SHED_TIMEOUT] + pool->shed[SHED_TARGET];
	seen->draining = pool->draining != 0 || pool->unready == 1;
	seen->stopping = pool->stopping != 0;
	seen->away = r->orphaned || report_seen_ms(r) >= REPORT_AWAY_MS;
}

void
history_slots(struct history *h, const struct report *r)
{
	const struct slot *fresh[BOARD_SLOTS_MAX] = {NULL};
	const struct report one = {.slot = fresh};
	struct report_sums sums;

	for (int i = 0; i < BOARD_SLOTS_MAX; i++)
		if (r->slot[i] != NULL && !h->known[i]) {
			fresh[i] = r->slot[i];
			h->known[i] = 1;
		}
	report_sum_slots(&one, &sums);
	seen_add(&h->seen, &sums);
}

/* Another program writes the counters: one that went back has not moved. */
static uint32_t
grown(uint64_t now, uint64_t before)
{
	uint64_t by = now > before ? now - before : 0;

	return by > UINT32_MAX ? UINT32_MAX : (uint32_t)by;
}

static struct history_event *
event_add(struct history *h, int64_t at_ms, enum history_kind kind,
    uint32_t count)
{
	struct history_event *e = &h->event[h->events++ % HISTORY_EVENTS];

	e->at_ms = at_ms;
	e->kind = kind;
	e->count = count;
	e->what[0] = '\0';
	return e;
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
	if (now->away != before->away)
		event_add(h, at_ms, now->away ? HISTORY_AWAY : HISTORY_BACK, 1);
}

static void
overload_note(struct history *h, const struct history_seen *now, int64_t at_ms)
{
	uint32_t by = grown(now->overload, h->seen.overload);

	if (by > 0 && h->overload_ms == 0) {
		event_add(h, at_ms, HISTORY_OVERLOAD, 1);
		h->refused = 0;
	}
	h->refused = by > UINT32_MAX - h->refused ? UINT32_MAX
						  : h->refused + by;
	if (by > 0) {
		h->overload_ms = at_ms;
	} else if (h->overload_ms != 0 &&
	    at_ms - h->overload_ms >= HISTORY_CALM_MS) {
		h->overload_ms = 0;
		event_add(h, at_ms, HISTORY_OVERLOAD_END, h->refused);
	}
}

static void
check_event(struct history *h, int64_t at_ms, const struct report_check *check)
{
	int failed = check->status == CHECK_FAILED;
	struct history_event *e = event_add(h, at_ms,
	    failed ? HISTORY_CHECK_FAILED : HISTORY_CHECK_OK, 1);

	snprintf(e->what, sizeof(e->what), "%s%s%.90s", check->name,
	    failed && check->message[0] != '\0' ? ": " : "",
	    failed ? check->message : "");
	text_make_utf8(e->what); /* it may be cut */
}

/* How things stand at the first look is no event. */
static void
checks_note(struct history *h, const struct report *r)
{
	struct report_check check[BOARD_CHECKS_MAX];
	uint32_t count = report_checks(r, check);
	int failed;

	for (uint32_t i = 0; i < count; i++) {
		failed = check[i].status == CHECK_FAILED;
		if (check[i].status == CHECK_PENDING ||
		    failed == h->check_failed[i])
			continue;
		h->check_failed[i] = (uint8_t)failed;
		if (h->next_ms != 0)
			check_event(h, r->now_ms, &check[i]);
	}
}

static void
unready_note(struct history *h, const struct report *r)
{
	char why[REPORT_WHY];

	if (strcmp(report_state(r), "running") != 0 || !report_unready(r, why))
		h->unready_ms = 0;
	else if (h->unready_ms == 0)
		h->unready_ms = r->now_ms;
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
	struct history_seen now;
	struct report_sums sums;

	if (r->now_ms < h->next_ms)
		return;
	history_slots(h, r);
	report_sum_slots(r, &sums);
	memset(&now, 0, sizeof(now));
	seen_add(&now, &sums);
	seen_add_pool(&now, r);
	if (h->next_ms != 0) {
		events_note(h, &now, r->now_ms);
		overload_note(h, &now, r->now_ms);
		sample_add(h, r, &sums, &now);
	}
	checks_note(h, r);
	unready_note(h, r);
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
		json_array_append_new(list, json_pack("{s:I, s:s, s:I, s:s}",
		    "ago_ms", (json_int_t)(now_ms - e->at_ms),
		    "kind", kinds[e->kind].word,
		    "count", (json_int_t)e->count, "what",
		    e->what[0] == '\0' ? kinds[e->kind].cause : e->what));
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
