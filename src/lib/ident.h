/* SPDX-License-Identifier: MIT */
/*
 * Names of a request that the world may rely on being unique: request ids and
 * the ids of W3C Trace Context.  Random bytes come from getrandom(2), many at
 * a time, and are never handed on to a forked child.
 */
#ifndef LIB_IDENT_H
#define LIB_IDENT_H

#define IDENT_REQUEST_BYTES 64 /* with its NUL; as in struct slot */

struct ident_trace {
	char parent[56]; /* the traceparent to send on */
	char trace_id[33], span_id[17];
};

/* The id of a request: offered (may be NULL) when it has 1..63 characters of
 * [A-Za-z0-9._-], else 32 random hex digits. */
void ident_request(char id[IDENT_REQUEST_BYTES], const char *offered);

/* Go on with the trace of a traceparent header, or begin one when offered is
 * NULL or invalid (Trace Context level 1, 3.2); the span is always new. */
void ident_trace(struct ident_trace *trace, const char *offered);

#endif
