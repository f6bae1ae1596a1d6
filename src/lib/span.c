/* SPDX-License-Identifier: MIT */
#include "lib/span.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lib/access.h"
#include "lib/request.h"
#include "lib/trace.h"
#include "proto/otlp.h"

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

/* ---- the span of a request ------------------------------------------- */

static void
own_attributes(struct otlp_span *r, struct slot *slot, const struct access *a)
{
	otlp_text(r, "nds.request_id", a->request_id);
	otlp_number(r, "nds.worker", slot->number);
	otlp_number(r, "nds.generation", atomic_load(&slot->generation));
}

void
span_request(struct slot *slot, const struct access *a)
{
	struct otlp_http http = {a->method, a->scheme, a->path, a->client,
	    a->protocol, a->agent, a->server, a->port, a->route, a->status,
	    NULL};
	struct otlp_ids ids = {a->trace->trace_id, a->trace->span_id,
	    a->trace->caller, a->state};
	int64_t now_us = clock_us();
	struct otlp_span r;
	char name[160];

	if (!trace_wanted(a->trace))
		return;
	if (a->broken)
		http.failure = "broken";
	if (a->status == ACCESS_GONE) {
		http.failure = "cancelled";
		http.status = 0;
	}
	otlp_http_name(&http, name, sizeof(name));
	otlp_begin(&r, &ids, name, OTLP_SERVER);
	otlp_times(&r, now_us - a->us, now_us);
	otlp_attributes(&r);
	otlp_http(&r, &http);
	own_attributes(&r, slot, a);
	otlp_add(&r, &spans.span[0].set);
	otlp_events(&r);
	if (atomic_load(&slot->tries) > 0)
		otlp_event(&r, "replay",
		    atomic_load(&slot->replayed_ms) * 1000, NULL);
	if (a->event != NULL)
		otlp_event(&r, a->event, now_us, a->error);
	trace_write(&r, a->status >= 500 || a->broken ?
	    a->error == NULL ? "" : a->error : NULL);
}
