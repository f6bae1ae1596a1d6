/* SPDX-License-Identifier: MIT */
/* What ndsd gives a process of ours through its environment. */
#ifndef PROTO_GIVEN_H
#define PROTO_GIVEN_H

#include "base/error.h"
#include "proto/board.h"

/* Take the descriptor that the variable names: CLOEXEC from here on, and the
 * variable is unset.  Returns 0, or -1 with err when it is not set or names no
 * open descriptor. */
int given_fd(const char *variable, int *fd, struct nds_error *err);

/* Take and map the pool's board; its descriptor is closed.  Returns NULL with
 * err on error. */
struct pool_board *given_pool(int writable, struct nds_error *err);

#endif
