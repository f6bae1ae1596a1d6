/* SPDX-License-Identifier: MIT */
/*
 * Input for the suites of wire.c, made record by record.  What is scanned
 * stands in a heap block of its exact size, so that under AddressSanitizer a
 * byte read outside of it is an error.
 */
#ifndef UNIT_WIRE_INPUT_H
#define UNIT_WIRE_INPUT_H

#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

#define ROOM 4096

static uint8_t raw[ROOM];
static size_t raw_bytes;

static inline void
setup(void)
{
	raw_bytes = 0;
}

/* Append a record with any content. */
static inline void
record(int type, uint16_t id, const void *content, uint16_t bytes,
    uint8_t padding)
{
	wire_header_put(raw + raw_bytes, (enum wire_type)type, id, bytes,
	    padding);
	raw_bytes += WIRE_HEADER_BYTES;
	if (bytes > 0)
		memcpy(raw + raw_bytes, content, bytes);
	memset(raw + raw_bytes + bytes, 'P', padding);
	raw_bytes += (size_t)bytes + padding;
}

static inline void
begin(uint16_t id)
{
	record(WIRE_BEGIN_REQUEST, id, "\0\1\0\0\0\0\0\0", 8, 0);
}

/* A valid request: PARAMS in three records that cut a name, a length and a
 * value; a body in two records; padding everywhere. */
static inline void
valid(void)
{
	begin(7);
	record(WIRE_PARAMS, 7, "\x0e\x03REQUEST_", 10, 3);
	record(WIRE_PARAMS, 7, "METHODGET\x01\x80\0", 12, 0);
	record(WIRE_PARAMS, 7, "\0\x02kvv", 5, 255);
	record(WIRE_PARAMS, 7, NULL, 0, 0);
	record(WIRE_STDIN, 7, "hello ", 6, 2);
	record(WIRE_STDIN, 7, "world", 5, 0);
	record(WIRE_STDIN, 7, NULL, 0, 0);
}

/* Scan a heap copy of exactly bytes. */
static inline enum wire_verdict
scan_some(struct wire_scan *s, size_t bytes, size_t params_max)
{
	uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
	enum wire_verdict verdict;

	memcpy(copy, raw, bytes);
	verdict = wire_scan(s, copy, bytes, params_max);
	free(copy);
	return verdict;
}

static inline enum wire_verdict
scan(struct wire_scan *s)
{
	memset(s, 0, sizeof(*s));
	return scan_some(s, raw_bytes, ROOM);
}

#endif
