/* SPDX-License-Identifier: MIT */
/*
 * The connections that rest between two requests.  libcurl uses one again, or
 * throws it away, without telling what has come on it meanwhile; here it is
 * looked at first: an answer that nobody asked for means that the request
 * before was answered twice, and an end means that the server has closed an
 * idle connection, as HTTP allows: nothing must be sent on it.
 */
#ifndef PROVE_SOCKETS_H
#define PROVE_SOCKETS_H

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

#include "prove/record.h"

struct rest {
	uint16_t port;	/* ours; 0 = unknown */
	int64_t end_us; /* of its newest request, if that was answered; or 0 */
	enum phase phase;
};

struct sockets {
	struct record *record;
	struct rest *rests; /* by descriptor */
	size_t room;
	int fd_of_port[UINT16_MAX + 1]; /* 0 = none */
};

/* A transfer on fd, whose own port is given, has ended: FATE_ANSWERED at
 * end_us in this phase, or with any other fate when end_us is 0. */
void sockets_rest(struct sockets *s, curl_socket_t fd, long port,
    const struct rest *rest);

/* A request is about to go out from this port of ours.  Returns -1 when the
 * connection that rested there must not be used. */
int sockets_take(struct sockets *s, int port);

/* For CURLOPT_CLOSESOCKETFUNCTION, with a struct sockets. */
int sockets_close(void *sockets, curl_socket_t fd);

void sockets_free(struct sockets *s);

#endif
