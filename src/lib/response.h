/* SPDX-License-Identifier: MIT */
/*
 * An answer as handlers make it: status, headers, body; whole or streamed.
 * Whatever a handler puts into it, what leaves is a well-formed CGI answer
 * with a true length.  One object a worker.
 */
#ifndef LIB_RESPONSE_H
#define LIB_RESPONSE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buffer.h"
#include "lib/conn.h"
#include "lib/nds.h"

#define RESPONSE_FIELDS_MAX 64
#define RESPONSE_FIELDS_BYTES 16384
#define RESPONSE_LIMITS_BYTES 256

struct nds_response {
	struct conn *conn;
	const char *request_id;
	int is_head;	/* of a HEAD request: no body leaves */
	int says_close; /* the pool drains: Connection: close */
	const char *limits; /* lines of a limit's fields, whatever the
				answer; at most RESPONSE_LIMITS_BYTES; NULL */

	int status; /* 0 = no answer made yet */
	unsigned field_count;
	size_t fields_used;
	char fields[RESPONSE_FIELDS_BYTES]; /* "Name: value\r\n" each */
	struct buffer body;

	int streamed;	    /* nds_stream() was called */
	int started;	    /* bytes of the stream are out */
	int stream_errno;   /* of the first nds_write() that failed */
	int64_t promised;   /* bytes of the stream, -1 = unknown */
	uint64_t body_sent; /* bytes of body that left, for the access line */
};

/* Begin an answer; request_id is kept by reference. */
void response_begin(struct nds_response *res, struct conn *conn,
    const char *request_id, int is_head);

/* Forget what was made, headers included. Not once a stream has started. */
void response_clear(struct nds_response *res);

/* 1 when there is an answer, and all of it: a stream is as long as promised
 * and none of its writes failed. */
int response_complete(const struct nds_response *res);

/* Send what was made, or end the stream: well when ok, visibly broken when
 * not.  Returns 0; 1 when a stream was broken off; -1 with errno when the peer
 * did not take the answer. */
int response_send(struct nds_response *res, int ok);

/* Release what the answer has grown large. */
void response_end(struct nds_response *res);

/* The reason phrase of a status, never NULL. */
const char *response_reason(int status);

#endif
