/* SPDX-License-Identifier: MIT */
/*
 * libnds: write a FastCGI application whose requests are not lost.
 *
 *	static int
 *	hello(struct nds_request *req, struct nds_response *res)
 *	{
 *		return nds_text(res, 200, "Hello!\n");
 *	}
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		struct nds_app *app = nds_app_new("hello", "1.0");
 *
 *		nds_route(app, "GET", "/", hello);
 *		return nds_run(app, argc, argv);
 *	}
 *
 * A worker serves one request at a time, in one thread.  Everything a request
 * hands out (strings, body) belongs to libnds and lives until its handler
 * returns.  Functions that return int return 0, or -1 with errno, unless said
 * otherwise.  Nothing here aborts the process for want of memory.
 */
#ifndef NDS_H
#define NDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nds_app;
struct nds_route;
struct nds_request;
struct nds_response;
struct nds_upstream;
struct nds_call;
struct nds_metric;
struct nds_span;

/* ---- application ------------------------------------------------------ */

/* Begin an application.  Call it first in main(): it tells ndsd, where there
 * is one, that this program is libnds's.  name and version are kept by
 * reference.  Returns NULL without memory; every function below accepts that
 * NULL, and nds_run() then says so and returns 1. */
struct nds_app *nds_app_new(const char *name, const char *version);

/* A handler answers one request.  It returns 0 when it has made an answer; any
 * other value (or no answer made) becomes a 500 and a log line. */
typedef int (*nds_handler)(struct nds_request *req, struct nds_response *res);

/* Route methods ("GET", "GET,POST", "*" = any) and a path pattern to a
 * handler.  A pattern begins with '/'; a segment `{name}` matches one segment,
 * a last segment `{name...}` the rest of the path.  Literal segments win over
 * parameters.  HEAD is answered wherever GET is, OPTIONS everywhere, both by
 * libnds unless routed.  Returns the route for the setters below; a wrong or
 * doubled pattern returns NULL and makes nds_run() fail with the reason. */
struct nds_route *nds_route(struct nds_app *app, const char *methods,
    const char *pattern, nds_handler handler);

/* The body of this route is not read before the handler runs; the handler
 * takes it with nds_body_read(). NULL is accepted. */
void nds_route_stream_body(struct nds_route *route);

/* Largest body of this route in bytes, instead of APP_MAX_BODY; beyond it the
 * request is answered 413.  0 = no limit (streamed bodies alone). */
void nds_route_max_body(struct nds_route *route, uint64_t bytes);

/* The handler may be run a second time for one request when its worker died in
 * the middle of the first, although the method (POST, PATCH) does not say so.
 * NULL is accepted. */
void nds_route_idempotent(struct nds_route *route);

/* A deadline of this route's own in milliseconds, at least 1, instead of
 * APP_REQUEST_TIMEOUT where that is longer.  It counts from the moment at which
 * the request was accepted. NULL is accepted. */
void nds_route_deadline(struct nds_route *route, int ms);

/* At most `concurrent` (1..1024) requests of this route run at once over the
 * whole pool; one more is answered 503 at once.  All routes that name the same
 * group (1..63 printable ASCII characters) share one limit, and name the same
 * number.  At most 32 groups.  Returns 0, or -1 with errno (EINVAL, ENOSPC);
 * nds_run() then fails and says why. */
int nds_route_limit(struct nds_route *route, const char *group,
    int concurrent);

/* Keep the 200 answers to GET of this route in memory shared by all workers
 * (APP_CACHE_BYTES), and give them for ttl_ms without the handler.  For
 * stale_ms more the old answer is given while one worker makes the new one.
 * vary names the request headers that the answers depend on, with commas
 * between, kept by reference; NULL = none.  Answers must depend on nothing else
 * but the URL.  ttl_ms 0 = off, as without this call. NULL is accepted. */
void nds_route_cache(struct nds_route *route, int ttl_ms, int stale_ms,
    const char *vary);

/* A check of a dependency, run apart from every request and every probe, in a
 * process of its own.  It returns 0 when the dependency answers; otherwise, or
 * when it takes longer than timeout_ms, /ready turns 503 and shows message,
 * which the check may fill (UTF-8, cut at 191 bytes). */
