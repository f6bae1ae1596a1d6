/* SPDX-License-Identifier: MIT */
/*
 * The health responder's loop: many connections, one request each, answered at
 * once from the board.  It waits for nobody: a silent peer and one that never
 * reads cost a place until their time is over, and when all places are taken
 * the one that has been silent longest makes room.
 */
#include "lib/health.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "lib/app.h"
#include "lib/given.h"
#include "lib/place.h"
#include "lib/probe_answer.h"
#include "proto/exit.h"
#include "proto/order.h"

#define CLIENTS 256
#define ACCEPTS 16 /* of one turn */
#define IN_BYTES 16384
#define PEER_MS 5000   /* for its request; then again for our answer */
#define FINISH_MS 1000 /* what is under way when we are told to end */
#define LOOK_MS 100    /* for another ndsd, once ours is gone */
#define SHARED_MS 1000 /* for its own health responder to be there */

enum client_step { CLIENT_FREE, CLIENT_READING, CLIENT_WRITING, CLIENT_ENDING };

struct client {
	enum client_step step;
	int fd;
	int64_t deadline_ms; /* of this step */
	struct wire_scan scan;
	size_t in_used;
	uint8_t *out; /* the answer */
	size_t out_bytes, out_sent;
	uint8_t in[IN_BYTES];
};

struct health {
	int epoll_fd, listen_fd, control_fd;
	int64_t finish_ms; /* leave by then; 0 = nobody has told us to */
	int orphaned;	   /* ndsd is gone: serve until another has come */
	struct place place;
	struct report report;
	struct slot *mapped[BOARD_SLOTS_MAX];
	struct client client[CLIENTS];
};

/* What an epoll event belongs to: a client's number, or one of these. */
enum { EVENT_LISTENER = CLIENTS, EVENT_CONTROL };

static volatile sig_atomic_t told_to_end;

static void
on_signal(int sig)
{
	(void)sig;
	told_to_end = 1;
}

static int
watch(struct health *h, int op, int fd, uint32_t events, uint64_t what)
{
	struct epoll_event event = {.events = events, .data.u64 = what};

	return epoll_ctl(h->epoll_fd, op, fd, &event);
}

/* ---- clients ------------------------------------------------------------- */

static void
client_close(struct client *c)
{
	if (c->step == CLIENT_FREE)
		return;
	close(c->fd); /* leaves epoll by that */
	free(c->out);
	c->out = NULL;
	c->step = CLIENT_FREE;
}

static void
client_step(struct client *c, enum client_step step)
{
	c->step = step;
	c->deadline_ms = clock_ms() + PEER_MS;
}

/* The answer is out.  What the peer still sends is taken until it closes:
 * closing over unread bytes would reset the answer away. */
static void
client_end(struct health *h, struct client *c)
{
	if (c->scan.body_ended) {
		client_close(c);
		return;
	}
	watch(h, EPOLL_CTL_MOD, c->fd, EPOLLIN, (uint64_t)(c - h->client));
	shutdown(c->fd, SHUT_WR);
	client_step(c, CLIENT_ENDING);
}

static void
client_write(struct health *h, struct client *c)
{
	ssize_t sent;

	while (c->out_sent < c->out_bytes) {
		sent = send(c->fd, c->out + c->out_sent,
		    c->out_bytes - c->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			watch(h, EPOLL_CTL_MOD, c->fd, EPOLLOUT,
			    (uint64_t)(c - h->client));
			return;
		}
		if (sent < 0) {
			client_close(c);
			return;
		}
		c->out_sent += (size_t)sent;
	}
	client_end(h, c);
}

static void
client_answer(struct health *h, struct client *c)
{
	h->report.now_ms = clock_ms();
	c->out = probe_answer(&h->report, &c->scan, c->in, &c->out_bytes);
	c->out_sent = 0;
	if (c->out == NULL) {
		log_errorx("health: no memory for an answer");
		client_close(c);
		return;
	}
	client_step(c, CLIENT_WRITING);
	client_write(h, c);
}

