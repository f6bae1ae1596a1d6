/* SPDX-License-Identifier: MIT */
#include "prove/sockets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* NULL when there is no memory: an extra answer is then not noticed. */
static struct answered *
answered_at(struct sockets *s, curl_socket_t fd)
{
	size_t at = (size_t)fd, room = s->room == 0 ? 256 : s->room;
	struct answered *more;

	if (fd < 0)
		return NULL;
	if (at < s->room)
		return &s->last[at];
	while (room <= at)
		room *= 2;
	more = realloc(s->last, room * sizeof(*more));
	if (more == NULL)
		return NULL;
	memset(more + s->room, 0, (room - s->room) * sizeof(*more));
	s->last = more;
	s->room = room;
	return &s->last[at];
}

void
sockets_answered(struct sockets *s, curl_socket_t fd, enum phase phase,
    int64_t end_us)
{
	struct answered *a = answered_at(s, fd);

	if (a != NULL)
		*a = (struct answered){end_us, phase};
}

void
sockets_forget(struct sockets *s, curl_socket_t fd)
{
	if (fd >= 0 && (size_t)fd < s->room)
		s->last[fd].end_us = 0;
}

int
sockets_close(void *sockets, curl_socket_t fd)
{
	struct sockets *s = sockets;
	struct answered *a = answered_at(s, fd);
	char head[5];

	if (a != NULL && a->end_us != 0 &&
	    recv(fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT) == 5 &&
	    memcmp(head, "HTTP/", 5) == 0)
		record_twice(s->record, a->phase, a->end_us);
	sockets_forget(s, fd);
	return close(fd);
}

void
sockets_free(struct sockets *s)
{
	free(s->last);
	s->last = NULL;
	s->room = 0;
}
