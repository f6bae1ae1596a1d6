/* SPDX-License-Identifier: MIT */
/*
 * Accepting costs one system call while there is work: accept4 first, and only
 * on an empty queue a wait, in epoll with EPOLLEXCLUSIVE, because a plain poll
 * would wake every idle worker.  A wake-up can die with the worker it woke, so
 * no wait is longer than IDLE_MS.  On a busy pool that wait is never reached:
 * signals and orders are then looked for every GLANCE_TURNS connections or
 * GLANCE_MS, whichever comes first.
 */
#include "lib/accept.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sig.h"
#include "lib/nds.h"
#include "proto/order.h"

#define IDLE_MS 100
#define LOW_FDS 3
#define GLANCE_TURNS 16
#define GLANCE_MS 50
#define PAUSE_MS 1000	  /* out of fds or memory */
#define RETIRE_MS 1000	  /* others serve on: leave even a full queue */

static volatile sig_atomic_t told_to_retire;

static void
note_retire(int sig)
{
	(void)sig;
	told_to_retire = 1;
}

static void
catch_with(int sig, void (*handler)(int))
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = handler;
	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

/* Synchronous signals stay as they are: a blocked SIGSEGV would skip the
 * application's own crash handler. */
static void
signals_take(struct acceptor *a)
{
	sigset_t async;

	sig_async_set(&async);
	sigprocmask(SIG_BLOCK, &async, &a->open_mask);
	sigdelset(&a->open_mask, SIGTERM);
	sigdelset(&a->open_mask, SIGUSR1);
	catch_with(SIGPIPE, SIG_IGN);
	catch_with(SIGTERM, note_retire);
	catch_with(SIGUSR1, note_retire);
	catch_with(SIGINT, a->worker->control_fd < 0 ? note_retire : SIG_IGN);
}

/* ---- leaving ------------------------------------------------------------ */

/* Out of epoll first: a wake-up that comes from here on goes to another
 * worker, and what is in the queue already is served before leaving.  A queue
 * that never gets empty is left to the workers that stay or, where the listener
 * outlives ndsd, to those that will come, once they have had time to come back
 * to it; where there may be none, it gets all the time that a stop has. */
static void
retire(struct acceptor *a)
{
	const struct worker *w = a->worker;
	int others = w->pool != NULL &&
	    (a->orphaned ? w->place.shared
			 : !w->pool->stopping || w->pool->door_stays);

	if (a->retiring)
		return;
	a->retiring = 1;
	epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, w->listen_fd, NULL);
	a->leave_ms = clock_ms() +
	    (others ? RETIRE_MS : w->settings.shutdown_timeout_ms);
}

/* ---- orders ------------------------------------------------------------- */

static void
order_obey(struct acceptor *a, const struct order *order, int fd)
{
	if (order->type == ORDER_PROBE && fd >= 0) {
		a->probe_fd = fd;
		a->proved = 1;
		return;
	}
	if (order->type == ORDER_RETIRE)
		retire(a);
	if (fd >= 0)
		close(fd);
}

/* Read orders, at most up to a probe: that is served first. */
static void
orders_take(struct acceptor *a)
{
	struct worker *w = a->worker;
	struct order order;
	int fd, got;

	while (w->control_fd >= 0 && !a->orphaned && a->probe_fd < 0) {
		got = order_recv(w->control_fd, &order, &fd);
		if (got > 0) {
			order_obey(a, &order, fd);
			continue;
		}
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0 && errno == EPROTO)
			continue;
		/* not closed: the next worker of this slot would take what
		 * gets its number, perhaps a front's connection, for it */
		epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, w->control_fd, NULL);
		a->orphaned = 1;
	}
}

/* ---- waiting ------------------------------------------------------------ */

/* ndsd is gone: serve on, until another has come; or, when it was stopping,
 * for as long as its drain could have lasted. */
static void
orphan_look(struct acceptor *a)
{
	struct worker *w = a->worker;
	int stops = w->pool != NULL && w->pool->stopping;

	if (a->orphaned && !a->retiring &&
	    place_is_over(&w->place, w->settings.start_timeout_ms,
		stops ? w->settings.drain_max_ms : -1))
		retire(a);
}

