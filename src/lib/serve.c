/* SPDX-License-Identifier: MIT */
/*
 * The loop of a worker.  libfcgi turns PARAMS that were checked before into an
 * environment and does nothing else: it never accepts, never writes, never
 * closes, and its signal handlers are replaced before they can matter.
 */
#include "lib/serve.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <fcgiapp.h>
#include <sched.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/accept.h"
#include "lib/app.h"
#include "lib/conn.h"
#include "lib/handle.h"
#include "lib/metric.h"
#include "proto/given.h"
#include "proto/tally.h"

/* The slot of a worker that runs without ndsd. */
#define ALONE_CAPTURE_BYTES 65536
#define ALONE_ANSWER_BYTES 65536
#define ALONE_RING_BYTES 4096

#define LISTEN_FD_LEAST 100 /* out of the way of what handlers may close */

/* ---- what ndsd gives ---------------------------------------------------- */

/* As given_fd(), but what is not given is -1. */
static int
fd_take(const char *variable, int *fd, struct nds_error *err)
{
	*fd = -1;
	return getenv(variable) == NULL ? 0 : given_fd(variable, fd, err);
}

static int
slot_open(struct worker *w, struct nds_error *err)
{
	int fd;

	if (fd_take(BOARD_ENV_SLOT, &fd, err) < 0)
		return -1;
	if (fd < 0)
		fd = board_slot_new(0, ALONE_CAPTURE_BYTES, ALONE_ANSWER_BYTES,
		    ALONE_RING_BYTES, err);
	if (fd < 0)
		return -1;
	w->slot = board_slot_map(fd, 1, err);
	close(fd);
	if (w->slot == NULL)
		return -1;
	tally_settle(w->slot); /* guardian and worker may have died together */
	w->slot->fd = -1;
	w->slot->state = SLOT_ACCEPTING;
	w->slot->worker_pid = getpid();
	w->slot->guardian_pid = 0;
	return 0;
}

static int
pool_open(struct worker *w, struct nds_error *err)
{
	if (getenv(BOARD_ENV_POOL) == NULL)
		return 0;
	w->pool = given_pool(0, err);
	return w->pool == NULL ? -1 : 0;
}

static int
shared_open(struct worker *w, struct nds_error *err)
{
	int fd, result;

	if (fd_take(SHARED_ENV, &fd, err) < 0)
		return -1;
	if (fd < 0)
		fd = shared_pool_new(&w->settings, err);
	if (fd < 0)
		return -1;
	result = shared_map(&w->shared, fd, 1, err);
	close(fd);
	return result;
}

/* Children of a handler inherit fd 0, so the listener must not stay there. */
static int
listener_move(struct worker *w, struct nds_error *err)
{
	int listening = 0, null;
	socklen_t bytes = sizeof(listening);

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening,
	    &bytes) < 0 || !listening)
		return error_set(err, "fd 0 is not a listening socket: run "
		    "this program under ndsd, spawn-fcgi or lighttpd's "
		    "bin-path");
	w->listen_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, LISTEN_FD_LEAST);
	if (w->listen_fd < 0)
		w->listen_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (w->listen_fd < 0)
		return error_sys(err, "cannot move the listener off fd 0");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return error_sys(err, "cannot open /dev/null");
	close(null);
	return 0;
}

int
worker_open(struct worker *w, struct nds_app *app, struct nds_error *err)
{
	memset(w, 0, sizeof(*w));
	w->app = app;
	w->listen_fd = -1;
	w->control_fd = -1;
	if (settings_load_environment(&w->settings, environ, err) < 0 ||
	    fd_take(BOARD_ENV_CONTROL, &w->control_fd, err) < 0 ||
	    slot_open(w, err) < 0 || pool_open(w, err) < 0 ||
	    shared_open(w, err) < 0 || listener_move(w, err) < 0)
		return -1;
	if (w->control_fd >= 0)
		place_note(&w->place, w->settings.runtime_dir, BOARD_APP,
		    w->pool, w->control_fd);
	unsetenv(BOARD_ENV_ROLE);
	app->settings = w->settings;
	app->slot = w->slot;
	app->pool = w->pool;
	app->shared = &w->shared;
	metric_open(app);
	return limits_open(app, err);
}

/* ---- one connection ----------------------------------------------------- */

