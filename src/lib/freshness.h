/* SPDX-License-Identifier: MIT */
/*
 * For how long an answer may be given again, by what it says itself: RFC 9111,
 * 4.2 and 5.2.2 (a shared cache), and RFC 5861, 3 (stale-while-revalidate).
 * Pure.  What it says can shorten the times of its route, never lengthen them.
 */
#ifndef LIB_FRESHNESS_H
#define LIB_FRESHNESS_H

#include <stddef.h>
#include <stdint.h>

struct freshness {
	int64_t fresh_ms; /* of the answer's life; then */
	int64_t stale_ms; /* so long while another makes a new one */
};

/* Call each for the names of a list with commas, until one returns not 0;
 * returns that. */
int freshness_list(const char *list, int (*each)(const char *name, void *arg),
    void *arg);

/* Shorten *f to what the fields of the answer (lines that end in CR LF) allow;
 * `vary` lists the request headers that tell answers of the route apart.
 * Returns 1, or 0 when it must not be kept. */
int freshness_limit(struct freshness *f, const char *fields, size_t bytes,
    const char *vary);

#endif
