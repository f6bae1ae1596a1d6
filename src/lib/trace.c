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

void
trace_identify(struct slot *slot, struct ident_trace *trace,
    const char *offered)
{
	span_reset();
	if (slot->traceparent[0] != '\0' &&
	    ident_again(trace, slot->traceparent, offered) == 0)
		return;
	ident_trace(trace, offered);
	if (tracing.slot != NULL)
		ident_choose(trace, tracing.share);
	memcpy(slot->traceparent, trace->parent, sizeof(slot->traceparent));
}

int
trace_wanted(const struct ident_trace *trace)
{
	return tracing.slot != NULL && ident_sampled(trace);
}

void
trace_write(struct otlp_span *r, const char *why)
{
	size_t bytes = otlp_end(r, why);

	ring_span_write(tracing.slot, r->line.text, bytes);
}

/* ---- the span of a request -------------------------------------------- */

static void
own_attributes(struct otlp_span *r, struct slot *slot, const struct access *a)
{
	otlp_text(r, "nds.request_id", a->request_id);
	otlp_number(r, "nds.worker", slot->number);
	otlp_number(r, "nds.generation", atomic_load(&slot->generation));
}

void
trace_end(struct slot *slot, const struct access *a)
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
	span_handlers(&r);
	otlp_events(&r);
	if (atomic_load(&slot->tries) > 0)
		otlp_event(&r, "replay",
		    atomic_load(&slot->replayed_ms) * 1000, NULL);
	if (a->event != NULL)
		otlp_event(&r, a->event, now_us, a->error);
	trace_write(&r, a->status >= 500 || a->broken ?
	    a->error == NULL ? "" : a->error : NULL);
}