typedef int (*nds_check_fn)(char *message, size_t message_bytes);

/* Register a check: timeout 2 s, run again 5 s after each result.  At most 16;
 * names are unique and of at most 63 bytes. Errors make nds_run() fail. */
void nds_check(struct nds_app *app, const char *name, nds_check_fn check);

/* The same with its own times in milliseconds (1..3600000). */
void nds_check_timed(struct nds_app *app, const char *name,
    nds_check_fn check, int timeout_ms, int every_ms);

/* Hooks of a worker: start runs in each worker before its first request (open
 * database connections here, not in main()); a start that returns not 0 ends
 * the worker and keeps it from becoming ready.  stop runs after its last
 * request. One of each; a later call replaces the former. */
typedef int (*nds_hook)(void *arg);
void nds_on_start(struct nds_app *app, nds_hook start, void *arg);
void nds_on_stop(struct nds_app *app, nds_hook stop, void *arg);

/* Serve until told to stop; returns the exit status for main().  Under ndsd it
 * takes its listener and orders from there.  Without ndsd it serves the
 * listener on fd 0 (spawn-fcgi, lighttpd's bin-path) until SIGTERM or SIGUSR1,
 * with the APP_ settings of the environment.  `--help` and `--version` in argv
 * are answered. Frees app. */
int nds_run(struct nds_app *app, int argc, char **argv);

/* The version of libnds that is running, "MAJOR.MINOR.PATCH". */
const char *nds_version(void);

/* The generation of this worker: 1 with the first program that ndsd started,
 * one more with each reload; 0 without ndsd. */
uint32_t nds_generation(void);

/* ---- request ---------------------------------------------------------- */

const char *nds_method(const struct nds_request *req);
/* The path, decoded, always beginning with '/'; the raw query, "" if none. */
const char *nds_path(const struct nds_request *req);
const char *nds_query_string(const struct nds_request *req);

/* A path parameter of the route, decoded; a parameter of the query, decoded,
 * the first of that name; a header, name in any case; a cookie.  NULL when
 * there is none.  What does not decode to UTF-8 without a NUL counts as none in
 * the query; in the path it is answered 400 by libnds.  Of a header sent more
 * than once lighttpd makes one, joined by commas; nginx before 1.23 passes all,
 * and this is the first. */
const char *nds_param(const struct nds_request *req, const char *name);
const char *nds_query(struct nds_request *req, const char *name);
const char *nds_header(const struct nds_request *req, const char *name);
const char *nds_cookie(struct nds_request *req, const char *name);

/* The address of the client: the front's peer (REMOTE_ADDR); or, when that is a
 * proxy of APP_TRUSTED_PROXIES, whom it names.  "" if the front says none. */
const char *nds_client(const struct nds_request *req);

/* The id of the request: X-Request-Id as it came (1–63 characters of
 * [A-Za-z0-9._-]), else made here.  Never NULL; also in the answer. */
const char *nds_request_id(const struct nds_request *req);

/* The W3C traceparent to send on to others: the caller's trace with this
 * request's own span id, or that of the span which is open (nds_span_begin);
 * a new trace when the caller sent none. */
const char *nds_traceparent(const struct nds_request *req);

/* The tracestate to send on with it: the caller's, "" if there is none. */
const char *nds_tracestate(const struct nds_request *req);

/* Any other FastCGI parameter (DOCUMENT_ROOT, HTTPS …) or NULL. */
const char *nds_fcgi_param(const struct nds_request *req, const char *name);

/* The whole body and its bytes; a NUL stands behind it.  On a route with
 * nds_route_stream_body() it is NULL. */
const void *nds_body(const struct nds_request *req, size_t *bytes);

/* The body parsed as JSON: a new reference that the caller releases, or NULL
 * with error filled (error may be NULL). */
json_t *nds_body_json(const struct nds_request *req, json_error_t *error);

/* Take the next bytes of a streamed body.  Blocks until there are some.
 * Returns how many, 0 at its end, -1 with errno: EFBIG over the limit,
 * ECONNRESET the client has gone, ETIMEDOUT nothing came until the deadline,
 * EPROTO the front sent nonsense. */
ssize_t nds_body_read(struct nds_request *req, void *to, size_t bytes);

