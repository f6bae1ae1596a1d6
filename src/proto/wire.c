/* SPDX-License-Identifier: MIT */
/*
 * FastCGI on the wire.  Everything here is a pure function over memory that
 * somebody else may have filled with anything: no byte outside of what is
 * given is ever read, and what is not plainly a request to a responder is
 * refused with a reason.
 */
#include "proto/wire.h"

#include <string.h>

enum { ROLE_RESPONDER = 1, BEGIN_BYTES = 8, END_BYTES = 8 };

void
wire_header_get(const uint8_t raw[WIRE_HEADER_BYTES], struct wire_header *h)
{
	h->version = raw[0];
	h->type = raw[1];
	h->request_id = (uint16_t)(raw[2] << 8 | raw[3]);
	h->content_bytes = (uint16_t)(raw[4] << 8 | raw[5]);
	h->padding_bytes = raw[6];
}

void
wire_header_put(uint8_t raw[WIRE_HEADER_BYTES], enum wire_type type,
    uint16_t request_id, uint16_t content_bytes, uint8_t padding_bytes)
{
	raw[0] = 1;
	raw[1] = (uint8_t)type;
	raw[2] = (uint8_t)(request_id >> 8);
	raw[3] = (uint8_t)request_id;
	raw[4] = (uint8_t)(content_bytes >> 8);
	raw[5] = (uint8_t)content_bytes;
	raw[6] = padding_bytes;
	raw[7] = 0;
}

/* ---- name-value pairs --------------------------------------------------- */

/* A walk over the content of PARAMS records, blind to where they are cut. */
struct pairs {
	const uint8_t *buf;
	size_t at, end;
	size_t content_left, padding_left;
};

/* Make content_left positive; returns 0 when there is no more content.  The
 * records are whole and checked: they end exactly at the empty one. */
static int
pairs_more(struct pairs *p)
{
	struct wire_header h;

	while (p->content_left == 0) {
		p->at += p->padding_left;
		if (p->at >= p->end)
			return 0;
		wire_header_get(p->buf + p->at, &h);
		p->at += WIRE_HEADER_BYTES;
		p->content_left = h.content_bytes;
		p->padding_left = h.padding_bytes;
	}
	return 1;
}

static int
pairs_byte(struct pairs *p)
{
	if (!pairs_more(p))
		return -1;
	p->content_left--;
	return p->buf[p->at++];
}

/* The length of a name or a value; -1 when the content ends in it. */
static int64_t
pairs_length(struct pairs *p, int first)
{
	int64_t length = first & 0x7f;
	int next;

	if (first < 0x80)
		return first;
	for (int i = 0; i < 3; i++) {
		next = pairs_byte(p);
		if (next < 0)
			return -1;
		length = length << 8 | next;
	}
	return length;
}

/* Go over so many bytes; the first of them, as far as there is room, to out. */
static int
pairs_take(struct pairs *p, int64_t bytes, char *out, size_t room)
{
	size_t step, kept;

	while (bytes > 0) {
		if (!pairs_more(p))
			return -1;
		step = p->content_left < (uint64_t)bytes ? p->content_left :
		    (size_t)bytes;
		kept = step < room ? step : room;
		if (kept > 0)
			memcpy(out, p->buf + p->at, kept);
		out += kept;
		room -= kept;
		p->at += step;
		p->content_left -= step;
		bytes -= (int64_t)step;
	}
	return 0;
}

/* The lengths of the next pair: 1, 0 at the end, -1 when it ends in them. */
static int
pairs_next(struct pairs *p, int64_t *name, int64_t *value)
{
	int first = pairs_byte(p);

	if (first < 0)
		return 0;
	*name = pairs_length(p, first);
	first = *name < 0 ? -1 : pairs_byte(p);
	*value = first < 0 ? -1 : pairs_length(p, first);
	return *value < 0 ? -1 : 1;
}

static int
pairs_valid(const struct wire_scan *s, const uint8_t *buf)
{
	struct pairs p = {.buf = buf, .at = s->params_at,
	    .end = s->params_end};
	int64_t name, value;
	int found;

	while ((found = pairs_next(&p, &name, &value)) > 0)
		if (pairs_take(&p, name + value, NULL, 0) < 0)
			return 0;
	return found == 0;
}

int64_t
wire_param(const struct wire_scan *s, const uint8_t *buf, const char *wanted,
    char *out, size_t room)
{
	struct pairs p = {.buf = buf, .at = s->params_at,
	    .end = s->params_end};
	int64_t name, value, wanted_bytes = (int64_t)strlen(wanted);
	char at[64];

	while (pairs_next(&p, &name, &value) > 0) {
		if (pairs_take(&p, name, at, sizeof(at)) < 0)
			return -1;
		if (name != wanted_bytes || name > (int64_t)sizeof(at) ||
		    memcmp(at, wanted, (size_t)name) != 0) {
			pairs_take(&p, value, NULL, 0);
			continue;
		}
		if (pairs_take(&p, value, out, room - 1) < 0)
			return -1;
		out[value < (int64_t)room ? value : (int64_t)room - 1] = '\0';
		return value;
	}
	return -1;
}

