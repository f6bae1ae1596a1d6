/* SPDX-License-Identifier: MIT */
/*
 * Spans: a record of OTLP's JSON made in one line's room, and the spans that
 * handlers open within a request.  What does not fit is left out whole, or cut
 * when it is text; a record is always whole.
 */
#ifndef LIB_SPAN_H
#define LIB_SPAN_H

#include "base/log.h"
#include "lib/nds.h"

struct span_ids {
	const char *trace_id, *span_id;
	const char *parent; /* "" = none */
	const char *state;  /* tracestate; NULL or "" = none */
};

struct span_record {
	struct log_line line;
	int64_t wall_us; /* of clock_us() to Unix time */
	int count;	 /* of what is listed at the moment */
};

/* Begin a record: of a server's span, or of one within it. */
void span_begin(struct span_record *r, const struct span_ids *ids,
    const char *name, int is_server);

/* In this order: its times (clock_us), attributes, those that the handler has
 * set, events, the end: why = NULL is no error, "" one without words.  The end
 * writes it to the ring. */
void span_times(struct span_record *r, int64_t from_us, int64_t to_us);
void span_attributes(struct span_record *r);
void span_text(struct span_record *r, const char *key, const char *value);
void span_number(struct span_record *r, const char *key, int64_t value);
void span_handlers(struct span_record *r);
void span_events(struct span_record *r);
void span_event(struct span_record *r, const char *name, int64_t at_us,
    const char *detail);
void span_end(struct span_record *r, const char *why);

/* A request begins: nothing is open. */
void span_reset(void);

/* Its handler has returned: end what it has left open. */
void span_end_all(void);

#endif
