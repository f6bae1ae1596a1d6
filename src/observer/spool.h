/* SPDX-License-Identifier: MIT */
/*
 * Finished spans on their way to a request body of OTLP/HTTP in JSON: lines are
 * checked and gathered, then wrapped with what is said once for all of them.
 */
#ifndef OBSERVER_SPOOL_H
#define OBSERVER_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#define SPOOL_SPANS 512
#define SPOOL_BYTES 262144

struct spool {
	char service[64], version[32]; /* of all its spans */
	int64_t since_ms;    /* the first one came, when there is one */
	unsigned spans;
	size_t used;
	char text[SPOOL_BYTES];
};

/* Add one line, its newline included.  Returns 0, 1 when there is no room for
 * it until spool_take(), -1 when it is no span. */
int spool_add(struct spool *s, const char *line, size_t bytes, int64_t now_ms);

/* Make a body of all that was added, and begin anew.  One line with its
 * newline, to be freed; NULL without memory, *spans are then lost. */
char *spool_take(struct spool *s, unsigned *spans, size_t *bytes);

#endif
