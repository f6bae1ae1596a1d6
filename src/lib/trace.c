/* SPDX-License-Identifier: MIT */
#include "lib/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "lib/access.h"
#include "lib/span.h"
#include "proto/ring.h"

#define STATE_MAX 512 /* bytes of tracestate that must be sent on (3.3.1.5) */

static struct {
	struct slot *slot; /* NULL = off */
	int64_t share;	   /* of new traces, in millionths */
} tracing;

void
trace_open(const struct settings *s, struct slot *slot)
{
	uint32_t ring_bytes = 0;

	tracing.slot = NULL;
	if (slot == NULL || num_share(s->trace, &tracing.share) < 0 ||
	    tracing.share < 0)
		return;
	board_trace_ring(slot, &ring_bytes);
	if (ring_bytes > 0)
		tracing.slot = slot;
}

/* By the trace's id, so that all who decide by the same share agree. */
static int
is_chosen(const struct ident_trace *trace)
{
	uint64_t random = strtoull(trace->trace_id + 18, NULL, 16);

	return random % 1000000 < (uint64_t)tracing.share;
}

void
trace_identify(struct slot *slot, struct ident_trace *trace,
    const char *offered)
{
	span_reset();
	if (slot->traceparent[0] != '\0' &&
	    ident_again(trace, slot->traceparent, offered) == 0)
		return;
	ident_trace(trace, offered);
	if (tracing.slot != NULL && trace->caller[0] == '\0')
		ident_sample(trace, is_chosen(trace));
	memcpy(slot->traceparent, trace->parent, sizeof(slot->traceparent));
}

int
trace_wanted(const struct ident_trace *trace)
{
	return tracing.slot != NULL && ident_sampled(trace);
}

void
trace_write(const char *line, size_t bytes)
{
	ring_span_write(tracing.slot, line, bytes);
}

const char *
trace_state(const struct ident_trace *trace, const char *offered)
{
	if (offered == NULL || trace->caller[0] == '\0')
		return "";
	for (const char *c = offered; *c != '\0'; c++)
		if (c - offered >= STATE_MAX || *c < 0x20 || *c > 0x7e)
			return "";
	return strchr(offered, '=') == NULL ? "" : offered;
}

/* ---- the span of a request -------------------------------------------- */

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE",
    "CONNECT", "OPTIONS", "TRACE", "PATCH", NULL};

/* One of a closed list: anyone can make up others. */
static const char *
known_method(const char *method)
{
	for (int i = 0; methods[i] != NULL; i++)
		if (strcmp(methods[i], method) == 0)
			return method;
	return "_OTHER";
}

/* As the semantic conventions for HTTP servers name them. */
static void
http_attributes(struct span_record *r, const struct access *a)
{
	const char *method = known_method(a->method);
	char status[16];

	span_text(r, "http.request.method", method);
	if (strcmp(method, a->method) != 0)
		span_text(r, "http.request.method_original", a->method);
	span_text(r, "url.scheme", a->scheme);
	span_text(r, "url.path", a->path);
	if (a->route != NULL)
		span_text(r, "http.route", a->route);
	if (a->status != ACCESS_GONE)
		span_number(r, "http.response.status_code", a->status);
	if (a->client[0] != '\0')
		span_text(r, "client.address", a->client);
	if (strncmp(a->protocol, "HTTP/", 5) == 0)
		span_text(r, "network.protocol.version", a->protocol + 5);
	if (a->agent[0] != '\0')
		span_text(r, "user_agent.original", a->agent);
	snprintf(status, sizeof(status), "%d", a->status);
	if (a->status == ACCESS_GONE)
		span_text(r, "error.type", "cancelled");
	else if (a->broken)
		span_text(r, "error.type", "broken");
	else if (a->status >= 500)
		span_text(r, "error.type", status);
}

static void
own_attributes(struct span_record *r, struct slot *slot, const struct access *a)
{
	span_text(r, "nds.request_id", a->request_id);
	span_number(r, "nds.worker", slot->number);
	span_number(r, "nds.generation", atomic_load(&slot->generation));
}

static void
name_span(const struct access *a, char *name, size_t room)
{
	const char *method = known_method(a->method);

	if (strcmp(method, "_OTHER") == 0)
		method = "HTTP";
	snprintf(name, room, "%s%s%s", method, a->route == NULL ? "" : " ",
	    a->route == NULL ? "" : a->route);
}

void
trace_end(struct slot *slot, const struct access *a)
{
	int64_t now_us = clock_us();
	struct span_record r;
	struct span_ids ids = {a->trace->trace_id, a->trace->span_id,
	    a->trace->caller, a->state};
	char name[160];

	if (!trace_wanted(a->trace))
		return;
	name_span(a, name, sizeof(name));
	span_begin(&r, &ids, name, 1);
	span_times(&r, now_us - a->us, now_us);
	span_attributes(&r);
	http_attributes(&r, a);
	own_attributes(&r, slot, a);
	span_handlers(&r);
	span_events(&r);
	if (atomic_load(&slot->tries) > 0)
		span_event(&r, "replay",
		    atomic_load(&slot->replayed_ms) * 1000, NULL);
	if (a->event != NULL)
		span_event(&r, a->event, now_us, a->error);
	span_end(&r, a->status >= 500 || a->broken ?
	    a->error == NULL ? "" : a->error : NULL);
}
