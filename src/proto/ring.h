/* SPDX-License-Identifier: MIT */
/*
 * The rings of a slot, one for log lines, read by ndsd, and one for finished
 * spans, read by the observer; the pool's board has another for the spans of
 * the shedder.  Each has one writer, one reader, and whole lines only.  The
 * writer publishes a line by one release-store of the head after all of its
 * bytes; the reader gives room back by storing the tail.  Neither ever waits
 * for the other: a line that does not fit is dropped and counted in
 * slot.count.log_dropped, slot.trace_dropped or pool_board.shed_dropped.  After
 * the death of the writer what was published is whole.
 */
#ifndef PROTO_RING_H
#define PROTO_RING_H

#include <stddef.h>

#include "proto/board.h"

#define RING_LINE_MAX 4096 /* bytes with its newline; = PIPE_BUF */

/* Write one line (its newline included, 1..RING_LINE_MAX bytes).
 * Returns 0; 1 when it stands and the ring is more than a quarter full for
 * the first time since it was last emptied (time to send ORDER_POKE); -1 when
 * it was dropped. */
int ring_write(struct slot *s, const char *line, size_t bytes);

/* Copy whole lines out, oldest first, at most bytes (>= RING_LINE_MAX).
 * Returns how many bytes; 0 = empty. A head that makes no sense (a writer gone
 * mad) empties the ring. */
size_t ring_read(struct slot *s, char *out, size_t bytes);

/* The same for spans, without a poke: the observer comes by the clock. */
int ring_span_write(struct slot *s, const char *line, size_t bytes);
size_t ring_span_read(struct slot *s, char *out, size_t bytes);

/* The same for those of the shedder. */
int ring_shed_write(struct pool_board *p, const char *line, size_t bytes);
size_t ring_shed_read(struct pool_board *p, char *out, size_t bytes);

#endif
