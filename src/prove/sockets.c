/* SPDX-License-Identifier: MIT */
#include "prove/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* NULL when there is no memory: what comes unasked is then not noticed. */
static struct rest *
rest_at(struct sockets *s, curl_socket_t fd)
{
	size_t at = (size_t)fd, room = s->room == 0 ? 256 : s->room;
	struct rest *more;

	if (at < s->room)
		return &s->rests[at];
	while (room <= at)
		room *= 2;
	more = realloc(s->rests, room * sizeof(*more));
	if (more == NULL)
		return NULL;
	memset(more + s->room, 0, (room - s->room) * sizeof(*more));
	s->rests = more;
	s->room = room;
	return &s->rests[at];
}

void
sockets_rest(struct sockets *s, curl_socket_t fd, long port,
    const struct rest *rest)
{
	struct rest *r = fd < 0 ? NULL : rest_at(s, fd);

	if (r == NULL || port <= 0 || port > UINT16_MAX)
		return;
	*r = *rest;
	r->port = (uint16_t)port;
	s->fd_of_port[port] = fd;
}

/* Has anything come? -1 when the connection is of no more use.  Bytes of TLS
 * tell nothing. */
static int
look(struct sockets *s, struct rest *r, int fd)
{
	char head[5];
	ssize_t n = recv(fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n > 0 && (n != sizeof(head) || memcmp(head, "HTTP/", 5) != 0))
		return 0;
	if (n > 0 && r->end_us != 0)
		record_twice(s->record, r->phase, r->end_us);
	return -1;
}

int
sockets_take(struct sockets *s, int port)
{
	int fd = port <= 0 || port > UINT16_MAX ? 0 : s->fd_of_port[port];
	int result;

	if (fd <= 0 || (size_t)fd >= s->room)
		return 0;
	result = look(s, &s->rests[fd], fd);
	s->rests[fd].end_us = 0;
	if (result < 0)
		s->fd_of_port[port] = 0;
	return result;
}

int
sockets_close(void *sockets, curl_socket_t fd)
{
	struct sockets *s = sockets;
	struct rest *r = (size_t)fd < s->room ? &s->rests[fd] : NULL;

	if (r != NULL && r->end_us != 0)
		look(s, r, fd);
	if (r != NULL && s->fd_of_port[r->port] == fd)
		s->fd_of_port[r->port] = 0;
	if (r != NULL)
		memset(r, 0, sizeof(*r));
	return close(fd);
}

void
sockets_free(struct sockets *s)
{
	free(s->rests);
	s->rests = NULL;
	s->room = 0;
}
