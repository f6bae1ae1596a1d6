/* SPDX-License-Identifier: MIT */
/* The state of the service as JSON, for `ndsctl status`. */
#ifndef NDSD_STATUS_H
#define NDSD_STATUS_H

#include <jansson.h>

#include "ndsd/supervisor.h"

/* A new reference: the object that ndsctl(1) documents. */
json_t *status_json(const struct supervisor *sup);

/* "starting", "running", "draining" or "stopping". */
const char *status_word(const struct supervisor *sup);

/* What all slots have counted so far. */
void status_sum(const struct supervisor *sup, struct slot_counters *sum);

#endif
