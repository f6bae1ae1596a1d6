/* SPDX-License-Identifier: MIT */
/*
 * The board in Prometheus' text format 0.0.4: base units, counters ending in
 * _total, one HELP and TYPE a family.  The histogram's count is the sum of the
 * buckets as they were read, so that a scrape never contradicts itself.
 */
#include "lib/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bucket.h"
#include "lib/text.h"
#include "proto/bulkhead.h"
#include "proto/counters.h"

static void
family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
counter(FILE *out, const char *name, uint64_t value, const char *help)
{
	family(out, name, "counter", help);
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void
gauge(FILE *out, const char *name, int64_t value, const char *help)
{
	family(out, name, "gauge", help);
	fprintf(out, "%s %" PRId64 "\n", name, value);
}

/* The edge of a bucket in seconds, in its shortest form: "0.05", "10". */
static const char *
edge(int64_t us, char text[24])
{
	char *end;

	snprintf(text, 24, "%" PRId64 ".%03" PRId64, us / 1000000,
	    us / 1000 % 1000);
	for (end = text + strlen(text); end[-1] == '0'; end--)
		;
	if (end[-1] == '.')
		end--;
	*end = '\0';
	return text;
}

/* Without printf's %f, which writes what the locale wants. */
static void
seconds_us(FILE *out, const char *name, uint64_t us)
{
	fprintf(out, "%s %" PRIu64 ".%06" PRIu64 "\n", name, us / 1000000,
	    us % 1000000);
}

static void
requests(FILE *out, const struct report_sums *sums)
{
	family(out, "nds_http_requests_total", "counter",
	    "Requests answered, by class of status.");
	for (int i = 1; i < 6; i++)
		fprintf(out, "nds_http_requests_total{class=\"%dxx\"} %" PRIu64
		    "\n", i, sums->count.status[i]);
	if (sums->count.status[0] > 0)
		fprintf(out, "nds_http_requests_total{class=\"other\"} %"
		    PRIu64 "\n", sums->count.status[0]);
}

static void
latency(FILE *out, const struct report_sums *sums)
{
	static const int64_t edges[] = BOARD_LATENCY_EDGES;
	static const char name[] = "nds_http_request_duration_seconds";
	uint64_t count = 0;
	char text[24];

	family(out, name, "histogram", "Time from accept to answer.");
	for (int i = 0; i < BOARD_LATENCY_BUCKETS - 1; i++) {
		count += sums->count.latency[i];
		fprintf(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name,
		    edge(edges[i], text), count);
	}
	count += sums->count.latency[BOARD_LATENCY_BUCKETS - 1];
	fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
	seconds_us(out, "nds_http_request_duration_seconds_sum",
	    sums->count.latency_us);
	fprintf(out, "%s_count %" PRIu64 "\n", name, count);
}

static void
traffic(FILE *out, const struct report_sums *sums)
{
	requests(out, sums);
	latency(out, sums);
	counter(out, "nds_connections_accepted_total", sums->count.accepted,
	    "Connections taken off the application's listener.");
	counter(out, "nds_connections_refused_total", sums->count.bad_input,
	    "Connections refused for what they sent.");
	counter(out, "nds_requests_cancelled_total", sums->count.cancelled,
	    "Requests whose peer was gone before the answer.");
	counter(out, "nds_requests_replayed_total", sums->count.replayed,
	    "Requests run again because their worker died.");
	counter(out, "nds_answers_delivered_total", sums->count.delivered,
	    "Finished answers whose worker died while they were sent.");
	counter(out, "nds_requests_lost_total", sums->count.lost,
	    "Requests answered 502 or broken off: their worker died.");
	counter(out, "nds_deadline_exceeded_total", sums->count.expired,
	    "Requests answered 504 at their deadline.");
	counter(out, "nds_received_bytes_total", sums->count.bytes_in,
	    "Bytes of requests, FastCGI framing included.");
	counter(out, "nds_sent_bytes_total", sums->count.bytes_out,
	    "Bytes of answers, FastCGI framing included.");
	family(out, "nds_workers_busy_seconds_total", "counter",
	    "Time that workers spent on connections.");
	seconds_us(out, "nds_workers_busy_seconds_total", sums->count.busy_us);
	counter(out, "nds_log_lines_dropped_total", sums->count.log_dropped,
	    "Log lines that found their ring full.");
}

static void
workers(FILE *out, const struct pool_board *pool,
    const struct report_sums *sums)
{
	family(out, "nds_workers", "gauge", "Workers that live, by state.");
	fprintf(out, "nds_workers{state=\"busy\"} %u\n", sums->busy);
	fprintf(out, "nds_workers{state=\"idle\"} %u\n", sums->idle);
	gauge(out, "nds_workers_wanted", pool->wanted,
	    "Workers that the pool should have.");
	gauge(out, "nds_workers_wanted_min", pool->wanted_min,
	    "The least that it may shrink to.");
	gauge(out, "nds_workers_wanted_max", pool->wanted_max,
	    "The most that it may grow to.");
	gauge(out, "nds_workers_ready", pool->ready,
	    "Workers that are ready.");
	gauge(out, "nds_workers_overdue", pool->stuck,
	    "Ready workers that are past the deadline of their request.");
	counter(out, "nds_worker_starts_total", pool->workers_spawned,
	    "Workers started.");
	counter(out, "nds_worker_deaths_total", pool->workers_died,
	    "Workers that ended without being told to.");
}

static void
shed(FILE *out, const struct pool_board *pool, uint64_t late)
{
	static const char name[] = "nds_shed_requests_total";

	family(out, name, "counter",
	    "Requests refused with 503 since they had waited too long.");
	for (int i = 0; i < SHED_REASONS; i++)
		fprintf(out, "%s{reason=\"%s\"} %" PRIu64 "\n", name,
		    counters_shed_names[i], pool->shed[i]);
	fprintf(out, "%s{reason=\"deadline\"} %" PRIu64 "\n", name, late);
}

static void
lifecycle(FILE *out, const struct pool_board *pool)
{
	int64_t wait_ms = pool->queue_wait_ms;

	gauge(out, "nds_queue_length", pool->queue_length,
	    "Connections that wait in the listener's backlog.");
	family(out, "nds_queue_wait_seconds", "gauge",
	    "Age of the oldest of them.");
	seconds_us(out, "nds_queue_wait_seconds",
	    wait_ms < 0 ? 0 : (uint64_t)wait_ms * 1000);
	gauge(out, "nds_draining", pool->draining || pool->unready,
	    "1 while the pool drains.");
	gauge(out, "nds_started", pool->started,
	    "1 once the pool was fully ready.");
	gauge(out, "nds_generation", pool->generation,
	    "Generation of the program that serves.");
	counter(out, "nds_supervisor_restarts_total",
	    pool->supervisor_restarts, "Times the supervisor came back.");
	counter(out, "nds_upgrades_total", pool->upgrades,
	    "Times ndsd was replaced by another binary.");
}

/* A label's value: backslash, quote and newline are escaped. */
static void
label(FILE *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		if (*value == '\n')
			fputs("\\n", out);
		else
			fputc(*value, out);
	}
}

