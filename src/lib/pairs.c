/* SPDX-License-Identifier: MIT */
/*
 * The parameters of a query and the cookies of a request: both are lists of
 * names and values in one string, taken apart at the first question for one of
 * them into name, NUL, value, NUL …
 */
#include <string.h>

#include "base/text.h"
#include "lib/request.h"

/* Decode a piece of a query behind what is used, with a NUL. Returns 0, or -1
 * when it holds a NUL or is not UTF-8. What is no escape stands for itself. */
static int
query_decode(struct buffer *to, const char *raw, size_t bytes)
{
	char *out = to->data + to->used;
	size_t i, used = 0;
	int c;

	for (i = 0; i < bytes; i++) {
		c = text_escape(raw + i, bytes - i);
		if (c >= 0)
			i += 2;
		else
			c = raw[i] == '+' ? ' ' : raw[i];
		if (c == 0)
			return -1;
		out[used++] = (char)c;
	}
	out[used] = '\0';
	to->used += used + 1;
	return text_is_utf8(out, used) ? 0 : -1;
}

static void
query_parse(struct buffer *to, const char *raw)
{
	size_t bytes, name, before;

	for (; *raw != '\0'; raw += bytes + (raw[bytes] == '&')) {
		bytes = strcspn(raw, "&");
		if (bytes == 0)
			continue;
		before = to->used;
		name = strcspn(raw, "=&");
		if (query_decode(to, raw, name) != 0 ||
		    query_decode(to, raw + name + (name < bytes),
			bytes - name - (name < bytes)) != 0)
			to->used = before;
	}
}

static void
cookie_put(struct buffer *to, const char *text, size_t bytes)
{
	memcpy(to->data + to->used, text, bytes);
	to->data[to->used + bytes] = '\0';
	to->used += bytes + 1;
}

/* RFC 6265, 4.2.1; quotes around a value are not part of it. */
static void
cookie_parse(struct buffer *to, const char *raw)
{
	size_t name, value;

	for (; *raw != '\0'; raw += *raw != '\0') {
		raw += strspn(raw, " \t");
		name = strcspn(raw, "=;");
		if (raw[name] != '=') {
			raw += name;
			continue;
		}
		cookie_put(to, raw, name);
		raw += name + 1;
		name = value = strcspn(raw, ";");
		while (value > 0 && strchr(" \t", raw[value - 1]) != NULL)
			value--;
		if (value > 1 && raw[0] == '"' && raw[value - 1] == '"')
			cookie_put(to, raw + 1, value - 2);
		else
			cookie_put(to, raw, value);
		raw += name;
	}
}

/* The value of a name. Both fill at most two bytes for each one they read. */
static const char *
pairs_find(struct request_pairs *pairs, const char *raw, const char *name,
    void (*parse)(struct buffer *, const char *))
{
	const char *at, *end, *value;

	if (!pairs->parsed) {
		pairs->text.used = 0;
		if (buffer_room(&pairs->text, 2 * strlen(raw) + 2) != 0)
			return NULL;
		parse(&pairs->text, raw);
		pairs->parsed = 1;
	}
	at = pairs->text.data;
	for (end = at + pairs->text.used; at < end;) {
		value = at + strlen(at) + 1;
		if (strcmp(at, name) == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

const char *
nds_query(struct nds_request *req, const char *name)
{
	return pairs_find(&req->queries, req->query, name, query_parse);
}

const char *
nds_cookie(struct nds_request *req, const char *name)
{
	const char *raw = nds_header(req, "cookie");

	return raw == NULL ? NULL :
	    pairs_find(&req->cookies, raw, name, cookie_parse);
}
