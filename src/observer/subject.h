/* SPDX-License-Identifier: MIT */
/* Which request a slot holds, as a log line names it. */
#ifndef OBSERVER_SUBJECT_H
#define OBSERVER_SUBJECT_H

#include "base/log.h"
#include "proto/board.h"

struct subject {
	char request_id[64], traceparent[56];
	char method[32], path[512];
};

/* Copy what the slot says; "" where it says nothing.  Its worker may change it
 * meanwhile: look afterwards whether it is still the same request. */
void subject_take(struct subject *to, struct slot *s);

/* Put it into a line. */
void subject_tell(const struct subject *subject, struct log_line *l);

#endif
