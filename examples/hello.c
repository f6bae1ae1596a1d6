/* SPDX-License-Identifier: MIT */
/*
 * The smallest application: one route, one sentence.
 *
 *	cc hello.c -o hello $(pkg-config --cflags --libs nds)
 *	ndsd --front=lighttpd -- ./hello
 */
#include <nds.h>

static int
hello(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_text(res, 200, "Hello!\n");
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("hello", "1.0");

	nds_route(app, "GET", "/", hello);
	return nds_run(app, argc, argv);
}
