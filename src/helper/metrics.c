/* SPDX-License-Identifier: MIT */
/*
 * The families of /metrics: base units, counters ending in _total, one HELP and
 * TYPE a family, and no label whose values a client could choose.  What is read
 * while others write is summed from one reading, so that a histogram never
 * contradicts itself.
 */
#include "helper/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/usage.h"
#include "helper/exposition.h"
#include "helper/metrics_books.h"
#include "proto/bucket.h"
#include "proto/counters.h"

/* A family of EVENT_…: each value of its label is one. */
struct events_family {
	const char *name, *label, *help;
	struct {
		enum board_event event;
		const char *value;
	} row[8];
};

static const struct events_family lost = {"nds_requests_lost_total", "reason",
    "Requests that got a 502, a broken answer or none: their worker died.",
    {{EVENT_LOST_DIED, "died"}, {EVENT_LOST_BROKEN, "broken"},
	{EVENT_LOST_MEMORY, "memory"}, {EVENT_LOST_CLOSED, "closed"},
	{EVENT_LOST_UNGUARDED, "unguarded"}}};

static const struct events_family replayed = {"nds_requests_replayed_total",
    "result", "Requests run again because their worker died, by their end.",
    {{EVENT_REPLAY_ANSWERED, "answered"}, {EVENT_REPLAY_LOST, "lost"},
	{EVENT_REPLAY_EXPIRED, "expired"},
	{EVENT_REPLAY_CANCELLED, "cancelled"}}};

static const struct events_family exits = {"nds_worker_exits_total", "reason",
    "Workers that have ended.",
    {{EVENT_EXIT_RETIRED, "retired"}, {EVENT_EXIT_EXITED, "exited"},
	{EVENT_EXIT_CRASHED, "crashed"}, {EVENT_EXIT_KILLED, "killed"},
	{EVENT_EXIT_DEADLINE, "deadline"}, {EVENT_EXIT_MEMORY, "memory"},
	{EVENT_EXIT_OVERDUE, "overdue"}}};

static const struct events_family cached = {"nds_cache_requests_total",
    "result", "Requests to cached routes, by what the cache had.",
    {{EVENT_CACHE_HIT, "hit"}, {EVENT_CACHE_STALE, "stale"},
	{EVENT_CACHE_MISS, "miss"}, {EVENT_CACHE_BYPASS, "bypass"}}};

static void
events(const struct exposition *e, const struct events_family *f,
    const struct report_sums *sums)
{
	exposition_family(e, f->name, "counter", f->help);
	for (int i = 0; i < 8 && f->row[i].value != NULL; i++) {
		fprintf(e->out, "%s{%s=\"%s\"}", f->name, f->label,
		    f->row[i].value);
		exposition_count(e, sums->event[f->row[i].event]);
	}
}

/* A sample of a family whose label stands for counters of the pool. */
static void
labelled(const struct exposition *e, const char *name, const char *label,
    uint64_t count)
{
	fprintf(e->out, "%s{%s}", name, label);
	exposition_count(e, count);
}

static void
micro(const struct exposition *e, const char *name, const char *type,
    uint64_t us, const char *help)
{
	exposition_family(e, name, type, help);
	fputs(name, e->out);
	exposition_micro(e, us);
}

static void
requests(const struct exposition *e, const struct report *r,
    const struct report_sums *s)
{
	exposition_counter(e, "nds_connections_accepted_total",
	    s->count.accepted,
	    "Connections taken off the application's listener.");
	exposition_counter(e, "nds_connections_refused_total",
	    s->count.bad_input, "Connections refused for what they sent.");
	exposition_counter(e, "nds_requests_cancelled_total",
	    s->count.cancelled,
	    "Requests whose peer was gone before the answer.");
	events(e, &replayed, s);
	exposition_counter(e, "nds_answers_delivered_total",
	    s->count.delivered,
	    "Finished answers whose worker died while they were sent.");
	events(e, &lost, s);
	exposition_counter(e, "nds_deadline_exceeded_total",
	    s->count.expired, "Requests answered 504 at their deadline.");
	exposition_counter(e, "nds_received_bytes_total", s->count.bytes_in,
	    "Bytes of requests, FastCGI framing included.");
	exposition_counter(e, "nds_sent_bytes_total", s->count.bytes_out,
	    "Bytes of answers, FastCGI framing included.");
	exposition_counter(e, "nds_log_lines_dropped_total",
	    s->count.log_dropped + s->event[EVENT_LOG_DROPPED],
	    "Log lines for which there was no room.");
	if (r->shared.area[SHARED_CACHE] != NULL)
		events(e, &cached, s);
}

