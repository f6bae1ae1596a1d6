/* SPDX-License-Identifier: MIT */
/* The command of --during as a process group of its own: started, reaped,
 * ended. */
#ifndef PROVE_COMMAND_H
#define PROVE_COMMAND_H

#include <sys/types.h>

#include "base/error.h"

/* Start it with sh -c; what it prints goes to stderr, its input is empty.
 * Returns the pid, or -1 with err filled. */
pid_t command_start(const char *text, struct nds_error *err);

/* Has it ended?  Does not block.  1 with *status as of waitpid(2), else 0. */
int command_ended(pid_t pid, int *status);

/* "exit 3", "SIGKILL": what a status means; kept until the next call. */
const char *command_words(int status);

#endif
