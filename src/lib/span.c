/* SPDX-License-Identifier: MIT */
#include "lib/span.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lib/request.h"
#include "lib/trace.h"

#define NAME_BYTES 256	    /* escaped */
#define VALUE_BYTES 512	    /* escaped */
#define HANDLERS_BYTES 1800 /* of the attributes that a handler has set */
#define ATTRIBUTES_END 3300 /* of the record: events and end have room behind */
#define OPEN_MAX 16
#define OF_REQUEST_MAX 256

struct nds_span {
	struct nds_request *req;
	char name[128], id[17], parent[17];
	int64_t from_us;
	int failed;
	char why[128];
	struct span_record set; /* its attributes */
};

/* One request at a time, in one thread. [0] is the span of the request. */
static struct {
	struct nds_span span[OPEN_MAX];
	int depth;   /* of them in use, at least 1 */
	int written; /* of this request so far */
} spans = {.depth = 1};

/* ---- records ---------------------------------------------------------- */

static void
put(struct span_record *r, const char *text)
{
	log_line_put(&r->line, text, strlen(text));
}

static void
put_quoted(struct span_record *r, const char *text, size_t most)
{
	put(r, "\"");
	log_line_escape(&r->line, text, most);
	put(r, "\"");
}

static void
put_nanos(struct span_record *r, const char *key, int64_t at_us)
{
	char text[64];

	snprintf(text, sizeof(text), ",\"%s\":\"%" PRId64 "000\"", key,
	    at_us + r->wall_us);
	put(r, text);
}

void
span_begin(struct span_record *r, const struct span_ids *ids,
    const char *name, int is_server)
{
	r->line.used = 0;
	r->line.json = 1;
	r->wall_us = clock_wall_us();
	put(r, "{\"traceId\":\"");
	put(r, ids->trace_id);
	put(r, "\",\"spanId\":\"");
	put(r, ids->span_id);
	if (ids->parent[0] != '\0') {
		put(r, "\",\"parentSpanId\":\"");
		put(r, ids->parent);
	}
	put(r, "\"");
	if (ids->state != NULL && ids->state[0] != '\0') {
		put(r, ",\"traceState\":");
		put_quoted(r, ids->state, LOG_TEXT_MAX);
	}
	put(r, ",\"name\":");
	put_quoted(r, name, NAME_BYTES);
	put(r, is_server ? ",\"kind\":2" : ",\"kind\":1");
}

void
span_times(struct span_record *r, int64_t from_us, int64_t to_us)
{
	put_nanos(r, "startTimeUnixNano", from_us);
	put_nanos(r, "endTimeUnixNano", to_us);
}

void
span_attributes(struct span_record *r)
{
	put(r, ",\"attributes\":[");
	r->count = 0;
}

/* Keep what was added since, or take it back when it is beyond the end. */
static void
settle(struct span_record *r, size_t before, size_t end)
{
	if (r->line.used > end)
		r->line.used = before;
	else
		r->count++;
}

static void
attribute(struct span_record *r, const char *key, const char *value,
    int64_t number)
{
	char digits[64];

	put(r, r->count > 0 ? ",{\"key\":" : "{\"key\":");
	put_quoted(r, key, NAME_BYTES);
	if (value == NULL) { /* 64 bits are a string in JSON */
		snprintf(digits, sizeof(digits),
		    ",\"value\":{\"intValue\":\"%" PRId64 "\"}}", number);
		put(r, digits);
		return;
	}
	put(r, ",\"value\":{\"stringValue\":");
	put_quoted(r, value, VALUE_BYTES);
	put(r, "}}");
}

void
span_text(struct span_record *r, const char *key, const char *value)
{
	size_t before = r->line.used;

	attribute(r, key, value, 0);
	settle(r, before, ATTRIBUTES_END);
}

void
span_number(struct span_record *r, const char *key, int64_t value)
{
	size_t before = r->line.used;

	attribute(r, key, NULL, value);
	settle(r, before, ATTRIBUTES_END);
}

static void
put_set(struct span_record *r, const struct span_record *set)
{
	size_t before = r->line.used;

	if (set->line.used == 0)
		return;
	if (r->count > 0)
		put(r, ",");
	if (log_line_put(&r->line, set->line.text, set->line.used) < 0)
		r->line.used = before; /* no comma with nothing behind it */
	settle(r, before, ATTRIBUTES_END);
}

