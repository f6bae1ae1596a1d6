/* SPDX-License-Identifier: MIT */
#include "ndsd/handed.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "ndsd/announce.h"

#define FIRST_FD 3
#define FDS_MAX 64

static const char *const kinds[LISTEN_SOCKETS] = {"app", "health", "control"};

static int
option_is(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &bytes) == 0 &&
	    value == wanted;
}

static int
fd_check(int fd, struct nds_error *err)
{
	if (!option_is(fd, SO_DOMAIN, AF_UNIX) ||
	    !option_is(fd, SO_TYPE, SOCK_STREAM) ||
	    !option_is(fd, SO_ACCEPTCONN, 1))
		return error_set(err, "LISTEN_FDS: descriptor %d is not a "
				      "listening unix stream socket",
		    fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return error_sys(err, "LISTEN_FDS: descriptor %d", fd);
	return 0;
}

static int
kind_by_name(const char *name, size_t bytes)
{
	for (int which = 0; which < LISTEN_SOCKETS; which++)
		if (strlen(kinds[which]) == bytes &&
		    memcmp(kinds[which], name, bytes) == 0)
			return which;
	return -1;
}

static int
kind_by_path(const struct settings *s, int fd)
{
	struct sockaddr_un sa = {0};
	socklen_t bytes = sizeof(sa) - 1;
	struct stat bound, ours;
	char path[PATH_MAX];

	if (getsockname(fd, (struct sockaddr *)&sa, &bytes) < 0 ||
	    sa.sun_path[0] != '/' || stat(sa.sun_path, &bound) < 0)
		return -1;
	for (int which = 0; which < LISTEN_SOCKETS; which++) {
		listen_socket_path(s, which, path);
		if (stat(path, &ours) == 0 && ours.st_dev == bound.st_dev &&
		    ours.st_ino == bound.st_ino)
			return which;
	}
	return -1;
}

/* The next of the names that colons separate. */
static const char *
name_next(const char **names, size_t *bytes)
{
	const char *name = *names;

	*bytes = strcspn(name, ":");
	*names = name + *bytes + (name[*bytes] == ':');
	return name;
}

/* Held for us by the service manager since an ndsd was killed: returns its
 * kind if it still is what stands at its place, LISTEN_SOCKETS if not, and -1
 * for a name that is not of this sort. */
static int
kind_kept(const struct settings *s, const char *name, size_t bytes)
{
	char path[PATH_MAX], wanted[ANNOUNCE_NAME_BYTES];
	struct listen_made place;
	struct stat st;

	if (strncmp(name, "ndsd.", 5) != 0)
		return -1;
	for (int which = 0; which < LISTEN_SOCKETS; which++) {
		listen_socket_path(s, which, path);
		if (stat(path, &st) < 0)
			continue;
		place = (struct listen_made){st.st_dev, st.st_ino};
		announce_name(wanted, which, &place);
		if (strlen(wanted) == bytes &&
		    memcmp(wanted, name, bytes) == 0)
			return which;
	}
	return LISTEN_SOCKETS;
}

static void
give_back(int fd, const char *name, size_t bytes)
{
	char text[256];
	struct notify n;

	close(fd);
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%.*s\n",
	    (int)bytes, name);
	notify_open(&n);
	notify_send(&n, text, -1);
}

static int
take_one(const struct settings *s, int given, int kind,
    int fd[LISTEN_SOCKETS], struct nds_error *err)
{
	if (fd_check(given, err) < 0)
		return -1;
	if (kind < 0)
		kind = kind_by_path(s, given);
	if (kind < 0)
		kind = LISTEN_APP;
	if (fd[kind] >= 0)
		return error_set(err, "LISTEN_FDS: descriptors %d and %d would "
				      "both be the %s socket: name them app, "
				      "health, control in LISTEN_FDNAMES",
		    fd[kind], given, kinds[kind]);
	fd[kind] = given;
	return 0;
}

static int
take_all(const struct settings *s, int64_t count, struct listeners *l,
    struct nds_error *err)
{
	const char *names = getenv("LISTEN_FDNAMES"), *name;
	size_t bytes;
	int kept, kind;

	if (names == NULL)
		names = "";
	for (int given = FIRST_FD; given < FIRST_FD + count; given++) {
		name = name_next(&names, &bytes);
		kept = kind_kept(s, name, bytes);
		if (kept == LISTEN_SOCKETS) {
			give_back(given, name, bytes);
			continue;
		}
		kind = kept >= 0 ? kept : kind_by_name(name, bytes);
		if (take_one(s, given, kind, l->fd, err) < 0)
			return -1;
		if (kept >= 0)
			l->kept[kept] = 1;
	}
	return 0;
}

int
handed_take(const struct settings *s, struct listeners *l,
    struct nds_error *err)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int64_t for_pid, count;
	int result = 0;

	for (int which = 0; which < LISTEN_SOCKETS; which++)
		l->fd[which] = -1;
	if (pid != NULL && fds != NULL &&
	    num_whole(pid, 1, INT_MAX, &for_pid) == 0 && for_pid == getpid()) {
		if (num_whole(fds, 0, FDS_MAX, &count) < 0)
			return error_set(err, "LISTEN_FDS=%.40s: a number from "
					      "0 to %d, please",
			    fds, FDS_MAX);
		result = take_all(s, count, l, err);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return result;
}
