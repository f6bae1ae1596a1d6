/* SPDX-License-Identifier: MIT */
#include "helper/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMS_MAX 16384

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

static const struct {
	const char *name;
	size_t at;
} wanted[] = {
    {"REQUEST_METHOD", offsetof(struct ask, method)},
    {"REQUEST_URI", offsetof(struct ask, path)},
    {"SCRIPT_NAME", offsetof(struct ask, script)},
    {"HTTP_X_REQUEST_ID", offsetof(struct ask, offered_id)},
    {"HTTP_ACCEPT", offsetof(struct ask, accept)},
    {"HTTP_TRACEPARENT", offsetof(struct ask, traceparent)},
    {"HTTP_TRACESTATE", offsetof(struct ask, tracestate)},
    {"HTTPS", offsetof(struct ask, https)},
    {"REMOTE_ADDR", offsetof(struct ask, peer)},
    {"SERVER_PROTOCOL", offsetof(struct ask, protocol)},
    {"HTTP_USER_AGENT", offsetof(struct ask, agent)},
    {"SERVER_NAME", offsetof(struct ask, server)},
    {"SERVER_PORT", offsetof(struct ask, port)},
};

static void
ask_take(struct ask *ask, const uint8_t *name, size_t name_bytes,
    const uint8_t *value, size_t bytes)
{
	char *to;

	if (bytes >= ASK_VALUE_MAX || memchr(value, '\0', bytes) != NULL)
		return;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strlen(wanted[i].name) == name_bytes &&
		    memcmp(wanted[i].name, name, name_bytes) == 0) {
			to = (char *)ask + wanted[i].at;
			memcpy(to, value, bytes);
			to[bytes] = '\0';
		}
}

void
ask_read(struct ask *ask, const struct wire_scan *scan, const uint8_t *raw)
{
	uint8_t params[PARAMS_MAX];
	size_t bytes = params_join(scan, raw, params);
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

json_t *
ask_problem(const struct ask *ask, int status, const char *detail)
{
	return json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank",
	    "title", reason(status), "status", status, "detail", detail,
	    "request_id", ask->id);
}

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

uint8_t *
ask_answer(const struct ask *ask, const struct ask_answer *a,
    uint16_t request_id, size_t *bytes)
{
	size_t body = strlen(a->body), head_bytes, most;
	int is_head = strcmp(ask->method, "HEAD") == 0;
	char head[1024];
	uint8_t *out;

	head_bytes = (size_t)snprintf(head, sizeof(head),
	    "Status: %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\nX-Request-Id: %s\r\n%s\r\n",
	    a->status, reason(a->status), a->type, body, ask->id,
	    a->more == NULL ? "" : a->more);
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
