/* SPDX-License-Identifier: MIT */
/* The span of a request, and those that its handler opens within it. */
#ifndef LIB_SPAN_H
#define LIB_SPAN_H

struct access;
struct slot;

/* A request begins: nothing is open. */
void span_reset(void);

/* Its handler has returned: end what it has left open. */
void span_end_all(void);

/* It has ended, by its worker or the guardian: write its span, when it is
 * wanted. */
void span_request(struct slot *slot, const struct access *a);

#endif
