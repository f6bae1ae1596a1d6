/* SPDX-License-Identifier: MIT */
/*
 * The last lines of the log, for who asks later: in a segment that the keeper
 * keeps, so that they outlive supervisors and upgrades.  One ring has all
 * lines.  Warnings and errors stand in two more beside it, each with its
 * place among all, so that no crowd of other lines takes them away; the lines
 * of failed requests have one to themselves, because they may be a crowd, too.
 *
 * One process writes at a time: the supervisor, or the keeper while there is
 * none.  A line counts once all of it stands, so a writer may die anywhere.
 */
#ifndef NDSD_RECENT_H
#define NDSD_RECENT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define RECENT_BYTES (256u << 10) /* of each ring, a power of two */

enum recent_kind {
	RECENT_ALL,
	RECENT_EVENTS,	/* warnings and errors, but for */
	RECENT_FAILURES, /* lines of requests that failed */
	RECENT_RINGS
};

struct recent_ring {
	_Atomic uint64_t end; /* bytes so far; the last of them are in text */
	char text[RECENT_BYTES];
};

struct recent {
	uint32_t magic, version;
	int64_t born_us; /* Unix time; positions are of this one's lines */
	_Atomic uint64_t lines; /* so far */
	struct recent_ring ring[RECENT_RINGS];
};

/* Make an empty one: *recent is its mapping.  Returns a CLOEXEC fd or -1. */
int recent_new(struct recent **recent, struct nds_error *err);

/* Map one that was kept (fd -1 = none).  Returns NULL with err when this
 * binary cannot read it. */
struct recent *recent_map(int fd, struct nds_error *err);

/* Add whole lines.  recent may be NULL: then they are forgotten. */
void recent_add(struct recent *recent, const char *lines, size_t bytes);

/* Copy out what there is from a position on (0 = the first), in the order in
 * which it came: of the first *older bytes only warnings and errors are left.
 * Returns how many bytes; recent_end() is the position behind them. */
size_t recent_since(const struct recent *recent, uint64_t position,
    char out[RECENT_RINGS * RECENT_BYTES], size_t *older);
uint64_t recent_end(const struct recent *recent);

#endif
