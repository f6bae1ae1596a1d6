/* SPDX-License-Identifier: MIT */
/* The spans that handlers open within a request, and what they add to its
 * own. */
#ifndef LIB_SPAN_H
#define LIB_SPAN_H

#include "proto/otlp.h"

/* A request begins: nothing is open. */
void span_reset(void);

/* Add the attributes that the handler has set on its request's span. */
void span_handlers(struct otlp_span *r);

/* Its handler has returned: end what it has left open. */
void span_end_all(void);

#endif
