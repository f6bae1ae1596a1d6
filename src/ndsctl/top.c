/* SPDX-License-Identifier: MIT */
/*
 * One frame is made of one document of the health responder, so it is there
 * while the supervisor restarts, and costs the pool nothing.
 */
#include "ndsctl/top.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ndsctl/field.h"
#include "ndsctl/requests.h"
#include "ndsctl/screen.h"
#include "ndsctl/table.h"
#include "ndsctl/term.h"
#include "ndsctl/trouble.h"
#include "proto/exit.h"

#define EVERY_MS 1000
#define WORKERS_MAX 1024
#define BUCKETS_MAX 64
#define EVENTS_SHOWN 5

/* The last samples added up. */
struct recent {
	int64_t seconds, requests, errors, shed;
	int64_t latency[BUCKETS_MAX], all;
};

struct top {
	int colours;
	int order; /* a key: 'a', 'r' or 's' */
};

/* ---- the last seconds ---------------------------------------------------- */

static int64_t *
place(struct recent *r, const char *column)
{
	return strcmp(column, "requests") == 0 ? &r->requests
	    : strcmp(column, "errors") == 0    ? &r->errors
	    : strcmp(column, "shed") == 0      ? &r->shed
					       : NULL;
}

static void
add_latency(struct recent *r, const json_t *counts)
{
	for (size_t i = 0; i < json_array_size(counts) && i < BUCKETS_MAX;
	     i++) {
		r->latency[i] += json_integer_value(json_array_get(counts, i));
		r->all += json_integer_value(json_array_get(counts, i));
	}
}

static void
recent_take(struct recent *r, const json_t *history)
{
	const json_t *columns = json_object_get(history, "columns");
	const json_t *samples = json_object_get(history, "samples");
	const json_t *row;
	size_t i, c;

	memset(r, 0, sizeof(*r));
	json_array_foreach(samples, i, row) {
		r->seconds++;
		for (c = 0; c < json_array_size(columns); c++) {
			const char *name =
			    json_string_value(json_array_get(columns, c));
			int64_t *to = name == NULL ? NULL : place(r, name);

			if (to != NULL)
				*to +=
				    json_integer_value(json_array_get(row, c));
		}
		add_latency(r, json_array_get(row, json_array_size(row) - 1));
	}
}

/* The upper edge of the bucket that holds the percentile, as text. */
static const char *
percentile(const struct recent *r, const json_t *edges, int percent,
    char text[REQUESTS_TIME + 2])
{
	int64_t left = (r->all * percent + 99) / 100, edge_us;
	size_t i = 0, last = json_array_size(edges);

	if (r->all == 0 || last == 0)
		return "-";
	while (i + 1 < BUCKETS_MAX && left > r->latency[i])
		left -= r->latency[i++];
	edge_us =
	    json_integer_value(json_array_get(edges, i < last ? i : last - 1));
	text[0] = i < last ? '<' : '>';
	requests_time(edge_us / 1000, text + 1);
	return text;
}

/* ---- a frame ------------------------------------------------------------- */

static void
put_head(FILE *out, const struct top *top, const json_t *d)
{
	const json_t *s = json_object_get(d, "status");
	char text[64], word[TROUBLE_WORD], version[64], when[64], up[TABLE_AGE];
	char main_pid[32] = "no main process";
	int64_t pid = field_number(s, "pid");

	trouble_print(s, top->colours, out);
	if (pid > 0)
		snprintf(main_pid, sizeof(main_pid), "pid %" PRId64, pid);
	field_word(s, "state", text, sizeof(text));
	fprintf(out, "ndsd %s %s%s%s, generation %" PRId64 ", %s, up %s, %s\n",
	    field_word(s, "version", version, sizeof(version)),
	    top->colours ? "\033[1m" : "", trouble_word(s, text, word),
	    top->colours ? "\033[0m" : "", field_number(s, "generation"),
	    main_pid, table_age(field_number(s, "uptime_s"), up),
	    field_word(d, "time", when, sizeof(when)));
}

