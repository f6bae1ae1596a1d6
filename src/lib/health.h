/* SPDX-License-Identifier: MIT */
/* The health responder: the role that answers probes and scrapes. */
#ifndef LIB_HEALTH_H
#define LIB_HEALTH_H

struct nds_app;

/* Serve /live, /ready, /startup, /metrics and /status on the listener of fd 0
 * from the board alone, until ORDER_RETIRE, SIGTERM or the end of ndsd.
 * Returns the exit status. */
int health_run(struct nds_app *app);

#endif
