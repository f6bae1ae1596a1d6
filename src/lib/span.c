/* SPDX-License-Identifier: MIT */
#include "lib/span.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lib/request.h"
#include "lib/trace.h"

#define OPEN_MAX 16
#define OF_REQUEST_MAX 256

struct nds_span {
	struct nds_request *req;
	char name[128], id[17], parent[17];
	int64_t from_us;
	int failed;
	char why[128];
	struct otlp_span set; /* its attributes */
};

/* One request at a time, in one thread. [0] is the span of the request. */
static struct {
	struct nds_span span[OPEN_MAX];
	int depth;   /* of them in use, at least 1 */
	int written; /* of this request so far */
} spans = {.depth = 1};

void
span_reset(void)
{
	spans.depth = 1;
	spans.written = 0;
	otlp_set(&spans.span[0].set);
}

void
span_handlers(struct otlp_span *r)
{
	otlp_add(r, &spans.span[0].set);
}

static void
span_open(struct nds_span *s, struct nds_request *req, const char *name)
{
	s->req = req;
	s->failed = 0;
	otlp_set(&s->set);
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
	return trace_wanted(&req->trace) ? &spans.span[0] : NULL;
}

void
nds_span_set(struct nds_span *span, const char *key, const char *value)
{
	if (span != NULL && key != NULL)
		otlp_text(&span->set, key, value == NULL ? "" : value);
}

void
nds_span_set_number(struct nds_span *span, const char *key, int64_t value)
{
	if (span != NULL && key != NULL)
		otlp_number(&span->set, key, value);
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
	struct otlp_ids ids = {s->req->trace.trace_id, s->id, s->parent, NULL};
	struct otlp_span r;

	memcpy(s->req->trace.parent + 36, s->parent, 16);
	otlp_begin(&r, &ids, s->name, OTLP_INTERNAL);
	otlp_times(&r, s->from_us, clock_us());
	otlp_attributes(&r);
	otlp_add(&r, &s->set);
	otlp_events(&r);
	trace_write(&r, s->failed ? s->why : NULL);
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
