/* SPDX-License-Identifier: MIT */
/*
 * Names of a request that the world may rely on being unique: request ids and
 * the ids of W3C Trace Context.  Random bytes come from getrandom(2), many at
 * a time, and are never handed on to a forked child.
 */
#ifndef PROTO_IDENT_H
#define PROTO_IDENT_H

#include <stdint.h>

#define IDENT_REQUEST_BYTES 64 /* with its NUL; as in struct slot */

struct ident_trace {
	char parent[56]; /* the traceparent to send on */
	char trace_id[33], span_id[17];
	char caller[17]; /* span of who called; "" = this trace began here */
};

/* The id of a request: offered (may be NULL) when it has 1..63 characters of
 * [A-Za-z0-9._-], else 32 random hex digits. */
void ident_request(char id[IDENT_REQUEST_BYTES], const char *offered);

/* Go on with the trace of a traceparent header, or begin one when offered is
 * NULL or invalid (Trace Context level 1, 3.2); the span is always new. */
void ident_trace(struct ident_trace *trace, const char *offered);

/* The trace of a request that an earlier process has named, by the traceparent
 * which that one noted (own) and the caller's.  Returns 0, or -1 when own is
 * none. */
int ident_again(struct ident_trace *trace, const char *own,
    const char *offered);

/* A new span id, 16 digits and a NUL. */
void ident_span(char id[17]);

/* The sampled flag. */
int ident_sampled(const struct ident_trace *trace);

/* Where the trace has begun here, sample it by chance: share is in millionths.
 * The trace's id decides, so all who know it and the share agree. */
void ident_choose(struct ident_trace *trace, int64_t share);

/* The caller's tracestate as it may be sent on, "" when it sent none or one
 * that is malformed. */
const char *ident_state(const struct ident_trace *trace, const char *offered);

#endif
