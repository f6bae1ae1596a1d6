/* SPDX-License-Identifier: MIT */
/*
 * A request as handlers see it: the FastCGI parameters read as HTTP, and the
 * body.  One object a worker; its buffers are used again by the next request.
 */
#ifndef LIB_REQUEST_H
#define LIB_REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

#include "lib/buffer.h"
#include "lib/conn.h"
#include "lib/nds.h"
#include "lib/route.h"
#include "proto/ident.h"

/* Names and values in the order they came, each ended by a NUL. */
struct request_pairs {
	int parsed;
	struct buffer text;
};

struct nds_request {
	struct conn *conn;
	char **envp;
	const char *method; /* "" until request_begin() has found it */
	const char *target; /* raw path, for the log; not terminated … */
	size_t target_bytes; /* … but this long */
	const char *query, *client;
	char client_text[INET6_ADDRSTRLEN]; /* where client.h found it */
	int64_t content_length; /* -1 = not announced */
	char request_id[IDENT_REQUEST_BYTES];
	struct ident_trace trace;
	struct route_path path;
	const struct nds_route *route; /* NULL until found */
	struct request_pairs queries, cookies;
	struct buffer body;
	int body_whole;	     /* the body was read before the handler */
	uint64_t body_limit; /* UINT64_MAX = none */
	uint64_t body_read;  /* bytes taken so far */
	int body_errno;	     /* of a failed nds_body_read(), else 0 */
	struct nds_call *calls; /* to others, begun by the handler */
};

/* The FastCGI parameter that carries a header, written to key ("HTTP_" and the
 * name in capitals, - as _).  Returns its bytes, 0 when the name is no header's
 * or does not fit. */
size_t request_parameter(const char *name, char *key, size_t room);

/* Read the parameters; the id stands in the slot from here on.  Returns 0, or
 * the HTTP status that refuses the request, *why then saying what is wrong. */
int request_begin(struct nds_request *req, struct conn *conn, char **envp,
    const char **why);

/* Note the route and its limit; then, unless its body is streamed, read the
 * body. Returns 0, a status that refuses (*why is set), or -1: peer gone. */
int request_read(struct nds_request *req, const struct nds_route *route,
    uint64_t max_body, const char **why);

/* The status that answers a failed read of the body by its errno, *why saying
 * so; -1 when the peer is gone. */
int request_body_status(int error, const char **why);

/* Release what the request has grown large. */
void request_end(struct nds_request *req);

#endif
