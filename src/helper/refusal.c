/* SPDX-License-Identifier: MIT */
#include "helper/refusal.h"

#include <sys/random.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "helper/ask.h"
#include "proto/otlp.h"
#include "proto/ring.h"

void
refusal_open(struct refusal *r, const struct settings *settings,
    struct pool_board *pool)
{
	r->settings = settings;
	r->pool = pool;
	r->trusts = settings->trusted_proxies[0] != '\0';
	if (num_share(settings->trace, &r->share) < 0)
		r->share = -1;
}

unsigned
refusal_retry_after_s(int64_t retry_after_ms)
{
	unsigned least = (unsigned)((retry_after_ms + 999) / 1000), any = 0;

	if (getrandom(&any, sizeof(any), GRND_NONBLOCK) < 0)
		any = 0;
	return least + any % (least + 1);
}

/* From when it came into the queue, since that is where it spent its time. */
static void
span_write(const struct refusal *r, const struct ask *ask,
    const struct ident_trace *trace, int64_t waited_ms)
{
	struct otlp_http http = {ask->method, otlp_scheme(ask->https),
	    ask->path, r->trusts ? NULL : ask->peer, ask->protocol, ask->agent,
	    ask->server, ask->port, NULL, 503, NULL};
	struct otlp_ids ids = {trace->trace_id, trace->span_id, trace->caller,
	    ident_state(trace, ask->tracestate)};
	const char *why = atomic_load(&r->pool->emptying) ? "the pool stops" :
	    "waited too long in the queue";
	int64_t now_us = clock_us();
	struct otlp_span span;
	char name[160];

	otlp_http_name(&http, name, sizeof(name));
	otlp_begin(&span, &ids, name, OTLP_SERVER);
	otlp_times(&span, now_us - waited_ms * 1000, now_us);
	otlp_attributes(&span);
	otlp_http(&span, &http);
	otlp_text(&span, "nds.request_id", ask->id);
	otlp_events(&span);
	otlp_event(&span, "shed", now_us, why);
	ring_shed_write(r->pool, span.line.text, otlp_end(&span, why));
}

/* A line of each is for whoever asks for it: there may be very many. */
static void
line_write(const struct ask *ask, const struct ident_trace *trace,
    int64_t waited_ms)
{
	struct log_line l;

	log_line_begin(&l, log_is_json(), LOG_DEBUG, "request refused");
	log_line_text(&l, "request_id", ask->id);
	log_line_text(&l, "trace_id", trace->trace_id);
	log_line_text(&l, "span_id", trace->span_id);
	log_line_text(&l, "method", ask->method);
	log_line_text(&l, "path", ask->path);
	log_line_number(&l, "status", 503);
	log_line_number(&l, "waited_ms", waited_ms);
	log_send(l.text, log_line_end(&l));
}

/* In the trace that the caller has named, or in a new one. */
static void
trace(const struct refusal *r, const struct ask *ask, int64_t waited_ms)
{
	struct ident_trace trace;

	ident_trace(&trace, ask->traceparent);
	ident_choose(&trace, r->share);
	if (r->share >= 0 && ident_sampled(&trace))
		span_write(r, ask, &trace, waited_ms);
	if (log_wants(LOG_DEBUG))
		line_write(ask, &trace, waited_ms);
}

uint8_t *
refusal_answer(void *arg, const struct client *c, size_t *bytes)
{
	const struct refusal *r = arg;
	struct ask_answer a = {503, "application/problem+json", NULL, NULL};
	struct ask ask;
	char more[64];
	json_t *problem;
	uint8_t *out;

	ask_read(&ask, &c->scan, c->in);
	problem = ask_problem(&ask, 503, "the service is overloaded, try again "
	    "later");
	a.body = problem == NULL ? NULL : json_dumps(problem, JSON_COMPACT);
	json_decref(problem);
	if (a.body == NULL)
		return NULL;
	snprintf(more, sizeof(more), "Retry-After: %u\r\n%s",
	    refusal_retry_after_s(r->settings->retry_after_ms),
	    atomic_load(&r->pool->draining) ? "Connection: close\r\n" :
	    "");
	a.more = more;
	out = ask_answer(&ask, &a, c->scan.request_id, bytes);
	free(a.body);
	trace(r, &ask, c->note);
	return out;
}
