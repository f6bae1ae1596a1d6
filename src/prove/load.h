/* SPDX-License-Identifier: MIT */
/*
 * The load itself: one loop over libcurl's multi interface, a timer, the
 * signals and the command.
 */
#ifndef PROVE_LOAD_H
#define PROVE_LOAD_H

#include "base/error.h"
#include "prove/options.h"
#include "prove/record.h"

/* Put the load of the options on their URL until it is done, or SIGINT or
 * SIGTERM comes, and write the record.  Blocks.  -1 with err filled when this
 * machine cannot go on: what was recorded until then is valid. */
int load_run(const struct options *o, struct record *record,
    struct nds_error *err);

#endif