/* Behind each wait that has let signals in. */
static void
looked(struct acceptor *a)
{
	if (told_to_retire)
		retire(a);
	orphan_look(a);
	a->turns = 0;
	a->glanced_ms = clock_ms();
}

/* Let signals and orders in without the listener, for at most timeout_ms.
 * (With nothing to wait for, epoll_pwait(2) lets no signal in; ppoll(2)
 * does.) */
static void
glance(struct acceptor *a, int timeout_ms)
{
	struct timespec ts = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	struct pollfd p = {a->orphaned ? -1 : a->worker->control_fd, POLLIN, 0};

	if (ppoll(&p, 1, &ts, &a->open_mask) > 0)
		orders_take(a);
	looked(a);
}

static int
glance_due(struct acceptor *a)
{
	return ++a->turns >= GLANCE_TURNS ||
	    clock_ms() - a->glanced_ms >= GLANCE_MS;
}

static void
idle(struct acceptor *a)
{
	struct epoll_event events[2];
	int n;

	n = epoll_pwait(a->epoll_fd, events, 2, IDLE_MS, &a->open_mask);
	for (int i = 0; i < n; i++)
		if (events[i].data.fd == a->worker->control_fd)
			orders_take(a);
	looked(a);
}

static int
watch(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event e;

	memset(&e, 0, sizeof(e));
	e.events = events;
	e.data.fd = fd;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

int
accept_open(struct acceptor *a, struct worker *w, struct nds_error *err)
{
	int flags = fcntl(w->listen_fd, F_GETFL);

	memset(a, 0, sizeof(*a));
	a->worker = w;
	a->probe_fd = -1;
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (a->epoll_fd < 0 || flags < 0 ||
	    fcntl(w->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    watch(a->epoll_fd, w->listen_fd, EPOLLIN | EPOLLEXCLUSIVE) < 0 ||
	    (w->control_fd >= 0 &&
	    watch(a->epoll_fd, w->control_fd, EPOLLIN) < 0))
		return error_sys(err, "cannot wait for connections");
	a->proved = w->control_fd < 0 || w->successor;
	signals_take(a);
	if (w->leaving)
		retire(a);
	return 0;
}

void
accept_close(struct acceptor *a)
{
	if (a->probe_fd >= 0)
		close(a->probe_fd);
	if (a->epoll_fd >= 0)
		close(a->epoll_fd);
}

/* A handler has closed one of the standard descriptors, and this connection got
 * its number: whoever writes to stderr would write to the front. */
static int
move_up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, LOW_FDS), null = -1;

	if (high < 0)
		return fd;
	close(fd);
	do
		null = open("/dev/null", O_RDWR);
	while (null >= 0 && null < LOW_FDS);
	if (null >= LOW_FDS)
		close(null);
	return high;
}

/* ---- the next connection ------------------------------------------------ */

/* accept4 failed. Returns -1 when it is time to leave. */
static int
accept_failed(struct acceptor *a)
{
	switch (errno) {
	case EAGAIN:
		if (a->retiring)
			return -1;
		idle(a);
		return 0;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		nds_log(NDS_ERROR, "cannot accept (%s): trying again within "
		    "a second", strerror(errno));
		glance(a, PAUSE_MS);
		return 0;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
	case EFAULT:
		a->failed = 1;
		return -1;
	}
	return 0; /* ECONNABORTED and its like: one connection, gone again */
}

/* The readiness request comes first: a long one, taken before it, would let
 * the start run into its deadline and die of it. */
static void
await_proof(struct acceptor *a)
{
	glance(a, IDLE_MS);
	if (a->retiring || a->worker->control_fd < 0)
		a->proved = 1;
}

int
accept_next(struct acceptor *a, int *is_probe)
{
	int fd;

	*is_probe = 0;
	if (glance_due(a))
		glance(a, 0);
	for (;;) {
		if (a->probe_fd >= 0) {
			fd = a->probe_fd;
			a->probe_fd = -1;
			*is_probe = 1;
			return fd;
		}
		if (a->retiring && clock_ms() >= a->leave_ms)
			return -1;
		if (!a->proved) {
			await_proof(a);
			continue;
		}
		fd = accept4(a->worker->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd < LOW_FDS ? move_up(fd) : fd;
		if (accept_failed(a) < 0)
			return -1;
	}
}
