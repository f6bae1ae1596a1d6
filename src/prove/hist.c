/* SPDX-License-Identifier: MIT */
#include "prove/hist.h"

#include <string.h>

#define SUB_BITS 7 /* log2(HIST_SUB) */

static unsigned
cell_of(uint64_t us)
{
	unsigned shift, cell;

	if (us < HIST_SUB)
		return (unsigned)us;
	shift = 63 - SUB_BITS - (unsigned)__builtin_clzll(us);
	cell = (shift + 1) * HIST_SUB + (unsigned)((us >> shift) - HIST_SUB);
	return cell < HIST_CELLS ? cell : HIST_CELLS - 1;
}

/* The middle of a cell. */
static uint64_t
cell_value(unsigned cell)
{
	unsigned shift;

	if (cell < HIST_SUB)
		return cell;
	shift = cell / HIST_SUB - 1;
	return ((uint64_t)(cell % HIST_SUB + HIST_SUB) << shift) +
	    (((uint64_t)1 << shift) >> 1);
}

void
hist_clear(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void
hist_add(struct hist *h, int64_t us)
{
	uint64_t value = us < 0 ? 0 : (uint64_t)us;

	h->count++;
	h->cells[cell_of(value)]++;
	if (value > h->max)
		h->max = value;
}

void
hist_merge(struct hist *h, const struct hist *more)
{
	h->count += more->count;
	if (more->max > h->max)
		h->max = more->max;
	for (unsigned i = 0; i < HIST_CELLS; i++)
		h->cells[i] += more->cells[i];
}

uint64_t
hist_at(const struct hist *h, double part)
{
	double exact = part * (double)h->count;
	uint64_t rank = (uint64_t)exact, seen = 0;
	unsigned i = 0;

	if (h->count == 0)
		return 0;
	if (rank == 0 || (double)rank < exact)
		rank++;
	if (rank >= h->count)
		return h->max;
	for (; i < HIST_CELLS - 1; i++) {
		seen += h->cells[i];
		if (seen >= rank)
			break;
	}
	return cell_value(i) < h->max ? cell_value(i) : h->max;
}
