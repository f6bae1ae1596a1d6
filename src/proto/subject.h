/* SPDX-License-Identifier: MIT */
/* Which request a slot holds, for those who look at it from outside. */
#ifndef PROTO_SUBJECT_H
#define PROTO_SUBJECT_H

#include "base/log.h"
#include "proto/board.h"

struct subject {
	char request_id[64], traceparent[56];
	char method[32], path[512], client[64];
};

/* Copy what the slot says; "" where it says nothing.  Its worker may change it
 * meanwhile: look afterwards whether it is still the same request. */
void subject_take(struct subject *to, const struct slot *s);

/* Put it into a line, without the client. */
void subject_tell(const struct subject *subject, struct log_line *l);

#endif
