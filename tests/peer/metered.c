/* SPDX-License-Identifier: MIT */
/*
 * An application with numbers of its own, for metrics.t.  The first argument
 * is how many more routes /r0, /r1 … it has.
 *
 *	GET /things/{id}	counts one thing, and 0.5 s of work
 *	GET /kind/express	counts one under a label of any bytes
 *	GET /hold		waits until its fifo "gate" has a writer
 *	GET /broken		a stream that ends short of its promise
 *	GET /cached		kept for a minute
 *	GET /upstream		a call that fails, without a second try
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/nds.h"

static struct nds_metric *things, *plain, *express, *held, *work;
static struct nds_upstream *stock;

static int
thing(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	nds_counter_add(things, 1);
	nds_histogram_observe(work, 0.5);
	nds_counter_add(plain, 0.25);
	return nds_empty(res, 204);
}

static int
kind(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	nds_counter_add(express, 1);
	return nds_empty(res, 204);
}

static int
hold(struct nds_request *req, struct nds_response *res)
{
	const char *gate = getenv("METERED_GATE");
	int fd;

	(void)req;
	nds_gauge_add(held, 1);
	fd = gate == NULL ? -1 : open(gate, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	nds_gauge_add(held, -1);
	return nds_text(res, 200, "held\n");
}

static int
broken(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	nds_stream(res, 200, "text/plain", 100);
	nds_write(res, "short", 5);
	return 1;
}

static int
text(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_text(res, 200, "text\n");
}

static int
upstream(struct nds_request *req, struct nds_response *res)
{
	struct nds_call *call = nds_call_begin(req, stock);

	nds_call_once(call);
	while (nds_call_next(call))
		nds_call_result(call, 0);
	return nds_text(res, 200, "without it\n");
}

static void
describe(struct nds_app *app)
{
	static const double edges[] = {0.1, 0.5, 1};

	things = nds_counter(app, "things_total", "Things shown.");
	plain = nds_counter(app, "kinds_total", "Kinds of things.");
	nds_metric_label(plain, "kind", "plain");
	express = nds_counter(app, "kinds_total", "Kinds of things.");
	nds_metric_label(express, "kind", "ex\"press\\\033[31m\n\xff");
	held = nds_gauge(app, "held", "Requests that are held.");
	work = nds_histogram(app, "work_seconds", "Work a thing.", edges, 3);
	stock = nds_upstream(app, "stock");
	nds_upstream_breaker(stock, 50, 2, 60000, 60000);
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("metered", "1.0");
	int more = argc > 1 ? atoi(argv[1]) : 0;
	char path[32];

	describe(app);
	nds_route(app, "GET", "/things/{id}", thing);
	nds_route(app, "GET", "/kind/express", kind);
	nds_route(app, "GET", "/hold", hold);
	nds_route(app, "GET", "/broken", broken);
	nds_route(app, "GET", "/upstream", upstream);
	nds_route_cache(nds_route(app, "GET", "/cached", text), 60000, 0,
	    NULL);
	for (int i = 0; i < more; i++) {
		snprintf(path, sizeof(path), "/r%d", i);
		nds_route(app, "GET", path, text);
	}
	return nds_run(app, 1, argv);
}
