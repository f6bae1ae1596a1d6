/* SPDX-License-Identifier: MIT */
/*
 * A span as one line of OTLP's JSON (OpenTelemetry protocol, 1.0), made in a
 * log line's room.  What does not fit is left out whole, or cut when it is
 * text; a record is always whole.  Times are of clock_us().
 */
#ifndef PROTO_OTLP_H
#define PROTO_OTLP_H

#include "base/log.h"

enum otlp_kind { OTLP_INTERNAL = 1, OTLP_SERVER = 2 };

struct otlp_ids {
	const char *trace_id, *span_id;
	const char *parent; /* "" = none */
	const char *state;  /* tracestate; NULL or "" = none */
};

struct otlp_span {
	struct log_line line;
	size_t end;	 /* attributes end before */
	int64_t wall_us; /* of clock_us() to Unix time */
	int count;	 /* of what is listed at the moment */
};

/* A request as the semantic conventions for HTTP servers tell it. "" and NULL
 * stand for what is not known. */
struct otlp_http {
	const char *method, *scheme, *path, *client, *protocol, *agent;
	const char *server, *port; /* that was asked */
	const char *route;   /* its pattern */
	int status;	     /* 0 = it has none */
	const char *failure; /* error.type; NULL = none, or by the status */
};

/* Begin a record. */
void otlp_begin(struct otlp_span *r, const struct otlp_ids *ids,
    const char *name, enum otlp_kind kind);

/* In this order: its times, attributes, events, the end: why = NULL is no
 * error, "" one without words.  The end returns the line's bytes, its newline
 * included. */
void otlp_times(struct otlp_span *r, int64_t from_us, int64_t to_us);
void otlp_attributes(struct otlp_span *r);
void otlp_text(struct otlp_span *r, const char *key, const char *value);
void otlp_number(struct otlp_span *r, const char *key, int64_t value);
void otlp_http(struct otlp_span *r, const struct otlp_http *h);
void otlp_events(struct otlp_span *r);
void otlp_event(struct otlp_span *r, const char *name, int64_t at_us,
    const char *reason);
size_t otlp_end(struct otlp_span *r, const char *why);

/* A set of attributes that belongs to no record yet, of less room; add it to
 * those of one. */
void otlp_set(struct otlp_span *set);
void otlp_add(struct otlp_span *r, const struct otlp_span *set);

/* The name of the span of such a request; its URL's scheme, by the front's
 * HTTPS parameter. */
void otlp_http_name(const struct otlp_http *h, char *name, size_t room);
const char *otlp_scheme(const char *https);

#endif
