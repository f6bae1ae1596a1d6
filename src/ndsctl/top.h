/* SPDX-License-Identifier: MIT */
/* `ndsctl top`: what /status shows, for a terminal. */
#ifndef NDSCTL_TOP_H
#define NDSCTL_TOP_H

#include "ndsctl/command.h"

/* Returns the exit status. */
int top_run(const struct command *c);

#endif
