/* SPDX-License-Identifier: MIT */
/*
 * What a person who looks must be told first, since the rest may look well
 * beside it: nobody supervises, or no requests are sent here.
 */
#ifndef HELPER_TROUBLE_H
#define HELPER_TROUBLE_H

#include <jansson.h>

#include "helper/report.h"

/* [{"kind","for_ms","why"}…], the worst first, empty when all is well.  kind
 * is "supervisor not seen" or "not ready", the latter not in a start, drain or
 * stop, which the state names.  for_ms of the latter counts from the health
 * responder's start at the earliest.  A new reference, NULL without memory. */
json_t *trouble_list(const struct report *r);

#endif