/* Bytes the client announced (Content-Length), -1 when it did not. */
int64_t nds_content_length(const struct nds_request *req);

/* Milliseconds left until the deadline of this request, 0 when it has
 * passed. */
int64_t nds_deadline_left_ms(const struct nds_request *req);

/* 1 when this request is run for the second time, because the worker that ran
 * it first died; what that one did may have happened.  Else 0. */
int nds_is_replay(const struct nds_request *req);

/* 1 when the client (the front) has closed the connection or aborted, so that
 * nobody waits for the answer; else 0. One system call. */
int nds_cancelled(const struct nds_request *req);

/* ---- response --------------------------------------------------------- */

/* Set a header of the answer, replacing one of that name; or add one beside
 * it.  EINVAL for a name that is not a token (RFC 9110, 5.6.2), for CR, LF or
 * NUL or another control character in the value, and for what libnds makes
 * itself (Status, Content-Length, Connection, Transfer-Encoding,
 * X-Request-Id); E2BIG beyond 64 headers or 16 KiB of them. */
int nds_set_header(struct nds_response *res, const char *name,
    const char *value);
int nds_add_header(struct nds_response *res, const char *name,
    const char *value);

/* Make the whole answer.  status is 200–599.  Each replaces what was made
 * before, keeps the headers set, and returns 0, or -1 with errno (EINVAL,
 * ENOMEM, EALREADY once a stream has begun). */
int nds_text(struct nds_response *res, int status, const char *text);
int nds_data(struct nds_response *res, int status, const char *content_type,
    const void *data, size_t bytes);
/* Takes the reference to value, on error too.  NULL becomes a 500. */
int nds_json(struct nds_response *res, int status, json_t *value);
/* No body: 204, 304, redirects with a Location set. */
int nds_empty(struct nds_response *res, int status);
/* application/problem+json (RFC 9457) with status, title, detail and the
 * request id.  status 400–599; detail is printf's. */
int nds_problem(struct nds_response *res, int status, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));

/* Begin an answer whose body is sent while it is made.  length is its bytes,
 * or -1 when unknown: then the answer has no Content-Length.  Headers are
 * fixed from here on. Then nds_write() until done; a handler that returns not
 * 0, or writes fewer bytes than it promised, aborts the answer visibly. */
int nds_stream(struct nds_response *res, int status, const char *content_type,
    int64_t length);

/* Write bytes of a stream.  Blocks while the front does not read, at most to
 * the deadline.  Returns 0, or -1 with errno: EPIPE the client has gone,
 * ETIMEDOUT, EFBIG more than promised, EINVAL no stream was begun. */
int nds_write(struct nds_response *res, const void *data, size_t bytes);

/* ---- calls to others ---------------------------------------------------- */

/* Describe a service that handlers call, before nds_run().  The name is kept by
 * reference and is unique.  Its circuit breaker and retry budget are shared by
 * all workers of the pool.  A wrong name returns NULL and makes nds_run() fail
 * with the reason. The setters accept NULL and cut values to their range. */
struct nds_upstream *nds_upstream(struct nds_app *app, const char *name);

/* Longest time of one try in milliseconds (1..3600000), 1000 unless set. */
void nds_upstream_timeout(struct nds_upstream *upstream, int ms);

/* Open the circuit when failure_percent (1..100) of the tries in the last
 * window_ms (2..3600000) have failed, of at least min_calls (1..1000000); for
 * open_ms (1..3600000) no call is made, then one trial at a time.
 * Unless set: 50 % of at least 10 within 10 s, for 5 s. */
void nds_upstream_breaker(struct nds_upstream *upstream, int failure_percent,
    int min_calls, int window_ms, int open_ms);

/* At most `tries` (1..10) tries a call; before the second a random wait of up
 * to first_ms (0..3600000), then twice that, up to longest_ms.  All retries of
 * the pool are at most budget_percent (0..100) of its calls, and 10 more.
 * Unless set: 3 tries, 50 ms, 1 s, 10 %. */
void nds_upstream_retries(struct nds_upstream *upstream, int tries,
    int first_ms, int longest_ms, int budget_percent);

