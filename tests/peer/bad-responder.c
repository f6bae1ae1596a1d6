/* SPDX-License-Identifier: MIT */
/*
 * Responders that misbehave, one way an argument:
 *
 *	exit		ends at once with status 3
 *	late FILE	(libnds) its main() has first to read a FIFO to its end
 *	never-ready	(libnds) its start hook never returns
 *	start-fails	(libnds) its start hook fails
 *	forks		(libnds) each request leaves an orphan behind
 *	stderr		(libnds) writes lines to stderr as it starts and serves
 *	ignore-term	(libnds) ignores SIGTERM
 *	check-fails	(libnds) its dependency check fails
 *
 * `/hang` of those with libnds never returns; `/short` neither, but has a
 * deadline of its own of 300 ms.  `/held`, too, never returns, and two may run
 * at once; `/brief`, one at once, has a deadline of 300 ms.  `/turn`, one at
 * once, is well.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/nds.h"

static int
hang(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static int
fails(void *arg)
{
	(void)arg;
	return 1;
}

/* The wait for the next request ends it. */
static int
dies_soon(void *arg)
{
	static const struct itimerval soon = {{0, 0}, {0, 500000}};

	(void)arg;
	return setitimer(ITIMER_REAL, &soon, NULL);
}

static int
check_fails(char *message, size_t bytes)
{
	snprintf(message, bytes, "the database is asleep");
	return 1;
}

static int
show(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_text(res, 200, "bad but here\n");
}

static int
show_hang(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	(void)res;
	return hang(NULL);
}

/* The child of a child: once both have ended, the orphan waits for a reaper. */
static int
show_orphan(struct nds_request *req, struct nds_response *res)
{
	pid_t child = fork();

	(void)req;
	if (child == 0) {
		if (fork() == 0)
			_exit(0);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	return nds_text(res, 200, "forked\n");
}

static int
show_stderr(struct nds_request *req, struct nds_response *res)
{
	fprintf(stderr, "words on stderr of %s\n", nds_path(req));
	return nds_text(res, 200, "spoken\n");
}

static void
wait_for_end(const char *path)
{
	FILE *in = fopen(path, "r");

	while (in != NULL && getc(in) != EOF)
		continue;
	if (in != NULL)
		fclose(in);
}

static int
app(const char *how, int argc, char **argv)
{
	struct nds_app *a = nds_app_new("bad-responder", "1.0");
	struct nds_route *brief;

	nds_route(a, "GET", "/hang", show_hang);
	nds_route_deadline(nds_route(a, "GET", "/short", show_hang), 300);
	nds_route_limit(nds_route(a, "GET,POST", "/held", show_hang), "held",
	    2);
	brief = nds_route(a, "GET", "/brief", show_hang);
	nds_route_deadline(brief, 300);
	nds_route_limit(brief, "brief", 1);
	nds_route_limit(nds_route(a, "GET", "/turn", show), "turn", 1);
	nds_route(a, "GET", "/orphan", show_orphan);
	nds_route(a, "GET", "/stderr", show_stderr);
	nds_route(a, "GET", "/", show);
	if (strcmp(how, "never-ready") == 0)
		nds_on_start(a, hang, NULL);
	else if (strcmp(how, "start-fails") == 0)
		nds_on_start(a, fails, NULL);
	else if (strcmp(how, "dies-soon") == 0)
		nds_on_start(a, dies_soon, NULL);
	else if (strcmp(how, "stderr") == 0)
		fprintf(stderr, "words on stderr at start\n");
	else if (strcmp(how, "ignore-term") == 0)
		signal(SIGTERM, SIG_IGN);
	else if (strcmp(how, "check-fails") == 0)
		nds_check_timed(a, "database", check_fails, 1000, 200);
	argc = 1; /* nds_run() knows nothing of our arguments */
	return nds_run(a, argc, argv);
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (strcmp(how, "exit") == 0)
		return 3;
	if (argc < 2)
		return 2;
	if (strcmp(how, "late") == 0 && argc > 2)
		wait_for_end(argv[2]);
	return app(how, argc, argv);
}
