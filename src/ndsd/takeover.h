/* SPDX-License-Identifier: MIT */
/*
 * How a supervisor begins: it is handed every kept descriptor, maps state and
 * board, and goes on with what is there.  The first supervisor of an ndsd finds
 * an empty pool; there is no other difference.
 */
#ifndef NDSD_TAKEOVER_H
#define NDSD_TAKEOVER_H

#include "base/error.h"

struct supervisor;

/* Take over from the keeper at sup->store_fd, open the loop and watch all that
 * lives.  Returns 0, or -1 with err. */
int takeover_run(struct supervisor *sup, struct nds_error *err);

#endif
