/* SPDX-License-Identifier: MIT */
#include "lib/buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
buffer_room(struct buffer *b, size_t bytes)
{
	size_t size = b->size;
	char *data;

	if (b->data != NULL && bytes <= b->size - b->used)
		return 0;
	if (bytes > SIZE_MAX / 4 || b->used > SIZE_MAX / 4) {
		errno = ENOMEM;
		return -1;
	}
	if (size < 1024)
		size = 1024;
	while (size - b->used < bytes)
		size *= 2;
	data = realloc(b->data, size);
	if (data == NULL)
		return -1;
	b->data = data;
	b->size = size;
	return 0;
}

int
buffer_add(struct buffer *b, const void *data, size_t bytes)
{
	if (buffer_room(b, bytes) != 0)
		return -1;
	if (bytes > 0)
		memcpy(b->data + b->used, data, bytes);
	b->used += bytes;
	return 0;
}

void
buffer_reset(struct buffer *b)
{
	b->used = 0;
	if (b->size <= BUFFER_KEEP_BYTES)
		return;
	free(b->data);
	b->data = NULL;
	b->size = 0;
}
