/* SPDX-License-Identifier: MIT */
#include "lib/request.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "lib/span.h"
#include "lib/trace.h"

#define BODY_FIRST_BYTES 65536 /* asked for at once; beyond, it doubles */

/* ---- parameters ---------------------------------------------------------- */

/* The value in NAME=VALUE if it has that name.  Most of them differ at the
 * first letter, or behind HTTP_: not worth a call. */
static const char *
param_value(const char *text, const char *name)
{
	for (; *name != '\0'; name++, text++)
		if (*text != *name)
			return NULL;
	return *text == '=' ? text + 1 : NULL;
}

const char *
nds_fcgi_param(const struct nds_request *req, const char *name)
{
	const char *value;
	char **at;

	for (at = req->envp; at != NULL && *at != NULL; at++) {
		value = param_value(*at, name);
		if (value != NULL)
			return value;
	}
	return NULL;
}

/* A parameter, NULL too when it is empty: fronts send CONTENT_LENGTH= for
 * none. */
static const char *
param_given(const struct nds_request *req, const char *name)
{
	const char *value = nds_fcgi_param(req, name);

	return value == NULL || *value == '\0' ? NULL : value;
}

size_t
request_parameter(const char *name, char *key, size_t room)
{
	static const char prefix[] = "HTTP_";
	size_t i, first = sizeof(prefix) - 1, bytes = strlen(name);
	char c;

	if (bytes >= room - first || !text_is_token(name, bytes))
		return 0;
	memcpy(key, prefix, first);
	for (i = 0; i <= bytes; i++) {
		c = name[i];
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		key[first + i] = c == '-' ? '_' : c;
	}
	return first + bytes;
}

const char *
nds_header(const struct nds_request *req, const char *name)
{
	char key[128];

	if (request_parameter(name, key, sizeof(key)) == 0)
		return NULL;
	if (strcmp(key + 5, "CONTENT_TYPE") == 0 ||
	    strcmp(key + 5, "CONTENT_LENGTH") == 0)
		return param_given(req, key + 5);
	return nds_fcgi_param(req, key);
}

/* The target of REQUEST_URI in origin form: as it is, or what follows the
 * authority of an absolute one; NULL when it has no path. */
static const char *
target_path(const char *uri)
{
	const char *authority;

	if (uri == NULL || *uri == '/' || strcmp(uri, "*") == 0)
		return uri;
	authority = strstr(uri, "://");
	if (authority == NULL || memchr(uri, '/', (size_t)(authority - uri)))
		return NULL;
	return strchr(authority + 3, '/');
}

static int
split_status(void)
{
	return errno == ENAMETOOLONG ? 414 : 400;
}

/* Without a usable REQUEST_URI: what the front has decoded and split. */
static int
path_from_script(struct nds_request *req)
{
	const char *script = nds_fcgi_param(req, "SCRIPT_NAME");
	const char *info = nds_fcgi_param(req, "PATH_INFO");
	char joined[ROUTE_PATH_MAX + 1];
	size_t first, second;

	script = script == NULL ? "" : script;
	info = info == NULL ? "" : info;
	first = strlen(script);
	second = strlen(info);
	if (first + second > ROUTE_PATH_MAX)
		return 414;
	memcpy(joined, script, first);
	memcpy(joined + first, info, second + 1);
	if (route_split(&req->path, joined, first + second, 0) != 0)
		return split_status();
	req->target = req->path.text;
	req->target_bytes = first + second;
	return 0;
}

static int
path_find(struct nds_request *req)
{
	const char *uri = target_path(nds_fcgi_param(req, "REQUEST_URI"));

	if (uri == NULL)
		return path_from_script(req);
	req->target = uri;
	req->target_bytes = strcspn(uri, "?#");
	if (req->query == NULL && uri[req->target_bytes] == '?')
		req->query = uri + req->target_bytes + 1;
	if (*uri == '*') { /* OPTIONS *: no path, and no segment */
		req->path.count = 0;
		memcpy(req->path.text, "*", 2);
		return strcmp(req->method, "OPTIONS") == 0 ? 0 : 400;
	}
	if (route_split(&req->path, uri, req->target_bytes, 1) != 0)
		return split_status();
	return 0;
}

static int
content_length_find(struct nds_request *req)
{
	const char *text = param_given(req, "CONTENT_LENGTH");

	req->content_length = -1;
	if (text == NULL)
		return 0;
	if (num_whole(text, 0, INT64_MAX - 1, &req->content_length) == 0)
		return 0;
	return errno == ERANGE ? 413 : 400;
}

static void
request_reset(struct nds_request *req, struct conn *conn, char **envp)
{
	req->conn = conn;
	req->envp = envp;
	req->method = req->client = req->target = "";
	req->target_bytes = 0;
	req->query = NULL;
	req->content_length = -1;
	req->path.count = 0;
	req->path.text[0] = '\0';
	req->route = NULL;
	req->queries.parsed = req->cookies.parsed = 0;
	req->body_whole = 0;
	req->body_limit = req->body_read = 0;
	req->body_errno = 0;
}