static void
checks(FILE *out, const struct report *r)
{
	struct report_check check[BOARD_CHECKS_MAX];
	uint32_t count = report_checks(r, check);

	if (count == 0)
		return;
	family(out, "nds_check_up", "gauge",
	    "1 while a dependency check is good.");
	for (uint32_t i = 0; i < count; i++) {
		fputs("nds_check_up{check=\"", out);
		label(out, check[i].name);
		fprintf(out, "\"} %d\n", check[i].status == CHECK_OK);
	}
	family(out, "nds_check_duration_seconds", "gauge",
	    "Time that the last run of a check took.");
	for (uint32_t i = 0; i < count; i++) {
		fputs("nds_check_duration_seconds{check=\"", out);
		label(out, check[i].name);
		fprintf(out, "\"} %u.%03u\n", check[i].duration_ms / 1000,
		    check[i].duration_ms % 1000);
	}
}

/* One family of all groups, of which `which` picks the value. */
static void
groups(FILE *out, const struct report *r, const char *name,
    uint64_t (*which)(const struct bulkhead_state *state))
{
	struct bulkhead_state state;

	for (uint32_t i = 0; i < BULKHEADS_MAX; i++) {
		if (bulkhead_read(&r->shared, i, &state) < 0)
			continue;
		text_make_utf8(state.name);
		fprintf(out, "%s{group=\"", name);
		label(out, state.name);
		fprintf(out, "\"} %" PRIu64 "\n", which(&state));
	}
}

static uint64_t
group_held(const struct bulkhead_state *state)
{
	return state->held;
}

static uint64_t
group_places(const struct bulkhead_state *state)
{
	return state->places;
}

static uint64_t
group_refused(const struct bulkhead_state *state)
{
	return state->refused;
}

static void
limits(FILE *out, const struct report *r)
{
	const struct bucket_head *head = r->shared.area[SHARED_BUCKETS];
	struct bulkhead_state first;

	if (head != NULL && head->secret[0] != 0) { /* ever in use */
		counter(out, "nds_rate_refused_total", head->refused,
		    "Requests answered 429: over APP_RATE_LIMIT.");
		counter(out, "nds_rate_replaced_total", head->replaced,
		    "Clients forgotten early for want of room.");
	}
	if (bulkhead_read(&r->shared, 0, &first) < 0)
		return;
	family(out, "nds_group_held", "gauge",
	    "Requests of a limited group that run now.");
	groups(out, r, "nds_group_held", group_held);
	family(out, "nds_group_limit", "gauge",
	    "Requests of the group that may run at once.");
	groups(out, r, "nds_group_limit", group_places);
	family(out, "nds_group_refused_total", "counter",
	    "Requests answered 503: the group was full.");
	groups(out, r, "nds_group_refused_total", group_refused);
}

char *
report_metrics(const struct report *r)
{
	struct report_sums sums;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	int failed;

	if (out == NULL)
		return NULL;
	report_sum(r, &sums);
	family(out, "nds_build_info", "gauge", "Always 1; labels say what.");
	fprintf(out, "nds_build_info{version=\"%s\"} 1\n", NDS_VERSION);
	traffic(out, &sums);
	workers(out, r->pool, &sums);
	shed(out, r->pool, sums.count.late);
	lifecycle(out, r->pool);
	checks(out, r);
	limits(out, r);
	failed = ferror(out);
	if (fclose(out) == 0 && !failed)
		return text;
	free(text);
	return NULL;
}
