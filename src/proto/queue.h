/* SPDX-License-Identifier: MIT */
/*
 * The length of a unix listener's accept queue, from the kernel: sock_diag(7),
 * family AF_UNIX, UDIAG_SHOW_RQLEN.  Works unprivileged; not from another
 * network namespace than the socket's, nor where AF_NETLINK is filtered.
 */
#ifndef PROTO_QUEUE_H
#define PROTO_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#define QUEUE_PEERS 960 /* of which one answer of the kernel's can tell */

/* Connections that wait on listen_fd to be accepted, or -1 with errno where it
 * cannot be told. About 10 us. */
int queue_length(int listen_fd);

/* The same of a listener of another process, by the inode that fstat(2) or
 * /proc tell of it. */
int queue_length_of(unsigned long inode);

/* Who waits there, the oldest first: the inode of each peer's socket, 0 of one
 * that has gone (UDIAG_SHOW_ICONS). Returns how many, or -1 with errno where it
 * cannot be told or there are more than QUEUE_PEERS. */
int queue_peers(int listen_fd, uint32_t peer[QUEUE_PEERS]);

#endif
