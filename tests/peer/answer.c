/* SPDX-License-Identifier: MIT */
/* Takes an answer apart: records, header block, body. */
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void
record_read(struct answer *a, const uint8_t *head, const uint8_t *content)
{
	size_t bytes = (size_t)head[4] << 8 | head[5];

	a->request_id = (unsigned)head[2] << 8 | head[3];
	if (head[1] == PEER_STDOUT)
		buffer_add(&a->out, content, bytes);
	else if (head[1] == PEER_STDERR)
		buffer_add(&a->err, content, bytes);
	else if (head[1] == PEER_END && bytes >= 8) {
		a->ended = 1;
		a->app_status = (unsigned)content[0] << 24 |
		    (unsigned)content[1] << 16 | (unsigned)content[2] << 8 |
		    content[3];
		a->protocol_status = content[4];
	} else
		a->nonsense = 1;
}

/* Find the empty line; read the Status line before it. */
static void
head_read(struct answer *a)
{
	const char *text = (const char *)a->out.data;
	size_t at = 0;

	while (at < a->out.used) {
		const char *line = text + at;
		const char *end = memchr(line, '\n', a->out.used - at);
		size_t bytes;

		if (end == NULL)
			return;
		bytes = (size_t)(end - line);
		at += bytes + 1;
		if (bytes == 0 || (bytes == 1 && line[0] == '\r')) {
			a->body_at = at;
			if (a->status == 0)
				a->status = 200;
			return;
		}
		if (strncasecmp(line, "Status:", 7) == 0)
			a->status = atoi(line + 7);
	}
}

void
answer_read(const struct buffer *in, struct answer *a)
{
	size_t at = 0;

	memset(a, 0, sizeof(*a));
	while (in->used - at >= 8) {
		const uint8_t *head = in->data + at;
		size_t bytes = ((size_t)head[4] << 8 | head[5]) + head[6];

		if (head[0] != 1 || a->ended) {
			a->nonsense = 1;
			break;
		}
		if (in->used - at - 8 < bytes)
			break;
		record_read(a, head, head + 8);
		at += 8 + bytes;
	}
	if (a->out.used > 0) {
		buffer_add(&a->out, "", 1);
		a->out.used--;
		head_read(a);
	}
}