/* ---- workers ------------------------------------------------------------- */

static void
workers_state(const struct exposition *e, const struct report_sums *s)
{
	static const char name[] = "nds_worker_busy_ratio";
	uint32_t all = s->busy + s->idle;

	exposition_family(e, "nds_workers", "gauge",
	    "Workers that live, by state.");
	fprintf(e->out, "nds_workers{state=\"busy\"} %u\n"
	    "nds_workers{state=\"idle\"} %u\n"
	    "nds_workers{state=\"starting\"} %u\n"
	    "nds_workers{state=\"retiring\"} %u\n",
	    s->busy, s->idle, s->starting, s->retiring);
	exposition_family(e, name, "gauge",
	    "Busy ones among those that serve, at this moment.");
	fputs(name, e->out);
	exposition_number(e, all == 0 ? 0 : (double)s->busy / all);
}

static void
worker_label(const struct exposition *e, const char *name, uint32_t number)
{
	fprintf(e->out, "%s{worker=\"%" PRIu32 "\"}", name, number);
}

static void
workers_usage(const struct exposition *e, const struct report *r)
{
	static const char memory[] = "nds_worker_resident_memory_bytes";
	static const char cpu[] = "nds_worker_cpu_seconds_total";
	static struct usage usage[BOARD_SLOTS_MAX];
	int i;

	exposition_family(e, memory, "gauge",
	    "Memory that the worker's process holds.");
	for (i = 0; i < BOARD_SLOTS_MAX; i++) {
		usage[i].known = 0;
		if (r->slot[i] == NULL || r->slot[i]->worker_pid <= 0)
			continue;
		usage_read(&usage[i], r->slot[i]->worker_pid);
		if (!usage[i].known)
			continue;
		worker_label(e, memory, (uint32_t)i);
		exposition_count(e, usage[i].resident_bytes);
	}
	exposition_family(e, cpu, "counter",
	    "Processor time of the worker's process.");
	for (i = 0; i < BOARD_SLOTS_MAX; i++)
		if (usage[i].known) {
			worker_label(e, cpu, (uint32_t)i);
			exposition_micro(e, usage[i].cpu_us);
		}
}

static void
workers(const struct exposition *e, const struct report *r,
    const struct report_sums *s)
{
	workers_state(e, s);
	exposition_gauge(e, "nds_workers_wanted", r->pool->wanted,
	    "Workers that the pool should have.");
	exposition_gauge(e, "nds_workers_wanted_min", r->pool->wanted_min,
	    "The fewest that it adapts to.");
	exposition_gauge(e, "nds_workers_wanted_max", r->pool->wanted_max,
	    "The most that it adapts to.");
	exposition_gauge(e, "nds_workers_ready", r->pool->ready,
	    "Workers that are ready.");
	exposition_gauge(e, "nds_workers_stuck", r->pool->stuck,
	    "Ready workers that are past the deadline of their request.");
	exposition_counter(e, "nds_worker_starts_total",
	    r->pool->workers_spawned, "Workers started by ndsd.");
	events(e, &exits, s);
	micro(e, "nds_workers_busy_seconds_total", "counter",
	    s->count.busy_us, "Time that workers spent on connections.");
	workers_usage(e, r);
}

/* ---- the queue and the lifecycle ----------------------------------------- */

static void
shed(const struct exposition *e, const struct pool_board *pool, uint64_t late)
{
	static const char name[] = "nds_requests_shed_total";

	exposition_family(e, name, "counter",
	    "Requests refused with 503 since they had waited too long.");
	for (int i = 0; i < SHED_REASONS; i++) {
		fprintf(e->out, "%s{reason=\"%s\"}", name,
		    counters_shed_names[i]);
		exposition_count(e, pool->shed[i]);
	}
	fprintf(e->out, "%s{reason=\"deadline\"}", name);
	exposition_count(e, late);
}

static void
queue(const struct exposition *e, const struct report *r,
    const struct report_sums *s)
{
	static const char wait[] = "nds_queue_wait_seconds";
	int64_t wait_ms = r->pool->queue_wait_ms;

	exposition_gauge(e, "nds_queue_length", r->pool->queue_length,
	    "Connections that wait in the listener's backlog.");
	micro(e, "nds_queue_oldest_seconds", "gauge",
	    wait_ms < 0 ? 0 : (uint64_t)wait_ms * 1000,
	    "Age of the oldest of them.");
	exposition_family(e, wait, "histogram",
	    "Time that connections had waited when a worker took them.");
	metrics_histogram(e, wait, "", s->queue_wait, s->queue_wait_us);
	shed(e, r->pool, s->count.late);
}

