/* SPDX-License-Identifier: MIT */
/*
 * The end of a request without its worker: an answer in its place, the rest of
 * the one it had finished, or a visible break; then the end of the connection
 * and the entry in the books.  What is known of the request stands in the
 * slot.  All of it may block for a moment while the front reads.
 */
#ifndef LIB_SETTLE_H
#define LIB_SETTLE_H

#include "proto/board.h"
#include "proto/wire.h"

/* Answers carry Connection: close while this pool drains; NULL without ndsd. */
void settle_open(const struct pool_board *board);

/* Scan what the slot has captured of its request, from its first byte. */
enum wire_verdict settle_scan(struct slot *s, struct wire_scan *scan);

/* Give the request the id that it came with, or a new one, unless its worker
 * has named it: s->request_id is terminated and not empty from here on. */
void settle_name(struct slot *s);

/* Answer status (502, 504) with a problem document that says why.  Never a
 * bare end as long as the request's number is known: a front would take that
 * for leave to try a poison request again. */
void settle_problem(struct slot *s, int fd, int status, const char *why);

/* End an answer of which a part is out; no front takes it for whole then. */
void settle_broken(struct slot *s, int fd, const char *why);

/* Send what is not yet out of the kept answer. */
void settle_kept(struct slot *s, int fd);

/* The answer is out whole. */
void settle_sent(struct slot *s, int fd);

#endif