/* ---- requests ----------------------------------------------------------- */

static const char *
header_wrong(const struct wire_header *h, uint16_t request_id)
{
	if (h->version != 1)
		return "not FastCGI version 1";
	if (h->request_id == 0)
		return "management record";
	if (request_id != 0 && h->request_id != request_id)
		return "record of another request";
	return NULL;
}

static const char *
params_wrong(struct wire_scan *s, const struct wire_header *h, size_t max)
{
	if (s->params_ended)
		return "PARAMS after their end";
	if (s->params_bytes + h->content_bytes <= max)
		return NULL;
	s->oversized = 1;
	return "PARAMS too large";
}

/* What is wrong with a record as far as its header tells, or NULL. */
static const char *
record_wrong(struct wire_scan *s, const struct wire_header *h, size_t max)
{
	const char *why = header_wrong(h, s->request_id);

	if (why != NULL)
		return why;
	if (s->begun != (h->type != WIRE_BEGIN_REQUEST))
		return s->begun ? "second BEGIN_REQUEST" :
		    "does not begin with BEGIN_REQUEST";
	switch (h->type) {
	case WIRE_BEGIN_REQUEST:
		return h->content_bytes == BEGIN_BYTES ? NULL :
		    "BEGIN_REQUEST of a wrong size";
	case WIRE_PARAMS:
		return params_wrong(s, h, max);
	case WIRE_STDIN:
		return s->params_ended ? NULL :
		    "STDIN before the end of PARAMS";
	case WIRE_ABORT_REQUEST:
		s->aborted = 1;
		return "aborted";
	}
	return "record type that no web server sends";
}

/* Take a record in whose header is right and which is wholly there. Returns
 * what is wrong with its content, or NULL. */
static const char *
record_take(struct wire_scan *s, const uint8_t *buf,
    const struct wire_header *h)
{
	const uint8_t *content = buf + s->at + WIRE_HEADER_BYTES;

	if (h->type == WIRE_BEGIN_REQUEST &&
	    (content[0] << 8 | content[1]) != ROLE_RESPONDER)
		return "role other than responder";
	s->at += WIRE_HEADER_BYTES + h->content_bytes + h->padding_bytes;
	if (h->type == WIRE_BEGIN_REQUEST) {
		s->begun = 1;
		s->request_id = h->request_id;
		s->params_at = s->at;
		return NULL;
	}
	if (h->type == WIRE_STDIN) {
		s->body_bytes += h->content_bytes;
		s->body_ended = h->content_bytes == 0;
		return NULL;
	}
	s->params_bytes += h->content_bytes;
	if (h->content_bytes > 0)
		return NULL;
	s->params_ended = 1;
	s->params_end = s->at;
	s->name_values = (uint8_t)pairs_valid(s, buf);
	return s->name_values ? NULL : "name-value length over the end";
}

enum wire_verdict
wire_scan(struct wire_scan *s, const uint8_t *buf, size_t bytes,
    size_t params_max)
{
	struct wire_header h;

	while (s->why == NULL && !s->body_ended) {
		if (bytes < s->at + WIRE_HEADER_BYTES)
			return WIRE_MORE;
		wire_header_get(buf + s->at, &h);
		s->why = record_wrong(s, &h, params_max);
		if (s->why != NULL)
			break;
		if (bytes < s->at + WIRE_HEADER_BYTES + h.content_bytes +
		    h.padding_bytes)
			return WIRE_MORE;
		s->why = record_take(s, buf, &h);
	}
	return s->why != NULL ? WIRE_BAD : WIRE_WHOLE;
}

/* ---- bodies ------------------------------------------------------------- */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
body_record(struct wire_body *b)
{
	struct wire_header h;

	wire_header_get(b->header, &h);
	b->header_bytes = 0;
	b->why = header_wrong(&h, b->request_id);
	if (b->why != NULL)
		return;
	b->aborted = h.type == WIRE_ABORT_REQUEST;
	if (!b->aborted && h.type != WIRE_STDIN)
		b->why = "record other than STDIN in the body";
	b->content_left = h.content_bytes;
	b->padding_left = h.padding_bytes;
	b->ended = h.content_bytes == 0;
}

/* Take bytes between two pieces of content: padding and headers. */
static size_t
body_frame(struct wire_body *b, const uint8_t *raw, size_t bytes)
{
	size_t step;

	if (b->padding_left > 0) {
		step = least(b->padding_left, bytes);
		b->padding_left -= (uint32_t)step;
		return step;
	}
	step = least((size_t)WIRE_HEADER_BYTES - b->header_bytes, bytes);
	memcpy(b->header + b->header_bytes, raw, step);
	b->header_bytes = (uint8_t)(b->header_bytes + step);
	if (b->header_bytes == WIRE_HEADER_BYTES)
		body_record(b);
	return step;
}