/* Look at what has come: the answer needs PARAMS alone, whatever the body. */
static void
client_look(struct health *h, struct client *c)
{
	enum wire_verdict verdict = wire_scan(&c->scan, c->in, c->in_used,
	    IN_BYTES);

	if (verdict == WIRE_BAD) {
		log_info("health: a connection is refused: %s",
		    c->scan.why != NULL ? c->scan.why : "no FastCGI request");
		client_close(c);
	} else if (verdict == WIRE_WHOLE || c->scan.params_ended) {
		client_answer(h, c);
	} else if (c->in_used == IN_BYTES) {
		log_info("health: a connection is refused: more than %d bytes",
		    IN_BYTES);
		client_close(c);
	}
}

static void
client_read(struct health *h, struct client *c)
{
	ssize_t got = recv(c->fd, c->in + c->in_used, IN_BYTES - c->in_used,
	    MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		client_close(c);
		return;
	}
	c->in_used += (size_t)got;
	client_look(h, c);
}

/* Throw away what still comes behind our answer. */
static void
client_drain(struct client *c)
{
	ssize_t got = recv(c->fd, c->in, IN_BYTES, MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		client_close(c);
}

static void
client_ready(struct health *h, struct client *c)
{
	switch (c->step) {
	case CLIENT_READING:
		client_read(h, c);
		break;
	case CLIENT_WRITING:
		client_write(h, c);
		break;
	case CLIENT_ENDING:
		client_drain(c);
		break;
	case CLIENT_FREE:
		break;
	}
}

/* A free place; if there is none, that of the oldest silent peer, or of the
 * oldest of all when every one of them has said something. */
static struct client *
client_place(struct health *h)
{
	struct client *oldest = NULL, *silent = NULL, *c;

	for (c = h->client; c < h->client + CLIENTS; c++) {
		if (c->step == CLIENT_FREE)
			return c;
		if (oldest == NULL || c->deadline_ms < oldest->deadline_ms)
			oldest = c;
		if (c->step == CLIENT_READING && (silent == NULL ||
		    c->deadline_ms < silent->deadline_ms))
			silent = c;
	}
	c = silent != NULL ? silent : oldest;
	client_close(c);
	return c;
}

static void
client_open(struct health *h, int fd)
{
	struct client *c = client_place(h);

	c->fd = fd;
	c->in_used = 0;
	memset(&c->scan, 0, sizeof(c->scan));
	client_step(c, CLIENT_READING);
	if (watch(h, EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)(c - h->client)) < 0)
		client_close(c);
	else
		client_read(h, c); /* its request is mostly there already */
}

/* Take connections that wait, at most so many: a peer that comes back at once
 * must not keep orders waiting.  Out of descriptors, a place is cleared for
 * the next turn. */