static void
put_rates(FILE *out, const json_t *d)
{
	const json_t *history = json_object_get(d, "history");
	const json_t *edges = json_object_get(history, "latency_edges_us");
	const json_t *queue =
	    json_object_get(json_object_get(d, "status"), "queue");
	char p50[REQUESTS_TIME + 2], p99[REQUESTS_TIME + 2];
	char wait[REQUESTS_TIME];
	struct recent r;
	double rate;

	recent_take(&r, history);
	rate = r.seconds == 0 ? 0 : (double)r.requests / (double)r.seconds;
	fprintf(out,
	    "requests %.*f/s, errors %" PRId64 ", refused %" PRId64
	    " in %" PRId64 " s; p50 %s, p99 %s\n",
	    rate > 0 && rate < 10, rate, r.errors, r.shed, r.seconds,
	    percentile(&r, edges, 50, p50), percentile(&r, edges, 99, p99));
	fprintf(out, "queue %" PRId64 " waiting, the oldest for %s\n",
	    field_number(queue, "length"),
	    requests_time(field_number(queue, "wait_ms"), wait));
}

static void
put_checks(FILE *out, const json_t *checks)
{
	char name[64], status[64], message[192];
	const json_t *check;
	size_t i;

	json_array_foreach(checks, i, check) {
		field_word(check, "status", status, sizeof(status));
		field_word(check, "message", message, sizeof(message));
		fprintf(out, "%s%s %s%s%s", i == 0 ? "checks " : ", ",
		    field_word(check, "name", name, sizeof(name)), status,
		    strcmp(status, "ok") == 0 ? "" : ": ",
		    strcmp(status, "ok") == 0 ? "" : message);
	}
	if (json_array_size(checks) > 0)
		fputc('\n', out);
}

static void
put_bar(FILE *out, const struct top *top, const json_t *s)
{
	const json_t *workers = json_object_get(s, "workers"), *w;
	int64_t count = (int64_t)json_array_size(workers), busy = 0;
	char bar[TERM_BAR];
	const char *state;
	size_t i;

	json_array_foreach(workers, i, w) {
		state = json_string_value(json_object_get(w, "state"));
		busy += state != NULL && strcmp(state, "busy") == 0;
	}
	fprintf(out,
	    "workers %s%s%s%" PRId64 " of %" PRId64 " busy, %" PRId64
	    " ready, %" PRId64 " wanted\n",
	    top->colours ? "\033[32m" : "", term_bar(bar, busy, count),
	    top->colours ? "\033[0m" : "", busy, count,
	    field_number(s, "ready"), field_number(s, "wanted"));
}

