/* SPDX-License-Identifier: MIT */
/* `ndsctl status`: what ndsd says, and beside it what the health responder
 * knows, which is there when ndsd is not. */
#ifndef NDSCTL_STATUS_H
#define NDSCTL_STATUS_H

#include "ndsctl/command.h"

/* Returns the exit status. */
int status_run(const struct command *c);

#endif