static void
spans(const struct exposition *e, const struct report *r)
{
	static const char exported[] = "nds_spans_exported_total";
	static const char dropped[] = "nds_spans_dropped_total";
	const struct pool_board *pool = r->pool;

	exposition_family(e, exported, "counter",
	    "Spans that were taken, by whom.");
	labelled(e, exported, "to=\"collector\"", pool->spans_sent);
	labelled(e, exported, "to=\"file\"", pool->spans_written);
	exposition_family(e, dropped, "counter",
	    "Spans that were not; any: they were lost before.");
	labelled(e, dropped, "to=\"collector\"", pool->spans_unsent);
	labelled(e, dropped, "to=\"file\"", pool->spans_unwritten);
	labelled(e, dropped, "to=\"any\"", report_spans_early(r));
}

static void
lifecycle(const struct exposition *e, const struct report *r,
    const struct report_sums *s)
{
	static const char seen[] = "nds_supervisor_seen_seconds";
	const struct pool_board *pool = r->pool;

	exposition_gauge(e, "nds_draining",
	    pool->draining || pool->unready == 1, "1 while the pool drains.");
	exposition_gauge(e, "nds_started", pool->started,
	    "1 once the pool was fully ready.");
	exposition_gauge(e, "nds_generation", pool->generation,
	    "Generation of the program that serves.");
	micro(e, seen, "gauge", (uint64_t)report_seen_ms(r) * 1000,
	    "Time since the supervisor was last seen.");
	exposition_counter(e, "nds_supervisor_restarts_total",
	    pool->supervisor_restarts, "Times the supervisor came back.");
	exposition_family(e, "nds_reloads_total", "counter",
	    "Reloads: done, failed (the old generation stays), refused.");
	labelled(e, "nds_reloads_total", "result=\"done\"", pool->reloads);
	labelled(e, "nds_reloads_total", "result=\"failed\"",
	    pool->reloads_failed);
	labelled(e, "nds_reloads_total", "result=\"refused\"",
	    s->event[EVENT_RELOAD_REFUSED]);
	exposition_family(e, "nds_upgrades_total", "counter",
	    "Times another binary of ndsd took over, or could not.");
	labelled(e, "nds_upgrades_total", "result=\"done\"", pool->upgrades);
	labelled(e, "nds_upgrades_total", "result=\"failed\"",
	    s->event[EVENT_UPGRADE_FAILED]);
}

static void
checks(const struct exposition *e, const struct report *r)
{
	struct report_check check[BOARD_CHECKS_MAX];
	uint32_t count = report_checks(r, check);

	if (count == 0)
		return;
	exposition_family(e, "nds_check_up", "gauge",
	    "1 while a dependency check is good.");
	for (uint32_t i = 0; i < count; i++) {
		fputs("nds_check_up{check=\"", e->out);
		exposition_label(e, check[i].name);
		fprintf(e->out, "\"} %d\n", check[i].status == CHECK_OK);
	}
	exposition_family(e, "nds_check_duration_seconds", "gauge",
	    "Time that the last run of a check took.");
	for (uint32_t i = 0; i < count; i++) {
		fputs("nds_check_duration_seconds{check=\"", e->out);
		exposition_label(e, check[i].name);
		fputs("\"}", e->out);
		exposition_micro(e, check[i].duration_ms * (uint64_t)1000);
	}
}

static void
all(const struct exposition *e, const struct report *r,
    const struct report_sums *s, const struct ledger *l)
{
	exposition_family(e, "nds_build_info", "info",
	    "Always 1; labels say what.");
	fprintf(e->out, "nds_build_info{version=\"%s\"} 1\n", NDS_VERSION);
	metrics_requests(e, l);
	requests(e, r, s);
	workers(e, r, s);
	queue(e, r, s);
	lifecycle(e, r, s);
	spans(e, r);
	checks(e, r);
	metrics_limits(e, r);
	metrics_own(e, r, l);
	if (e->open)
		fputs("# EOF\n", e->out);
}

char *
report_metrics(const struct report *r, int open)
{
	struct ledger *ledger = ledger_new(r);
	struct exposition e = {.open = open};
	struct report_sums sums;
	char *text = NULL;
	size_t bytes;
	int failed = 1;

	if (ledger != NULL)
		e.out = open_memstream(&text, &bytes);
	if (e.out != NULL) {
		report_sum(r, &sums);
		all(&e, r, &sums, ledger);
		failed = ferror(e.out);
		failed |= fclose(e.out);
	}
	free(ledger);
	if (!failed)
		return text;
	free(text);
	return NULL;
}
