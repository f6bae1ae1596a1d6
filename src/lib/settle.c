/* SPDX-License-Identifier: MIT */
#include "lib/settle.h"

#include <sys/socket.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lib/access.h"
#include "lib/response.h"
#include "lib/trace.h"
#include "lib/transfer.h"
#include "proto/books.h"

#define SEND_MS 1000 /* for a front that is slow to read */
#define DRAIN_MS 250 /* for what a front still sends */

/* ---- the front ----------------------------------------------------------- */

static const struct pool_board *pool; /* NULL without ndsd */

void
settle_open(const struct pool_board *board)
{
	pool = board;
}

static int
send_bytes(int fd, const uint8_t *data, size_t bytes)
{
	int64_t deadline_ms = clock_ms() + SEND_MS;
	struct pollfd p = {fd, POLLOUT, 0};

	while (bytes > 0) {
		ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			data += n;
			bytes -= (size_t)n;
		} else if (errno != EAGAIN ||
		    poll(&p, 1, clock_left(deadline_ms, SEND_MS)) <= 0) {
			return -1;
		}
	}
	return 0;
}

/* Unread input at close() would reset the connection under the answer. */
static void
end_connection(int fd, int wait_ms)
{
	int64_t deadline_ms = clock_ms() + wait_ms;
	struct pollfd p = {fd, POLLIN, 0};
	char sink[16384];
	ssize_t n;

	shutdown(fd, SHUT_WR);
	do {
		n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN &&
		    poll(&p, 1, clock_left(deadline_ms, wait_ms)) <= 0)
			break;
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	shutdown(fd, SHUT_RDWR); /* children of handlers may hold it too */
}

/* ---- the request --------------------------------------------------------- */

enum wire_verdict
settle_scan(struct slot *s, struct wire_scan *scan)
{
	uint32_t used = atomic_load(&s->capture_used);

	memset(scan, 0, sizeof(*scan));
	if (used > s->capture_bytes)
		used = 0;
	return wire_scan(scan, slot_capture(s), used, s->capture_bytes);
}

