/* SPDX-License-Identifier: MIT */
/* The health responder: the role that answers probes and scrapes. */
#ifndef HELPER_HEALTH_H
#define HELPER_HEALTH_H

struct settings;

/* Serve /live, /ready, /startup, /metrics and /status on the listener of fd 0
 * from the board alone, until ORDER_RETIRE, SIGTERM or the end of ndsd.
 * Returns the exit status. */
int health_run(const struct settings *set);

#endif