size_t
wire_body_take(struct wire_body *b, const uint8_t *raw, size_t bytes,
    const uint8_t **chunk, size_t *chunk_bytes)
{
	size_t at = 0;

	*chunk = NULL;
	*chunk_bytes = 0;
	while (at < bytes && !b->ended && !b->aborted && b->why == NULL) {
		if (b->content_left == 0) {
			at += body_frame(b, raw + at, bytes - at);
			continue;
		}
		*chunk = raw + at;
		*chunk_bytes = least(b->content_left, bytes - at);
		b->content_left -= (uint32_t)*chunk_bytes;
		return at + *chunk_bytes;
	}
	return at;
}

/* ---- making a request --------------------------------------------------- */

static size_t
length_put(uint8_t *out, size_t length)
{
	if (length < 0x80) {
		out[0] = (uint8_t)length;
		return 1;
	}
	out[0] = (uint8_t)(length >> 24 | 0x80);
	out[1] = (uint8_t)(length >> 16);
	out[2] = (uint8_t)(length >> 8);
	out[3] = (uint8_t)length;
	return 4;
}

/* One pair at out; returns its bytes, 0 when it does not fit. */
static size_t
pair_put(uint8_t *out, size_t room, const char *name, const char *value)
{
	size_t name_bytes = strlen(name), value_bytes = strlen(value), at;
	size_t lengths = (name_bytes < 0x80 ? 1 : 4) +
	    (value_bytes < 0x80 ? 1 : 4);

	if (name_bytes > room || value_bytes > room ||
	    lengths + name_bytes + value_bytes > room)
		return 0;
	at = length_put(out, name_bytes);
	at += length_put(out + at, value_bytes);
	memcpy(out + at, name, name_bytes);
	memcpy(out + at + name_bytes, value, value_bytes);
	return at + name_bytes + value_bytes;
}

/* An empty record at out; returns its end. */
static uint8_t *
empty_put(uint8_t *out, enum wire_type type)
{
	wire_header_put(out, type, 1, 0, 0);
	return out + WIRE_HEADER_BYTES;
}

size_t
wire_request(uint8_t *out, size_t bytes, const char *const *pairs)
{
	static const uint8_t begin[BEGIN_BYTES] = {0, ROLE_RESPONDER};
	const size_t frame = 4 * WIRE_HEADER_BYTES + BEGIN_BYTES;
	uint8_t *params = out + WIRE_HEADER_BYTES + BEGIN_BYTES, *at;
	size_t content = 0, step, room;

	if (bytes < frame)
		return 0;
	room = least(bytes - frame, WIRE_CONTENT_MAX);
	wire_header_put(out, WIRE_BEGIN_REQUEST, 1, BEGIN_BYTES, 0);
	memcpy(out + WIRE_HEADER_BYTES, begin, BEGIN_BYTES);
	for (; pairs[0] != NULL; pairs += 2) {
		step = pair_put(params + WIRE_HEADER_BYTES + content,
		    room - content, pairs[0], pairs[1]);
		if (step == 0)
			return 0;
		content += step;
	}
	at = params;
	if (content > 0) {
		wire_header_put(params, WIRE_PARAMS, 1, (uint16_t)content, 0);
		at += WIRE_HEADER_BYTES + content;
	}
	at = empty_put(at, WIRE_PARAMS);
	return (size_t)(empty_put(at, WIRE_STDIN) - out);
}

/* ---- answers ------------------------------------------------------------ */

int
wire_answer(const uint8_t *buf, size_t bytes, char *out, size_t out_bytes)
{
	size_t at = 0, used = 0, step;
	struct wire_header h;

	out[0] = '\0';
	while (bytes - at >= WIRE_HEADER_BYTES) {
		wire_header_get(buf + at, &h);
		at += WIRE_HEADER_BYTES;
		if (h.version != 1 || (h.type != WIRE_STDOUT &&
		    h.type != WIRE_STDERR && h.type != WIRE_END_REQUEST))
			return -1;
		if (bytes - at < (size_t)h.content_bytes + h.padding_bytes)
			return 0;
		if (h.type == WIRE_END_REQUEST)
			return h.content_bytes == END_BYTES ? 1 : -1;
		step = h.type == WIRE_STDOUT ?
		    least(h.content_bytes, out_bytes - 1 - used) : 0;
		memcpy(out + used, buf + at, step);
		used += step;
		out[used] = '\0';
		at += (size_t)h.content_bytes + h.padding_bytes;
	}
	return 0;
}

void
wire_trailer(uint8_t out[WIRE_TRAILER_BYTES], uint16_t request_id)
{
	memset(out, 0, WIRE_TRAILER_BYTES);
	wire_header_put(out, WIRE_STDOUT, request_id, 0, 0);
	wire_header_put(out + WIRE_HEADER_BYTES, WIRE_END_REQUEST, request_id,
	    END_BYTES, 0);
}
