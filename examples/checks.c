/* SPDX-License-Identifier: MIT */
/*
 * A dependency check: /ready of the health socket turns 503 while whatever
 * DEPENDENCY names does not take connections.
 *
 *	DEPENDENCY=127.0.0.1:5432 ndsd --front=lighttpd -- ./checks
 *	DEPENDENCY=/run/postgresql/.s.PGSQL.5432 …
 *
 * The check runs in a process of its own and may block: libnds ends it after
 * its timeout, here one second.
 */
#include <errno.h>
#include <nds.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Each returns a connected socket or -1, message then saying why. */
static int
connect_unix(const char *path, char *message, size_t message_bytes)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address,
			   sizeof(address)) == 0)
		return fd;
	snprintf(message, message_bytes, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
connect_tcp(const char *where, char *message, size_t message_bytes)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	const char *colon = strrchr(where, ':');
	char host[256];
	int fd, rc;

	snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	rc = getaddrinfo(host, colon + 1, &hints, &found);
	if (rc != 0) {
		snprintf(message, message_bytes, "%s: %s", where,
		    gai_strerror(rc));
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		snprintf(message, message_bytes, "%s: %s", where,
		    strerror(errno));
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

static int
dependency_answers(char *message, size_t message_bytes)
{
	const char *where = getenv("DEPENDENCY");
	int fd;

	if (where == NULL || (*where != '/' && strchr(where, ':') == NULL)) {
		snprintf(message, message_bytes,
		    "DEPENDENCY must be HOST:PORT or /PATH");
		return -1;
	}
	fd = *where == '/' ? connect_unix(where, message, message_bytes) :
			     connect_tcp(where, message, message_bytes);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
home(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	return nds_text(res, 200, "See /ready.\n");
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("checks", "1.0");

	nds_route(app, "GET", "/", home);
	nds_check_timed(app, "dependency", dependency_answers, 1000, 2000);
	return nds_run(app, argc, argv);
}
