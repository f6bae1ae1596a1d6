/* SPDX-License-Identifier: MIT */
/*
 * What runs at this moment, read out of the slots while their workers go on:
 * an answer may be the truth of a moment ago, never of two requests.
 */
#ifndef HELPER_RUNNING_H
#define HELPER_RUNNING_H

#include <stdint.h>

#include <jansson.h>

#include "helper/report.h"

/* The requests under way, at most so many, the oldest first:
 * [{"slot","pid","request_id","method","path","client","age_ms","left_ms",
 * "tries"}…].  The path is without its query.  A new reference, NULL without
 * memory. */
json_t *running_json(const struct report *r, uint32_t most);

#endif
