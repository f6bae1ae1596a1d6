/* SPDX-License-Identifier: MIT */
#include "helper/metrics_books.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/breaker.h"
#include "proto/bucket.h"
#include "proto/bulkhead.h"

/* ---- requests ------------------------------------------------------------ */

/* NAME_bucket{route="...",le=" as far as the edge. */
static void
bucket_begin(const struct exposition *e, const char *name, const char *route)
{
	fprintf(e->out, "%s_bucket{", name);
	if (*route != '\0') {
		fputs("route=\"", e->out);
		exposition_label(e, route);
		fputs("\",", e->out);
	}
	fputs("le=\"", e->out);
}

static void
part(const struct exposition *e, const char *name, const char *end,
    const char *route)
{
	fprintf(e->out, "%s%s", name, end);
	if (*route == '\0')
		return;
	fputs("{route=\"", e->out);
	exposition_label(e, route);
	fputs("\"}", e->out);
}

void
metrics_histogram(const struct exposition *e, const char *name,
    const char *route, const uint64_t bucket[BOARD_LATENCY_BUCKETS],
    uint64_t sum_us)
{
	static const int64_t edges[] = BOARD_LATENCY_EDGES;
	uint64_t count = 0;
	int i;

	for (i = 0; i < BOARD_LATENCY_BUCKETS - 1; i++) {
		count += bucket[i];
		bucket_begin(e, name, route);
		exposition_edge(e, (double)edges[i] / 1e6);
		fprintf(e->out, "\"} %" PRIu64 "\n", count);
	}
	count += bucket[i];
	bucket_begin(e, name, route);
	fprintf(e->out, "+Inf\"} %" PRIu64 "\n", count);
	part(e, name, "_sum", route);
	exposition_micro(e, sum_us);
	part(e, name, "_count", route);
	exposition_count(e, count);
}

