/* SPDX-License-Identifier: MIT */
/* The process that runs the dependency checks, apart from every request. */
#ifndef LIB_CHECKS_H
#define LIB_CHECKS_H

struct nds_app;

/* Run the checks of app by their schedule and publish the results on the
 * board, until ORDER_RETIRE, SIGTERM or the end of ndsd.  Returns the exit
 * status. */
int checks_run(struct nds_app *app);

#endif
