/* SPDX-License-Identifier: MIT */
#include "lib/call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "lib/app.h"
#include "lib/metric.h"
#include "lib/request.h"

#define TRIES_MAX 10
#define RESERVE_MAX_MS 1000  /* kept for the fallback */
#define TRIAL_MARGIN_MS 1000 /* a handler may be so late with its result */

static const char no_try[] = "no try was made";

/* ---- description --------------------------------------------------------- */

static int
within(int value, int least, int most)
{
	return value < least ? least : value > most ? most : value;
}

static const char *
upstream_wrong(const struct nds_app *app, const char *name)
{
	if (name == NULL || *name == '\0')
		return "it needs a name";
	for (struct nds_upstream *u = app->upstreams; u != NULL; u = u->next)
		if (strcmp(u->name, name) == 0)
			return "described twice";
	return NULL;
}

static void
upstream_metrics(struct nds_app *app, struct nds_upstream *u)
{
	static const char name[] = "nds_upstream_tries_total";
	static const char help[] = "Calls of an upstream, each try for itself.";

	u->ok = metric_own(app, name, help, "upstream", u->name);
	nds_metric_label(u->ok, "result", "ok");
	u->failed = metric_own(app, name, help, "upstream", u->name);
	nds_metric_label(u->failed, "result", "failed");
	u->refused = metric_own(app, "nds_upstream_refused_total",
	    "Tries not made: the circuit was open.", "upstream", u->name);
	u->opened = metric_own(app, "nds_upstream_opened_total",
	    "Times that the circuit opened.", "upstream", u->name);
}

struct nds_upstream *
nds_upstream(struct nds_app *app, const char *name)
{
	struct nds_upstream *u;
	const char *wrong;

	if (app == NULL)
		return NULL;
	wrong = upstream_wrong(app, name);
	u = wrong == NULL ? calloc(1, sizeof(*u)) : NULL;
	if (u == NULL) {
		error_set(app->wrong.text[0] == '\0' ? &app->wrong : NULL,
		    "upstream %.70s: %s", name == NULL ? "(null)" : name,
		    wrong == NULL ? "no memory" : wrong);
		return NULL;
	}
	u->app = app;
	u->name = name;
	u->next = app->upstreams;
	app->upstreams = u;
	upstream_metrics(app, u);
	nds_upstream_timeout(u, 1000);
	nds_upstream_breaker(u, 50, 10, 10000, 5000);
	nds_upstream_retries(u, 3, 50, 1000, 10);
	return u;
}

void
nds_upstream_timeout(struct nds_upstream *u, int ms)
{
	if (u != NULL)
		u->timeout_ms = within(ms, 1, BREAKER_TIME_MAX_MS);
}

void
nds_upstream_breaker(struct nds_upstream *u, int failure_percent,
    int min_calls, int window_ms, int open_ms)
{
	if (u == NULL)
		return;
	u->breaker.failure_percent = within(failure_percent, 1, 100);
	u->breaker.min_calls = within(min_calls, 1, 1000000);
	u->breaker.window_ms = within(window_ms, 2, BREAKER_TIME_MAX_MS);
	u->breaker.open_ms = within(open_ms, 1, BREAKER_TIME_MAX_MS);
}

void
nds_upstream_retries(struct nds_upstream *u, int tries, int first_ms,
    int longest_ms, int budget_percent)
{
	if (u == NULL)
		return;
	u->retry.tries = within(tries, 1, TRIES_MAX);
	u->retry.first_ms = within(first_ms, 0, BREAKER_TIME_MAX_MS);
	u->retry.longest_ms = within(longest_ms, 0, BREAKER_TIME_MAX_MS);
	u->retry.budget_percent = within(budget_percent, 0, 100);
}

void
upstream_free_all(struct nds_upstream *upstreams)
{
	struct nds_upstream *next;

	for (; upstreams != NULL; upstreams = next) {
		next = upstreams->next;
		free(upstreams);
	}
}

/* The pool's, once this process has it. */
static struct breaker *
upstream_cell(struct nds_upstream *u)
{
	const struct shared *shared = u->app->shared;

	if (u->cell == NULL && shared != NULL)
		u->cell = breaker_find(shared->area[SHARED_BREAKERS],
		    shared->area_bytes[SHARED_BREAKERS], u->name);
	if (u->cell == NULL)
		u->cell = &u->own;
	return u->cell;
}

/* ---- a call -------------------------------------------------------------- */

