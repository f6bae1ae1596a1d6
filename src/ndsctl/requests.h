/* SPDX-License-Identifier: MIT */
/* `ndsctl requests`: what runs now. */
#ifndef NDSCTL_REQUESTS_H
#define NDSCTL_REQUESTS_H

#include <stdio.h>

#include <jansson.h>

#include "ndsctl/command.h"

/* Returns the exit status. */
int requests_run(const struct command *c);

/* One line of text for a time in ms: "5 ms", "1.2 s", "3 m 05 s". */
#define REQUESTS_TIME 24
const char *requests_time(int64_t ms, char text[REQUESTS_TIME]);

/* A table of at most `most` of such requests, to out. */
void requests_print(const json_t *requests, size_t most, FILE *out);

#endif