int
request_begin(struct nds_request *req, struct conn *conn, char **envp,
    const char **why)
{
	const char *value;
	int status;

	request_reset(req, conn, envp);
	value = nds_header(req, "x-request-id");
	if (nds_is_replay(req) && conn->slot->request_id[0] != '\0')
		value = conn->slot->request_id;
	ident_request(req->request_id, value);
	memcpy(conn->slot->request_id, req->request_id,
	    sizeof(req->request_id));
	span_reset();
	trace_identify(conn->slot, &req->trace, nds_header(req, "traceparent"));
	value = nds_fcgi_param(req, "REMOTE_ADDR");
	req->client = value == NULL ? "" : value;
	req->query = nds_fcgi_param(req, "QUERY_STRING");
	value = nds_fcgi_param(req, "REQUEST_METHOD");
	*why = "the request has no method";
	if (value == NULL || !text_is_token(value, strlen(value)))
		return 400;
	req->method = value;
	*why = "the path is malformed";
	status = path_find(req);
	if (req->query == NULL)
		req->query = "";
	if (status != 0)
		return status;
	*why = "Content-Length is not a number";
	return content_length_find(req);
}

const char *
nds_method(const struct nds_request *req)
{
	return req->method;
}

const char *
nds_path(const struct nds_request *req)
{
	return req->path.text;
}

const char *
nds_query_string(const struct nds_request *req)
{
	return req->query;
}

const char *
nds_client(const struct nds_request *req)
{
	return req->client;
}

const char *
nds_request_id(const struct nds_request *req)
{
	return req->request_id;
}

const char *
nds_traceparent(const struct nds_request *req)
{
	return req->trace.parent;
}

const char *
nds_tracestate(const struct nds_request *req)
{
	return ident_state(&req->trace, nds_header(req, "tracestate"));
}

int64_t
nds_content_length(const struct nds_request *req)
{
	return req->content_length;
}

const char *
nds_param(const struct nds_request *req, const char *name)
{
	return req->route == NULL ? NULL :
	    route_param(req->route, &req->path, name);
}

int64_t
nds_deadline_left_ms(const struct nds_request *req)
{
	int64_t left = req->conn->deadline_ms - clock_ms();

	return left > 0 ? left : 0;
}

int
nds_is_replay(const struct nds_request *req)
{
	return atomic_load(&req->conn->slot->tries) > 0;
}

int
nds_cancelled(const struct nds_request *req)
{
	return conn_cancelled(req->conn);
}

/* ---- body ---------------------------------------------------------------- */

/* The next bytes of the body, never more than were announced, and an error
 * once they are beyond the limit. As nds_body_read(). */
static ssize_t
body_take(struct nds_request *req, void *to, size_t bytes)
{
	uint64_t left = UINT64_MAX;
	ssize_t got;

	if (req->content_length >= 0)
		left = (uint64_t)req->content_length - req->body_read;
	if (left == 0 || bytes == 0)
		return 0;
	got = conn_body_read(req->conn, to, bytes < left ? bytes : left);
	if (got < 0)
		return -1;
	if (got == 0 && req->content_length >= 0) {
		errno = EPROTO;
		return -1;
	}
	req->body_read += (uint64_t)got;
	if (req->body_read > req->body_limit) {
		errno = EFBIG;
		return -1;
	}
	return got;
}

int
request_body_status(int error, const char **why)
{
	switch (error) {
	case EFBIG:
		*why = "the body is too large";
		return 413;
	case ETIMEDOUT:
		*why = "the body did not come in time";
		return 408;
	case EPROTO:
		*why = "the body is not as long as announced, or malformed";
		return 400;
	case ENOMEM:
		*why = "no memory for the body";
		return 500;
	default:
		return -1;
	}
}

static int
body_read_whole(struct nds_request *req, const char **why)
{
	struct buffer *body = &req->body;
	size_t step = BODY_FIRST_BYTES;
	ssize_t got;

	if (req->content_length >= 0 && req->content_length < BODY_FIRST_BYTES)
		step = (size_t)req->content_length;
	do {
		if (buffer_room(body, step + 1) != 0)
			return request_body_status(ENOMEM, why);
		got = body_take(req, body->data + body->used,
		    body->size - body->used - 1);
		if (got < 0)
			return request_body_status(errno, why);
		body->used += (size_t)got;
		step = 1;
	} while (got > 0);
	body->data[body->used] = '\0';
	req->body_whole = 1;
	return 0;
}

int
request_read(struct nds_request *req, const struct nds_route *route,
    uint64_t max_body, const char **why)
{
	req->route = route;
	req->body_limit = route->has_max_body ? route->max_body : max_body;
	if (route->has_max_body && route->max_body == 0)
		req->body_limit = route->stream_body ? UINT64_MAX : max_body;
	if (req->content_length >= 0 &&
	    (uint64_t)req->content_length > req->body_limit)
		return request_body_status(EFBIG, why);
	return route->stream_body ? 0 : body_read_whole(req, why);
}

const void *
nds_body(const struct nds_request *req, size_t *bytes)
{
	if (bytes != NULL)
		*bytes = req->body_whole ? req->body.used : 0;
	return req->body_whole ? req->body.data : NULL;
}

json_t *
nds_body_json(const struct nds_request *req, json_error_t *error)
{
	return json_loadb(req->body_whole ? req->body.data : "",
	    req->body_whole ? req->body.used : 0, JSON_REJECT_DUPLICATES,
	    error);
}

ssize_t
nds_body_read(struct nds_request *req, void *to, size_t bytes)
{
	ssize_t got;

	if (req->body_whole)
		return 0;
	if (req->body_errno != 0) {
		errno = req->body_errno;
		return -1;
	}
	got = body_take(req, to, bytes);
	if (got < 0)
		req->body_errno = errno;
	return got;
}

void
request_end(struct nds_request *req)
{
	buffer_reset(&req->body);
	buffer_reset(&req->queries.text);
	buffer_reset(&req->cookies.text);
	req->envp = NULL;
}
