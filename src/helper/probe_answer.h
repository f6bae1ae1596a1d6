/* SPDX-License-Identifier: MIT */
/*
 * One request of the health socket and its answer, as bytes: FastCGI in,
 * FastCGI out, nothing of sockets.
 */
#ifndef HELPER_PROBE_ANSWER_H
#define HELPER_PROBE_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "helper/report.h"
#include "proto/wire.h"

/* Answer the request in raw, whose PARAMS scan has found whole.  Returns the
 * records of the answer, to be freed, and *bytes; NULL without memory. */
uint8_t *probe_answer(const struct report *r, const struct wire_scan *scan,
    const uint8_t *raw, size_t *bytes);

#endif
