/* SPDX-License-Identifier: MIT */
/*
 * One connection from connect to its end: sends with pauses and cuts, reads
 * whatever comes meanwhile, and never waits past the deadline.
 */
#include "peer.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
left_ms(const struct peer *p)
{
	int64_t left = p->deadline_ms - now_ms();

	return left > 0 ? (int)left : 0;
}

static int
connect_unix(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
connect_tcp(const char *address)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
	const char *colon = strrchr(address, ':');
	char host[128];
	int fd;

	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	if (getaddrinfo(host, colon + 1, &hints, &to) != 0)
		return -1;
	fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(to);
	return fd;
}

/* A whole END_REQUEST record stands at the end of what has come: 8 + 8 bytes
 * without padding, as this server sends it. */
static int
at_end(const struct buffer *in)
{
	const uint8_t *last;

	if (in->used < 16)
		return 0;
	last = in->data + in->used - 16;
	return last[0] == 1 && last[1] == PEER_END && last[5] == 8;
}

/* Read what is there. Returns 0 while the connection lives. */
static int
take(struct peer *p, int fd)
{
	uint8_t block[65536];
	ssize_t got = recv(fd, block, sizeof(block), MSG_DONTWAIT);

	if (got > 0) {
		buffer_add(&p->in, block, (size_t)got);
		if (!p->close_at_end || !at_end(&p->in))
			return 0;
		p->closed = "here";
		return -1;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	p->closed = got == 0 ? "eof" : "reset";
	return -1;
}

/* Wait for the socket at most ms, reading on the way unless told never to.
 * Returns revents, -1 when the connection has ended. */
static int
wait_socket(struct peer *p, int fd, short events, int ms)
{
	struct pollfd w = {.fd = fd, .events = events};

	if (!p->never_read)
		w.events |= POLLIN;
	if (poll(&w, 1, ms) <= 0)
		return 0;
	if (p->never_read && w.revents & (POLLHUP | POLLERR)) {
		p->closed = "eof";
		return -1;
	}
	if (w.revents & (POLLIN | POLLHUP | POLLERR) && !p->never_read &&
	    take(p, fd) < 0)
		return -1;
	return w.revents;
}

/* "paused N", then a line on stdin, bounded by the deadline. */
static void
pause_here(struct peer *p)
{
	struct pollfd w = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64];

	printf("paused %zu\n", p->sent);
	fflush(stdout);
	if (poll(&w, 1, left_ms(p)) > 0 &&
	    read(STDIN_FILENO, line, sizeof(line)) < 0)
		perror("stdin");
}

/* Where to hold before `end`: the next pause or the cut. */
static size_t
next_stop(const struct peer *p, size_t end)
{
	for (size_t i = 0; i < p->stop_count; i++)
		if (p->stops[i] > p->sent && p->stops[i] < end)
			end = p->stops[i];
	if (p->cut_at > p->sent && p->cut_at < end)
		end = p->cut_at;
	if (p->byte_by_byte)
		end = p->sent + 1;
	return end;
}

static int
is_stop(const struct peer *p)
{
	for (size_t i = 0; i < p->stop_count; i++)
		if (p->stops[i] == p->sent)
			return 1;
	return 0;
}

/* Send data, which stands at `base` of the whole. Returns 0, or -1 when no
 * more can or shall be sent. */
static int
send_all(struct peer *p, int fd, const struct buffer *data, size_t base)
{
	size_t end = base + data->used;

	while (p->sent < end) {
		ssize_t put;
		size_t stop;

		if (p->sent == p->cut_at || left_ms(p) == 0)
			return -1;
		if (is_stop(p))
			pause_here(p);
		if (p->every_ms > 0 &&
		    wait_socket(p, fd, 0, p->every_ms) < 0)
			return -1;
		stop = next_stop(p, end);
		put = send(fd, data->data + (p->sent - base), stop - p->sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put > 0)
			p->sent += (size_t)put;
		else if (errno != EAGAIN && errno != EINTR)
			return -1;
		else if (wait_socket(p, fd, POLLOUT, left_ms(p)) < 0)
			return -1;
	}
	return 0;
}

static void
send_endless(struct peer *p, int fd)
{
	while (p->more.used > 0 && p->sent < p->limit)
		if (send_all(p, fd, &p->more, p->sent) < 0)
			return;
}

static void
read_rest(struct peer *p, int fd)
{
	while (p->closed == NULL && left_ms(p) > 0)
		if (wait_socket(p, fd, 0, left_ms(p)) < 0)
			return;
}

int
play(struct peer *p)
{
	int fd = strchr(p->address, '/') == NULL &&
	    strchr(p->address, ':') != NULL ?
	    connect_tcp(p->address) :
	    connect_unix(p->address);

	if (fd < 0)
		return -1;
	p->deadline_ms = now_ms() + p->timeout_ms;
	if (send_all(p, fd, &p->out, 0) == 0) {
		if (is_stop(p))
			pause_here(p);
		send_endless(p, fd);
	}
	if (p->cut_at == p->sent && p->cut == CUT_HALF)
		shutdown(fd, SHUT_WR);
	if (p->cut_at != p->sent || p->cut != CUT_CLOSE)
		read_rest(p, fd);
	else
		p->closed = "here";
	if (p->closed == NULL)
		p->closed = "open";
	close(fd);
	return 0;
}
