/* SPDX-License-Identifier: MIT */
/*
 * Orders: the fixed-size messages between ndsd and one responder over that
 * responder's own SOCK_SEQPACKET pair.  The fd is the identity; EOF tells each
 * side that the other is gone.  An unknown type is ignored, so both sides may
 * be of different versions.
 */
#ifndef PROTO_ORDER_H
#define PROTO_ORDER_H

#include <stdint.h>

enum order_type {
	/* ndsd to responder */
	ORDER_RETIRE = 1, /* empty the queue, serve, exit 0 */
	ORDER_PROBE,	  /* fd: serve one request on it */
	ORDER_SLOT,	  /* to health: value = slot number, fd = its segment */

	/* responder to ndsd */
	ORDER_HELLO = 64, /* value = ORDER_VERSION: this program is libnds's */
	ORDER_CHECKS,	  /* value = dependency checks it has registered */
	ORDER_POKE,	  /* the log ring is filling: empty it */
	ORDER_DIED	  /* value = wait status: a worker is dead, its guardian
			     starts the next; repeat what it was told */
};

#define ORDER_VERSION 1

/* The path of the request that proves a worker ready: answered 200 by libnds
 * itself, through the same reading, routing and answering as any other; only
 * on a connection that came with ORDER_PROBE. */
#define ORDER_PROBE_PATH "/.nds/ready"

struct order {
	uint32_t type; /* enum order_type */
	uint32_t value;
};

/* Send an order, and fd with it unless it is -1 (it stays the caller's).
 * Never blocks. Returns 0, or -1 with errno (EAGAIN: the peer does not read;
 * EPIPE: it is gone). */
int order_send(int control_fd, enum order_type type, uint32_t value, int fd);

/* Receive one order without blocking.  *fd is the CLOEXEC descriptor that came
 * with it, or -1.  Returns 1 for an order, 0 for EOF, -1 with errno (EAGAIN:
 * none waits; EPROTO: not an order, or truncated). */
int order_recv(int control_fd, struct order *order, int *fd);

#endif
