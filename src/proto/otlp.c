/* SPDX-License-Identifier: MIT */
#include "proto/otlp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/num.h"

#define NAME_BYTES 256	    /* escaped */
#define VALUE_BYTES 512	    /* escaped */
#define SET_END 1800	    /* of a set alone */
#define ATTRIBUTES_END 3300 /* of a record: events and end have room behind */

static void
put(struct otlp_span *r, const char *text)
{
	log_line_put(&r->line, text, strlen(text));
}

static void
put_quoted(struct otlp_span *r, const char *text, size_t most)
{
	put(r, "\"");
	log_line_escape(&r->line, text, most);
	put(r, "\"");
}

static void
put_nanos(struct otlp_span *r, const char *key, int64_t at_us)
{
	char text[64];

	snprintf(text, sizeof(text), ",\"%s\":\"%" PRId64 "000\"", key,
	    at_us + r->wall_us);
	put(r, text);
}

static void
record_begin(struct otlp_span *r, size_t end)
{
	r->line.used = 0;
	r->line.json = 1;
	r->end = end;
	r->count = 0;
}

void
otlp_begin(struct otlp_span *r, const struct otlp_ids *ids,
    const char *name, enum otlp_kind kind)
{
	record_begin(r, ATTRIBUTES_END);
	r->wall_us = clock_wall_us();
	put(r, "{\"traceId\":\"");
	put(r, ids->trace_id);
	put(r, "\",\"spanId\":\"");
	put(r, ids->span_id);
	if (ids->parent[0] != '\0') {
		put(r, "\",\"parentSpanId\":\"");
		put(r, ids->parent);
	}
	put(r, "\"");
	if (ids->state != NULL && ids->state[0] != '\0') {
		put(r, ",\"traceState\":");
		put_quoted(r, ids->state, LOG_TEXT_MAX);
	}
	put(r, ",\"name\":");
	put_quoted(r, name, NAME_BYTES);
	put(r, kind == OTLP_SERVER ? ",\"kind\":2" : ",\"kind\":1");
}

void
otlp_times(struct otlp_span *r, int64_t from_us, int64_t to_us)
{
	put_nanos(r, "startTimeUnixNano", from_us);
	put_nanos(r, "endTimeUnixNano", to_us);
}

void
otlp_attributes(struct otlp_span *r)
{
	put(r, ",\"attributes\":[");
	r->count = 0;
}

/* Keep what was added since, or take it back when it goes beyond the end. */
static void
settle(struct otlp_span *r, size_t before)
{
	if (r->line.used > r->end)
		r->line.used = before;
	else
		r->count++;
}

static void
attribute(struct otlp_span *r, const char *key, const char *value,
    int64_t number)
{
	char digits[64];

	put(r, r->count > 0 ? ",{\"key\":" : "{\"key\":");
	put_quoted(r, key, NAME_BYTES);
	if (value == NULL) { /* 64 bits are a string in JSON */
		snprintf(digits, sizeof(digits),
		    ",\"value\":{\"intValue\":\"%" PRId64 "\"}}", number);
		put(r, digits);
		return;
	}
	put(r, ",\"value\":{\"stringValue\":");
	put_quoted(r, value, VALUE_BYTES);
	put(r, "}}");
}

void
otlp_text(struct otlp_span *r, const char *key, const char *value)
{
	size_t before = r->line.used;

	attribute(r, key, value, 0);
	settle(r, before);
}

void
otlp_number(struct otlp_span *r, const char *key, int64_t value)
{
	size_t before = r->line.used;

	attribute(r, key, NULL, value);
	settle(r, before);
}

void
otlp_set(struct otlp_span *set)
{
	record_begin(set, SET_END);
}

void
otlp_add(struct otlp_span *r, const struct otlp_span *set)
{
	size_t before = r->line.used;

	if (set->line.used == 0)
		return;
	if (r->count > 0)
		put(r, ",");
	if (log_line_put(&r->line, set->line.text, set->line.used) < 0)
		r->line.used = before; /* no comma with nothing behind it */
	settle(r, before);
}

void
otlp_events(struct otlp_span *r)
{
	put(r, "],\"events\":[");
	r->count = 0;
}

void
otlp_event(struct otlp_span *r, const char *name, int64_t at_us,
    const char *reason)
{
	put(r, r->count++ > 0 ? ",{\"name\":\"" : "{\"name\":\"");
	put(r, name);
	put(r, "\"");
	put_nanos(r, "timeUnixNano", at_us);
	if (reason != NULL) {
		put(r, ",\"attributes\":[{\"key\":\"reason\",\"value\":"
		       "{\"stringValue\":");
		put_quoted(r, reason, 128);
		put(r, "}}]");
	}
	put(r, "}");
}

size_t
otlp_end(struct otlp_span *r, const char *why)
{
	put(r, "]");
	if (why != NULL) {
		put(r, ",\"status\":{\"code\":2,\"message\":");
		put_quoted(r, why, 128);
		put(r, "}");
	}
	return log_line_end(&r->line);
}

/* ---- HTTP ------------------------------------------------------------ */

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

void
otlp_http_name(const struct otlp_http *h, char *name, size_t room)
{
	const char *method = known_method(h->method);

	if (strcmp(method, "_OTHER") == 0)
		method = "HTTP";
	snprintf(name, room, "%s%s%s", method, h->route == NULL ? "" : " ",
	    h->route == NULL ? "" : h->route);
}

const char *
otlp_scheme(const char *https)
{
	return *https == '\0' || strcasecmp(https, "off") == 0 ? "http" :
	    "https";
}

static void
text_if_known(struct otlp_span *r, const char *key, const char *value)
{
	if (value != NULL && value[0] != '\0')
		otlp_text(r, key, value);
}

/* A port without its address says nothing. */
static void
server(struct otlp_span *r, const struct otlp_http *h)
{
	int64_t port;

	if (h->server == NULL || h->server[0] == '\0')
		return;
	otlp_text(r, "server.address", h->server);
	if (num_whole(h->port, 1, 65535, &port) == 0)
		otlp_number(r, "server.port", port);
}

void
otlp_http(struct otlp_span *r, const struct otlp_http *h)
{
	const char *method = known_method(h->method), *failure = h->failure;
	char status[16];

	otlp_text(r, "http.request.method", method);
	if (strcmp(method, h->method) != 0)
		text_if_known(r, "http.request.method_original", h->method);
	text_if_known(r, "url.scheme", h->scheme);
	otlp_text(r, "url.path", h->path);
	server(r, h);
	text_if_known(r, "http.route", h->route);
	if (h->status != 0)
		otlp_number(r, "http.response.status_code", h->status);
	text_if_known(r, "client.address", h->client);
	if (strncmp(h->protocol, "HTTP/", 5) == 0)
		otlp_text(r, "network.protocol.version", h->protocol + 5);
	text_if_known(r, "user_agent.original", h->agent);
	snprintf(status, sizeof(status), "%d", h->status);
	text_if_known(r, "error.type", failure == NULL && h->status >= 500 ?
	    status : failure);
}
