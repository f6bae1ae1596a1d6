/* SPDX-License-Identifier: MIT */
/*
 * FastCGI 1.0 on the wire, as pure functions over memory: records, the check
 * of a request before libfcgi may see it, name-value pairs, and the records of
 * an answer.  No system calls.  Section numbers are those of the FastCGI
 * Specification 1.0.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER_BYTES 8	 /* section 3.3 */
#define WIRE_CONTENT_MAX 65535	 /* contentLength is 16 bits */
#define WIRE_CHUNK_BYTES 65528	 /* largest content of ours: 8-aligned */

enum wire_type { /* section 8 */
	WIRE_BEGIN_REQUEST = 1,
	WIRE_ABORT_REQUEST = 2,
	WIRE_END_REQUEST = 3,
	WIRE_PARAMS = 4,
	WIRE_STDIN = 5,
	WIRE_STDOUT = 6,
	WIRE_STDERR = 7
};

struct wire_header {
	uint8_t version, type;
	uint16_t request_id;
	uint16_t content_bytes;
	uint8_t padding_bytes;
};

void wire_header_get(const uint8_t raw[WIRE_HEADER_BYTES],
    struct wire_header *h);
void wire_header_put(uint8_t raw[WIRE_HEADER_BYTES], enum wire_type type,
    uint16_t request_id, uint16_t content_bytes, uint8_t padding_bytes);

enum wire_verdict {
	WIRE_MORE,  /* fine so far, more bytes are needed */
	WIRE_WHOLE, /* one whole, valid request stands in the buffer */
	WIRE_BAD    /* never hand this to libfcgi; `why` says what is wrong */
};

/* The scan of one request, carried on as bytes arrive.  Zero it to begin.
 * Offsets are into the buffer that holds the request from its first byte. */
struct wire_scan {
	size_t at;	      /* everything before it is checked */
	uint16_t request_id;  /* of BEGIN_REQUEST */
	uint8_t begun;	      /* BEGIN_REQUEST is in */
	uint8_t params_ended; /* the empty PARAMS record is in */
	uint8_t body_ended;   /* the empty STDIN record is in */
	uint8_t aborted;      /* ABORT_REQUEST came */
	uint8_t name_values;  /* the pairs of PARAMS were checked */
	uint8_t oversized;    /* WIRE_BAD for more than params_max */
	size_t params_at;     /* first byte of the first PARAMS record */
	size_t params_end;    /* first byte after the empty PARAMS record */
	size_t params_bytes;  /* content of the PARAMS records, summed */
	size_t body_bytes;    /* content of the STDIN records, summed */
	const char *why;      /* WIRE_BAD: a few words for the log */
};

/* Carry the scan over buf[0..bytes).  It refuses: another version than 1,
 * request id 0 (management records, section 4), a role other than responder,
 * a first record that is not BEGIN_REQUEST, another request's id, records out
 * of order, types that a web server never sends, PARAMS of more than
 * params_max content bytes, and name-value lengths (section 3.4) that run over
 * the end.  STDIN may be of any length: only its framing is checked. */
enum wire_verdict wire_scan(struct wire_scan *scan, const uint8_t *buf,
    size_t bytes, size_t params_max);

/* The value of a name in the PARAMS of a request whose scan has found their
 * end, cut to what out has room for and terminated.  Returns its bytes before
 * the cut, or -1 when the name is not there. */
int64_t wire_param(const struct wire_scan *scan, const uint8_t *buf,
    const char *name, char *out, size_t room);

/* A walk over the STDIN records of one request, which may come in pieces cut
 * anywhere.  Zero it and set request_id to begin. */
struct wire_body {
	uint16_t request_id;
	uint8_t header[WIRE_HEADER_BYTES]; /* as far as it is in */
	uint8_t header_bytes;
	uint8_t ended;	       /* the empty STDIN record is in */
	uint8_t aborted;       /* ABORT_REQUEST came */
	uint32_t content_left; /* of the record at hand */
	uint32_t padding_left;
	const char *why; /* not NULL: framing is broken, a few words */
};

/* Take the next piece of content out of raw[0..bytes), which continues what
 * was taken before: *chunk points into raw, *chunk_bytes is 0 when none was
 * found.  Returns the bytes of raw that are done with, the chunk included;
 * fewer than bytes only behind a chunk or once the body is ended, aborted or
 * broken. */
size_t wire_body_take(struct wire_body *body, const uint8_t *raw, size_t bytes,
    const uint8_t **chunk, size_t *chunk_bytes);

/* Build a request without a body in out: BEGIN_REQUEST, PARAMS (name-value
 * pairs, NULL-terminated list name, value, name, value …), empty PARAMS, empty
 * STDIN.  Returns its bytes, or 0 when it does not fit. */
size_t wire_request(uint8_t *out, size_t bytes, const char *const *pairs);

/* Read an answer: find the STDOUT content in buf[0..bytes) and copy it to out
 * (at most out_bytes, NUL-terminated).  Returns 1 once END_REQUEST is there,
 * 0 when more bytes are needed, -1 when it is not an answer. */
int wire_answer(const uint8_t *buf, size_t bytes, char *out, size_t out_bytes);

/* The bytes that follow the last STDOUT content of an answer: empty STDOUT,
 * END_REQUEST (section 5.5) with REQUEST_COMPLETE. */
#define WIRE_TRAILER_BYTES 24
void wire_trailer(uint8_t out[WIRE_TRAILER_BYTES], uint16_t request_id);

#endif
