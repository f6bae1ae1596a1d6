/* SPDX-License-Identifier: MIT */
#include "lib/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/app.h"

/* ---- description --------------------------------------------------------- */

static int
ends_in(const char *name, const char *end)
{
	size_t bytes = strlen(name), tail = strlen(end);

	return bytes > tail && strcmp(name + bytes - tail, end) == 0;
}

/* Endings by which scrapers know the parts of a family. */
static int
ends_well(const char *name, enum books_kind kind)
{
	static const char *const taken[] = {"_total", "_created", "_bucket",
	    "_count", "_sum", "_info"};

	if (kind == BOOKS_COUNTER)
		return ends_in(name, "_total");
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (ends_in(name, taken[i]))
			return 0;
	return 1;
}

static struct nds_error *
wrong(const struct nds_metric *m)
{
	return m->app->wrong.text[0] == '\0' ? &m->app->wrong : NULL;
}

static struct nds_metric *
metric_new(struct nds_app *app, const char *name, const char *help,
    enum books_kind kind)
{
	struct nds_metric *m = calloc(1, sizeof(*m)), **at;

	if (m == NULL)
		return NULL;
	m->app = app;
	m->what.kind = kind;
	snprintf(m->what.name, sizeof(m->what.name), "%s", name);
	snprintf(m->what.help, sizeof(m->what.help), "%s", help);
	for (at = &app->metrics; *at != NULL; at = &(*at)->next)
		;
	*at = m;
	return m;
}

static struct nds_metric *
metric_described(struct nds_app *app, const char *name, const char *help,
    enum books_kind kind)
{
	struct nds_metric *m = NULL;

	if (app == NULL)
		return NULL;
	if (name != NULL && help != NULL && books_name_valid(name) &&
	    strncmp(name, "nds_", 4) != 0 && ends_well(name, kind) &&
	    *help != '\0' && strlen(help) < BOOKS_HELP_BYTES &&
	    strchr(help, '\n') == NULL)
		m = metric_new(app, name, help, kind);
	if (m == NULL)
		error_set(app->wrong.text[0] == '\0' ? &app->wrong : NULL,
		    "metric %.70s: a name is of letters, digits and _, not of "
		    "nds_, ends in _total when it counts and else in no such "
		    "word; its help is one line",
		    name == NULL ? "(null)" : name);
	return m;
}

struct nds_metric *
nds_counter(struct nds_app *app, const char *name, const char *help)
{
	return metric_described(app, name, help, BOOKS_COUNTER);
}

struct nds_metric *
nds_gauge(struct nds_app *app, const char *name, const char *help)
{
	return metric_described(app, name, help, BOOKS_GAUGE);
}

struct nds_metric *
nds_histogram(struct nds_app *app, const char *name, const char *help,
    const double *edges, int count)
{
	struct nds_metric *m =
	    metric_described(app, name, help, BOOKS_HISTOGRAM);
	int i;

	if (m == NULL)
		return NULL;
	for (i = 0; edges != NULL && count <= BOOKS_EDGES && i < count; i++) {
		if (!isfinite(edges[i]) || (i > 0 && edges[i] <= edges[i - 1]))
			break;
		m->what.edge[i] = edges[i];
	}
	if (i == 0 || i != count)
		error_set(wrong(m), "metric %s: it needs 1 to %d edges that "
		    "rise", name, BOOKS_EDGES);
	m->what.edges = (uint32_t)i;
	return m;
}

static int
label_given(const struct nds_metric *m, const char *label)
{
	const char *at = m->what.labels;

	for (; *at != '\0'; at += strlen(at) + 1) {
		if (strcmp(at, label) == 0)
			return 1;
		at += strlen(at) + 1;
	}
	return 0;
}

void
nds_metric_label(struct nds_metric *m, const char *label, const char *value)
{
	size_t room, bytes;

	if (m == NULL)
		return;
	room = sizeof(m->what.labels) - 1 - m->labels_bytes;
	bytes = label == NULL || value == NULL ? room + 1 :
	    strlen(label) + strlen(value) + 2;
	if (bytes > room || !books_label_valid(label) ||
	    label_given(m, label)) {
		error_set(wrong(m), "metric %s: label %.70s: a label has a "
		    "name of letters, digits and _, given once, and all of "
		    "them at most %d bytes", m->what.name,
		    label == NULL ? "(null)" : label, BOOKS_LABELS_BYTES - 2);
		return;
	}
	strcpy(m->what.labels + m->labels_bytes, label);
	strcpy(m->what.labels + m->labels_bytes + strlen(label) + 1, value);
	m->labels_bytes += bytes;
}

