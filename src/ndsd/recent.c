/* SPDX-License-Identifier: MIT */
#include "ndsd/recent.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/segment.h"

#define RECENT_MAGIC 0x4c53534eu /* "NSSL" */
#define RECENT_VERSION 1
#define PLACE_BYTES 16 /* of its place among all, in hex, before such a line */
#define ENTRY_MAX (PLACE_BYTES + LOG_LINE_MAX)

/* ---- the segment --------------------------------------------------------- */

static struct recent *
map(int fd, struct nds_error *err)
{
	struct recent *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);

	if (r != MAP_FAILED)
		return r;
	error_sys(err, "cannot map the last lines of the log");
	return NULL;
}

int
recent_new(struct recent **recent, struct nds_error *err)
{
	int fd = segment_new("nds-recent", sizeof(**recent), err);

	*recent = fd < 0 ? NULL : map(fd, err);
	if (*recent == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	(*recent)->magic = RECENT_MAGIC;
	(*recent)->version = RECENT_VERSION;
	(*recent)->born_us = clock_wall_us() + clock_us();
	return fd;
}

struct recent *
recent_map(int fd, struct nds_error *err)
{
	struct recent *r;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != sizeof(*r)) {
		error_set(err, "the last lines of the log were not kept");
		return NULL;
	}
	r = map(fd, err);
	if (r == NULL ||
	    (r->magic == RECENT_MAGIC && r->version == RECENT_VERSION))
		return r;
	error_set(err, "the last lines of the log are another release's");
	munmap(r, sizeof(*r));
	return NULL;
}

/* ---- lines in ------------------------------------------------------------ */

static uint64_t
end_of(const struct recent_ring *ring)
{
	return atomic_load_explicit(&ring->end, memory_order_acquire);
}

static void
put(struct recent_ring *ring, const char *text, size_t bytes)
{
	uint64_t end = end_of(ring);
	size_t at = end % RECENT_BYTES, first = RECENT_BYTES - at;

	if (first > bytes)
		first = bytes;
	memcpy(ring->text + at, text, first);
	memcpy(ring->text, text + first, bytes - first);
	atomic_store_explicit(&ring->end, end + bytes, memory_order_release);
}

static int
begins(const char *text, size_t bytes, const char *with)
{
	size_t least = strlen(with);

	return bytes >= least && memcmp(text, with, least) == 0;
}

/* Of lines below a warning RECENT_ALL alone. */
static enum recent_kind
kind_of(const char *line, size_t bytes)
{
	const char *message;

	if (log_line_level(line, bytes, &message) < LOG_WARN)
		return RECENT_ALL;
	bytes -= (size_t)(message - line);
	return begins(message, bytes, "request\",\"request_id") ||
		begins(message, bytes, "request request_id")
	    ? RECENT_FAILURES
	    : RECENT_EVENTS;
}

static void
add_line(struct recent *r, const char *line, size_t bytes)
{
	enum recent_kind kind = kind_of(line, bytes);
	char entry[ENTRY_MAX];

	if (kind != RECENT_ALL) {
		snprintf(entry, sizeof(entry), "%0*" PRIx64, PLACE_BYTES,
		    recent_end(r));
		memcpy(entry + PLACE_BYTES, line, bytes);
		put(&r->ring[kind], entry, PLACE_BYTES + bytes);
	}
	put(&r->ring[RECENT_ALL], line, bytes);
}

void
recent_add(struct recent *recent, const char *lines, size_t bytes)
{
	const char *end = lines + bytes, *next;
	uint64_t count = 0;

	if (recent == NULL)
		return;
	for (; lines < end; lines = next) {
		next = memchr(lines, '\n', (size_t)(end - lines));
		if (next++ == NULL)
			break;
		/* a longer one is a worker's that has gone mad */
		if (next - lines <= LOG_LINE_MAX)
			add_line(recent, lines, (size_t)(next - lines));
		count++;
	}
	atomic_fetch_add_explicit(&recent->lines, count, memory_order_relaxed);
}

/* ---- and out ------------------------------------------------------------- */

uint64_t
recent_end(const struct recent *recent)
{
	return end_of(&recent->ring[RECENT_ALL]);
}

static char
byte_at(const struct recent_ring *ring, uint64_t position)
{
	return ring->text[position % RECENT_BYTES];
}

/* Where the first whole line begins.  What the longest may take is left out:
 * a writer that died may have begun to write there. */
static uint64_t
oldest(const struct recent_ring *ring)
{
	uint64_t end = end_of(ring), at;

	if (end <= RECENT_BYTES - ENTRY_MAX)
		return 0;
	at = end - (RECENT_BYTES - ENTRY_MAX) - 1;
	while (at < end && byte_at(ring, at) != '\n')
		at++;
	return at + 1;
}

/* One of the rings beside, as it is read: the entry at `at` has that place
 * among all lines; UINT64_MAX = there are no more. */
struct cursor {
	const struct recent_ring *ring;
	uint64_t at, place;
};

static void
cursor_at(struct cursor *c, uint64_t at)
{
	char place[PLACE_BYTES + 1] = "";

	c->at = at;
	c->place = UINT64_MAX;
	if (at >= end_of(c->ring))
		return;
	for (int i = 0; i < PLACE_BYTES; i++)
		place[i] = byte_at(c->ring, at++);
	c->place = strtoull(place, NULL, 16);
}

/* Copy its line out and go on to the next; out may be NULL. */
static size_t
cursor_take(struct cursor *c, char *out)
{
	uint64_t at = c->at + PLACE_BYTES, end = end_of(c->ring);
	size_t bytes = 0;
	char byte = '\0';

	while (at < end && byte != '\n') {
		byte = byte_at(c->ring, at++);
		if (out != NULL)
			out[bytes] = byte;
		bytes++;
	}
	cursor_at(c, at);
	return bytes;
}

/* What the rings beside have of [from, to). */
static size_t
side_lines(const struct recent *recent, uint64_t from, uint64_t to, char *out)
{
	struct cursor c[] = {{.ring = &recent->ring[RECENT_EVENTS]},
	    {.ring = &recent->ring[RECENT_FAILURES]}}, *first;
	size_t bytes = 0;

	for (int i = 0; i < 2; i++)
		for (cursor_at(&c[i], oldest(c[i].ring)); c[i].place < from;)
			cursor_take(&c[i], NULL);
	for (;;) {
		first = &c[c[1].place < c[0].place];
		if (first->place >= to)
			return bytes;
		bytes += cursor_take(first, out + bytes);
	}
}

size_t
recent_since(const struct recent *recent, uint64_t position,
    char out[RECENT_RINGS * RECENT_BYTES], size_t *older)
{
	const struct recent_ring *all = &recent->ring[RECENT_ALL];
	uint64_t from = oldest(all), end = end_of(all);
	size_t bytes = 0;

	if (position > end)
		position = 0;
	if (position < from)
		bytes = side_lines(recent, position, from, out);
	*older = bytes;
	for (from = position < from ? from : position; from < end; from++)
		out[bytes++] = byte_at(all, from);
	return bytes;
}
