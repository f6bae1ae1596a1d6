/* SPDX-License-Identifier: MIT */
/* The bytes of a request, right or wrong, as the options ask for them. */
#include "peer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buffer_add(struct buffer *b, const void *data, size_t bytes)
{
	if (b->used + bytes > b->room) {
		b->room = (b->used + bytes) * 2;
		b->data = realloc(b->data, b->room);
		if (b->data == NULL)
			exit(70);
	}
	if (bytes > 0)
		memcpy(b->data + b->used, data, bytes);
	b->used += bytes;
}

static void
record_add(struct buffer *b, const struct peer *p, unsigned type, unsigned id,
    const struct buffer *content)
{
	size_t at = 0;

	do {
		size_t bytes = content->used - at;
		uint8_t head[8] = {(uint8_t)p->version, (uint8_t)type,
		    (uint8_t)(id >> 8), (uint8_t)id, 0, 0, 0, 0};

		if (bytes > 65528)
			bytes = 65528;
		head[4] = (uint8_t)(bytes >> 8);
		head[5] = (uint8_t)bytes;
		buffer_add(b, head, sizeof(head));
		if (bytes > 0)
			buffer_add(b, content->data + at, bytes);
		at += bytes;
	} while (at < content->used);
}

static void
length_add(struct buffer *b, size_t bytes)
{
	uint8_t four[4] = {(uint8_t)(bytes >> 24 | 0x80),
	    (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8), (uint8_t)bytes};
	uint8_t one = (uint8_t)bytes;

	if (bytes < 128)
		buffer_add(b, &one, 1);
	else
		buffer_add(b, four, 4);
}

static void
pair_add(struct buffer *b, const char *name, const char *value)
{
	length_add(b, strlen(name));
	length_add(b, strlen(value));
	buffer_add(b, name, strlen(name));
	buffer_add(b, value, strlen(value));
}

static void
pad_add(struct buffer *b, size_t want)
{
	while (b->used < want) {
		char value[8192];
		size_t bytes = want - b->used;

		if (bytes > sizeof(value) - 1)
			bytes = sizeof(value) - 1;
		memset(value, 'p', bytes);
		value[bytes] = '\0';
		pair_add(b, "HTTP_X_PAD", value);
	}
}

static int
is_given(const struct peer *p, const char *start)
{
	for (size_t i = 0; i < p->pair_count; i++)
		if (strncmp(p->pairs[i], start, strlen(start)) == 0)
			return 1;
	return 0;
}

static void
params_fill(struct buffer *b, const struct peer *p)
{
	char number[32], name[256];
	int64_t length =
	    p->announce >= 0 ? p->announce : (int64_t)p->body_bytes;

	pair_add(b, "REQUEST_METHOD", p->method);
	pair_add(b, "SCRIPT_NAME", p->path);
	pair_add(b, "REQUEST_URI", p->path);
	pair_add(b, "QUERY_STRING", p->query);
	pair_add(b, "SERVER_PROTOCOL", "HTTP/1.1");
	if (!is_given(p, "REMOTE_ADDR="))
		pair_add(b, "REMOTE_ADDR", "192.0.2.7");
	if (!p->no_length && (length > 0 || p->announce >= 0)) {
		snprintf(number, sizeof(number), "%lld", (long long)length);
		pair_add(b, "CONTENT_LENGTH", number);
	}
	for (size_t i = 0; i < p->pair_count; i++) {
		const char *is = strchr(p->pairs[i], '=');

		snprintf(name, sizeof(name), "%.*s",
		    (int)(is - p->pairs[i]), p->pairs[i]);
		pair_add(b, name, is + 1);
	}
	pad_add(b, p->params_bytes);
}

static void
body_fill(struct buffer *b, const struct peer *p)
{
	char block[1024];
	size_t left = p->body_bytes;

	if (p->body != NULL) {
		buffer_add(b, p->body, strlen(p->body));
		return;
	}
	memset(block, 'x', sizeof(block));
	for (; left > sizeof(block); left -= sizeof(block))
		buffer_add(b, block, sizeof(block));
	buffer_add(b, block, left);
}

static int
raw_fill(struct buffer *b, const char *raw)
{
	FILE *file;
	char block[4096];
	size_t got;
	unsigned byte;

	if (strncmp(raw, "hex:", 4) == 0) {
		for (raw += 4; sscanf(raw, "%2x", &byte) == 1; raw += 2) {
			uint8_t one = (uint8_t)byte;

			buffer_add(b, &one, 1);
			if (!isxdigit((unsigned char)raw[1]))
				return -1;
		}
		return *raw == '\0' ? 0 : -1;
	}
	file = fopen(raw, "rb");
	if (file == NULL)
		return -1;
	while ((got = fread(block, 1, sizeof(block), file)) > 0)
		buffer_add(b, block, got);
	fclose(file);
	return 0;
}

static void
management_add(struct buffer *b, const struct peer *p)
{
	struct buffer content = {0};

	pair_add(&content, "FCGI_MAX_CONNS", "");
	pair_add(&content, "FCGI_MPXS_CONNS", "");
	record_add(b, p, (unsigned)p->management, 0, &content);
	free(content.data);
}

int
build_request(struct peer *p)
{
	struct buffer none = {0}, params = {0}, body = {0};
	uint8_t begin[8] = {(uint8_t)(p->role >> 8), (uint8_t)p->role,
	    (uint8_t)p->flags, 0, 0, 0, 0, 0};
	struct buffer begin_content = {begin, sizeof(begin), 0};

	if (p->raw != NULL)
		return raw_fill(&p->out, p->raw);
	if (p->management >= 0)
		management_add(&p->out, p);
	record_add(&p->out, p, p->first_type, p->id, &begin_content);
	params_fill(&params, p);
	record_add(&p->out, p, PEER_PARAMS, p->id, &params);
	if (p->endless == PEER_PARAMS) {
		struct buffer padding = {0};

		pad_add(&padding, 32768);
		record_add(&p->more, p, PEER_PARAMS, p->id, &padding);
		free(padding.data);
	} else {
		record_add(&p->out, p, PEER_PARAMS, p->id, &none);
		body_fill(&body, p);
		if (body.used > 0)
			record_add(&p->out, p, PEER_STDIN, p->stdin_id, &body);
		if (p->endless == PEER_STDIN)
			record_add(&p->more, p, PEER_STDIN, p->stdin_id,
			    &body);
		else
			record_add(&p->out, p, PEER_STDIN, p->stdin_id, &none);
	}
	free(params.data);
	free(body.data);
	return 0;
}
