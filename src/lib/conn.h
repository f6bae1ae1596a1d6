/* SPDX-License-Identifier: MIT */
/*
 * One front connection as a worker holds it: reading the body of its request
 * and writing its answer.  It owns the fd and the slot's state word from
 * accept to close, knows FastCGI and nothing of HTTP.
 */
#ifndef LIB_CONN_H
#define LIB_CONN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/board.h"
#include "proto/wire.h"

struct conn {
	int fd;
	struct slot *slot;	/* never NULL: private memory without ndsd */
	int is_probe;		/* came by ORDER_PROBE, not from the listener */
	int64_t accepted_us;	/* clock_us of accept */
	int64_t deadline_ms;	/* clock_ms; body reads and writes end here */
	struct wire_scan scan;	/* of the bytes in the slot's capture */
	/* further members are conn.c's own */
	struct {
		const uint8_t *chunk; /* body content already in the capture */
		size_t chunk_bytes, at;
		uint32_t record_left, padding_left;
		int ended, broken;
	} body;
	int streaming;	    /* bytes of an unfinished answer are out */
	uint64_t sent_bytes; /* of the answer, framing included */
};

/* Next content bytes of the body (STDIN), wherever they still are. Blocks to
 * the deadline. As nds_body_read(), without the limit. */
ssize_t conn_body_read(struct conn *c, void *to, size_t bytes);

/* 1 when the peer has closed or aborted. */
int conn_cancelled(const struct conn *c);

/* Send one whole answer: head (CGI header lines and the empty line) and body.
 * Frames it, keeps it in the slot when it fits, moves the state word to
 * SENDING and SENT. Returns 0, or -1 with errno (EPIPE, ETIMEDOUT, ECANCELED
 * when the request is no longer ours). */
int conn_answer(struct conn *c, const void *head, size_t head_bytes,
    const void *body, size_t body_bytes);

/* A streamed answer: any number of writes (the first carries the head), then
 * one end.  ok = 0 ends it visibly broken: an invalid record, never
 * END_REQUEST (HAZARDS: a short answer is spliced into the next one). */
int conn_stream(struct conn *c, const void *data, size_t bytes);
int conn_stream_end(struct conn *c, int ok);

#endif
