/* SPDX-License-Identifier: MIT */
/*
 * Memory that one request after the other uses again.  It grows as needed and
 * is given back between requests when it grew large.
 */
#ifndef LIB_BUFFER_H
#define LIB_BUFFER_H

#include <stddef.h>

#define BUFFER_KEEP_BYTES 65536 /* kept from one request to the next */

struct buffer {
	char *data; /* NULL until first used */
	size_t used, size;
};

/* Make room for bytes more behind what is used. Returns 0, or -1 with ENOMEM
 * and the buffer as it was. */
int buffer_room(struct buffer *b, size_t bytes);

/* Append bytes. Returns as buffer_room(). */
int buffer_add(struct buffer *b, const void *data, size_t bytes);

/* Empty it, and give back what is beyond BUFFER_KEEP_BYTES. */
void buffer_reset(struct buffer *b);

#endif
