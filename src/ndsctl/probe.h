/* SPDX-License-Identifier: MIT */
/* Ask the health socket, as a front would. */
#ifndef NDSCTL_PROBE_H
#define NDSCTL_PROBE_H

#include <stddef.h>

#include "base/error.h"

#define PROBE_BYTES (1 << 20) /* of an answer */

/* GET path from runtime_dir/health.sock within 5 s; the body goes to body,
 * terminated, cut at bytes - 1.  Returns the HTTP status, 0 when nobody
 * listens there, -1 when there is no whole answer; err says why. */
int probe_get(const char *runtime_dir, const char *path, char *body,
    size_t bytes, struct nds_error *err);

#endif
