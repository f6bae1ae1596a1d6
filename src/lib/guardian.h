/* SPDX-License-Identifier: MIT */
/*
 * The guardian: the process that keeps a connection open over the death of the
 * worker that served it.  A responder splits in two; both share one table of
 * descriptors, so whatever the worker dies of, SIGKILL included, the front's
 * connection stays open in the guardian, which settles it (rescue.h) and starts
 * the next worker within milliseconds.  It serves nothing itself.
 */
#ifndef LIB_GUARDIAN_H
#define LIB_GUARDIAN_H

#include "lib/rescue.h"
#include "lib/serve.h"

/* Split and serve.  Returns in a worker, with its exit status.  The guardian
 * never returns: it exits with the status of a worker that left by itself.
 * Where the split is not possible (more than one thread, clone(2) forbidden)
 * it says so once and serves without one. */
int guardian_run(struct worker *w);

#endif
