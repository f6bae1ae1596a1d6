/* SPDX-License-Identifier: MIT */
/*
 * The log ring: head and tail are counts of bytes that only grow; their
 * difference is what stands in the ring.  Each side checks what the other
 * wrote before it uses it.
 */
#include "proto/ring.h"

#include <string.h>

static void
copy_in(const struct slot *s, uint64_t head, const char *line, size_t bytes)
{
	uint32_t size;
	uint8_t *ring = board_ring(s, &size);
	size_t at = (size_t)(head & (size - 1));
	size_t first = bytes < size - at ? bytes : size - at;

	memcpy(ring + at, line, first);
	memcpy(ring, line + first, bytes - first);
}

static void
copy_out(const struct slot *s, uint64_t tail, char *out, size_t bytes)
{
	uint32_t size;
	const uint8_t *ring = board_ring(s, &size);
	size_t at = (size_t)(tail & (size - 1));
	size_t first = bytes < size - at ? bytes : size - at;

	memcpy(out, ring + at, first);
	memcpy(out + first, ring, bytes - first);
}

int
ring_write(struct slot *s, const char *line, size_t bytes)
{
	uint64_t head, used;
	uint32_t size;

	board_ring(s, &size);
	head = atomic_load_explicit(&s->ring_head, memory_order_relaxed);
	used = head - atomic_load_explicit(&s->ring_tail, memory_order_acquire);
	if (bytes == 0 || bytes > RING_LINE_MAX || used > size ||
	    bytes > size - used) {
		atomic_fetch_add_explicit(&s->count.log_dropped, 1,
		    memory_order_relaxed);
		return -1;
	}
	copy_in(s, head, line, bytes);
	atomic_store_explicit(&s->ring_head, head + bytes,
	    memory_order_release);
	if (used + bytes <= size / 4 ||
	    atomic_load_explicit(&s->ring_poked, memory_order_relaxed) != 0)
		return 0;
	return atomic_exchange(&s->ring_poked, 1) == 0 ? 1 : 0;
}

/* Bytes up to and with the last newline. */
static size_t
whole_lines(const char *text, size_t bytes)
{
	const char *last = memrchr(text, '\n', bytes);

	return last == NULL ? 0 : (size_t)(last - text) + 1;
}

size_t
ring_read(struct slot *s, char *out, size_t bytes)
{
	uint64_t head, tail, used;
	uint32_t size;
	size_t take;

	board_ring(s, &size);
	/* before the head is read: a poke that comes later is a new one */
	atomic_store(&s->ring_poked, 0);
	tail = atomic_load_explicit(&s->ring_tail, memory_order_relaxed);
	head = atomic_load_explicit(&s->ring_head, memory_order_acquire);
	used = head - tail;
	if (used == 0)
		return 0;
	take = 0;
	if (used <= size) {
		take = used < bytes ? (size_t)used : bytes;
		copy_out(s, tail, out, take);
		take = whole_lines(out, take);
	}
	atomic_store_explicit(&s->ring_tail, take == 0 ? head : tail + take,
	    memory_order_release);
	return take;
}
