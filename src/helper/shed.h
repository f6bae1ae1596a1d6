/* SPDX-License-Identifier: MIT */
/* The shedder: the role that refuses what has waited too long. */
#ifndef HELPER_SHED_H
#define HELPER_SHED_H

struct settings;

/* Watch the queue of the listener of fd 0, publish its length and age on the
 * pool's board, and answer 503 to its head whenever that is too old, until
 * ORDER_RETIRE or SIGTERM, or, once ndsd is gone, until another has come.
 * Returns the exit status. */
int shed_run(const struct settings *set);

#endif
