/* SPDX-License-Identifier: MIT */
/*
 * The last lines that a process has written, whole or cut, for who wants to
 * know why it died.
 */
#ifndef NDSD_TAIL_H
#define NDSD_TAIL_H

#include <stddef.h>

#define TAIL_LINES 10
#define TAIL_LINE_MAX 200 /* bytes of one that are kept */
#define TAIL_BYTES 2048	  /* more than so many of such */

struct tail {
	size_t bytes;
	char text[TAIL_BYTES]; /* lines, each with its newline, and a NUL */
};

/* Add whole lines; the first ones make room. */
void tail_add(struct tail *t, const char *lines, size_t bytes);

#endif