void
span_handlers(struct span_record *r)
{
	put_set(r, &spans.span[0].set);
}

void
span_events(struct span_record *r)
{
	put(r, "],\"events\":[");
	r->count = 0;
}

void
span_event(struct span_record *r, const char *name, int64_t at_us,
    const char *detail)
{
	put(r, r->count++ > 0 ? ",{\"name\":\"" : "{\"name\":\"");
	put(r, name);
	put(r, "\"");
	put_nanos(r, "timeUnixNano", at_us);
	if (detail != NULL) {
		put(r, ",\"attributes\":[{\"key\":\"reason\",\"value\":"
		       "{\"stringValue\":");
		put_quoted(r, detail, 128);
		put(r, "}}]");
	}
	put(r, "}");
}

void
span_end(struct span_record *r, const char *why)
{
	put(r, "]");
	if (why != NULL) {
		put(r, ",\"status\":{\"code\":2,\"message\":");
		put_quoted(r, why, 128);
		put(r, "}");
	}
	trace_write(r->line.text, log_line_end(&r->line));
}

/* ---- spans of handlers ------------------------------------------------ */

void
span_reset(void)
{
	spans.depth = 1;
	spans.written = 0;
	spans.span[0].set.line.used = 0;
	spans.span[0].set.count = 0;
}

static void
span_open(struct nds_span *s, struct nds_request *req, const char *name)
{
	s->req = req;
	s->failed = 0;
	s->set.line.used = 0;
	s->set.line.json = 1;
	s->set.count = 0;
	s->from_us = clock_us();
	snprintf(s->name, sizeof(s->name), "%s", name);
	memcpy(s->parent, req->trace.parent + 36, 16);
	s->parent[16] = '\0';
	ident_span(s->id);
	memcpy(req->trace.parent + 36, s->id, 16);
}

struct nds_span *
nds_span_begin(struct nds_request *req, const char *name)
{
	struct nds_span *s;

	if (!trace_wanted(&req->trace) || spans.depth == OPEN_MAX ||
	    spans.written >= OF_REQUEST_MAX || name == NULL)
		return NULL;
	s = &spans.span[spans.depth++];
	span_open(s, req, name);
	return s;
}

struct nds_span *
nds_span_request(struct nds_request *req)
{
	struct nds_span *s = &spans.span[0];

	if (!trace_wanted(&req->trace))
		return NULL;
	s->set.line.json = 1;
	return s;
}

void
nds_span_set(struct nds_span *span, const char *key, const char *value)
{
	size_t before;

	if (span == NULL || key == NULL)
		return;
	before = span->set.line.used;
	attribute(&span->set, key, value == NULL ? "" : value, 0);
	settle(&span->set, before, HANDLERS_BYTES);
}

void
nds_span_set_number(struct nds_span *span, const char *key, int64_t value)
{
	size_t before;

	if (span == NULL || key == NULL)
		return;
	before = span->set.line.used;
	attribute(&span->set, key, NULL, value);
	settle(&span->set, before, HANDLERS_BYTES);
}

void
nds_span_fail(struct nds_span *span, const char *why)
{
	if (span == NULL || span == &spans.span[0])
		return;
	span->failed = 1;
	snprintf(span->why, sizeof(span->why), "%s", why == NULL ? "" : why);
}

static void
span_close(struct nds_span *s)
{
	struct span_ids ids = {s->req->trace.trace_id, s->id, s->parent, NULL};
	struct span_record r;

	memcpy(s->req->trace.parent + 36, s->parent, 16);
	span_begin(&r, &ids, s->name, 0);
	span_times(&r, s->from_us, clock_us());
	span_attributes(&r);
	put_set(&r, &s->set);
	span_events(&r);
	span_end(&r, s->failed ? s->why : NULL);
	spans.written++;
}

void
nds_span_end(struct nds_span *span)
{
	int number = span == NULL ? 0 : (int)(span - spans.span);

	if (number < 1 || number >= spans.depth)
		return;
	while (spans.depth > number)
		span_close(&spans.span[--spans.depth]);
}

void
span_end_all(void)
{
	if (spans.depth > 1)
		nds_span_end(&spans.span[1]);
}