/* Begin a call.  It is libnds's and lives until the handler returns; NULL
 * without memory, which every function below takes as a call that cannot be
 * made.
 *
 *	call = nds_call_begin(req, stock);
 *	while (nds_call_next(call))
 *		nds_call_result(call, fetch(nds_call_timeout_ms(call)) == 0);
 *	if (nds_call_why(call) != NULL)
 *		(answer without it)
 */
struct nds_call *nds_call_begin(struct nds_request *r, struct nds_upstream *u);

/* This call must not be made twice: one try. */
void nds_call_once(struct nds_call *call);

/* 1: make a try now.  0: it has succeeded, or no try is to be made.  Waits
 * before a retry, never beyond the deadline of the request.  A try whose result
 * was not told counts as failed. */
int nds_call_next(struct nds_call *call);

/* How long this try may take: what is left of the request's time less a tenth
 * (at most 1 s) for the answer, at most the upstream's timeout, at least 1. */
int nds_call_timeout_ms(const struct nds_call *call);

/* Tell how the try has ended: ok = 0 when the upstream failed or did not answer
 * in time. */
void nds_call_result(struct nds_call *call, int ok);

/* NULL when a try has succeeded, else why not, in words. */
const char *nds_call_why(const struct nds_call *call);

/* ---- numbers of the application's own ----------------------------------- */

/* Describe a number that /metrics shows, before nds_run(): what only grows;
 * what goes up and down; or how values are spread.  The name is
 * [a-zA-Z_][a-zA-Z0-9_]*, at most 63 bytes, not beginning with nds_; a
 * counter's ends in _total, in front of which (and at the end of any other)
 * stands its base unit: _seconds, _bytes, _ratio.  help is one line of at most
 * 159 bytes.  A histogram has `count` (1..15) upper edges that rise.  A mistake
 * makes nds_run() fail with the reason; NULL is then returned, and accepted by
 * all of these. At most 128 for a program, labelled ones each for itself. */
struct nds_metric *
nds_counter(struct nds_app *app, const char *name, const char *help);
struct nds_metric *
nds_gauge(struct nds_app *app, const char *name, const char *help);
struct nds_metric *nds_histogram(struct nds_app *app, const char *name,
    const char *help, const double *edges, int count);

/* Give it a label, fixed from here on.  The same name may be described again
 * with other values of the same labels.  All names and values together have
 * room in 190 bytes. */
void nds_metric_label(struct nds_metric *metric, const char *label,
    const char *value);

/* Count, from a handler or any thread of the worker; `by` is not negative.
 * Nothing here makes a system call or can fail. */
void nds_counter_add(struct nds_metric *metric, double by);

/* Each worker has a gauge of its own, 0 when it begins; shown is their sum. */
void nds_gauge_set(struct nds_metric *metric, double value);
void nds_gauge_add(struct nds_metric *metric, double by);

/* Note one value. */
void nds_histogram_observe(struct nds_metric *metric, double value);

/* ---- traces ------------------------------------------------------------- */

/* Begin a span within the request, or within the one that is open: some part of
 * what its handler does.  Returns NULL when the request is not traced
 * (APP_TRACE) or 15 spans are open, which every function here accepts. */
struct nds_span *nds_span_begin(struct nds_request *req, const char *name);

/* The span of the request itself, for attributes; NULL as above. */
struct nds_span *nds_span_request(struct nds_request *req);

/* Add an attribute.  Text is cut at 512 bytes, and what goes beyond 1800 bytes
 * of attributes is left out. */
void nds_span_set(struct nds_span *span, const char *key, const char *value);
void nds_span_set_number(struct nds_span *span, const char *key,
    int64_t value);

/* What the span stands for has failed; why may be NULL.  Of the request's own
 * span its status tells that. */
void nds_span_fail(struct nds_span *span, const char *why);

/* End a span, and those that were begun within it.  What is open when the
 * handler returns ends there. */
void nds_span_end(struct nds_span *span);

/* ---- log -------------------------------------------------------------- */

enum nds_level { NDS_DEBUG, NDS_INFO, NDS_WARN, NDS_ERROR };

/* Write a log line; inside a handler it carries the id of the request.  Costs
 * no system call under ndsd; goes to stderr without it. */
void nds_log(enum nds_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
