/* SPDX-License-Identifier: MIT */
/*
 * The health socket's HTTP: five paths, GET and HEAD.  The parameters are read
 * by the few lines that this takes, since the socket must answer whatever
 * becomes of the machinery behind the other one.
 */
#include "lib/probe_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ident.h"

#define PARAMS_MAX 16384
#define VALUE_MAX 256 /* longer ones match no path and no method */

struct ask {
	char method[VALUE_MAX], path[VALUE_MAX], script[VALUE_MAX];
	char offered_id[VALUE_MAX];
	char id[IDENT_REQUEST_BYTES];
};

struct answer {
	int status;
	const char *type;
	char *body; /* to be freed; NULL = no memory */
};

/* ---- parameters ---------------------------------------------------------- */

/* The PARAMS content in one piece. Returns its bytes. */
static size_t
params_join(const struct wire_scan *scan, const uint8_t *raw, uint8_t *out)
{
	size_t at = scan->params_at, used = 0;
	struct wire_header h;

	while (at < scan->params_end) {
		wire_header_get(raw + at, &h);
		at += WIRE_HEADER_BYTES;
		if (h.type == WIRE_PARAMS &&
		    h.content_bytes <= PARAMS_MAX - used) {
			memcpy(out + used, raw + at, h.content_bytes);
			used += h.content_bytes;
		}
		at += (size_t)h.content_bytes + h.padding_bytes;
	}
	return used;
}

/* A length of 1 or 4 bytes (section 3.4). Returns the bytes it took, 0 when
 * it runs over the end. */
static size_t
length_get(const uint8_t *p, size_t left, size_t *length)
{
	if (left >= 1 && p[0] < 0x80) {
		*length = p[0];
		return 1;
	}
	if (left < 4)
		return 0;
	*length = (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 |
	    (size_t)p[2] << 8 | p[3];
	return 4;
}

static void
ask_take(struct ask *ask, const uint8_t *name, size_t name_bytes,
    const uint8_t *value, size_t bytes)
{
	static const char *const names[] = {"REQUEST_METHOD", "REQUEST_URI",
	    "SCRIPT_NAME", "HTTP_X_REQUEST_ID"};
	char *const places[] = {ask->method, ask->path, ask->script,
	    ask->offered_id};

	if (bytes >= VALUE_MAX || memchr(value, '\0', bytes) != NULL)
		return;
	for (size_t i = 0; i < 4; i++)
		if (strlen(names[i]) == name_bytes &&
		    memcmp(names[i], name, name_bytes) == 0) {
			memcpy(places[i], value, bytes);
			places[i][bytes] = '\0';
		}
}

static void
ask_read(struct ask *ask, const uint8_t *params, size_t bytes)
{
	size_t at = 0, name, value, took;

	memset(ask, 0, sizeof(*ask));
	while (at < bytes) {
		took = length_get(params + at, bytes - at, &name);
		at += took;
		if (took == 0)
			break;
		took = length_get(params + at, bytes - at, &value);
		at += took;
		if (took == 0 || name > bytes - at || value > bytes - at - name)
			break;
		ask_take(ask, params + at, name, params + at + name, value);
		at += name + value;
	}
	if (ask->path[0] != '/')
		memcpy(ask->path, ask->script, sizeof(ask->path));
	ask->path[strcspn(ask->path, "?")] = '\0';
	ident_request(ask->id,
	    ask->offered_id[0] == '\0' ? NULL : ask->offered_id);
}

/* ---- answers ------------------------------------------------------------- */

/* Takes the reference. */
static void
answer_json(struct answer *a, int status, const char *type, json_t *value)
{
	a->status = status;
	a->type = type;
	a->body = value == NULL ? NULL : json_dumps(value, JSON_COMPACT);
	json_decref(value);
}

static const char *
reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	default:
		return "Service Unavailable";
	}
}

