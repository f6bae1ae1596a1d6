/* SPDX-License-Identifier: MIT */
/*
 * A request as those processes of ndsd's read it that never run a handler, and
 * its answer: FastCGI in, FastCGI out, nothing of sockets.  It is a few lines,
 * since they must answer whatever becomes of the machinery of the workers.
 */
#ifndef HELPER_ASK_H
#define HELPER_ASK_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/ident.h"
#include "proto/wire.h"

#define ASK_VALUE_MAX 512 /* longer ones match no path and no method */

struct ask {
	char method[ASK_VALUE_MAX], path[ASK_VALUE_MAX], script[ASK_VALUE_MAX];
	char offered_id[ASK_VALUE_MAX], accept[ASK_VALUE_MAX];
	char traceparent[ASK_VALUE_MAX], tracestate[ASK_VALUE_MAX];
	char https[ASK_VALUE_MAX], peer[ASK_VALUE_MAX];
	char protocol[ASK_VALUE_MAX], agent[ASK_VALUE_MAX];
	char server[ASK_VALUE_MAX], port[ASK_VALUE_MAX];
	char id[IDENT_REQUEST_BYTES];
};

struct ask_answer {
	int status;
	const char *type; /* Content-Type */
	const char *more; /* header lines, each with its CRLF; NULL = none */
	char *body;	  /* the caller's; HEAD gets its length alone */
};

/* Read what matters of the PARAMS that scan has found whole in raw; of others
 * everything is "" and the id is made. */
void ask_read(struct ask *ask, const struct wire_scan *scan,
    const uint8_t *raw);

/* A problem document (RFC 9457): a new reference, NULL without memory. */
json_t *ask_problem(const struct ask *ask, int status, const char *detail);

/* The records of an answer, to be freed, and *bytes; NULL without memory. */
uint8_t *ask_answer(const struct ask *ask, const struct ask_answer *a,
    uint16_t request_id, size_t *bytes);

#endif
