/* SPDX-License-Identifier: MIT */
/*
 * The connections of an event loop that answers one request on each: read,
 * answered at once by the owner's function, and drained.  It waits for nobody:
 * a silent peer and one that never reads cost a place until their time is
 * over, and when all places are taken the one that has been silent longest
 * makes room.
 */
#ifndef HELPER_CLIENTS_H
#define HELPER_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

#define CLIENTS 256
#define CLIENT_BYTES 16384 /* of a request, the body left aside */

enum client_step { CLIENT_FREE, CLIENT_READING, CLIENT_WRITING, CLIENT_ENDING };

struct client {
	enum client_step step;
	int fd;
	int64_t deadline_ms; /* of this step */
	int64_t note;	     /* the owner's */
	struct wire_scan scan;
	size_t in_used;
	uint8_t *out; /* the answer */
	size_t out_bytes, out_sent;
	uint8_t in[CLIENT_BYTES];
};

/* The records that answer the request of c, whose PARAMS scan has found whole
 * in `in` (params_ended), to be freed, and *bytes; NULL without memory. */
typedef uint8_t *(*clients_answer)(void *arg, const struct client *c,
    size_t *bytes);

struct clients {
	int epoll_fd;
	const char *name; /* in log lines */
	int64_t peer_ms;  /* for a request; again for its answer, its end */
	int answers_large; /* answer also when the PARAMS are too large */
	clients_answer answer;
	void *arg;
	struct client client[CLIENTS];
};

/* Make the epoll; the members above are set before.  0, or -1 with errno. */
int clients_open(struct clients *c);

/* As epoll_ctl(2).  `what` comes back in an event: the numbers below CLIENTS
 * are those of clients, the others the owner's. */
int clients_watch(const struct clients *c, int op, int fd, uint32_t events,
    uint64_t what);

/* Take over an accepted, non-blocking connection; serve one that is ready. */
void clients_add(struct clients *c, int fd, int64_t note);
void clients_ready(struct clients *c, uint64_t what);

/* Out of descriptors: give one up. Returns 0 when there is none. */
int clients_make_room(struct clients *c);

/* Close who is overdue; returns the next deadline, 0 = none. */
int64_t clients_expire(struct clients *c);

/* 1 while there is any. */
int clients_any(const struct clients *c);

void clients_close(struct clients *c);

#endif
