/* SPDX-License-Identifier: MIT */
/* A line for each request, for whoever counts in another way than we do. */
#ifndef PROVE_EACH_H
#define PROVE_EACH_H

#include <stdio.h>

#include "base/error.h"
#include "prove/record.h"

/* Open the file, anew; NULL with err where it cannot be written. */
FILE *each_open(const char *path, struct nds_error *err);

/* When it was due, in seconds since the load began, how long it took, its
 * status (0 = none came) and its fate's key, with blanks between. */
void each_write(FILE *out, const struct finished *f, int64_t begin_us);

/* 0, or -1 with err when not all could be written. */
int each_close(FILE *out, struct nds_error *err);

#endif