static int
series_compare(const void *a, const void *b)
{
	const struct ledger_series *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void
request(const struct exposition *e, const struct ledger *l,
    const struct ledger_series *s)
{
	uint32_t route, method, code;

	books_key_parts(s->key, &route, &method, &code);
	fprintf(e->out, "nds_http_requests_total{method=\"%s\",",
	    books_methods[method]);
	if (code == BOOKS_CODE_BROKEN)
		fputs("code=\"broken\",route=\"", e->out);
	else
		fprintf(e->out, "code=\"%" PRIu32 "\",route=\"", code);
	exposition_label(e, l->route[route].label);
	fputs("\"}", e->out);
	exposition_count(e, s->count);
}

static uint64_t
route_count(const struct ledger_route *route)
{
	uint64_t count = 0;

	for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
		count += route->latency[i];
	return count;
}

void
metrics_requests(const struct exposition *e, const struct ledger *l)
{
	static const char duration[] = "nds_http_request_duration_seconds";
	static struct ledger_series sorted[LEDGER_SERIES];
	size_t used = 0;

	for (size_t i = 0; i < LEDGER_SERIES; i++)
		if (l->series[i].count > 0)
			sorted[used++] = l->series[i];
	qsort(sorted, used, sizeof(sorted[0]), series_compare);
	exposition_family(e, "nds_http_requests_total", "counter",
	    "Requests answered by workers.");
	for (size_t i = 0; i < used; i++)
		request(e, l, &sorted[i]);
	if (l->rest > 0) {
		fputs("nds_http_requests_total{method=\"OTHER\",code=\"other\","
		      "route=\"other\"}", e->out);
		exposition_count(e, l->rest);
	}
	exposition_family(e, duration, "histogram",
	    "Time from accept to answer.");
	for (uint32_t i = 0; i < l->routes; i++)
		if (route_count(&l->route[i]) > 0)
			metrics_histogram(e, duration, l->route[i].label,
			    l->route[i].latency, l->route[i].latency_us);
}

/* ---- limits -------------------------------------------------------------- */

/* One family of all groups, of which `which` picks the value. */
static void
groups(const struct exposition *e, const struct report *r, const char *name,
    uint64_t (*which)(const struct bulkhead_state *state))
{
	struct bulkhead_state state;

	for (uint32_t i = 0; i < BULKHEADS_MAX; i++) {
		if (bulkhead_read(&r->shared, i, &state) < 0)
			continue;
		fprintf(e->out, "%s{group=\"", name);
		exposition_label(e, state.name);
		fputs("\"}", e->out);
		exposition_count(e, which(&state));
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

void
metrics_limits(const struct exposition *e, const struct report *r)
{
	const struct bucket_head *head = r->shared.area[SHARED_BUCKETS];
	struct bulkhead_state first;

	if (head != NULL && head->secret[0] != 0) { /* ever in use */
		exposition_counter(e, "nds_rate_refused_total", head->refused,
		    "Requests answered 429: over APP_RATE_LIMIT.");
		exposition_counter(e, "nds_rate_replaced_total",
		    head->replaced,
		    "Clients forgotten early for want of room.");
	}
	if (bulkhead_read(&r->shared, 0, &first) < 0)
		return;
	exposition_family(e, "nds_group_held", "gauge",
	    "Requests of a limited group that run now.");
	groups(e, r, "nds_group_held", group_held);
	exposition_family(e, "nds_group_limit", "gauge",
	    "Requests of the group that may run at once.");
	groups(e, r, "nds_group_limit", group_places);
	exposition_family(e, "nds_group_refused_total", "counter",
	    "Requests answered 503: the group was full.");
	groups(e, r, "nds_group_refused_total", group_refused);
}

/* ---- the application's own ----------------------------------------------- */

/* Its labels, without braces; returns whether there are any. */
static int
labels(const struct exposition *e, const struct ledger_metric *m)
{
	const char *at = m->labels;

	for (; *at != '\0'; at += strlen(at) + 1) {
		fprintf(e->out, "%s%s=\"", at == m->labels ? "" : ",", at);
		at += strlen(at) + 1;
		exposition_label(e, at);
		fputc('"', e->out);
	}
	return at != m->labels;
}

static void
sample(const struct exposition *e, const struct ledger_metric *m,
    const char *end)
{
	fprintf(e->out, "%s%s", m->name, end);
	if (m->labels[0] == '\0')
		return;
	fputc('{', e->out);
	labels(e, m);
	fputc('}', e->out);
}

static void
histogram(const struct exposition *e, const struct ledger_metric *m)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i <= m->edges; i++) {
		count += m->bucket[i];
		fprintf(e->out, "%s_bucket{", m->name);
		fputs(labels(e, m) ? ",le=\"" : "le=\"", e->out);
		if (i < m->edges)
			exposition_edge(e, m->edge[i]);
		else
			fputs("+Inf", e->out);
		fprintf(e->out, "\"} %" PRIu64 "\n", count);
	}
	sample(e, m, "_sum");
	exposition_number(e, m->value);
	sample(e, m, "_count");
	exposition_count(e, count);
}

static void
circuits(const struct exposition *e, const struct report *r,
    const struct ledger *l)
{
	static const char from[] = "nds_upstream_opened_total";
	static const char name[] = "nds_upstream_open";
	int begun = 0;

	for (uint32_t i = 0; i < l->metrics; i++) {
		const struct ledger_metric *m = &l->metric[i];
		const char *upstream = m->labels + strlen(m->labels) + 1;

		if (strcmp(m->name, from) != 0 || m->labels[0] == '\0')
			continue;
		if (!begun++)
			exposition_family(e, name, "gauge",
			    "1 while the circuit of an upstream is open.");
		fprintf(e->out, "%s{upstream=\"", name);
		exposition_label(e, upstream);
		fprintf(e->out, "\"} %d\n",
		    breaker_is_open(r->shared.area[SHARED_BREAKERS],
			r->shared.area_bytes[SHARED_BREAKERS], upstream));
	}
}

void
metrics_own(const struct exposition *e, const struct report *r,
    const struct ledger *l)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	const struct ledger_metric *first = NULL;

	for (uint32_t i = 0; i < l->metrics; i++) {
		const struct ledger_metric *m = &l->metric[i];

		if (first == NULL || strcmp(first->name, m->name) != 0) {
			first = m;
			exposition_family(e, m->name, types[m->kind], m->help);
		} else if (m->kind != first->kind) {
			continue; /* of another generation */
		}
		if (m->kind == BOOKS_HISTOGRAM) {
			histogram(e, m);
			continue;
		}
		sample(e, m, "");
		exposition_number(e, m->value);
	}
	circuits(e, r, l);
}
