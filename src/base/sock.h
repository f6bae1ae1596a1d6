/* SPDX-License-Identifier: MIT */
/*
 * Unix sockets: listeners that appear whole or not at all, connections and
 * the passing of descriptors.  Every fd made here is CLOEXEC.
 */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* Listen on path: bound under a name of its own in the same directory, given
 * mode and group (-1 = keep), listening, and only then renamed over path, so
 * that whoever connects meets the old listener or the new one.  Returns the
 * fd of a stream socket, or -1 with err filled. */
int sock_listen(const char *path, mode_t mode, gid_t group, int backlog,
    struct nds_error *err);

/* Connect to path. Blocks while the backlog is full for at most timeout_ms.
 * Returns the fd (blocking, with send and receive timeouts of timeout_ms), or
 * -1 with errno (EAGAIN: the backlog stayed full). 0 = no timeout. */
int sock_connect(const char *path, int type, int timeout_ms);

/* Send bytes with at most one fd (-1 = none) as one message; flags as for
 * sendmsg(2), MSG_NOSIGNAL is added. Returns as sendmsg. */
ssize_t sock_send_fd(int sock, const void *data, size_t bytes, int fd,
    int flags);

/* Receive a message and the fd that came with it (-1 = none); further fds are
 * closed.  Returns as recvmsg; a truncated message is -1 with EPROTO. */
ssize_t sock_recv_fd(int sock, void *data, size_t bytes, int *fd, int flags);

#endif
