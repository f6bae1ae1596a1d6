/* SPDX-License-Identifier: MIT */
/*
 * Unix sockets: a listener is made beside its place and renamed into it, so
 * that there is no moment at which a connection is refused; and one descriptor
 * at a time passes over SCM_RIGHTS.  What is not a socket is never replaced.
 */
#include "base/sock.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FDS_MAX 16 /* of one message; the kernel drops what is beyond */

union rights {
	struct cmsghdr align;
	char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

static int
address_set(struct sockaddr_un *sa, const char *path)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa->sun_path, path, strlen(path));
	return 0;
}

/* A name that nobody else uses, in the directory of path: short, because the
 * room in sun_path is. */
static int
beside(struct sockaddr_un *sa, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t directory = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	char name[sizeof(sa->sun_path) + 16];
	uint32_t salt;

	if (address_set(sa, path) < 0 ||
	    getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return -1;
	snprintf(name, sizeof(name), "%.*s.%08x", (int)directory, path,
	    (unsigned)salt);
	return address_set(sa, name);
}

static int
occupied(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

static int
listen_at(int fd, const struct sockaddr_un *sa, mode_t mode, gid_t group)
{
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		return -1;
	if (group != (gid_t)-1 && lchown(sa->sun_path, (uid_t)-1, group) < 0)
		return -1;
	return chmod(sa->sun_path, mode);
}

int
sock_listen(const char *path, mode_t mode, gid_t group, int backlog,
    struct nds_error *err)
{
	struct sockaddr_un sa;
	int fd, saved;

	if (occupied(path))
		return error_set(err,
		    "%s exists and is not a socket: move it away", path);
	if (beside(&sa, path) < 0)
		return error_sys(err, "cannot listen on %s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_sys(err, "cannot listen on %s", path);
	if (listen_at(fd, &sa, mode, group) == 0 && listen(fd, backlog) == 0 &&
	    rename(sa.sun_path, path) == 0)
		return fd;
	saved = errno;
	unlink(sa.sun_path);
	close(fd);
	errno = saved;
	return error_sys(err, "cannot listen on %s", path);
}

static int
set_timeouts(int fd, int timeout_ms)
{
	struct timeval tv = {.tv_sec = timeout_ms / 1000,
	    .tv_usec = timeout_ms % 1000 * 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

int
sock_connect(const char *path, int type, int timeout_ms)
{
	struct sockaddr_un sa;
	int fd, saved;

	if (address_set(&sa, path) < 0)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* SO_SNDTIMEO bounds the wait for room in the backlog too */
	if (set_timeouts(fd, timeout_ms) == 0 &&
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

ssize_t
sock_send_fd(int sock, const void *data, size_t bytes, int fd, int flags)
{
	union rights rights;
	struct iovec iov = {.iov_len = bytes};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	memcpy(&iov.iov_base, &data, sizeof(data)); /* sendmsg only reads */
	if (fd >= 0) {
		memset(&rights, 0, sizeof(rights));
		msg.msg_control = &rights;
		msg.msg_controllen = CMSG_SPACE(sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
}

/* Keep the first descriptor of a control message, close the rest. */
static void
take_fds(const struct cmsghdr *c, int *fd)
{
	size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int got;

	for (size_t i = 0; i < count; i++) {
		memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (*fd < 0)
			*fd = got;
		else
			close(got);
	}
}

ssize_t
sock_recv_fd(int sock, void *data, size_t bytes, int *fd, int flags)
{
	union rights rights;
	struct iovec iov = {.iov_base = data, .iov_len = bytes};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &rights, .msg_controllen = sizeof(rights)};
	struct cmsghdr *c;
	ssize_t got;

	*fd = -1;
	got = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return -1;
	for (c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take_fds(c, fd);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return got;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = EPROTO;
	return -1;
}
