/* SPDX-License-Identifier: MIT */
/*
 * From a read request to its answer: request, route, body, handler, response,
 * access line.  Knows HTTP and nothing of sockets.
 */
#ifndef LIB_HANDLE_H
#define LIB_HANDLE_H

#include "lib/conn.h"

struct nds_app;
struct nds_request;
struct nds_response;

/* The handler of ORDER_PROBE_PATH. */
int handle_probe(struct nds_request *req, struct nds_response *res);

/* Serve the request whose FastCGI parameters are envp ("NAME=value" array).
 * Always answers, by conn_answer() or a stream, unless the peer is gone; counts
 * status, latency and bytes in the slot and writes the access line. */
void handle_request(struct nds_app *app, struct conn *c, char **envp);

/* Answer a request that could not be read (status 400, 408, 413, 431) with a
 * problem document; why goes to the log line. */
void handle_refusal(struct nds_app *app, struct conn *c, int status,
    const char *why);

#endif
