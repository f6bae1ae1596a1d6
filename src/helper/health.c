/* SPDX-License-Identifier: MIT */
/*
 * The health responder's loop: each connection is answered at once from the
 * board.  It waits for nobody (clients.h).
 */
#include "helper/health.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "helper/clients.h"
#include "helper/history.h"
#include "helper/place.h"
#include "helper/probe_answer.h"
#include "helper/role.h"
#include "proto/exit.h"
#include "proto/given.h"

#define ACCEPTS 16 /* of one turn */
#define PEER_MS 5000   /* for its request; then again for our answer */
#define FINISH_MS 1000 /* what is under way when we are told to end */
#define LOOK_MS 100    /* for another ndsd, once ours is gone */
#define SHARED_MS 1000 /* for its own health responder to be there */

struct health {
	struct role role;
	int64_t finish_ms; /* leave by then; 0 = nobody has told us to */
	int orphaned;	   /* ndsd is gone: serve until another has come, */
	int64_t stop_ms;   /* or for so long when it was stopping */
	struct place place;
	struct report report;
	struct history history;
	struct clients clients;
};

/* What an epoll event belongs to: a client's number, or one of these. */
enum { EVENT_LISTENER = CLIENTS, EVENT_CONTROL };

static uint8_t *
health_answer(void *arg, const struct client *c, size_t *bytes)
{
	struct health *h = arg;

	h->report.now_ms = clock_ms();
	return probe_answer(&h->report, &c->scan, c->in, bytes);
}

/* Take connections that wait, at most so many: a peer that comes back at once
 * must not keep orders waiting.  Out of descriptors, a place is cleared for
 * the next turn. */
static void
listener_ready(struct health *h, int most)
{
	int fd;

	for (int i = 0; i < most; i++) {
		fd = accept4(h->role.listen_fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			clients_add(&h->clients, fd, 0);
		else if (errno == EMFILE || errno == ENFILE)
			clients_make_room(&h->clients);
		else if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

/* ---- orders -------------------------------------------------------------- */

static void
finish(struct health *h)
{
	if (h->finish_ms != 0)
		return;
	listener_ready(h, CLIENTS);
	clients_watch(&h->clients, EPOLL_CTL_DEL, h->role.listen_fd, 0, 0);
	h->finish_ms = clock_ms() + FINISH_MS;
}

static void
control_ready(struct health *h)
{
	struct order order;
	int got;

	while ((got = role_order(&h->role, &order)) == 1)
		if (order.type == ORDER_RETIRE)
			finish(h);
	history_slots(&h->history, &h->report);
	if (got == 0) { /* ndsd is gone, keeper and all */
		clients_watch(&h->clients, EPOLL_CTL_DEL, h->role.control_fd, 0,
		    0);
		h->orphaned = h->report.orphaned = 1;
	}
}

/* ---- loop ---------------------------------------------------------------- */

static int
is_done(const struct health *h)
{
	return h->finish_ms != 0 && (!clients_any(&h->clients) ||
	    clock_ms() >= h->finish_ms);
}

static void
dispatch(struct health *h, uint64_t what)
{
	if (what < CLIENTS)
		clients_ready(&h->clients, what);
	else if (what == EVENT_LISTENER)
		listener_ready(h, ACCEPTS);
	else
		control_ready(h);
}

/* How long to wait, in ms. */
static int
patience(struct health *h)
{
	int64_t next = clients_expire(&h->clients);
	int wait;

	if (h->finish_ms != 0 && (next == 0 || h->finish_ms < next))
		next = h->finish_ms;
	if (next == 0 || h->history.next_ms < next)
		next = h->history.next_ms;
	wait = clock_left(next, INT_MAX);
	return h->orphaned && wait > LOOK_MS ? LOOK_MS : wait;
}

static int
is_over(struct health *h)
{
	return h->orphaned &&
	    place_is_over(&h->place, SHARED_MS,
		h->role.pool->stopping ? h->stop_ms : -1);
}

static void
serve(struct health *h)
{
	struct epoll_event events[64];
	int count;

	while (!is_done(h)) {
		h->report.now_ms = clock_ms();
		history_look(&h->history, &h->report);
		count = epoll_pwait(h->clients.epoll_fd, events, 64,
		    patience(h), role_mask());
		for (int i = 0; i < count; i++)
			dispatch(h, events[i].data.u64);
		if (role_told_to_end() || is_over(h))
			finish(h);
	}
}

/* ---- beginning and end --------------------------------------------------- */

/* What is not given is not shown. */
static int
shared_take(struct health *h, struct nds_error *err)
{
	int fd, result;

	if (getenv(SHARED_ENV) == NULL)
		return 0;
	if (given_fd(SHARED_ENV, &fd, err) < 0)
		return -1;
	result = shared_map(&h->report.shared, fd, 0, err);
	close(fd);
	return result;
}

static int
health_open(struct health *h, const struct settings *set,
    struct nds_error *err)
{
	struct clients *c = &h->clients;
	struct role *r = &h->role;
	int flags;

	if (role_open(r, 0, err) < 0 || shared_take(h, err) < 0)
		return -1;
	h->stop_ms = set->drain_max_ms;
	place_note(&h->place, set->runtime_dir, BOARD_HEALTH, r->pool,
	    r->control_fd);
	flags = fcntl(r->listen_fd, F_GETFL);
	if (fcntl(r->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_sys(err, "cannot use the listener");
	h->report.pool = r->pool;
	h->report.slot = r->slot;
	h->report.history = &h->history;
	c->name = "health";
	c->peer_ms = PEER_MS;
	c->answer = health_answer;
	c->arg = h;
	if (clients_open(c) < 0 ||
	    clients_watch(c, EPOLL_CTL_ADD, r->listen_fd, EPOLLIN,
		EVENT_LISTENER) < 0 ||
	    clients_watch(c, EPOLL_CTL_ADD, r->control_fd, EPOLLIN,
		EVENT_CONTROL) < 0)
		return error_sys(err, "cannot wait for connections");
	return 0;
}

int
health_run(const struct settings *set)
{
	struct health *h = calloc(1, sizeof(*h));
	struct nds_error err;

	if (h == NULL || health_open(h, set, &err) < 0) {
		log_errorx("health responder: %s",
		    h == NULL ? "no memory" : err.text);
		free(h);
		return EXIT_REFUSED;
	}
	serve(h);
	clients_close(&h->clients);
	role_close(&h->role);
	free(h);
	return EXIT_DONE;
}