static void
answer_problem(struct answer *a, int status, const struct ask *ask,
    const char *detail)
{
	answer_json(a, status, "application/problem+json",
	    json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank",
		"title", reason(status), "status", status, "detail", detail,
		"request_id", ask->id));
}

typedef int (*probe)(const struct report *r, json_t **body);

static void
answer_path(struct answer *a, const struct report *r, const struct ask *ask)
{
	static const struct {
		const char *path;
		probe probe;
	} probes[] = {{"/live", report_live}, {"/ready", report_ready},
	    {"/startup", report_startup}};
	json_t *body = NULL;
	int status;

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		if (strcmp(ask->path, probes[i].path) == 0) {
			status = probes[i].probe(r, &body);
			answer_json(a, status, "application/json", body);
			return;
		}
	if (strcmp(ask->path, "/status") == 0) {
		answer_json(a, 200, "application/json", report_status(r));
	} else if (strcmp(ask->path, "/metrics") == 0) {
		a->status = 200;
		a->type = "text/plain; version=0.0.4; charset=utf-8";
		a->body = report_metrics(r);
	} else {
		answer_problem(a, 404, ask, "here are /live, /ready, /startup, "
		    "/metrics and /status");
	}
}

static void
answer_make(struct answer *a, const struct report *r, const struct ask *ask)
{
	if (ask->method[0] == '\0')
		answer_problem(a, 400, ask, "no REQUEST_METHOD");
	else if (strcmp(ask->method, "GET") != 0 &&
	    strcmp(ask->method, "HEAD") != 0)
		answer_problem(a, 405, ask, "GET and HEAD alone");
	else
		answer_path(a, r, ask);
}

/* ---- records ------------------------------------------------------------- */

/* Put content into STDOUT records. Returns the bytes written to out. */
static size_t
stdout_put(uint8_t *out, uint16_t request_id, const char *content,
    size_t bytes)
{
	size_t used = 0, at = 0, chunk;

	while (at < bytes) {
		chunk = bytes - at;
		if (chunk > WIRE_CHUNK_BYTES)
			chunk = WIRE_CHUNK_BYTES;
		wire_header_put(out + used, WIRE_STDOUT, request_id,
		    (uint16_t)chunk, 0);
		memcpy(out + used + WIRE_HEADER_BYTES, content + at, chunk);
		used += WIRE_HEADER_BYTES + chunk;
		at += chunk;
	}
	return used;
}

static uint8_t *
answer_frame(const struct answer *a, const struct ask *ask,
    uint16_t request_id, size_t *bytes)
{
	size_t body = strlen(a->body), head_bytes, most;
	int is_head = strcmp(ask->method, "HEAD") == 0;
	char head[512];
	uint8_t *out;

	head_bytes = (size_t)snprintf(head, sizeof(head),
	    "Status: %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\nX-Request-Id: %s\r\n%s\r\n",
	    a->status, reason(a->status), a->type, body, ask->id,
	    a->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	most = head_bytes + body + WIRE_TRAILER_BYTES +
	    WIRE_HEADER_BYTES * (3 + body / WIRE_CHUNK_BYTES);
	out = malloc(most);
	if (out == NULL)
		return NULL;
	*bytes = stdout_put(out, request_id, head, head_bytes);
	if (!is_head)
		*bytes += stdout_put(out + *bytes, request_id, a->body, body);
	wire_trailer(out + *bytes, request_id);
	*bytes += WIRE_TRAILER_BYTES;
	return out;
}

uint8_t *
probe_answer(const struct report *r, const struct wire_scan *scan,
    const uint8_t *raw, size_t *bytes)
{
	uint8_t params[PARAMS_MAX], *out;
	struct answer a = {0};
	struct ask ask;

	ask_read(&ask, params, params_join(scan, raw, params));
	answer_make(&a, r, &ask);
	if (a.body == NULL)
		return NULL;
	out = answer_frame(&a, &ask, scan->request_id, bytes);
	free(a.body);
	return out;
}