/* What nobody has read yet may still tell whose it was. */
static void
capture_unread(struct slot *s, int fd)
{
	ssize_t n;

	if (atomic_load(&s->capture_used) > 0)
		return;
	n = recv(fd, slot_capture(s), s->capture_bytes,
	    MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		atomic_store(&s->capture_used, (uint32_t)n);
}

/* A parameter of the request, "" when it is not known. */
static const char *
param(struct slot *s, const struct wire_scan *scan, const char *name, char *out,
    size_t room)
{
	out[0] = '\0';
	if (scan->params_ended && scan->name_values)
		wire_param(scan, slot_capture(s), name, out, room);
	return out;
}

void
settle_name(struct slot *s)
{
	char offered[IDENT_REQUEST_BYTES + 1];
	struct wire_scan scan;

	settle_scan(s, &scan);
	s->request_id[sizeof(s->request_id) - 1] = '\0';
	if (s->request_id[0] == '\0')
		ident_request(s->request_id, param(s, &scan,
		    "HTTP_X_REQUEST_ID", offered, sizeof(offered)));
}

/* ---- the books ----------------------------------------------------------- */

struct ending {
	const char *why; /* what went wrong */
	int status, broken;
	enum board_event fate;
	uint64_t body_bytes, sent_bytes;
};

/* The pattern of the route that the worker has noted, NULL if none. */
static const char *
route_name(struct slot *s, char name[BOOKS_LABEL_BYTES])
{
	const struct books *books = board_books(s);
	uint32_t at = atomic_load(&s->route);

	if (books == NULL || at < BOOKS_FIRST || at >= BOOKS_ROUTES)
		return NULL;
	snprintf(name, BOOKS_LABEL_BYTES, "%.*s", BOOKS_LABEL_BYTES - 1,
	    books->route[at].label);
	return name;
}

static void
account(struct slot *s, const struct ending *e)
{
	char method[32], path[512], client[64], parent[128], https[16];
	char protocol[16], agent[256], state[513], route[BOOKS_LABEL_BYTES];
	char server[256], port[16];
	int64_t started_ms = atomic_load(&s->started_ms);
	struct ident_trace trace;
	struct wire_scan scan;
	struct access a = {.request_id = s->request_id,
	    .trace = &trace,
	    .client = client,
	    .path = path,
	    .protocol = protocol,
	    .agent = agent,
	    .route = route_name(s, route),
	    .event = e->status == 504 ? "deadline" : NULL,
	    .error = e->why,
	    .status = e->status,
	    .broken = e->broken,
	    .fate = e->fate,
	    .body_bytes = e->body_bytes,
	    .sent_bytes = e->sent_bytes};

	settle_scan(s, &scan);
	settle_name(s);
	trace_identify(s, &trace,
	    param(s, &scan, "HTTP_TRACEPARENT", parent, sizeof(parent)));
	a.state = ident_state(&trace,
	    param(s, &scan, "HTTP_TRACESTATE", state, sizeof(state)));
	a.scheme = otlp_scheme(param(s, &scan, "HTTPS", https,
	    sizeof(https)));
	a.server = param(s, &scan, "SERVER_NAME", server, sizeof(server));
	a.port = param(s, &scan, "SERVER_PORT", port, sizeof(port));
	param(s, &scan, "SERVER_PROTOCOL", protocol, sizeof(protocol));
	param(s, &scan, "HTTP_USER_AGENT", agent, sizeof(agent));
	a.method = param(s, &scan, "REQUEST_METHOD", method, sizeof(method));
	if (s->client[0] == '\0')
		param(s, &scan, "REMOTE_ADDR", client, sizeof(client));
	else
		snprintf(client, sizeof(client), "%.*s",
		    (int)sizeof(s->client) - 1, s->client);
	if (*param(s, &scan, "REQUEST_URI", path, sizeof(path)) == '\0')
		param(s, &scan, "SCRIPT_NAME", path, sizeof(path));
	path[strcspn(path, "?#")] = '\0';
	a.received_bytes = atomic_load(&s->capture_used);
	if (started_ms > 0)
		a.us = clock_us() - started_ms * 1000;
	atomic_fetch_add(&s->count.busy_us, (uint64_t)a.us);
	access_end(s, &a);
}

/* ---- the endings --------------------------------------------------------- */

static size_t
problem_make(const struct slot *s, uint16_t id, struct ending *e,
    uint8_t *out, size_t room)
{
	const char *title = response_reason(e->status);
	char *text = (char *)out + WIRE_HEADER_BYTES;
	char body[512];
	int bytes;

	snprintf(body, sizeof(body),
	    "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
	    "\"detail\":\"%s\",\"request_id\":\"%s\"}",
	    title, e->status, e->why, s->request_id);
	e->body_bytes = strlen(body);
	bytes = snprintf(text, room - WIRE_HEADER_BYTES - WIRE_TRAILER_BYTES,
	    "Status: %d %s\r\nContent-Type: application/problem+json\r\n"
	    "Content-Length: %" PRIu64 "\r\nX-Request-Id: %s\r\n%s\r\n%s",
	    e->status, title, e->body_bytes, s->request_id,
	    pool != NULL && atomic_load(&pool->draining) ?
	    "Connection: close\r\n" : "", body);
	wire_header_put(out, WIRE_STDOUT, id, (uint16_t)bytes, 0);
	wire_trailer(out + WIRE_HEADER_BYTES + bytes, id);
	return WIRE_HEADER_BYTES + (size_t)bytes + WIRE_TRAILER_BYTES;
}

void
settle_problem(struct slot *s, int fd, int status, const char *why)
{
	struct ending e = {.why = why, .status = status,
	    .fate = status == 504 ? EVENT_REPLAY_EXPIRED : EVENT_REPLAY_LOST};
	enum wire_verdict verdict;
	struct wire_scan scan;
	uint8_t out[2048];

	capture_unread(s, fd);
	verdict = settle_scan(s, &scan);
	settle_name(s);
	if (scan.begun) {
		e.sent_bytes =
		    problem_make(s, scan.request_id, &e, out, sizeof(out));
		if (send_bytes(fd, out, e.sent_bytes) < 0)
			e.status = ACCESS_GONE;
	}
	end_connection(fd, verdict == WIRE_WHOLE ? 0 : DRAIN_MS);
	account(s, &e);
}

/* Bytes of body in the kept answer; all that went out when none is kept. */
static uint64_t
answer_body(struct slot *s)
{
	uint32_t bytes = atomic_load(&s->answer_used);
	const uint8_t *from = slot_answer(s), *body;

	if (bytes < WIRE_HEADER_BYTES + WIRE_TRAILER_BYTES ||
	    bytes > s->answer_bytes)
		return transfer_done(&s->out);
	body = memmem(from, bytes, "\r\n\r\n", 4);
	return body == NULL ? 0 :
	    (uint64_t)(from + bytes - WIRE_TRAILER_BYTES - (body + 4));
}

/* An invalid record, then the end: neither front takes what came for whole
 * then.  In the middle of a record it would be taken for content. */
void
settle_broken(struct slot *s, int fd, const char *why)
{
	struct ending e = {.why = why,
	    .status = (int)atomic_load(&s->answer_status),
	    .broken = 1,
	    .body_bytes = answer_body(s),
	    .sent_bytes = transfer_done(&s->out)};
	uint8_t invalid[WIRE_HEADER_BYTES];

	memset(invalid, 0xff, sizeof(invalid));
	if (!transfer_cut(&s->out) &&
	    (s->out.call.msg_len > 0 || atomic_load(&s->boundary)))
		send_bytes(fd, invalid, sizeof(invalid));
	end_connection(fd, 0);
	account(s, &e);
}

void
settle_kept(struct slot *s, int fd)
{
	struct ending e = {.status = (int)atomic_load(&s->answer_status),
	    .body_bytes = answer_body(s)};
	uint32_t bytes = atomic_load(&s->answer_used);
	uint64_t sent = transfer_done(&s->out);

	if (bytes <= s->answer_bytes && sent < bytes &&
	    send_bytes(fd, slot_answer(s) + sent, bytes - sent) < 0)
		e.status = ACCESS_GONE;
	e.sent_bytes = bytes;
	end_connection(fd, DRAIN_MS);
	account(s, &e);
}

void
settle_sent(struct slot *s, int fd)
{
	struct ending e = {.status = (int)atomic_load(&s->answer_status),
	    .body_bytes = answer_body(s),
	    .sent_bytes = transfer_done(&s->out)};

	end_connection(fd, DRAIN_MS);
	if (e.status != 0) /* else there was no request to answer */
		account(s, &e);
}
