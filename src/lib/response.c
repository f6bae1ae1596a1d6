/* SPDX-License-Identifier: MIT */
#include "lib/response.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Status, length, id and Connection beside the handler's fields. */
#define HEAD_OWN_BYTES 512

struct head {
	size_t used;
	char text[RESPONSE_FIELDS_BYTES + RESPONSE_LIMITS_BYTES +
	    HEAD_OWN_BYTES];
};

const char *
response_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} known[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"},
	    {204, "No Content"}, {206, "Partial Content"},
	    {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"},
	    {304, "Not Modified"}, {307, "Temporary Redirect"},
	    {308, "Permanent Redirect"}, {400, "Bad Request"},
	    {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
	    {405, "Method Not Allowed"}, {406, "Not Acceptable"},
	    {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"},
	    {411, "Length Required"}, {412, "Precondition Failed"},
	    {413, "Content Too Large"}, {414, "URI Too Long"},
	    {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"},
	    {422, "Unprocessable Content"}, {423, "Locked"},
	    {428, "Precondition Required"}, {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"}, {501, "Not Implemented"},
	    {502, "Bad Gateway"}, {503, "Service Unavailable"},
	    {504, "Gateway Timeout"}, {507, "Insufficient Storage"}};
	static const char *const classes[] = {"", "", "Success", "Redirection",
	    "Client Error", "Server Error"};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].status == status)
			return known[i].reason;
	return classes[status >= 200 && status <= 599 ? status / 100 : 0];
}

/* ---- headers ------------------------------------------------------------- */

/* No control character: they end a line, or break what reads it. */
static int
value_valid(const char *value)
{
	const unsigned char *at = (const unsigned char *)value;

	for (; *at != '\0'; at++)
		if ((*at < 0x20 && *at != '\t') || *at == 0x7f)
			return 0;
	return 1;
}

static int
name_valid(const char *name)
{
	static const char *const ours[] = {"Status", "Content-Length",
	    "Connection", "Transfer-Encoding", "X-Request-Id"};
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (strcasecmp(name, ours[i]) == 0)
			return 0;
	return text_is_token(name, strlen(name));
}

static void
fields_remove(struct nds_response *res, const char *name)
{
	size_t bytes = strlen(name), at, length;
	char *line, *end;

	for (at = 0; at < res->fields_used;) {
		line = res->fields + at;
		end = memchr(line, '\n', res->fields_used - at);
		length = (size_t)(end - line) + 1;
		if (strncasecmp(line, name, bytes) != 0 || line[bytes] != ':') {
			at += length;
			continue;
		}
		res->fields_used -= length;
		res->field_count--;
		memmove(line, line + length, res->fields_used - at);
	}
}

static int
field_put(struct nds_response *res, const char *name, const char *value,
    int replace)
{
	size_t name_bytes, value_bytes;
	char *to;

	if (name == NULL || value == NULL || !name_valid(name) ||
	    !value_valid(value)) {
		errno = EINVAL;
		return -1;
	}
	if (res->started) {
		errno = EALREADY;
		return -1;
	}
	if (replace)
		fields_remove(res, name);
	name_bytes = strlen(name);
	value_bytes = strlen(value);
	if (res->field_count == RESPONSE_FIELDS_MAX ||
	    name_bytes + value_bytes + 4 >
		sizeof(res->fields) - res->fields_used) {
		nds_log(NDS_WARN, "header %.60s left out: an answer has at "
		    "most %d headers and %d bytes of them", name,
		    RESPONSE_FIELDS_MAX, RESPONSE_FIELDS_BYTES);
		errno = E2BIG;
		return -1;
	}
	to = res->fields + res->fields_used;
	memcpy(to, name, name_bytes);
	memcpy(to + name_bytes, ": ", 2);
	memcpy(to + name_bytes + 2, value, value_bytes);
	memcpy(to + name_bytes + 2 + value_bytes, "\r\n", 2);
	res->fields_used += name_bytes + value_bytes + 4;
	res->field_count++;
	return 0;
}

int
nds_set_header(struct nds_response *res, const char *name, const char *value)
{
	return field_put(res, name, value, 1);
}

int
nds_add_header(struct nds_response *res, const char *name, const char *value)
{
	return field_put(res, name, value, 0);
}

/* ---- whole answers ------------------------------------------------------- */

/* Make way for a new answer. Returns 0 or -1 with errno. */
static int
answer_begin(struct nds_response *res, int status, const char *content_type)
{
	if (status < 200 || status > 599) {
		errno = EINVAL;
		return -1;
	}
	if (res->streamed) {
		errno = EALREADY;
		return -1;
	}
	res->status = 0;
	res->body.used = 0;
	if (content_type == NULL)
		return 0;
	return field_put(res, "Content-Type", content_type, 1);
}

int
nds_data(struct nds_response *res, int status, const char *content_type,
    const void *data, size_t bytes)
{
	if (answer_begin(res, status, content_type) != 0 ||
	    buffer_add(&res->body, data, bytes) != 0)
		return -1;
	res->status = status;
	return 0;
}

int
nds_text(struct nds_response *res, int status, const char *text)
{
	if (text == NULL) {
		errno = EINVAL;
		return -1;
	}
	return nds_data(res, status, "text/plain; charset=utf-8", text,
	    strlen(text));
}

int
nds_empty(struct nds_response *res, int status)
{
	return nds_data(res, status, NULL, NULL, 0);
}

static int
body_add(const char *data, size_t bytes, void *body)
{
	return buffer_add(body, data, bytes);
}

/* Takes the reference. */
static int
answer_json(struct nds_response *res, int status, const char *type,
    json_t *value)
{
	int rc = answer_begin(res, status, type);

	errno = rc == 0 ? ENOMEM : errno;
	if (rc == 0)
		rc = json_dump_callback(value, body_add, &res->body,
		    JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(value);
	if (rc == 0)
		res->status = status;
	return rc;
}

int
nds_json(struct nds_response *res, int status, json_t *value)
{
	if (value != NULL)
		return answer_json(res, status, "application/json", value);
	nds_log(NDS_ERROR, "nds_json() was given NULL");
	return nds_problem(res, 500, "the answer could not be made");
}

int
nds_problem(struct nds_response *res, int status, const char *detail, ...)
{
	char text[1024];
	json_t *problem;
	va_list ap;

	if (status < 400) {
		errno = EINVAL;
		return -1;
	}
	va_start(ap, detail);
	vsnprintf(text, sizeof(text), detail, ap);
	va_end(ap);
	text_make_utf8(text);
	problem = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank",
	    "title", response_reason(status), "status", status, "detail", text,
	    "request_id", res->request_id);
	if (problem == NULL) {
		errno = ENOMEM;
		return -1;
	}
	return answer_json(res, status, "application/problem+json", problem);
}

/* ---- sending ------------------------------------------------------------- */

static void
head_put(struct head *head, const char *text, size_t bytes)
{
	memcpy(head->text + head->used, text, bytes);
	head->used += bytes;
}

static void
head_text(struct head *head, const char *text)
{
	head_put(head, text, strlen(text));
}

static void
head_number(struct head *head, uint64_t value)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	head_put(head, at, (size_t)(digits + sizeof(digits) - at));
}

static int
status_has_body(int status)
{
	return status != 204 && status != 304;
}

/* length -1 = unknown. What is put in besides the fields is bounded: a reason
 * phrase, 20 digits, a request id. */
static const struct head *
head_build(const struct nds_response *res, int64_t length)
{
	static struct head head;

	atomic_store_explicit(&res->conn->slot->answer_status,
	    (uint32_t)res->status, memory_order_relaxed);
	head.used = 0;
	head_text(&head, "Status: ");
	head_number(&head, (uint64_t)res->status);
	head_text(&head, " ");
	head_text(&head, response_reason(res->status));
	head_text(&head, "\r\n");
	head_put(&head, res->fields, res->fields_used);
	if (res->limits != NULL)
		head_text(&head, res->limits);
	if (length >= 0 && status_has_body(res->status)) {
		head_text(&head, "Content-Length: ");
		head_number(&head, (uint64_t)length);
		head_text(&head, "\r\n");
	}
	head_text(&head, "X-Request-Id: ");
	head_text(&head, res->request_id);
	if (res->says_close)
		head_text(&head, "\r\nConnection: close");
	head_text(&head, "\r\n\r\n");
	return &head;
}

static int
has_no_body(const struct nds_response *res)
{
	return res->is_head || !status_has_body(res->status);
}

static int
send_whole(struct nds_response *res, int64_t length)
{
	const struct head *head = head_build(res, length);
	size_t bytes = has_no_body(res) ? 0 : res->body.used;

	res->body_sent = bytes;
	return conn_answer(res->conn, head->text, head->used, res->body.data,
	    bytes);
}

int
response_complete(const struct nds_response *res)
{
	if (!res->streamed)
		return res->status != 0;
	if (res->stream_errno != 0)
		return 0;
	return has_no_body(res) || res->promised < 0 ||
	    res->body_sent == (uint64_t)res->promised;
}

int
response_send(struct nds_response *res, int ok)
{
	if (!res->streamed)
		return send_whole(res, (int64_t)res->body.used);
	if (!res->started) /* nothing was written, or none of it may leave */
		return send_whole(res, has_no_body(res) ? res->promised : 0);
	if (conn_stream_end(res->conn, ok) != 0)
		return -1;
	if (ok || res->stream_errno == 0 || res->stream_errno == EFBIG)
		return ok ? 0 : 1;
	errno = res->stream_errno;
	return -1;
}

int
nds_stream(struct nds_response *res, int status, const char *content_type,
    int64_t length)
{
	if (answer_begin(res, status, content_type) != 0)
		return -1;
	res->status = status;
	res->streamed = 1;
	res->promised = length < 0 ? -1 : length;
	return 0;
}

static int
stream_head(struct nds_response *res)
{
	const struct head *head;

	if (res->started)
		return 0;
	head = head_build(res, res->promised);
	res->started = 1;
	return conn_stream(res->conn, head->text, head->used);
}

int
nds_write(struct nds_response *res, const void *data, size_t bytes)
{
	if (!res->streamed) {
		errno = EINVAL;
		return -1;
	}
	if (res->stream_errno == 0 && res->promised >= 0 &&
	    bytes > (uint64_t)res->promised - res->body_sent)
		res->stream_errno = EFBIG;
	if (res->stream_errno == 0 && bytes > 0 && !has_no_body(res) &&
	    (stream_head(res) != 0 || conn_stream(res->conn, data, bytes) != 0))
		res->stream_errno = errno;
	if (res->stream_errno != 0) {
		errno = res->stream_errno;
		return -1;
	}
	res->body_sent += bytes;
	return 0;
}

/* ---- life ---------------------------------------------------------------- */

void
response_clear(struct nds_response *res)
{
	res->status = 0;
	res->field_count = 0;
	res->fields_used = 0;
	res->body.used = 0;
	res->streamed = res->started = 0;
	res->stream_errno = 0;
	res->promised = -1;
	res->body_sent = 0;
}

void
response_begin(struct nds_response *res, struct conn *conn,
    const char *request_id, int is_head)
{
	res->conn = conn;
	res->request_id = request_id;
	res->is_head = is_head;
	res->says_close = 0;
	res->limits = NULL;
	response_clear(res);
}

void
response_end(struct nds_response *res)
{
	buffer_reset(&res->body);
}
