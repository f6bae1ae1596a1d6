/* SPDX-License-Identifier: MIT */
/*
 * A libnds application with spans of its own: /orders/{id} has two, one within
 * the other; /left leaves one open; /slow waits until it is let go; /null
 * follows a null pointer.
 */
#include <stdio.h>
#include <time.h>

#include "lib/nds.h"

static int
show_order(struct nds_request *req, struct nds_response *res)
{
	struct nds_span *outer = nds_span_begin(req, "find order"), *inner;
	char text[256];

	inner = nds_span_begin(req, "SELECT \"orders\"");
	nds_span_set(inner, "db.system", "test");
	nds_span_set_number(inner, "db.rows", 3);
	nds_span_fail(inner, "no such table");
	snprintf(text, sizeof(text), "%s\n%s\n", nds_traceparent(req),
	    nds_tracestate(req));
	nds_span_end(inner);
	nds_span_end(outer);
	nds_span_set(nds_span_request(req), "order.id", nds_param(req, "id"));
	return nds_text(res, 200, text);
}

static int
leave_open(struct nds_request *req, struct nds_response *res)
{
	nds_span_begin(req, "outer");
	nds_span_begin(req, "never ended");
	return nds_text(res, 200, nds_traceparent(req));
}

static void __attribute__((noinline))
wait_for_it(int64_t ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0) /* the product's time */
		;
}

static int
slow(struct nds_request *req, struct nds_response *res)
{
	wait_for_it(nds_is_replay(req) ? 0 : 2500);
	return nds_text(res, 200, "slow\n");
}

static int *volatile nowhere;

static void __attribute__((noinline))
follow_it(void)
{
	*nowhere = 1;
}

static int
follow_null(struct nds_request *req, struct nds_response *res)
{
	if (!nds_is_replay(req))
		follow_it();
	return nds_text(res, 200, "again\n");
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("traced", "1");

	nds_route(app, "GET", "/orders/{id}", show_order);
	nds_route(app, "GET", "/left", leave_open);
	nds_route(app, "GET", "/slow", slow);
	nds_route(app, "GET,POST", "/null", follow_null);
	return nds_run(app, argc, argv);
}
