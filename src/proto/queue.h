/* SPDX-License-Identifier: MIT */
/*
 * The length of a unix listener's accept queue, from the kernel: sock_diag(7),
 * family AF_UNIX, UDIAG_SHOW_RQLEN.  Works unprivileged; not from another
 * network namespace than the socket's, nor where AF_NETLINK is filtered.
 */
#ifndef PROTO_QUEUE_H
#define PROTO_QUEUE_H

/* Connections that wait on listen_fd to be accepted, or -1 with errno where it
 * cannot be told. About 10 us. */
int queue_length(int listen_fd);

#endif
