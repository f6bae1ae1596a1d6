/* SPDX-License-Identifier: MIT */
/*
 * Bodies on their way to the collector: one at a time, tried again with
 * back-off while the collector is away, a bounded number of them; the rest is
 * dropped and counted.  It waits for nothing but in sender_wait().
 */
#ifndef OBSERVER_SENDER_H
#define OBSERVER_SENDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "proto/board.h"

#define SENDER_QUEUE 32

struct sender_body {
	char *text;
	size_t bytes;
	unsigned spans;
};

struct sender {
	const char *url; /* NULL = none: bodies are dropped */
	char name[128];	 /* of it, in log lines */
	void *multi, *easy, *headers; /* libcurl's */
	struct sender_body body[SENDER_QUEUE];
	unsigned first, count;
	int in_flight; /* body[first] */
	size_t answer_bytes; /* of its answer so far */
	char answer[16384];
	unsigned failures; /* in a row */
	int complained;	   /* of them, and it has taken nothing since */
	int64_t retry_ms;  /* not before */
	char why[256];	   /* the last failure */
	uint64_t dropped;  /* spans, since it took something */
	struct pool_board *pool; /* counts for all */
};

/* Spans are counted in pool, which is kept by reference.  Returns 0 or -1 with
 * err. */
int sender_open(struct sender *s, const char *url, struct pool_board *pool,
    struct nds_error *err);

/* Take a body over; without room it is dropped. */
void sender_push(struct sender *s, struct sender_body body);

/* Go on with what is under way. */
void sender_step(struct sender *s, int64_t now_ms);

/* Wait for the collector, for fd to be readable (-1: none), or at most
 * timeout_ms. */
void sender_wait(struct sender *s, int fd, int timeout_ms);

/* Spans that wait. */
unsigned sender_queued(const struct sender *s);

/* Drop what is left. */
void sender_close(struct sender *s);

#endif
