/* SPDX-License-Identifier: MIT */
/*
 * The response cache of routes that ask for one (nds_route_cache()): which
 * requests and answers may meet in it, by RFC 9111 (HTTP Caching) and RFC 5861
 * (stale-while-revalidate), and who makes the answer that many want.  Where
 * answers lie is cache_store's matter.
 */
#ifndef LIB_CACHE_H
#define LIB_CACHE_H

#include "lib/nds.h"

/* Answer from the cache a request whose route has one.  Returns 1 when the
 * answer is made; 0 when the handler is to make it, cache_keep() to follow.
 * Waits when another worker makes the answer just now, at most 2 s and half of
 * the time that the request has left. */
int cache_answer(struct nds_app *app, const struct nds_request *req,
    struct nds_response *res);

/* After the handler (ok = 0: it failed): keep the answer if that is allowed,
 * and let those who wait for it go on. */
void cache_keep(const struct nds_request *req, struct nds_response *res,
    int ok);

#endif
