/* SPDX-License-Identifier: MIT */
#include "helper/clients.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

int
clients_open(struct clients *all)
{
	all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return all->epoll_fd < 0 ? -1 : 0;
}

int
clients_watch(const struct clients *all, int op, int fd, uint32_t events,
    uint64_t what)
{
	struct epoll_event event = {.events = events, .data.u64 = what};

	return epoll_ctl(all->epoll_fd, op, fd, &event);
}

static int
client_watch(const struct clients *all, int op, const struct client *c,
    uint32_t events)
{
	return clients_watch(all, op, c->fd, events,
	    (uint64_t)(c - all->client));
}

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
client_step(const struct clients *all, struct client *c,
    enum client_step step)
{
	c->step = step;
	c->deadline_ms = clock_ms() + all->peer_ms;
}

/* The answer is out.  What the peer still sends is taken until it closes:
 * closing over unread bytes would reset the answer away. */
static void
client_end(struct clients *all, struct client *c)
{
	if (c->scan.body_ended) {
		client_close(c);
		return;
	}
	client_watch(all, EPOLL_CTL_MOD, c, EPOLLIN);
	shutdown(c->fd, SHUT_WR);
	client_step(all, c, CLIENT_ENDING);
}

static void
client_write(struct clients *all, struct client *c)
{
	ssize_t sent;

	while (c->out_sent < c->out_bytes) {
		sent = send(c->fd, c->out + c->out_sent,
		    c->out_bytes - c->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			client_watch(all, EPOLL_CTL_MOD, c, EPOLLOUT);
			return;
		}
		if (sent < 0) {
			client_close(c);
			return;
		}
		c->out_sent += (size_t)sent;
	}
	client_end(all, c);
}

static void
client_answer(struct clients *all, struct client *c)
{
	c->out = all->answer(all->arg, c, &c->out_bytes);
	c->out_sent = 0;
	if (c->out == NULL) {
		log_errorx("%s: no memory for an answer", all->name);
		client_close(c);
		return;
	}
	client_step(all, c, CLIENT_WRITING);
	client_write(all, c);
}

/* More PARAMS than there is room for: what is known must do. */
static int
is_large(const struct client *c)
{
	return c->scan.begun && !c->scan.params_ended &&
	    (c->scan.oversized || c->in_used == CLIENT_BYTES);
}

/* Look at what has come: the answer needs PARAMS alone, whatever the body. */
static void
client_look(struct clients *all, struct client *c)
{
	enum wire_verdict verdict = wire_scan(&c->scan, c->in, c->in_used,
	    CLIENT_BYTES);

	if (verdict == WIRE_WHOLE ||
	    (verdict == WIRE_MORE && c->scan.params_ended) ||
	    (all->answers_large && is_large(c))) {
		client_answer(all, c);
	} else if (verdict == WIRE_BAD || c->in_used == CLIENT_BYTES) {
		log_info("%s: a connection is refused: %s", all->name,
		    c->scan.why != NULL ? c->scan.why :
		    "its PARAMS are too large");
		client_close(c);
	}
}

static void
client_read(struct clients *all, struct client *c)
{
	ssize_t got = recv(c->fd, c->in + c->in_used, CLIENT_BYTES - c->in_used,
	    MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		client_close(c);
		return;
	}
	c->in_used += (size_t)got;
	client_look(all, c);
}

/* Throw away what still comes behind our answer. */
static void
client_drain(struct client *c)
{
	ssize_t got = recv(c->fd, c->in, CLIENT_BYTES, MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		client_close(c);
}

void
clients_ready(struct clients *all, uint64_t what)
{
	struct client *c = &all->client[what];

	switch (c->step) {
	case CLIENT_READING:
		client_read(all, c);
		break;
	case CLIENT_WRITING:
		client_write(all, c);
		break;
	case CLIENT_ENDING:
		client_drain(c);
		break;
	case CLIENT_FREE:
		break;
	}
}

/* The oldest silent peer, or the oldest of all when every one of them has said
 * something; NULL when there is none. */
static struct client *
client_oldest(struct clients *all)
{
	struct client *oldest = NULL, *silent = NULL, *c;

	for (c = all->client; c < all->client + CLIENTS; c++) {
		if (c->step == CLIENT_FREE)
			continue;
		if (oldest == NULL || c->deadline_ms < oldest->deadline_ms)
			oldest = c;
		if (c->step == CLIENT_READING && (silent == NULL ||
		    c->deadline_ms < silent->deadline_ms))
			silent = c;
	}
	return silent != NULL ? silent : oldest;
}

/* A free place, if need be that of the oldest. */
static struct client *
client_place(struct clients *all)
{
	struct client *c;

	for (c = all->client; c < all->client + CLIENTS; c++)
		if (c->step == CLIENT_FREE)
			return c;
	c = client_oldest(all);
	client_close(c);
	return c;
}

void
clients_add(struct clients *all, int fd, int64_t note)
{
	struct client *c = client_place(all);

	c->fd = fd;
	c->note = note;
	c->in_used = 0;
	memset(&c->scan, 0, sizeof(c->scan));
	client_step(all, c, CLIENT_READING);
	if (client_watch(all, EPOLL_CTL_ADD, c, EPOLLIN) < 0)
		client_close(c);
	else
		client_read(all, c); /* its request is mostly there already */
}

int
clients_make_room(struct clients *all)
{
	struct client *c = client_oldest(all);

	if (c != NULL)
		client_close(c);
	return c != NULL;
}

int64_t
clients_expire(struct clients *all)
{
	int64_t now = clock_ms(), next = 0;

	for (struct client *c = all->client; c < all->client + CLIENTS; c++) {
		if (c->step == CLIENT_FREE)
			continue;
		if (c->deadline_ms <= now)
			client_close(c);
		else if (next == 0 || c->deadline_ms < next)
			next = c->deadline_ms;
	}
	return next;
}

int
clients_any(const struct clients *all)
{
	for (int i = 0; i < CLIENTS; i++)
		if (all->client[i].step != CLIENT_FREE)
			return 1;
	return 0;
}

void
clients_close(struct clients *all)
{
	for (int i = 0; i < CLIENTS; i++)
		client_close(&all->client[i]);
	close(all->epoll_fd);
}
