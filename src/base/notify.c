/* SPDX-License-Identifier: MIT */
#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "base/sock.h"

void
notify_open(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const char *usec = getenv("WATCHDOG_USEC");

	memset(n, 0, sizeof(*n));
	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(n->path))
		return;
	memcpy(n->path, path, strlen(path));
	if (usec == NULL || num_whole(usec, 1, INT64_MAX, &n->watchdog_us) < 0)
		n->watchdog_us = 0;
}

void
notify_hide(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

int
notify_send(const struct notify *n, const char *text, int fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(n->path));
	int sock, result = -1, saved;

	if (n->path[0] == '\0') {
		errno = ENOTCONN;
		return -1;
	}
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return -1;
	memcpy(sa.sun_path, n->path, sizeof(sa.sun_path));
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	if (connect(sock, (struct sockaddr *)&sa, bytes) == 0 &&
	    sock_send_fd(sock, text, strlen(text), fd, 0) >= 0)
		result = 0;
	saved = errno;
	close(sock);
	errno = saved;
	return result;
}
