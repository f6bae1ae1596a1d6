/* SPDX-License-Identifier: MIT */
/*
 * What bench/limits-cost asks: one handler on routes with a limit, with a
 * cache, and with neither; with an argument, on the last one alone.  An answer
 * takes HANDLER milliseconds to make.
 */
#include <nds.h>

#include <stdlib.h>
#include <unistd.h>

static useconds_t takes_us;

static int
greet(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	if (takes_us > 0)
		usleep(takes_us);
	return nds_text(res, 200, "Hello, Zero-Downtime World!\n");
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("limits", "1");
	const char *ms = getenv("HANDLER");

	takes_us = ms == NULL ? 0 : 1000 * (useconds_t)atoi(ms);
	nds_route(app, "GET", "/", greet);
	if (argc == 1) {
		nds_route_limit(nds_route(app, "GET", "/group", greet), "all",
		    1024);
		nds_route_cache(nds_route(app, "GET", "/hit", greet), 3600000,
		    0, NULL);
		nds_route_cache(nds_route(app, "GET", "/miss", greet), 3600000,
		    0, "X-Request-Id");
	}
	return nds_run(app, 1, argv);
}
