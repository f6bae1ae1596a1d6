/* SPDX-License-Identifier: MIT */
/*
 * The raw FastCGI peer: what it was told to send and what came back.  It has
 * its own framing on purpose: a client that shared the server's code would
 * share its mistakes.
 */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>
#include <stdint.h>

#define PEER_PAIRS_MAX 256
#define PEER_STOPS_MAX 16

enum peer_type { /* FastCGI 1.0, section 8 */
	PEER_BEGIN = 1,
	PEER_END = 3,
	PEER_PARAMS = 4,
	PEER_STDIN = 5,
	PEER_STDOUT = 6,
	PEER_STDERR = 7
};

enum peer_cut { CUT_CLOSE, CUT_HALF, CUT_HOLD };

struct buffer {
	uint8_t *data;
	size_t used, room;
};

struct peer {
	const char *address; /* a path, or HOST:PORT */

	/* the request */
	const char *method, *path, *query, *body, *raw;
	const char *pairs[PEER_PAIRS_MAX]; /* "NAME=value" */
	size_t pair_count;
	size_t body_bytes;
	int64_t announce; /* CONTENT_LENGTH; -1 = what the body has */
	int no_length;	  /* 1: no CONTENT_LENGTH at all */
	size_t params_bytes; /* pad PARAMS to at least this; 0 = do not */
	unsigned id, stdin_id, version, role, first_type, flags;
	int management; /* type of a record with id 0 sent first; -1 = none */
	int endless;	/* PEER_PARAMS or PEER_STDIN for ever; 0 = no */
	size_t limit;	/* bytes after which endless ends after all */

	/* how it is sent */
	size_t stops[PEER_STOPS_MAX];
	size_t stop_count;
	size_t cut_at; /* SIZE_MAX = do not cut */
	enum peer_cut cut;
	int byte_by_byte;
	int every_ms; /* between two bytes; 0 = at once */
	int never_read;
	int timeout_ms; /* of one whole connection */
	int many, repeat;
	int ids;	  /* 1: each request has an id of its own */
	int close_at_end; /* 1: close at END_REQUEST, as fronts do */

	/* what came of it */
	struct buffer out, more, in;
	size_t sent;
	int64_t deadline_ms;
	const char *closed; /* "eof", "reset", "open" (at the deadline) */
};

struct answer {
	int status; /* 0 = no header block came */
	int ended;  /* END_REQUEST came */
	int nonsense; /* a record that no responder may send */
	unsigned app_status, protocol_status, request_id;
	struct buffer out, err; /* STDOUT, STDERR content */
	size_t body_at;		/* in out */
};

/* Append; exits 70 without memory: it is a test's tool. */
void buffer_add(struct buffer *b, const void *data, size_t bytes);

/* Fill p->out with the request, and p->more with the record that an endless
 * one repeats.  Returns 0, or -1 when --raw cannot be read. */
int build_request(struct peer *p);

/* Connect, send, read until the end or the deadline.  Returns 0, or -1 when
 * there was nobody to connect to. */
int play(struct peer *p);

/* Take the answer apart. */
void answer_read(const struct buffer *in, struct answer *a);

#endif
