/* SPDX-License-Identifier: MIT */
/*
 * The application's description and nds_run(), which chooses by the
 * environment what this process is: a worker, the health responder, the
 * shedder, or the process that runs the dependency checks.
 */
#include "lib/app.h"

#include <sys/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "helper/health.h"
#include "helper/shed.h"
#include "lib/call.h"
#include "lib/checks.h"
#include "lib/guardian.h"
#include "lib/handle.h"
#include "lib/journal.h"
#include "lib/metric.h"
#include "lib/serve.h"
#include "lib/trace.h"
#include "proto/exit.h"
#include "proto/order.h"

#define CHECK_TIMEOUT_MS 2000
#define CHECK_EVERY_MS 5000
#define CHECK_TIME_MAX_MS 3600000

/* The one that nds_run() serves; nds_generation() asks it. */
static const struct nds_app *running;

/* ---- description --------------------------------------------------------- */

/* Tell ndsd that a libnds program runs here, before its main(), which may take
 * its time: ndsd then waits for a served probe, not for a lived moment.
 * Whoever is between us and ndsd may have put another socket in that place. */
__attribute__((constructor)) static void
say_hello(void)
{
	const char *text = getenv(BOARD_ENV_CONTROL);
	int type = 0;
	socklen_t bytes = sizeof(type);
	int64_t fd;

	if (text != NULL && num_whole(text, 0, INT32_MAX, &fd) == 0 &&
	    getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
	    type == SOCK_SEQPACKET)
		order_send((int)fd, ORDER_HELLO, ORDER_VERSION, -1);
}

/* The first mistake is the one to report. */
static struct nds_error *
app_wrong(struct nds_app *app)
{
	return app->wrong.text[0] == '\0' ? &app->wrong : NULL;
}

struct nds_app *
nds_app_new(const char *name, const char *version)
{
	struct nds_app *app = calloc(1, sizeof(*app));
	struct nds_route *probe;

	if (app == NULL)
		return NULL;
	app->name = name == NULL ? "" : name;
	app->version = version == NULL ? "" : version;
	settings_default(&app->settings);
	app->router.wrong = &app->wrong;
	probe = nds_route(app, "GET", ORDER_PROBE_PATH, handle_probe);
	if (probe != NULL)
		probe->probe_only = 1;
	return app;
}

struct nds_route *
nds_route(struct nds_app *app, const char *methods, const char *pattern,
    nds_handler handler)
{
	if (app == NULL)
		return NULL;
	return router_add(&app->router, methods, pattern, handler,
	    app_wrong(app));
}

void
nds_route_stream_body(struct nds_route *route)
{
	if (route != NULL)
		route->stream_body = 1;
}

void
nds_route_idempotent(struct nds_route *route)
{
	if (route != NULL)
		route->idempotent = 1;
}

void
nds_route_deadline(struct nds_route *route, int ms)
{
	if (route == NULL)
		return;
	route->deadline_ms = ms < 1 ? 1 : ms;
	if (route->router->shortest_ms == 0 ||
	    route->router->shortest_ms > route->deadline_ms)
		route->router->shortest_ms = route->deadline_ms;
}

void
nds_route_cache(struct nds_route *route, int ttl_ms, int stale_ms,
    const char *vary)
{
	if (route == NULL)
		return;
	route->cache_ttl_ms = ttl_ms < 0 ? 0 : ttl_ms;
	route->cache_stale_ms = stale_ms < 0 ? 0 : stale_ms;
	route->cache_vary = vary == NULL ? "" : vary;
}

void
nds_route_max_body(struct nds_route *route, uint64_t bytes)
{
	if (route == NULL)
		return;
	route->has_max_body = 1;
	route->max_body = bytes;
}

void
nds_check(struct nds_app *app, const char *name, nds_check_fn check)
{
	nds_check_timed(app, name, check, CHECK_TIMEOUT_MS, CHECK_EVERY_MS);
}

static int
check_name_valid(const struct nds_app *app, const char *name)
{
	int i;

	if (name == NULL || *name == '\0' ||
	    strlen(name) >= sizeof(((struct board_check *)0)->name))
		return 0;
	for (i = 0; i < app->check_count; i++)
		if (strcmp(app->checks[i].name, name) == 0)
			return 0;
	return 1;
}

