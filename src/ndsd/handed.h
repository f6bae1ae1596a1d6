/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets that were opened before ndsd began, by whoever started it:
 * systemd's socket activation, sd_listen_fds(3).  They outlive ndsd, so what
 * waits in their queues waits for the next one.
 */
#ifndef NDSD_HANDED_H
#define NDSD_HANDED_H

#include "base/error.h"
#include "ndsd/listen.h"

/* Take what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES offer to this process,
 * and unset them.  l->fd[] becomes the socket of each kind, -1 = none: by its
 * name (app, health, control), else by the path at which it is bound, and the
 * first that has neither is app.  They are CLOEXEC from here on.
 * One that announce_keep() has had held has l->kept[] set too; it is closed
 * when its place is no longer its own.
 * Returns 0; -1 with err when one is no listening unix stream socket, or two
 * are of one kind, or one is of none. */
int handed_take(const struct settings *s, struct listeners *l,
    struct nds_error *err);

#endif
