/* SPDX-License-Identifier: MIT */
/*
 * One front connection as a worker holds it: reading its request, the body
 * included, and writing its answer.  It owns the fd and the slot's state word
 * from accept to close, knows FastCGI and nothing of HTTP.
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
	int64_t waited_ms;	/* about so long in the queue before that */
	int64_t deadline_ms;	/* clock_ms; body reads and writes end here */
	struct wire_scan scan;	/* of the bytes in the slot's capture */
	int streaming;		/* bytes of an unfinished answer are out */
	uint64_t sent_bytes;	 /* of the answer, framing included */
	uint64_t received_bytes; /* of the request, framing included */
	int refusal;		 /* why conn_read() failed: the status to */
	const char *why;	 /* answer (0 = none, just close), in words */
	/* conn.c's own from here on */
	uint32_t state;	      /* the slot's state word as last moved by us */
	int feed_fd;	      /* PARAMS for libfcgi; -1 = it reads fd itself */
	int torn;	      /* a send failed: no record boundary any more */
	unsigned forks;	      /* of this process when it was accepted */
	struct wire_body body;
	const uint8_t *raw;   /* received, its framing not yet read */
	size_t raw_bytes;
	const uint8_t *chunk; /* body content not yet handed out */
	size_t chunk_bytes;
};

/* Once a process: watch for fork(), after which a close alone would not end a
 * connection. Returns 0 or -1 with errno. */
int conn_init(void);

/* Begin with an accepted connection: note it in the slot, ACCEPTING → UNREAD,
 * and set its deadline.  fd is the connection's from here on. */
void conn_open(struct conn *c, struct slot *slot, int fd, int timeout_ms);

/* Go on with the connection that the slot holds, after the death of the worker
 * that had it: unread (conn_read() is next), or with what is captured of its
 * request (conn_replay() in place of conn_read()).  Its deadline stays. */
void conn_resume(struct conn *c, struct slot *slot, int timeout_ms);
int conn_replay(struct conn *c);

/* Read until the PARAMS are whole and valid; the state is then RUNNING.
 * Returns the fd from which libfcgi may read them without blocking: the
 * connection itself when one whole request waits there, else a copy that ends
 * with an empty STDIN.  Returns -1 with refusal and why set. */
int conn_read(struct conn *c);

/* libfcgi has read the PARAMS: take what it left of the request off the
 * connection (its content is in the capture). */
void conn_read_done(struct conn *c);

/* End it: read and drop what the peer still sends, at most 250 ms, so that it
 * gets to the answer; close; state back to ACCEPTING.  Returns 0, or -1 with
 * ECANCELED when the connection was no longer ours. */
int conn_close(struct conn *c);

/* Next content bytes of the body (STDIN), wherever they still are. Blocks to
 * the deadline. As nds_body_read(), without the limit. */
ssize_t conn_body_read(struct conn *c, void *to, size_t bytes);

/* 1 when the peer has closed or aborted. */
int conn_cancelled(const struct conn *c);

/* Send one whole answer: head (CGI header lines and the empty line) and body.
 * Frames it, keeps it in the slot when it fits, moves the state word to
 * SENDING and SENT. Returns 0, or -1 with errno (EPIPE, ETIMEDOUT, EALREADY,
 * ECANCELED when the request is no longer ours). */
int conn_answer(struct conn *c, const void *head, size_t head_bytes,
    const void *body, size_t body_bytes);

/* A streamed answer: any number of writes (the first carries the head), then
 * one end.  ok = 0 ends it visibly broken: an invalid record, never
 * END_REQUEST (HAZARDS: a short answer is spliced into the next one).
 * Returns as conn_answer(). */
int conn_stream(struct conn *c, const void *data, size_t bytes);
int conn_stream_end(struct conn *c, int ok);

/* ---- between conn.c and conn_send.c ---- */

/* Move the state word on. -1 with ECANCELED when somebody else has moved it. */
int conn_move(struct conn *c, enum slot_state to);

/* Wait for events of poll(2) to the deadline. Returns 0, or -1 with errno
 * (ETIMEDOUT). */
int conn_wait(const struct conn *c, short events);

#endif
