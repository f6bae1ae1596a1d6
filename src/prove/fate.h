/* SPDX-License-Identifier: MIT */
/*
 * What became of a request.  Exactly one fate each; every one but
 * FATE_ANSWERED is a loss for a client that does not try again.  Pure.
 */
#ifndef PROVE_FATE_H
#define PROVE_FATE_H

#include <stdint.h>

enum fate {
	FATE_ANSWERED,
	FATE_REFUSED, /* no connection */
	FATE_RESET,   /* the connection ended before an answer began */
	FATE_CUT,     /* the answer began and did not come to its end */
	FATE_BODY,    /* whole, but not the bytes that were expected */
	FATE_RESENT,  /* swallowed; the client library sent it again */
	FATE_2XX,     /* a status that is not among the good ones */
	FATE_3XX,
	FATE_4XX,
	FATE_5XX,
	FATE_SLOW,    /* no whole answer in time */
	FATE_WRONG,   /* no HTTP, or the answer to another request */
	FATE_TWICE,   /* one answer more than was asked for */
	FATES
};

#define STATUS_END 600 /* statuses are 100..599 */

/* What counts as good. */
struct rules {
	int64_t timeout_us;
	int ids; /* the request's id must come back */
	unsigned char ok[STATUS_END];
};

/* What was seen of one transfer. */
struct outcome {
	int curl;	    /* CURLcode */
	int status;	    /* 0 = no status line came */
	unsigned sent;	    /* how often its head went out */
	int extra;	    /* bytes of another answer came behind it */
	int id_matches;
	int body_matches;   /* 1 where nothing was expected */
	int64_t latency_us; /* from the (intended) sending */
};

enum fate fate_of(const struct outcome *seen, const struct rules *rules);

/* A JSON key ("sent_again"), and words for people ("sent again"). */
const char *fate_key(enum fate fate);
const char *fate_words(enum fate fate);

#endif
