/* SPDX-License-Identifier: MIT */
/*
 * nds-responder: the stock application.  It greets, says what runs, and, when
 * APP_DIAGNOSTIC_ROUTES=on, has routes that try a service out.  Written
 * against nds.h alone, as any user's would be.
 */
#include <nds.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"

static int
greet(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_text(res, 200, "Hello, Zero-Downtime World!\n");
}

static int
show_version(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_json(res, 200, json_pack("{s:s, s:I, s:I}",
	    "version", nds_version(),
	    "generation", (json_int_t)nds_generation(),
	    "pid", (json_int_t)getpid()));
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("nds-responder", nds_version());
	const char *diagnostic = getenv("APP_DIAGNOSTIC_ROUTES");

	nds_route(app, "GET", "/", greet);
	nds_route(app, "GET", "/version", show_version);
	if (diagnostic != NULL && strcmp(diagnostic, "on") == 0)
		diag_routes(app);
	return nds_run(app, argc, argv);
}
