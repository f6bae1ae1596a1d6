/* SPDX-License-Identifier: MIT */
#include "lib/handle.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "helper/refusal.h"
#include "lib/access.h"
#include "lib/app.h"
#include "lib/cache.h"
#include "lib/call.h"
#include "lib/journal.h"
#include "lib/request.h"
#include "lib/response.h"
#include "lib/span.h"
#include "lib/trace.h"

/* One request at a time, in one thread: its objects are used again. */
static struct nds_request request;
static struct nds_response response;

struct exchange {
	struct nds_app *app;
	struct conn *conn;
	const char *why; /* what went wrong, for the log; NULL = nothing */
	const char *event; /* that ended it, for its span; NULL = nothing */
	int ok;		 /* the answer is all that the handler meant */
};

int
handle_probe(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_text(res, 200, "ok\n");
}

/* ---- the access line ----------------------------------------------------- */

/* The path as far as it was understood, else as it came. */
static const char *
request_path(void)
{
	static char raw[512];
	size_t bytes = request.target_bytes;

	if (request.path.text[0] != '\0')
		return request.path.text;
	if (bytes >= sizeof(raw))
		bytes = sizeof(raw) - 1;
	memcpy(raw, request.target, bytes);
	raw[bytes] = '\0';
	return raw;
}

/* A parameter of the request, "" when it has none. */
static const char *
param(const char *name)
{
	const char *value = nds_fcgi_param(&request, name);

	return value == NULL ? "" : value;
}

/* What its span alone tells. */
static void
span_params(struct access *a)
{
	a->scheme = otlp_scheme(param("HTTPS"));
	a->server = param("SERVER_NAME");
	a->port = param("SERVER_PORT");
	a->protocol = param("SERVER_PROTOCOL");
	a->agent = param("HTTP_USER_AGENT");
	a->state = nds_tracestate(&request);
}

static void
exchange_log(const struct exchange *x, int status)
{
	struct access a = {
	    .request_id = request.request_id,
	    .trace = &request.trace,
	    .method = request.method,
	    .path = request_path(),
	    .client = request.client,
	    .route = request.route == NULL ? NULL : request.route->pattern,
	    .event = x->event,
	    .error = x->why,
	    .status = status,
	    .broken = !x->ok,
	    .body_bytes = response.body_sent,
	    .received_bytes = x->conn->received_bytes,
	    .sent_bytes = x->conn->sent_bytes,
	    .us = clock_us() - x->conn->accepted_us,
	};

	if (trace_wanted(a.trace))
		span_params(&a);
	access_end(x->conn->slot, &a);
}

/* ---- making the answer --------------------------------------------------- */

/* An answer of libnds's own, in place of whatever a handler has made.  What
 * went wrong on our side is for the log. */
static void
answer_problem(int status, const char *why)
{
	if (status >= 500 && status != 503)
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

/* Its guardian may not mean to look before the new deadline: wake it. */
static void
shorten_deadline(struct conn *c, int64_t due_ms)
{
	struct slot *slot = c->slot;
	pid_t guardian = getppid();

	if (due_ms >= c->deadline_ms)
		return;
	c->deadline_ms = due_ms;
	atomic_store(&slot->deadline_ms, due_ms);
	if (due_ms < atomic_load(&slot->look_ms) &&
	    guardian == atomic_load(&slot->guardian_pid))
		kill(guardian, SIGCHLD);
}

/* The caller's own timeout, which began when it came into the queue. Returns
 * -1 when it is over: nobody waits for the answer. */
static int
take_timeout(const struct exchange *x)
{
	const char *name = x->app->settings.timeout_header;
	const char *text = *name == '\0' ? NULL : nds_header(&request, name);
	struct conn *c = x->conn;
	int64_t ms, due_ms;

	if (text == NULL || num_whole(text, 0, INT32_MAX, &ms) < 0)
		return 0;
	due_ms = c->accepted_us / 1000 - c->waited_ms + (ms < 1 ? 1 : ms);
	if (due_ms <= clock_ms())
		return -1;
	shorten_deadline(c, due_ms);
	return 0;
}

/* 503 and not 504: it has not been run, so it may be sent again. */
static int
answer_late(struct exchange *x)
{
	char seconds[16];

	atomic_fetch_add(&x->conn->slot->count.late, 1);
	x->why = "its caller's timeout was over before it could begin";
	x->event = "deadline";
	if (nds_problem(&response, 503, "%s", x->why) != 0)
		return 503;
	snprintf(seconds, sizeof(seconds), "%u",
	    refusal_retry_after_s(x->app->settings.retry_after_ms));
	nds_set_header(&response, "Retry-After", seconds);
	return 0;
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

static int
exchange_handler(struct exchange *x, const struct nds_route *route)
{
	int rc;

	forbid_replay(x, route);
	journal_enter(&request);
	rc = route->handler(&request, &response);
	if (rc != 0 || !response_complete(&response))
		rc = handler_failed(x, rc);
	span_end_all();
	journal_enter(NULL);
	return rc;
}

/* The body is in by now: a slow client holds no place. */
static int
exchange_grouped(struct exchange *x, const struct nds_route *route)
{
	struct limits *limits = &x->app->limits;
	int rc, place = limits_enter(limits, &request, &response);

	if (place < 0) {
		x->why = "too many requests of this kind run at once";
		x->event = "shed";
		return 503;
	}
	rc = exchange_handler(x, route);
	limits_leave(limits, route->group, place);
	return rc;
}

static int
exchange_made(struct exchange *x, const struct nds_route *route)
{
	return route->group == NULL ? exchange_handler(x, route) :
	    exchange_grouped(x, route);
}

/* What the cache answers takes no place of a group. */
static int
exchange_cached(struct exchange *x, const struct nds_route *route)
{
	int rc;

	if (cache_answer(x->app, &request, &response))
		return 0;
	rc = exchange_made(x, route);
	cache_keep(&request, &response, rc == 0);
	return rc;
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
	atomic_store_explicit(&x->conn->slot->route, match.route->place,
	    memory_order_relaxed);
	if (match.route->deadline_ms > 0)
		shorten_deadline(x->conn, x->conn->accepted_us / 1000 +
		    match.route->deadline_ms);
	if (take_timeout(x) < 0)
		return answer_late(x);
	rc = request_read(&request, match.route,
	    (uint64_t)x->app->settings.max_body_bytes, &x->why);
	if (rc != 0)
		return rc;
	if (match.route->cache_ttl_ms > 0)
		return exchange_cached(x, match.route);
	return exchange_made(x, match.route);
}

static int
exchange_limited(struct exchange *x)
{
	x->why = "this client sends more requests than it may";
	x->event = "shed";
	return 429;
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

	if (rc < 0 && !is_gone) {
		if (errno == ECANCELED) /* answered by others */
			goto out;
		x->why = strerror(errno);
	}
	if (rc < 0)
		status = ACCESS_GONE;
	exchange_log(x, status);
out:
	response_end(&response);
	call_end_all(request.calls);
	request.calls = NULL;
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
	client_find(&app->limits.client, &request);
	if (request.client == request.client_text) /* also for our guardian */
		memcpy(c->slot->client, request.client_text,
		    sizeof(request.client_text));
	if (status != 0)
		x.why = why;
	else if (!limits_take(&app->limits, &request, &response))
		status = exchange_limited(&x);
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