struct nds_call *
nds_call_begin(struct nds_request *req, struct nds_upstream *upstream)
{
	struct nds_call *call;
	int64_t left_ms = nds_deadline_left_ms(req);

	call = upstream == NULL ? NULL : calloc(1, sizeof(*call));
	if (call == NULL)
		return NULL;
	call->req = req;
	call->upstream = upstream;
	call->why = no_try;
	call->due_ms = clock_ms() + left_ms -
	    (left_ms / 10 < RESERVE_MAX_MS ? left_ms / 10 : RESERVE_MAX_MS);
	call->next = req->calls;
	req->calls = call;
	retry_pay(&upstream_cell(upstream)->debt, &upstream->retry);
	return call;
}

void
nds_call_once(struct nds_call *call)
{
	if (call != NULL)
		call->once = 1;
}

/* No further try. Returns 0, what nds_call_next() then returns. */
static int
call_stop(struct nds_call *call, const char *why)
{
	call->why = why;
	call->over = 1;
	return 0;
}

static int
call_refused(struct nds_call *call)
{
	nds_counter_add(call->upstream->refused, 1);
	return call_stop(call, "too many calls have failed: the circuit is "
	    "open");
}

int
nds_call_timeout_ms(const struct nds_call *call)
{
	int left = call == NULL ? 0 :
	    clock_left(call->due_ms, call->upstream->timeout_ms);

	return left < 1 ? 1 : left; /* 0 is for ever to many */
}

/* Wait, at most to the call's time, unless the client goes. Signals that are
 * not blocked are handled and do not shorten it. */
static void
call_wait(const struct nds_call *call, int ms)
{
	struct pollfd p = {call->req->conn->fd, POLLRDHUP, 0};
	int64_t until_ms = clock_ms() + ms;
	int left = ms;

	while (left > 0 && poll(&p, 1, left) < 0 && errno == EINTR)
		left = clock_left(until_ms, ms);
}

static uint32_t
random_word(void)
{
	uint32_t word;

	if (getrandom(&word, sizeof(word), GRND_NONBLOCK) != sizeof(word))
		word = (uint32_t)clock_us() * 2654435761u; /* a sandbox */
	return word;
}

/* Pay for a retry and wait for its time. Returns 1 when it may be made. */
static int
call_retry(struct nds_call *call)
{
	struct nds_upstream *u = call->upstream;
	int wait_ms;

	if (call->once || call->done >= u->retry.tries)
		return call_stop(call, call->why);
	wait_ms = retry_wait_ms(&u->retry, call->done, random_word());
	if (clock_ms() + wait_ms >= call->due_ms)
		return call_stop(call, "no time is left for another try");
	if (breaker_refuses(upstream_cell(u), clock_ms()))
		return call_refused(call);
	if (retry_borrow(&upstream_cell(u)->debt) != 0)
		return call_stop(call, "it failed, and the retry budget is "
		    "spent");
	call_wait(call, wait_ms);
	if (nds_cancelled(call->req))
		return call_stop(call, "the client has gone");
	return 1;
}

int
nds_call_next(struct nds_call *call)
{
	if (call == NULL)
		return 0;
	if (call->trying)
		nds_call_result(call, 0);
	if (call->over || (call->done > 0 && !call_retry(call)))
		return 0;
	if (clock_ms() >= call->due_ms)
		return call_stop(call, "no time is left for a try");
	if (breaker_ask(upstream_cell(call->upstream), clock_ms(),
		nds_call_timeout_ms(call) + TRIAL_MARGIN_MS, &call->pass) != 0)
		return call_refused(call);
	call->trying = 1;
	call->done++;
	return 1;
}

void
nds_call_result(struct nds_call *call, int ok)
{
	struct nds_upstream *u;

	if (call == NULL || !call->trying)
		return;
	u = call->upstream;
	call->trying = 0;
	call->over = ok != 0;
	call->why = ok ? NULL : "every try has failed";
	nds_counter_add(ok ? u->ok : u->failed, 1);
	switch (breaker_result(upstream_cell(u), &u->breaker, &call->pass,
	    clock_ms(), ok)) {
	case BREAKER_OPENED:
		nds_counter_add(u->opened, 1);
		nds_log(NDS_WARN, "upstream %s fails: not called for %d ms",
		    u->name, u->breaker.open_ms);
		break;
	case BREAKER_RECOVERED:
		nds_log(NDS_INFO, "upstream %s answers again", u->name);
		break;
	case BREAKER_SAME:
		break;
	}
}

const char *
nds_call_why(const struct nds_call *call)
{
	return call == NULL ? "no memory" : call->why;
}

void
call_end_all(struct nds_call *calls)
{
	struct nds_call *next;

	for (; calls != NULL; calls = next) {
		next = calls->next;
		nds_call_result(calls, 0);
		free(calls);
	}
}
