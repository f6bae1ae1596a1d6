/* SPDX-License-Identifier: MIT */
#include "helper/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROBES 64

/* ---- requests ------------------------------------------------------------ */

/* The place of a label, which stands at `guess` when all slots agree. */
static uint32_t
route_find(struct ledger *l, const char *label, uint32_t guess)
{
	uint32_t i;

	if (guess < l->routes && strcmp(l->route[guess].label, label) == 0)
		return guess;
	for (i = BOOKS_FIRST; i < l->routes; i++)
		if (strcmp(l->route[i].label, label) == 0)
			return i;
	if (i == LEDGER_ROUTES || label[0] != '/')
		return BOOKS_OTHER;
	memcpy(l->route[i].label, label, BOOKS_LABEL_BYTES);
	l->routes = i + 1;
	return i;
}

static void
route_add(struct ledger_route *to, const struct books_route *from)
{
	for (int i = 0; i < BOARD_LATENCY_BUCKETS; i++)
		to->latency[i] += from->latency[i];
	to->latency_us += from->latency_us;
}

/* Fills in which place of the ledger each of the books' routes has. */
static void
routes_add(struct ledger *l, const struct books *b,
    uint32_t place[BOOKS_ROUTES])
{
	uint32_t used = b->routes;
	char label[BOOKS_LABEL_BYTES];

	for (uint32_t i = 0; i < BOOKS_ROUTES; i++) {
		place[i] = i;
		if (i >= BOOKS_FIRST && i - BOOKS_FIRST >= used) {
			place[i] = BOOKS_OTHER;
			continue;
		}
		if (i >= BOOKS_FIRST) {
			memcpy(label, b->route[i].label, sizeof(label));
			label[sizeof(label) - 1] = '\0';
			place[i] = route_find(l, label, i);
		}
		route_add(&l->route[place[i]], &b->route[i]);
	}
}

static void
series_add(struct ledger *l, uint64_t key, uint64_t count)
{
	uint64_t at = key * 0x9e3779b97f4a7c15u >> 32;

	for (uint64_t i = 0; i < PROBES; i++) {
		struct ledger_series *s = &l->series[(at + i) % LEDGER_SERIES];

		if (s->key != 0 && s->key != key)
			continue;
		s->key = key;
		s->count += count;
		return;
	}
	l->rest += count;
}

static int
code_valid(uint32_t code)
{
	return code == BOOKS_CODE_BROKEN || (code >= 100 && code <= 599);
}

static void
requests_add(struct ledger *l, const struct books *b)
{
	uint32_t place[BOOKS_ROUTES], route, method, code;

	routes_add(l, b, place);
	l->rest += b->rest;
	for (uint32_t i = 0; i < BOOKS_SERIES; i++) {
		uint64_t key = b->series[i].key, count = b->series[i].count;

		if (key == 0 || count == 0)
			continue;
		books_key_parts(key, &route, &method, &code);
		if (route >= BOOKS_ROUTES || method >= BOOKS_METHODS ||
		    !code_valid(code))
			l->rest += count;
		else
			series_add(l, books_key(place[route], method, code),
			    count);
	}
}

/* ---- the application's own ----------------------------------------------- */

/* The upstreams are counted in the same way; no other of our names may come
 * out of there. */
static int
name_allowed(const char *name)
{
	return books_name_valid(name) &&
	    (strncmp(name, "nds_", 4) != 0 ||
		strncmp(name, "nds_upstream_", 13) == 0);
}

static int
labels_valid(const char *labels)
{
	for (const char *at = labels; *at != '\0'; at += strlen(at) + 1) {
		if (!books_label_valid(at))
			return 0;
		at += strlen(at) + 1;
	}
	return 1;
}

/* A copy that is what it says, or -1. */
static int
metric_read(struct ledger_metric *to, const struct books_metric *from)
{
	memset(to, 0, sizeof(*to));
	to->kind = from->kind;
	to->edges = from->edges;
	memcpy(to->name, from->name, sizeof(to->name) - 1);
	memcpy(to->labels, from->labels, sizeof(to->labels) - 2);
	memcpy(to->help, from->help, sizeof(to->help) - 1);
	to->value = books_value(&from->value);
	if (to->kind > BOOKS_HISTOGRAM || to->edges > BOOKS_EDGES ||
	    !isfinite(to->value) || !name_allowed(to->name) ||
	    !labels_valid(to->labels))
		return -1;
	for (uint32_t i = 0; i < to->edges; i++) {
		to->edge[i] = from->edge[i];
		if (!isfinite(to->edge[i]) ||
		    (i > 0 && to->edge[i] <= to->edge[i - 1]))
			return -1;
	}
	for (uint32_t i = 0; i <= to->edges; i++)
		to->bucket[i] = from->bucket[i];
	return 0;
}

static int
metric_compare(const struct ledger_metric *a, const struct ledger_metric *b)
{
	int order = strcmp(a->name, b->name);

	return order != 0 ? order :
	    memcmp(a->labels, b->labels, sizeof(a->labels));
}

/* A place among the sorted ones; another generation's idea of a name of the
 * first's is left out. */
static void
metric_add(struct ledger *l, const struct ledger_metric *m)
{
	uint32_t at = 0;
	int order = 1;

	while (at < l->metrics &&
	    (order = metric_compare(&l->metric[at], m)) < 0)
		at++;
	if (at == l->metrics || order > 0) {
		if (l->metrics == LEDGER_METRICS)
			return;
		memmove(&l->metric[at + 1], &l->metric[at],
		    (l->metrics - at) * sizeof(*m));
		l->metric[at] = *m;
		l->metrics++;
		return;
	}
	if (l->metric[at].kind != m->kind || l->metric[at].edges != m->edges ||
	    memcmp(l->metric[at].edge, m->edge, sizeof(m->edge)) != 0)
		return;
	l->metric[at].value += m->value;
	for (uint32_t i = 0; i <= m->edges; i++)
		l->metric[at].bucket[i] += m->bucket[i];
}

/* A gauge of a worker that is no more says nothing. */
static void
metrics_add(struct ledger *l, const struct books *b, int lives)
{
	uint32_t used = b->metrics;
	struct ledger_metric m;

	for (uint32_t i = 0; i < used && i < BOOKS_METRICS; i++)
		if (metric_read(&m, &b->metric[i]) == 0 &&
		    (lives || m.kind != BOOKS_GAUGE))
			metric_add(l, &m);
}

struct ledger *
ledger_new(const struct report *r)
{
	struct ledger *l = calloc(1, sizeof(*l));
	const struct books *b;

	if (l == NULL)
		return NULL;
	strcpy(l->route[BOOKS_UNMATCHED].label, "unmatched");
	strcpy(l->route[BOOKS_OTHER].label, "other");
	l->routes = BOOKS_FIRST;
	for (int i = 0; i < BOARD_SLOTS_MAX; i++) {
		b = r->slot[i] == NULL ? NULL : board_books(r->slot[i]);
		if (b == NULL)
			continue;
		requests_add(l, b);
		metrics_add(l, b, r->slot[i]->worker_pid > 0);
	}
	return l;
}
