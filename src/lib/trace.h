/* SPDX-License-Identifier: MIT */
/*
 * The trace of a request: which it is, and whether it is sampled.  A finished
 * span is one line of OTLP's JSON in the slot's ring; a process of ndsd's takes
 * it from there.  Nothing here waits.
 */
#ifndef LIB_TRACE_H
#define LIB_TRACE_H

#include "proto/board.h"
#include "proto/ident.h"
#include "proto/otlp.h"
#include "proto/settings.h"

/* Begin, once a process; slot NULL: nobody takes spans, as without ndsd. */
void trace_open(const struct settings *s, struct slot *slot);

/* Name the trace of the request that the slot holds: as an earlier worker has
 * named it, else by the caller's traceparent (may be NULL), else a new one.
 * The slot knows it from here on. */
void trace_identify(struct slot *slot, struct ident_trace *trace,
    const char *offered);

/* Whether spans of this trace are to be written. */
int trace_wanted(const struct ident_trace *trace);

/* End a record (otlp_end) and write it into the ring. */
void trace_write(struct otlp_span *r, const char *why);

#endif
