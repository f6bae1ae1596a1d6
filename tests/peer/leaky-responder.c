/* SPDX-License-Identifier: MIT */
/*
 * An application whose handler leaks descriptors: `/leak?n=N` opens N and
 * forgets them; those that it cannot get it does without.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "lib/nds.h"

static int
leak(struct nds_request *req, struct nds_response *res)
{
	const char *text = nds_query(req, "n");

	for (int left = text != NULL ? atoi(text) : 1; left > 0; left--)
		if (open("/dev/null", O_RDONLY) < 0)
			break;
	return nds_text(res, 200, "leaked\n");
}

static int
show(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_text(res, 200, "here\n");
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("leaky-responder", "1.0");

	nds_route(app, "GET", "/leak", leak);
	nds_route(app, "GET", "/", show);
	return nds_run(app, argc, argv);
}
