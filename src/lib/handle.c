/* SPDX-License-Identifier: MIT */
#include "lib/handle.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "lib/app.h"
#include "lib/journal.h"
#include "lib/request.h"
#include "lib/response.h"

#define STATUS_GONE 499 /* in the log alone: nobody was there to answer */

/* One request at a time, in one thread: its objects are used again. */
static struct nds_request request;
static struct nds_response response;

struct exchange {
	struct nds_app *app;
	struct conn *conn;
	const char *why; /* what went wrong, for the log; NULL = nothing */
	int ok;		 /* the answer is all that the handler meant */
};

int
handle_probe(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_text(res, 200, "ok\n");
}

/* ---- counting and the access line ---------------------------------------- */

static void
count(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void
count_exchange(const struct exchange *x, int status, int64_t us)
{
	struct slot_counters *c = &x->conn->slot->count;

	count(&c->bytes_in, x->conn->received_bytes);
	count(&c->bytes_out, x->conn->sent_bytes);
	if (status == STATUS_GONE) {
		count(&c->cancelled, 1);
		return;
	}
	count(&c->requests, 1);
	/* A broken answer is a failure, whatever its head has said. */
	count(&c->status[x->ok ? status / 100 : 5], 1);
	count(&c->latency[board_latency_bucket(us)], 1);
	count(&c->latency_us, (uint64_t)us);
}

/* The path as far as it was understood, else as it came. */
static void
line_path(struct log_line *line)
{
	char raw[512];
	size_t bytes = request.target_bytes;

	if (request.path.text[0] != '\0') {
		log_line_text(line, "path", request.path.text);
		return;
	}
	if (bytes >= sizeof(raw))
		bytes = sizeof(raw) - 1;
	memcpy(raw, request.target, bytes);
	raw[bytes] = '\0';
	log_line_text(line, "path", raw);
}

static void
access_line(const struct exchange *x, int status, int64_t us)
{
	const struct slot *slot = x->conn->slot;
	int is_ours = status != STATUS_GONE && (status >= 500 || !x->ok);
	enum log_level level = is_ours ? LOG_WARN : LOG_INFO;
	struct log_line line;
	size_t bytes;

	if (!log_wants(level))
		return;
	journal_line(&line, &request, level, "request");
	log_line_text(&line, "method", request.method);
	line_path(&line);
	log_line_number(&line, "status", status);
	log_line_number(&line, "bytes", (int64_t)response.body_sent);
	log_line_milli(&line, "duration_ms", us);
	log_line_number(&line, "worker", slot->number);
	log_line_number(&line, "generation",
	    atomic_load_explicit(&slot->generation, memory_order_relaxed));
	log_line_text(&line, "client", request.client);
	if (x->why != NULL)
		log_line_text(&line, "error", x->why);
	bytes = log_line_end(&line);
	log_send(line.text, bytes);
}

/* ---- making the answer --------------------------------------------------- */

/* An answer of libnds's own, in place of whatever a handler has made.  What
 * went wrong on our side is for the log. */
static void
answer_problem(int status, const char *why)
{
	if (status >= 500)
		why = "the request could not be served";
	response_clear(&response);
	if (nds_problem(&response, status, "%s", why) != 0)
		nds_empty(&response, status); /* no memory: head alone */
}

/* OPTIONS, 404 and 405. Returns 0, or the status that refuses. */
static int
answer_unrouted(struct exchange *x, uint32_t allowed)
{
	char allow[512];

	x->why = "there is nothing at this path";
	if (allowed == 0)
		return 404;
	x->why = NULL;
	router_allow(&x->app->router, allowed, allow, sizeof(allow));
	if (strcmp(request.method, "OPTIONS") == 0) {
		nds_set_header(&response, "Allow", allow);
		return nds_empty(&response, 204) == 0 ? 0 : 500;
	}
	if (nds_problem(&response, 405, "%s is not allowed here; allowed: %s",
		request.method, allow) != 0)
		return 500;
	nds_set_header(&response, "Allow", allow);
	return 0;
}

/* After a handler that gave no whole answer: 0 when its stream is out already
 * and can only be broken off, the status to answer instead, -1 when the peer
 * is gone. */
static int
handler_failed(struct exchange *x, int rc)
{
	int status;

	if (response.started) {
		x->why = response.stream_errno == 0 ? "the handler broke the "
		    "answer off" : response.stream_errno == EFBIG ?
		    "the handler wrote more than it had promised" :
		    strerror(response.stream_errno);
		x->ok = 0;
		return 0;
	}
	if (request.body_errno != 0) {
		status = request_body_status(request.body_errno, &x->why);
		if (status != 500)
			return status;
	}
	x->why = response.stream_errno == EFBIG ?
	    "the handler wrote more than it had promised" : rc != 0 ?
	    "the handler failed" : "the handler made no answer";
	nds_log(NDS_ERROR, "%s (%s %s)", x->why, request.method,
	    request.path.text);
	return 500;
}

static void
set_deadline(struct conn *c, const struct nds_route *route)
{
	int64_t due_ms = c->accepted_us / 1000 + route->deadline_ms;

	if (route->deadline_ms == 0 || due_ms >= c->deadline_ms)
		return;
	c->deadline_ms = due_ms;
	atomic_store(&c->slot->deadline_ms, due_ms);
}

/* From here on the handler may do what must not be done twice (RFC 9110,
 * 9.2.2: idempotent methods). */
static void
forbid_replay(const struct exchange *x, const struct nds_route *route)
{
	static const char *const idempotent[] = {"GET", "HEAD", "OPTIONS",
	    "PUT", "DELETE"};

	for (size_t i = 0; i < sizeof(idempotent) / sizeof(idempotent[0]); i++)
		if (strcmp(request.method, idempotent[i]) == 0)
			return;
	if (!route->idempotent)
		atomic_fetch_or(&x->conn->slot->flags, SLOT_ONCE);
}

/* Returns 0 when an answer stands, the status that refuses, or -1. */
static int
exchange_route(struct exchange *x)
{
	struct route_match match = {NULL, ROUTE_ANY};
	int rc;

	if (request.path.count > 0)
		match = router_find(&x->app->router, request.method,
		    &request.path, x->conn->is_probe);
	if (match.route == NULL)
		return answer_unrouted(x, match.allowed);
	set_deadline(x->conn, match.route);
	rc = request_read(&request, match.route,
	    (uint64_t)x->app->settings.max_body_bytes, &x->why);
	if (rc != 0)
		return rc;
	forbid_replay(x, match.route);
	journal_enter(&request);
	rc = match.route->handler(&request, &response);
	if (rc != 0 || !response_complete(&response))
		rc = handler_failed(x, rc);
	journal_enter(NULL);
	return rc;
}

static void
exchange_begin(struct exchange *x)
{
	const struct pool_board *pool = x->app->pool;

	response_begin(&response, x->conn, request.request_id,
	    strcmp(request.method, "HEAD") == 0);
	response.says_close = pool != NULL &&
	    atomic_load_explicit(&pool->draining, memory_order_relaxed) != 0;
}

/* Send what was made; then count and log it. */
static void
exchange_end(struct exchange *x, int is_gone)
{
	int rc = is_gone ? -1 : response_send(&response, x->ok);
	int status = response.status;
	int64_t us;

	if (rc < 0 && !is_gone) {
		if (errno == ECANCELED) /* answered by others */
			goto out;
		x->why = strerror(errno);
	}
	if (rc < 0)
		status = STATUS_GONE;
	us = clock_us() - x->conn->accepted_us;
	if (!x->conn->is_probe) {
		count_exchange(x, status, us);
		access_line(x, status, us);
	}
out:
	response_end(&response);
	request_end(&request);
}

void
handle_request(struct nds_app *app, struct conn *c, char **envp)
{
	struct exchange x = {.app = app, .conn = c, .ok = 1};
	const char *why;
	int status;

	status = request_begin(&request, c, envp, &why);
	exchange_begin(&x);
	if (status != 0)
		x.why = why;
	else
		status = exchange_route(&x);
	if (status > 0)
		answer_problem(status, x.why);
	if (status == 404) /* says itself */
		x.why = NULL;
	exchange_end(&x, status < 0);
}

void
handle_refusal(struct nds_app *app, struct conn *c, int status,
    const char *why)
{
	struct exchange x = {.app = app, .conn = c, .ok = 1, .why = why};
	const char *ignored;

	/* Without parameters it is an id and nothing more. */
	request_begin(&request, c, NULL, &ignored);
	exchange_begin(&x);
	answer_problem(status, why);
	exchange_end(&x, 0);
}
