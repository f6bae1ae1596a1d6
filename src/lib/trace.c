/* SPDX-License-Identifier: MIT */
#include "lib/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
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