static void
count(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

/* A connection that brought no request that could be read. */
static void
serve_refused(struct worker *w, struct conn *c)
{
	if (c->why == NULL || c->scan.aborted) {
		count(&w->slot->count.cancelled, 1);
		return;
	}
	count(&w->slot->count.bad_input, 1);
	if (c->refusal != 0) {
		handle_refusal(w->app, c, c->refusal, c->why);
		return;
	}
	count(&w->slot->count.bytes_in, c->received_bytes);
	nds_log(NDS_WARN, "bad FastCGI input (%s): closed", c->why);
}

/* Let libfcgi read PARAMS from from_fd.  They were checked, so a failure here
 * has its cause in libfcgi itself; it has then closed from_fd. */
static int
params_read(FCGX_Request *r, int from_fd)
{
	FCGX_InitRequest(r, -1, 0);
	r->ipcFd = from_fd;
	r->keepConnection = 1; /* or it closes the fd before it begins */
	return FCGX_Accept_r(r) == 0 && FCGX_GetError(r->in) == 0 ? 0 : -1;
}

static void
params_lost(struct conn *c, const FCGX_Request *r)
{
	if (r->ipcFd < 0 && c->feed_fd >= 0)
		c->feed_fd = -1;
	else if (r->ipcFd < 0)
		c->fd = -1;
	c->why = "libfcgi cannot read the PARAMS";
	c->refusal = c->fd < 0 ? 0 : 400;
}

static void
serve_request(struct worker *w, struct conn *c, int from_fd)
{
	FCGX_Request r;

	if (params_read(&r, from_fd) < 0) {
		params_lost(c, &r);
		serve_refused(w, c);
	} else if (FCGX_GetParam("REQUEST_METHOD", r.envp) == NULL) {
		conn_read_done(c);
		c->why = "no REQUEST_METHOD";
		c->refusal = 400;
		serve_refused(w, c);
	} else {
		conn_read_done(c);
		handle_request(w->app, c, r.envp);
	}
	r.ipcFd = -1;
	FCGX_Free(&r, 0);
	if (c->body.why != NULL) /* whoever read the body has said so */
		count(&w->slot->count.bad_input, 1);
}

/* Serve the request on c, of which from_fd (-1: it could not be read) is what
 * libfcgi reads. Returns -1 when the slot is no longer ours. */
static int
serve_open(struct worker *w, struct conn *c, int from_fd)
{
	int result;

	if (from_fd < 0)
		serve_refused(w, c);
	else
		serve_request(w, c, from_fd);
	result = conn_close(c);
	count(&w->slot->count.busy_us,
	    (uint64_t)(clock_us() - c->accepted_us));
	return result;
}

/* What the queue says of its oldest, at the moment at which that is taken. */
static void
note_wait(struct worker *w, struct conn *c)
{
	int64_t wait_ms;

	if (w->pool == NULL)
		return;
	wait_ms = atomic_load_explicit(&w->pool->queue_wait_ms,
	    memory_order_relaxed);
	c->waited_ms = wait_ms;
	if (wait_ms < 0)
		wait_ms = 0;
	count(&w->slot->queue_wait[board_latency_bucket(wait_ms * 1000)], 1);
	count(&w->slot->queue_wait_us, (uint64_t)wait_ms * 1000);
}

static int
serve_connection(struct worker *w, int fd, int is_probe)
{
	struct conn c;

	conn_open(&c, w->slot, fd, (int)w->settings.request_timeout_ms);
	c.is_probe = is_probe;
	if (is_probe)
		atomic_store(&w->slot->flags, SLOT_PROBE);
	else
		count(&w->slot->count.accepted, 1);
	if (!is_probe)
		note_wait(w, &c);
	return serve_open(w, &c, conn_read(&c));
}

/* Serve what the last worker of this slot died of, or with. */
static int
serve_resumed(struct worker *w)
{
	struct conn c;
	int result;

	conn_resume(&c, w->slot, (int)w->settings.request_timeout_ms);
	if (w->resume != RESCUE_CAPTURED)
		return serve_open(w, &c, conn_read(&c));
	result = serve_open(w, &c, conn_replay(&c));
	/* one that was refused before it came to its place holds it still */
	bulkhead_release(&w->shared, w->slot->number);
	return result;
}

/* ---- forks --------------------------------------------------------------- */

static const struct worker *serving;

/* A child of a handler that never execs must not hold our listener, or whoever
 * connects there once we are gone would wait for nobody; nor ndsd's socket,
 * whose EOF means that we are gone. */
static void
child_lets_go(void)
{
	close(serving->listen_fd);
	if (serving->control_fd >= 0)
		close(serving->control_fd);
}

/* ---- the worker --------------------------------------------------------- */

/* A worker that is woken must not push the front off the processor: the front
 * connects before it writes, so the worker would find nothing and sleep again.
 * As a batch process it runs when the front has paused, meets whole requests
 * and often several of them; bench/throughput shows what that is worth.  Its
 * children are not bound by it. */
static void
be_patient(void)
{
	struct sched_param none = {0};

	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK,
		    &none);
}

/* Where only a parent may look at a stack, ndsd's processes may at ours. */
static void
be_seen(const struct worker *w)
{
	int32_t main_pid =
	    w->pool == NULL ? 0 : atomic_load(&w->pool->main_pid);

	if (w->settings.slow_ms > 0 && main_pid > 0)
		prctl(PR_SET_PTRACER, (unsigned long)main_pid, 0, 0, 0);
}

static int
serve_start(struct worker *w, struct acceptor *a)
{
	struct nds_app *app = w->app;
	struct nds_error err;
	int result;

	serving = w;
	if (w->resume != RESCUE_CAPTURED) /* may still hold a place */
		bulkhead_release(&w->shared, w->slot->number);
	be_patient();
	be_seen(w);
	if (FCGX_Init() != 0 || conn_init() < 0 ||
	    pthread_atfork(NULL, NULL, child_lets_go) != 0) {
		nds_log(NDS_ERROR, "libfcgi cannot be initialised");
		return -1;
	}
	if (accept_open(a, w, &err) < 0) { /* after FCGX_Init's handlers */
		nds_log(NDS_ERROR, "%s", err.text);
		return -1;
	}
	metric_begin(app);
	result = app->start == NULL ? 0 : app->start(app->start_arg);
	if (result != 0)
		nds_log(NDS_ERROR, "the start hook failed with %d: this worker "
		    "ends", result);
	return result == 0 ? 0 : -1;
}

int
serve_run(struct worker *w)
{
	struct nds_app *app = w->app;
	struct acceptor a;
	int fd, is_probe;

	if (serve_start(w, &a) < 0)
		return 1;
	if (w->resume != RESCUE_NOTHING && serve_resumed(w) < 0)
		return 1;
	while ((fd = accept_next(&a, &is_probe)) >= 0)
		if (serve_connection(w, fd, is_probe) < 0)
			return 1;
	if (a.failed)
		nds_log(NDS_ERROR, "cannot accept (%s): this worker ends",
		    strerror(errno));
	if (app->stop != NULL)
		app->stop(app->stop_arg);
	accept_close(&a);
	w->slot->worker_pid = 0;
	return a.failed;
}
