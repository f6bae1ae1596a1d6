/* SPDX-License-Identifier: MIT */
/*
 * Large bodies both ways, in pieces of 64 KiB and never whole in memory:
 *
 *	POST /upload		count what came
 *	GET  /download/{n}	n bytes of zeros
 *
 *	curl -T big.iso -X POST http://127.0.0.1:3000/upload
 *	curl -o zeros http://127.0.0.1:3000/download/100000000
 */
#include <errno.h>
#include <nds.h>
#include <stdlib.h>

static char piece[65536];

static int
upload(struct nds_request *req, struct nds_response *res)
{
	json_int_t bytes = 0;
	ssize_t got;

	while ((got = nds_body_read(req, piece, sizeof(piece))) > 0)
		bytes += got; /* here a real sink would write them */
	if (got < 0)
		return -1; /* libnds answers by the cause: 413, 408 … */
	return nds_json(res, 201, json_pack("{s:I}", "bytes", bytes));
}

static int
download(struct nds_request *req, struct nds_response *res)
{
	static const char zeros[65536];
	const char *text = nds_param(req, "n");
	size_t now;
	long long left;
	char *end;

	errno = 0;
	left = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || left < 0)
		return nds_problem(res, 400, "%s is no number of bytes", text);
	if (nds_stream(res, 200, "application/octet-stream", left) != 0)
		return -1;
	for (; left > 0; left -= (long long)now) {
		now = left < (long long)sizeof(zeros) ? (size_t)left :
							sizeof(zeros);
		if (nds_write(res, zeros, now) != 0)
			return -1; /* the client has gone */
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("files", "1.0");
	struct nds_route *route = nds_route(app, "POST,PUT", "/upload", upload);

	nds_route_stream_body(route);
	nds_route_max_body(route, 0); /* no limit; the front has one */
	nds_route(app, "GET", "/download/{n}", download);
	return nds_run(app, argc, argv);
}
