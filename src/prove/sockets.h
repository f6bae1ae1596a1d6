/* SPDX-License-Identifier: MIT */
/*
 * What was last answered on which socket.  libcurl throws away bytes that lie
 * on an idle connection when it closes that; here it is looked for an answer
 * that nobody asked for, so that the request before it can be counted as
 * answered twice.
 */
#ifndef PROVE_SOCKETS_H
#define PROVE_SOCKETS_H

#include <curl/curl.h>
#include <stddef.h>

#include "prove/record.h"

struct answered {
	int64_t end_us; /* 0 = nothing, or already counted */
	enum phase phase;
};

struct sockets {
	struct record *record;
	struct answered *last; /* by descriptor */
	size_t room;
};

/* The request that ended at end_us was FATE_ANSWERED on fd. */
void sockets_answered(struct sockets *s, curl_socket_t fd, enum phase phase,
    int64_t end_us);

/* A transfer on fd came to any other end. */
void sockets_forget(struct sockets *s, curl_socket_t fd);

/* For CURLOPT_CLOSESOCKETFUNCTION, with a struct sockets. */
int sockets_close(void *sockets, curl_socket_t fd);

void sockets_free(struct sockets *s);

#endif
