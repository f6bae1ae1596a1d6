/* SPDX-License-Identifier: MIT */
/*
 * What ndsd gives to those of its own processes that serve a socket beside the
 * workers: the listener of fd 0, orders, the board and, for reading, the slots.
 */
#ifndef HELPER_ROLE_H
#define HELPER_ROLE_H

#include <signal.h>

#include "base/error.h"
#include "proto/board.h"
#include "proto/order.h"

struct role {
	int listen_fd, control_fd;
	struct pool_board *pool;
	uint32_t slots; /* numbers below this one may be mapped */
	const struct slot *slot[BOARD_SLOTS_MAX]; /* NULL = not known */
};

/* Take it all, and block signals: they come in by role_mask() alone.  The
 * listener is moved off fd 0, its flags are left as they are.  Returns 0, or -1
 * with err. */
int role_open(struct role *r, int pool_writable, struct nds_error *err);

/* The signal mask of a wait: SIGTERM and SIGUSR1 come in. */
const sigset_t *role_mask(void);

/* 1 once one of them has come. */
int role_told_to_end(void);

/* The next order, slots excepted: they are mapped on the way.  Returns as
 * order_recv(); no descriptor is handed on. */
int role_order(struct role *r, struct order *order);

void role_close(struct role *r);

#endif
