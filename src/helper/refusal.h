/* SPDX-License-Identifier: MIT */
/* What a request gets that the shedder refuses: an answer, a span in its trace,
 * and a line for whoever asks for so many. */
#ifndef HELPER_REFUSAL_H
#define HELPER_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

#include "helper/clients.h"
#include "proto/board.h"
#include "proto/settings.h"

struct refusal {
	const struct settings *settings;
	struct pool_board *pool; /* has the ring of spans */
	int64_t share; /* of new traces, in millionths; < 0: no traces */
	int trusts;    /* proxies: the peer need not be the client */
};

/* Both are kept by reference. */
void refusal_open(struct refusal *r, const struct settings *settings,
    struct pool_board *pool);

/* As clients_answer, of a struct refusal: 503 and Retry-After.  The client's
 * note is how long it has waited, in milliseconds. */
uint8_t *refusal_answer(void *arg, const struct client *c, size_t *bytes);

/* The Retry-After of a refusal: whole seconds between APP_RETRY_AFTER and its
 * double, at random, so that those who were refused together do not come back
 * together. */
unsigned refusal_retry_after_s(int64_t retry_after_ms);

#endif
