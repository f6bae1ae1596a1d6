/* SPDX-License-Identifier: MIT */
/* `ndsctl logs`: the last lines of the log, as the supervisor has kept them. */
#ifndef NDSCTL_LOGS_H
#define NDSCTL_LOGS_H

#include "ndsctl/command.h"

/* Returns the exit status; with -f it ends by a signal, or with the service. */
int logs_run(const struct command *c);

#endif