/* At which time of the log's clock, how long ago, what and why. */
static void
put_event(FILE *out, const json_t *e)
{
	int64_t ago_ms = field_number(e, "ago_ms");
	time_t at = time(NULL) - (time_t)(ago_ms / 1000);
	char kind[64], ago[REQUESTS_TIME], what[128], clock[16] = "-";
	int64_t count = field_number(e, "count");
	struct tm utc;

	if (gmtime_r(&at, &utc) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%SZ", &utc);
	fprintf(out, "event %s (%s ago): %s", clock,
	    requests_time(ago_ms, ago),
	    field_word(e, "kind", kind, sizeof(kind)));
	if (json_string_length(json_object_get(e, "what")) > 0)
		fprintf(out, ", %s", field_word(e, "what", what, sizeof(what)));
	if (count > 1)
		fprintf(out, " (%" PRId64 ")", count);
	fputc('\n', out);
}

static void
put_events(FILE *out, const json_t *history)
{
	const json_t *events = json_object_get(history, "events");
	size_t count = json_array_size(events);
	size_t i = count > EVENTS_SHOWN ? count - EVENTS_SHOWN : 0;
	for (; i < count; i++)
		put_event(out, json_array_get(events, i));
}

/* ---- workers ------------------------------------------------------------- */

static int sort_order;

/* The largest age or number of requests first; slots from the first. */
static int
worker_compare(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	const char *key = sort_order == 'r' ? "requests"
	    : sort_order == 's'             ? "slot"
					    : "request_ms";
	int64_t by = field_number(y, key) - field_number(x, key);

	if (sort_order == 's')
		by = -by;
	if (by == 0)
		by = field_number(x, "slot") - field_number(y, "slot");
	return (by > 0) - (by < 0);
}

static const json_t *
request_of(const json_t *requests, int64_t slot)
{
	const json_t *q;
	size_t i;

	json_array_foreach(requests, i, q)
		if (field_number(q, "slot") == slot)
			return q;
	return NULL;
}

static void
put_worker(FILE *out, const json_t *w, const json_t *requests)
{
	const json_t *q = request_of(requests, field_number(w, "slot"));
	char state[64], age[REQUESTS_TIME], method[64], path[512] = "";
	const char *value = json_string_value(json_object_get(q, "path"));

	snprintf(path, sizeof(path), "%s", value == NULL ? "" : value);
	fprintf(out,
	    "%6" PRId64 " %8" PRId64 " %4" PRId64 "  %-8s %9" PRId64
	    " %10s  %s %s\n",
	    field_number(w, "slot"), field_number(w, "pid"),
	    field_number(w, "generation"),
	    field_word(w, "state", state, sizeof(state)),
	    field_number(w, "requests"),
	    field_number(w, "request_ms") == 0
		? "-"
		: requests_time(field_number(w, "request_ms"), age),
	    q == NULL ? "" : field_word(q, "method", method, sizeof(method)),
	    term_safe(path));
}

static void
put_workers(FILE *out, const struct top *top, const json_t *d)
{
	const json_t *all =
	    json_object_get(json_object_get(d, "status"), "workers");
	static json_t *list[WORKERS_MAX];
	size_t count = json_array_size(all);

	if (count > WORKERS_MAX)
		count = WORKERS_MAX;
	for (size_t i = 0; i < count; i++)
		list[i] = json_array_get(all, i);
	sort_order = top->order;
	qsort(list, count, sizeof(list[0]), worker_compare);
	fprintf(out, "\n%s%6s %8s %4s  %-8s %9s %10s  %s%s\n",
	    top->colours ? "\033[7m" : "", "WORKER", "PID", "GEN", "STATE",
	    "REQUESTS", "AGE", "REQUEST", top->colours ? "\033[0m" : "");
	for (size_t i = 0; i < count; i++)
		put_worker(out, list[i], json_object_get(d, "requests"));
}

/* A frame as text, to be freed; NULL without memory. */
static char *
frame(const struct top *top, const json_t *d)
{
	const json_t *s = json_object_get(d, "status");
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (out == NULL)
		return NULL;
	put_head(out, top, d);
	put_rates(out, d);
	put_bar(out, top, s);
	put_checks(out, json_object_get(s, "checks"));
	trouble_print_spans(s, out);
	put_events(out, json_object_get(d, "history"));
	put_workers(out, top, d);
	fclose(out);
	return text;
}

/* ---- the verb ------------------------------------------------------------ */

static int
next_frame(const struct command *c, const struct top *top, char **text)
{
	json_t *d;
	int status = command_get(c, "/status/recent.json", &d);

	if (status != EXIT_DONE)
		return status;
	*text = frame(top, d);
	json_decref(d);
	return *text == NULL ? EXIT_REFUSED : EXIT_DONE;
}

/* A key, another size of the screen, or a second without either: time for
 * the next frame. Returns -1 to leave. */
static int
wait_for_key(struct top *top)
{
	int key = screen_key(EVERY_MS);

	if (key == 'a' || key == 'r' || key == 's')
		top->order = key;
	return key == 'q' ? -1 : key;
}

/* Until it is left, which is EXIT_DONE, or there is no next frame. */
static int
watch_screen(const struct command *c, struct top *top)
{
	char *text = NULL;
	int status;

	while ((status = next_frame(c, top, &text)) == EXIT_DONE) {
		screen_draw(text);
		free(text);
		if (wait_for_key(top) < 0)
			break;
	}
	return status;
}

/* A failure was told on a screen that is gone: it is tried once more, and told
 * where it stays. */
static int
watch(const struct command *c, struct top *top)
{
	char *text = NULL;
	int status;

	for (;;) {
		if (screen_open() < 0) {
			fprintf(stderr,
			    "ndsctl: top: this is no terminal; "
			    "--once?\n");
			return EXIT_USAGE;
		}
		status = watch_screen(c, top);
		screen_close();
		if (status == EXIT_DONE)
			return status;
		status = next_frame(c, top, &text);
		if (status != EXIT_DONE)
			return status;
		free(text);
	}
}

int
top_run(const struct command *c)
{
	struct top top = {.colours = term_colours(stdout), .order = 'a'};
	int once = c->argc == 1 && strcmp(c->argv[0], "--once") == 0;
	char *text;
	int status;

	if (c->argc > once)
		return command_wrong(c, "unknown argument", c->argv[0]);
	if (!once)
		return watch(c, &top);
	status = next_frame(c, &top, &text);
	if (status == EXIT_DONE) {
		fputs(text, stdout);
		free(text);
	}
	return status;
}