struct nds_metric *
metric_own(struct nds_app *app, const char *name, const char *help,
    const char *label, const char *value)
{
	struct nds_metric *m = metric_new(app, name, help, BOOKS_COUNTER);
	char cut[BOOKS_NAME_BYTES];

	if (m != NULL && label != NULL) {
		snprintf(cut, sizeof(cut), "%s", value);
		nds_metric_label(m, label, cut);
	}
	return m;
}

/* The same labels, whatever their values. */
static int
same_labels(const struct nds_metric *a, const struct nds_metric *b)
{
	const char *x = a->what.labels, *y = b->what.labels;

	while (*x != '\0' && strcmp(x, y) == 0) {
		x += strlen(x) + 1;
		x += strlen(x) + 1;
		y += strlen(y) + 1;
		y += strlen(y) + 1;
	}
	return *x == '\0' && *y == '\0';
}

/* OpenMetrics names a counter's family without its end. */
static int
same_family(const struct nds_metric *a, const struct nds_metric *b)
{
	size_t x = strlen(a->what.name) - 6 * (a->what.kind == BOOKS_COUNTER);
	size_t y = strlen(b->what.name) - 6 * (b->what.kind == BOOKS_COUNTER);

	return x == y && memcmp(a->what.name, b->what.name, x) == 0;
}

/* Two of one name are one family. */
static void
check_pair(const struct nds_metric *a, const struct nds_metric *b,
    struct nds_error *err)
{
	if (!same_family(a, b))
		return;
	if (a->what.kind != b->what.kind || !same_labels(a, b))
		error_set(err, "metric %s: described twice, not alike",
		    a->what.name);
	else if (memcmp(a->what.labels, b->what.labels,
	    sizeof(a->what.labels)) == 0)
		error_set(err, "metric %s: described twice", a->what.name);
}

void
metric_check(const struct nds_app *app, struct nds_error *err)
{
	unsigned count = 0;

	for (const struct nds_metric *a = app->metrics; a != NULL;
	     a = a->next) {
		count++;
		for (const struct nds_metric *b = a->next;
		     b != NULL && err != NULL; b = b->next)
			check_pair(a, b, err);
	}
	if (count > BOOKS_METRICS)
		error_set(err, "%u metrics: at most %d", count, BOOKS_METRICS);
}

/* ---- in a worker --------------------------------------------------------- */

void
metric_open(struct nds_app *app)
{
	struct books *books = board_books(app->slot);
	struct nds_metric *m;
	struct nds_route *r;

	if (books == NULL)
		return;
	for (r = app->router.first; r != NULL; r = r->after)
		if (!r->probe_only)
			r->place = books_route(books, r->pattern);
	for (m = app->metrics; m != NULL; m = m->next)
		m->cell = books_metric(books, &m->what);
}

void
metric_begin(const struct nds_app *app)
{
	struct books *books = board_books(app->slot);

	for (uint32_t i = 0; books != NULL && i < BOOKS_METRICS; i++)
		if (i < books->metrics && books->metric[i].kind == BOOKS_GAUGE)
			books_set(&books->metric[i].value, 0);
}

void
metric_free_all(struct nds_metric *metrics)
{
	struct nds_metric *next;

	for (; metrics != NULL; metrics = next) {
		next = metrics->next;
		free(metrics);
	}
}

/* Returns the place where a metric of this kind counts, or NULL. */
static struct books_metric *
cell_of(const struct nds_metric *m, enum books_kind kind)
{
	return m == NULL || m->what.kind != kind ? NULL : m->cell;
}

void
nds_counter_add(struct nds_metric *m, double by)
{
	struct books_metric *cell = cell_of(m, BOOKS_COUNTER);

	if (cell != NULL && isfinite(by) && by > 0)
		books_add(&cell->value, by);
}

void
nds_gauge_set(struct nds_metric *m, double value)
{
	struct books_metric *cell = cell_of(m, BOOKS_GAUGE);

	if (cell != NULL && isfinite(value))
		books_set(&cell->value, value);
}

void
nds_gauge_add(struct nds_metric *m, double by)
{
	struct books_metric *cell = cell_of(m, BOOKS_GAUGE);

	if (cell != NULL && isfinite(by))
		books_add(&cell->value, by);
}

void
nds_histogram_observe(struct nds_metric *m, double value)
{
	struct books_metric *cell = cell_of(m, BOOKS_HISTOGRAM);
	uint32_t i = 0;

	if (cell == NULL || !isfinite(value))
		return;
	while (i < m->what.edges && value > m->what.edge[i])
		i++;
	atomic_fetch_add_explicit(&cell->bucket[i], 1, memory_order_relaxed);
	books_add(&cell->value, value);
}
