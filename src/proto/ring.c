/* SPDX-License-Identifier: MIT */
/*
 * The rings: head and tail are counts of bytes that only grow; their
 * difference is what stands in the ring.  Each side checks what the other
 * wrote before it uses it.
 */
#include "proto/ring.h"

#include <string.h>

struct ring {
	uint8_t *data;
	uint32_t size;
	_Atomic uint64_t *head, *tail, *dropped;
};

static struct ring
log_ring(struct slot *s)
{
	struct ring r = {.head = &s->ring_head, .tail = &s->ring_tail,
	    .dropped = &s->count.log_dropped};

	r.data = board_ring(s, &r.size);
	return r;
}

static struct ring
span_ring(struct slot *s)
{
	struct ring r = {.head = &s->trace_head, .tail = &s->trace_tail,
	    .dropped = &s->trace_dropped};

	r.data = board_trace_ring(s, &r.size);
	return r;
}

static struct ring
shed_ring(struct pool_board *p)
{
	struct ring r = {.head = &p->shed_head, .tail = &p->shed_tail,
	    .dropped = &p->shed_dropped};

	r.data = board_shed_ring(p, &r.size);
	return r;
}

static void
copy_in(const struct ring *r, uint64_t head, const char *line, size_t bytes)
{
	size_t at = (size_t)(head & (r->size - 1));
	size_t first = bytes < r->size - at ? bytes : r->size - at;

	memcpy(r->data + at, line, first);
	memcpy(r->data, line + first, bytes - first);
}

static void
copy_out(const struct ring *r, uint64_t tail, char *out, size_t bytes)
{
	size_t at = (size_t)(tail & (r->size - 1));
	size_t first = bytes < r->size - at ? bytes : r->size - at;

	memcpy(out, r->data + at, first);
	memcpy(out + first, r->data, bytes - first);
}

/* Returns the bytes in the ring with this line, 0 when it was dropped. */
static uint64_t
put(const struct ring *r, const char *line, size_t bytes)
{
	uint64_t head, used;

	head = atomic_load_explicit(r->head, memory_order_relaxed);
	used = head - atomic_load_explicit(r->tail, memory_order_acquire);
	if (bytes == 0 || bytes > RING_LINE_MAX || used > r->size ||
	    bytes > r->size - used) {
		atomic_fetch_add_explicit(r->dropped, 1, memory_order_relaxed);
		return 0;
	}
	copy_in(r, head, line, bytes);
	atomic_store_explicit(r->head, head + bytes, memory_order_release);
	return used + bytes;
}

int
ring_write(struct slot *s, const char *line, size_t bytes)
{
	struct ring r = log_ring(s);
	uint64_t used = put(&r, line, bytes);

	if (used == 0)
		return -1;
	if (used <= r.size / 4 ||
	    atomic_load_explicit(&s->ring_poked, memory_order_relaxed) != 0)
		return 0;
	return atomic_exchange(&s->ring_poked, 1) == 0 ? 1 : 0;
}

int
ring_span_write(struct slot *s, const char *line, size_t bytes)
{
	struct ring r = span_ring(s);

	return put(&r, line, bytes) == 0 ? -1 : 0;
}

/* Bytes up to and with the last newline. */
static size_t
whole_lines(const char *text, size_t bytes)
{
	const char *last = memrchr(text, '\n', bytes);

	return last == NULL ? 0 : (size_t)(last - text) + 1;
}

static size_t
take(const struct ring *r, char *out, size_t bytes)
{
	uint64_t head, tail, used;
	size_t got = 0;

	tail = atomic_load_explicit(r->tail, memory_order_relaxed);
	head = atomic_load_explicit(r->head, memory_order_acquire);
	used = head - tail;
	if (used == 0)
		return 0;
	if (used <= r->size) {
		got = used < bytes ? (size_t)used : bytes;
		copy_out(r, tail, out, got);
		got = whole_lines(out, got);
	}
	atomic_store_explicit(r->tail, got == 0 ? head : tail + got,
	    memory_order_release);
	return got;
}

size_t
ring_read(struct slot *s, char *out, size_t bytes)
{
	struct ring r = log_ring(s);

	/* before the head is read: a poke that comes later is a new one */
	atomic_store(&s->ring_poked, 0);
	return take(&r, out, bytes);
}

size_t
ring_span_read(struct slot *s, char *out, size_t bytes)
{
	struct ring r = span_ring(s);

	return take(&r, out, bytes);
}

int
ring_shed_write(struct pool_board *p, const char *line, size_t bytes)
{
	struct ring r = shed_ring(p);

	return put(&r, line, bytes) == 0 ? -1 : 0;
}

size_t
ring_shed_read(struct pool_board *p, char *out, size_t bytes)
{
	struct ring r = shed_ring(p);

	return take(&r, out, bytes);
}
