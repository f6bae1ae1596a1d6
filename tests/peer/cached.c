/* SPDX-License-Identifier: MIT */
/*
 * An application with a cached route, for cache.t.  Each run of its handler
 * appends a line with its pid to the file "runs" of the directory that
 * CACHED_DIRECTORY names, and waits for a writer where that has a fifo "gate".
 * Its version stands in the file "version".
 *
 *	GET /cached	fresh for 1 s, then stale for 60 s; vary by X-Kind
 *	GET /long	the same handler, fresh for 60 s
 *	GET /fails	cached, but it fails
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/nds.h"

static char version[32] = "none";

/* Returns how many runs there were with this one. */
static int
note_run(void)
{
	int fd = open("runs", O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
	char line[32];
	int bytes = snprintf(line, sizeof(line), "%7d\n", (int)getpid());
	off_t end;

	if (write(fd, line, (size_t)bytes) != bytes)
		return -1;
	end = lseek(fd, 0, SEEK_CUR);
	close(fd);
	return (int)(end / bytes);
}

static int
show(struct nds_request *req, struct nds_response *res)
{
	int run = note_run(), gate;
	char text[128];

	(void)req;
	gate = open("gate", O_RDONLY | O_CLOEXEC);
	if (gate >= 0)
		close(gate);
	snprintf(text, sizeof(text), "run %d of version %s\n", run, version);
	return nds_text(res, 200, text);
}

static int
fail(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	note_run();
	return nds_problem(res, 500, "as asked");
}

int
main(int argc, char **argv)
{
	const char *directory = getenv("CACHED_DIRECTORY");
	struct nds_app *app;
	FILE *in;

	if (directory == NULL || chdir(directory) < 0)
		return 1;
	in = fopen("version", "re");
	if (in != NULL) {
		if (fscanf(in, "%31s", version) != 1)
			strcpy(version, "none");
		fclose(in);
	}
	app = nds_app_new("cached", version);
	nds_route_cache(nds_route(app, "GET", "/cached", show), 1000, 60000,
	    "X-Kind");
	nds_route_cache(nds_route(app, "GET", "/fails", fail), 1000, 60000,
	    NULL);
	nds_route_cache(nds_route(app, "GET", "/long", show), 60000, 0, NULL);
	return nds_run(app, argc, argv);
}
