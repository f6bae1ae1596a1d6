/* SPDX-License-Identifier: MIT */
#include "proto/subject.h"

#include <string.h>

#include "proto/wire.h"

#define LOOK_BYTES 65536 /* of a request; more PARAMS are none of a browser's */

static void
param(const struct wire_scan *scan, const uint8_t *buf, const char *name,
    char *out, size_t room)
{
	out[0] = '\0';
	if (scan->params_ended && scan->name_values)
		wire_param(scan, buf, name, out, room);
}

void
subject_take(struct subject *to, const struct slot *s)
{
	static uint8_t buf[LOOK_BYTES];
	uint32_t bytes, used;
	const uint8_t *capture = board_capture(s, &bytes);
	struct wire_scan scan = {0};

	memset(to, 0, sizeof(*to));
	memcpy(to->request_id, s->request_id, sizeof(to->request_id) - 1);
	memcpy(to->traceparent, s->traceparent, sizeof(to->traceparent) - 1);
	used = atomic_load(&s->capture_used);
	bytes = used < bytes ? used : bytes;
	if (bytes > sizeof(buf))
		bytes = sizeof(buf);
	memcpy(buf, capture, bytes);
	/* a copy is checked: the worker may end the request meanwhile */
	wire_scan(&scan, buf, bytes, sizeof(buf));
	param(&scan, buf, "REQUEST_METHOD", to->method, sizeof(to->method));
	param(&scan, buf, "REQUEST_URI", to->path, sizeof(to->path));
	if (to->path[0] == '\0')
		param(&scan, buf, "SCRIPT_NAME", to->path, sizeof(to->path));
	to->path[strcspn(to->path, "?#")] = '\0';
	memcpy(to->client, s->client, sizeof(to->client) - 1);
	if (to->client[0] == '\0')
		param(&scan, buf, "REMOTE_ADDR", to->client,
		    sizeof(to->client));
}

void
subject_tell(const struct subject *subject, struct log_line *l)
{
	char id[33];

	log_line_text(l, "request_id", subject->request_id);
	if (strlen(subject->traceparent) == 55) {
		memcpy(id, subject->traceparent + 3, 32);
		id[32] = '\0';
		log_line_text(l, "trace_id", id);
		memcpy(id, subject->traceparent + 36, 16);
		id[16] = '\0';
		log_line_text(l, "span_id", id);
	}
	if (subject->method[0] == '\0')
		return;
	log_line_text(l, "method", subject->method);
	log_line_text(l, "path", subject->path);
}