void
nds_check_timed(struct nds_app *app, const char *name, nds_check_fn check,
    int timeout_ms, int every_ms)
{
	struct app_check *c;

	if (app == NULL)
		return;
	if (!check_name_valid(app, name) || check == NULL) {
		error_set(app_wrong(app), "check %.70s: it needs a function "
		    "and a name of its own of 1..63 bytes",
		    name == NULL ? "(null)" : name);
		return;
	}
	if (timeout_ms < 1 || timeout_ms > CHECK_TIME_MAX_MS || every_ms < 1 ||
	    every_ms > CHECK_TIME_MAX_MS) {
		error_set(app_wrong(app), "check %s: its times must lie in "
		    "1..%d ms", name, CHECK_TIME_MAX_MS);
		return;
	}
	if (app->check_count == BOARD_CHECKS_MAX) {
		error_set(app_wrong(app), "check %s: there are %d already",
		    name, BOARD_CHECKS_MAX);
		return;
	}
	c = &app->checks[app->check_count++];
	*c = (struct app_check){name, check, timeout_ms, every_ms};
}

void
nds_on_start(struct nds_app *app, nds_hook start, void *arg)
{
	if (app == NULL)
		return;
	app->start = start;
	app->start_arg = arg;
}

void
nds_on_stop(struct nds_app *app, nds_hook stop, void *arg)
{
	if (app == NULL)
		return;
	app->stop = stop;
	app->stop_arg = arg;
}

/* ---- running ------------------------------------------------------------- */

const char *
nds_version(void)
{
	return NDS_VERSION;
}

uint32_t
nds_generation(void)
{
	if (running == NULL || running->pool == NULL || running->slot == NULL)
		return 0;
	return atomic_load_explicit(&running->slot->generation,
	    memory_order_relaxed);
}

static void
print_help(const struct nds_app *app)
{
	printf("usage: %s [--help | --version]\n\n"
	    "%s %s is a FastCGI application, served by libnds %s.  It takes\n"
	    "its listener from whoever starts it:\n\n"
	    "  ndsd -- %s\n"
	    "  spawn-fcgi -n -s /run/app.sock -- %s\n\n"
	    "Settings, from the environment:\n", app->name, app->name,
	    app->version, NDS_VERSION, app->name, app->name);
	settings_help(stdout);
}

/* Returns the exit status when the command line was all, -1 to go on. */
static int
run_arguments(const struct nds_app *app, int argc, char **argv)
{
	if (argc < 2)
		return -1;
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		print_help(app);
		return EXIT_DONE;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("%s %s\n", app->name, app->version);
		return EXIT_DONE;
	}
	fprintf(stderr, "%s: %s: unknown argument; try --help\n", app->name,
	    strcmp(argv[1], "--help") == 0 ||
		strcmp(argv[1], "--version") == 0 ? argv[2] : argv[1]);
	return EXIT_USAGE;
}

static int
run_worker(struct nds_app *app)
{
	struct nds_error err;
	struct worker w;

	if (worker_open(&w, app, &err) != 0) {
		fprintf(stderr, "%s: %s\n", app->name, err.text);
		return EXIT_REFUSED;
	}
	journal_open(&app->settings, app->pool == NULL ? NULL : app->slot,
	    &w.control_fd);
	snprintf(app->slot->service, sizeof(app->slot->service), "%s",
	    app->name);
	snprintf(app->slot->service_version,
	    sizeof(app->slot->service_version), "%s", app->version);
	trace_open(&app->settings, app->pool == NULL ? NULL : app->slot);
	if (w.control_fd >= 0 && app->check_count > 0)
		order_send(w.control_fd, ORDER_CHECKS,
		    (uint32_t)app->check_count, -1);
	if (w.settings.replay == SETTINGS_ON)
		return guardian_run(&w);
	return serve_run(&w);
}

static int
run_role(struct nds_app *app)
{
	const char *role = getenv(BOARD_ENV_ROLE);

	journal_open(&app->settings, NULL, NULL);
	if (role != NULL && strcmp(role, "health") == 0)
		return health_run(&app->settings);
	if (role != NULL && strcmp(role, "shed") == 0)
		return shed_run(&app->settings);
	if (role != NULL && strcmp(role, "checks") == 0)
		return checks_run(app);
	return run_worker(app);
}

static int
run(struct nds_app *app, int argc, char **argv)
{
	struct nds_error err;
	int status = run_arguments(app, argc, argv);

	if (status >= 0)
		return status;
	metric_check(app, app_wrong(app));
	if (app->wrong.text[0] != '\0') {
		fprintf(stderr, "%s: %s\n", app->name, app->wrong.text);
		return EXIT_REFUSED;
	}
	if (settings_load_environment(&app->settings, environ, &err) != 0) {
		fprintf(stderr, "%s: %s\n", app->name, err.text);
		return EXIT_SETTINGS;
	}
	running = app;
	status = run_role(app);
	running = NULL;
	return status;
}

int
nds_run(struct nds_app *app, int argc, char **argv)
{
	int status;

	if (app == NULL) {
		fputs("the application could not begin: no memory\n", stderr);
		return EXIT_REFUSED;
	}
	status = run(app, argc, argv);
	router_free(&app->router);
	upstream_free_all(app->upstreams);
	metric_free_all(app->metrics);
	free(app);
	return status;
}
