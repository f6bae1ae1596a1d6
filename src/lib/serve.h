/* SPDX-License-Identifier: MIT */
/*
 * A worker's life: take what ndsd gives (or stand alone), start hook, accept
 * and serve one connection after the other, obey orders between requests, stop
 * hook.  The only file that touches libfcgi.
 */
#ifndef LIB_SERVE_H
#define LIB_SERVE_H

#include "base/error.h"
#include "helper/place.h"
#include "lib/rescue.h"
#include "proto/board.h"
#include "proto/settings.h"
#include "proto/shared.h"

struct nds_app;

struct worker {
	struct nds_app *app;
	struct settings settings;
	int listen_fd;	 /* a high CLOEXEC fd, moved off fd 0 */
	int control_fd;	 /* orders; -1 without ndsd */
	struct slot *slot;
	struct pool_board *pool; /* NULL without ndsd */
	struct shared shared;	 /* with the other workers; without ndsd
				    with this slot's next ones alone */

	/* Whose listener it is, once ndsd is gone.  Noted before there is a
	 * guardian: a worker that follows a dead one then knows it too. */
	struct place place;

	/* What a dead worker of this slot left to its successor. */
	int successor; /* of a worker that died in this slot */
	enum rescue resume;
	int leaving; /* empty the queue and leave, as after ORDER_RETIRE */
};

/* Take the fds named in the environment, map slot and pool, move the listener
 * off fd 0 (replaced by /dev/null), unset the variables (NDS_ROLE as well).
 * Without ndsd the slot is private memory.  Fills app's settings, slot and
 * pool too.  Returns 0 or -1 with err. */
int worker_open(struct worker *w, struct nds_app *app, struct nds_error *err);

/* Serve until retired. Returns the exit status. */
int serve_run(struct worker *w);

#endif
