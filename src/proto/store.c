/* SPDX-License-Identifier: MIT */
#include "proto/store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/sock.h"

int
store_send(int store_fd, const struct store_message *message, int fd)
{
	ssize_t n = sock_send_fd(store_fd, message, sizeof(*message), fd, 0);

	return n < 0 ? -1 : 0;
}

int
store_recv(int store_fd, struct store_message *message, int *fd, int block)
{
	ssize_t n = sock_recv_fd(store_fd, message, sizeof(*message), fd,
	    block ? 0 : MSG_DONTWAIT);

	if (n <= 0)
		return (int)n;
	if (n != sizeof(*message)) {
		errno = EPROTO;
		return -1;
	}
	message->name[STORE_NAME_BYTES - 1] = '\0';
	return 1;
}

int
store_put(int store_fd, const char *name, int fd)
{
	struct store_message m = {.type = STORE_PUT};

	snprintf(m.name, sizeof(m.name), "%s", name);
	return store_send(store_fd, &m, fd);
}

int
store_drop(int store_fd, const char *name)
{
	struct store_message m = {.type = STORE_DROP};

	snprintf(m.name, sizeof(m.name), "%s", name);
	return store_send(store_fd, &m, -1);
}
