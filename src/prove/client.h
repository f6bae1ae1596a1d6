/* SPDX-License-Identifier: MIT */
/*
 * One client: a libcurl transfer that is used again and again, and what is
 * seen of it: how often its head went out, whether its id came back, the
 * digest of the body, bytes too many.  It judges nothing.
 */
#ifndef PROVE_CLIENT_H
#define PROVE_CLIENT_H

#include <curl/curl.h>
#include <sha2.h>
#include <stdint.h>

#include "prove/options.h"
#include "prove/sockets.h"

#define CLIENT_ID_BYTES 40

/* What all clients share. */
struct crowd {
	const struct options *options;
	struct sockets sockets;
	char run[9];	/* in the ids, so that runs do not share any */
	int hash_known;
	uint8_t hash[HASH_BYTES];
};

struct client {
	struct crowd *crowd;
	CURL *easy;
	struct curl_slist *headers;
	char *id; /* in its place in the headers; NULL = the user sends one */
	struct outcome seen;
	SHA2_CTX digest;
	int64_t number;	 /* of the request */
	int64_t due_us;	 /* when it was to be sent: latency counts from here */
	int64_t idle_until_us;
	struct client *next; /* of a list of idle ones */
	char error[CURL_ERROR_SIZE];
};

/* Prepare a client. -1 when there is no memory. */
int client_open(struct client *c, struct crowd *crowd);
void client_close(struct client *c);

/* Make the transfer ready to be added to the multi handle. */
void client_begin(struct client *c, int64_t number, int64_t due_us,
    int64_t timeout_us);

/* The transfer has ended with this CURLcode: fills c->seen but for the
 * latency. */
void client_end(struct client *c, int code);

/* errno of a connection that failed, 0 = none. */
long client_errno(const struct client *c);
/* The connection of the last transfer, if it was kept, rests from now on.
 * end_us is 0 when the request was not answered.  Before the transfer leaves
 * the multi handle. */
void client_rest(struct client *c, enum phase phase, int64_t end_us);
/* Was there ever a connection for the last transfer? */
int client_connected(const struct client *c);

#endif