static void
listener_ready(struct health *h, int most)
{
	int fd;

	for (int i = 0; i < most; i++) {
		fd = accept4(h->listen_fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			client_open(h, fd);
		else if (errno == EMFILE || errno == ENFILE)
			client_place(h);
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
	watch(h, EPOLL_CTL_DEL, h->listen_fd, 0, 0);
	h->finish_ms = clock_ms() + FINISH_MS;
}

static void
slot_take(struct health *h, uint32_t number, int fd)
{
	struct nds_error err;
	struct slot *s;

	if (number >= BOARD_SLOTS_MAX || fd < 0)
		return;
	s = board_slot_map(fd, 0, &err);
	if (s == NULL) {
		log_errorx("health: slot %u: %s", number, err.text);
		return;
	}
	board_unmap(h->mapped[number]);
	h->mapped[number] = s;
	h->report.slot[number] = s;
}

static void
control_ready(struct health *h)
{
	struct order order;
	int fd, got;

	while ((got = order_recv(h->control_fd, &order, &fd)) == 1) {
		if (order.type == ORDER_SLOT)
			slot_take(h, order.value, fd);
		if (order.type == ORDER_RETIRE)
			finish(h);
		if (fd >= 0)
			close(fd);
	}
	if (got == 0) { /* ndsd is gone, keeper and all */
		watch(h, EPOLL_CTL_DEL, h->control_fd, 0, 0);
		h->orphaned = 1;
	}
}

/* ---- loop ---------------------------------------------------------------- */

/* Close who is overdue; returns the next deadline, 0 = none. */
static int64_t
expire(struct health *h)
{
	int64_t now = clock_ms(), next = h->finish_ms;

	for (struct client *c = h->client; c < h->client + CLIENTS; c++) {
		if (c->step == CLIENT_FREE)
			continue;
		if (c->deadline_ms <= now)
			client_close(c);
		else if (next == 0 || c->deadline_ms < next)
			next = c->deadline_ms;
	}
	return next;
}

static int
is_done(const struct health *h)
{
	if (h->finish_ms == 0)
		return 0;
	for (int i = 0; i < CLIENTS; i++)
		if (h->client[i].step != CLIENT_FREE)
			return clock_ms() >= h->finish_ms;
	return 1;
}

static void
dispatch(struct health *h, uint64_t what)
{
	if (what < CLIENTS)
		client_ready(h, &h->client[what]);
	else if (what == EVENT_LISTENER)
		listener_ready(h, ACCEPTS);
	else
		control_ready(h);
}

/* How long to wait, in ms. */
static int
patience(struct health *h)
{
	int64_t next = expire(h);
	int wait = next == 0 ? -1 : clock_left(next, INT_MAX);

	return h->orphaned && (wait < 0 || wait > LOOK_MS) ? LOOK_MS : wait;
}

static void
serve(struct health *h)
{
	struct epoll_event events[64];
	sigset_t waiting;
	int count;

	sigemptyset(&waiting);
	while (!is_done(h)) {
		count = epoll_pwait(h->epoll_fd, events, 64, patience(h),
		    &waiting);
		for (int i = 0; i < count; i++)
			dispatch(h, events[i].data.u64);
		if (told_to_end ||
		    (h->orphaned && place_is_over(&h->place, SHARED_MS)))
			finish(h);
	}
}

/* ---- beginning and end --------------------------------------------------- */

/* Off fd 0, where anything that reads standard input would meet it. */
static int
listener_take(struct health *h, struct nds_error *err)
{
	int on, null_fd;
	socklen_t bytes = sizeof(on);

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &on, &bytes)
	    < 0 || on == 0)
		return error_set(err, "fd 0 is no listening socket");
	h->listen_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (h->listen_fd < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		return error_sys(err, "cannot move the listener");
	close(null_fd);
	on = fcntl(h->listen_fd, F_GETFL);
	if (fcntl(h->listen_fd, F_SETFL, on | O_NONBLOCK) < 0)
		return error_sys(err, "cannot use the listener");
	return 0;
}

static void
signals_set(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	sig_async_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = SIG_IGN; /* the group's, not meant for us */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
}

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
health_open(struct health *h, const struct nds_app *app,
    struct nds_error *err)
{
	h->report.pool = given_pool(0, err);
	if (h->report.pool == NULL ||
	    given_fd(BOARD_ENV_CONTROL, &h->control_fd, err) < 0 ||
	    shared_take(h, err) < 0 || listener_take(h, err) < 0)
		return -1;
	place_note(&h->place, app->settings.runtime_dir, "health.sock",
	    h->control_fd);
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (h->epoll_fd < 0 ||
	    watch(h, EPOLL_CTL_ADD, h->listen_fd, EPOLLIN, EVENT_LISTENER) ||
	    watch(h, EPOLL_CTL_ADD, h->control_fd, EPOLLIN, EVENT_CONTROL))
		return error_sys(err, "cannot wait for connections");
	signals_set();
	return 0;
}

int
health_run(struct nds_app *app)
{
	struct health *h = calloc(1, sizeof(*h));
	struct nds_error err;

	if (h == NULL || health_open(h, app, &err) < 0) {
		log_errorx("health responder: %s",
		    h == NULL ? "no memory" : err.text);
		free(h);
		return EXIT_REFUSED;
	}
	serve(h);
	for (int i = 0; i < CLIENTS; i++)
		client_close(&h->client[i]);
	for (int i = 0; i < BOARD_SLOTS_MAX; i++)
		board_unmap(h->mapped[i]);
	free(h);
	return EXIT_DONE;
}
