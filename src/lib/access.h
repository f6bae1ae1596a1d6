/* SPDX-License-Identifier: MIT */
/*
 * The end of a request in the books: the slot's counters and its access line,
 * the same whether its worker or the guardian has settled it.  The counters
 * are exact whenever either is killed; a line may be missing.
 */
#ifndef LIB_ACCESS_H
#define LIB_ACCESS_H

#include <stdint.h>

#include "proto/board.h"
#include "proto/ident.h"

#define ACCESS_GONE 499 /* in the log alone: nobody was there to answer */

struct access {
	const char *request_id;
	const struct ident_trace *trace;
	const char *method, *path, *client; /* "" = not known */
	/* also, and read only for a span: see trace_wanted() */
	const char *scheme, *server, *port, *protocol, *agent, *state;
	const char *route; /* its pattern, NULL = none */
	const char *event; /* that ended it, NULL = none: see trace.h */
	const char *error; /* what went wrong, NULL = nothing */
	int status;
	int broken; /* an answer that ended before it was whole */
	enum board_event fate; /* of a request run again; 0 = answered */
	uint64_t body_bytes;		 /* of the answer, for the line */
	uint64_t received_bytes, sent_bytes; /* framing included */
	int64_t us;			 /* from accept to now */
};

/* Count it, write its line and its span, by the slot's flags only once.
 * Never blocks. */
void access_end(struct slot *slot, const struct access *a);

#endif
