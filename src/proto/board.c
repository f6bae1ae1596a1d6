/* SPDX-License-Identifier: MIT */
/*
 * Segments of the board: making, mapping and checking them.  A segment is a
 * sealed memfd, so no holder can shrink it under another (SIGBUS).  Its size
 * and the places of its areas are checked once and kept in a private page
 * ahead of the mapping: what stands in the segment itself may be overwritten
 * by the program that it is shared with.
 */
#include "proto/board.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "proto/books.h"
#include "proto/segment.h"

/* Room for what later releases add to a header: pages that nobody writes to
 * take no memory. */
#define SLOT_HEADER_BYTES 16384
#define POOL_ROOM 65536
#define POOL_BYTES (POOL_ROOM + BOARD_SHED_RING)
#define CRASH_BYTES 65536u /* of a stack */

struct checked {
	size_t lead;  /* bytes from here to the segment */
	size_t bytes; /* of the segment */
	uint32_t ring_at, ring_bytes;
	uint32_t books_at; /* 0 = none */
	uint32_t capture_at, capture_bytes;
	uint32_t trace_at, trace_bytes;
	uint32_t crash_at, crash_bytes;
};

static size_t
page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static struct checked *
checked_of(const void *segment)
{
	return (struct checked *)((uintptr_t)segment - page_bytes());
}

/* Map a segment behind a private page of our own. */
static void *
segment_map(int fd, int writable, size_t least, struct nds_error *err)
{
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	size_t lead = page_bytes();
	struct checked *checked;
	struct stat st;
	void *base;

	if (fstat(fd, &st) < 0) {
		error_sys(err, "cannot map shared memory");
		return NULL;
	}
	if (st.st_size < (off_t)least || st.st_size > (off_t)SEGMENT_MAX) {
		error_set(err, "shared memory of %lld bytes is no board of "
		    "ours", (long long)st.st_size);
		return NULL;
	}
	base = mmap(NULL, lead + (size_t)st.st_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED) {
		error_sys(err, "cannot map shared memory");
		return NULL;
	}
	checked = base;
	checked->lead = lead;
	checked->bytes = (size_t)st.st_size;
	if (mmap((char *)base + lead, checked->bytes, protection,
	    MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED)
		return (char *)base + lead;
	error_sys(err, "cannot map shared memory");
	munmap(base, lead + (size_t)st.st_size);
	return NULL;
}

void
board_unmap(void *segment)
{
	struct checked *checked;

	if (segment == NULL)
		return;
	checked = checked_of(segment);
	munmap(checked, checked->lead + checked->bytes);
}

static void
slot_fill(struct slot *s, uint64_t bytes, const uint32_t size[4])
{
	s->capture_at = SLOT_HEADER_BYTES;
	s->capture_bytes = size[0];
	s->answer_at = s->capture_at + size[0];
	s->answer_bytes = size[1];
	s->ring_at = s->answer_at + size[1];
	s->ring_bytes = size[2];
	s->books_at = s->ring_at + size[2];
	s->books_bytes = size[3];
	s->trace_at = s->books_at + size[3];
	s->trace_bytes = size[2];
	s->crash_at = s->trace_at + size[2];
	s->crash_bytes = CRASH_BYTES;
	atomic_init(&s->fd, -1);
	s->bytes = bytes;
	s->version = SLOT_VERSION;
	s->magic = SLOT_MAGIC;
}

/* The ring is addressed by a mask. */
static uint32_t
power_of_two(uint64_t least)
{
	uint32_t size = 1;

	while (size < least)
		size *= 2;
	return size;
}

int
board_slot_new(uint32_t number, uint32_t capture_bytes, uint32_t answer_bytes,
    uint32_t ring_bytes, struct nds_error *err)
{
	uint32_t size[4];
	uint64_t bytes;
	struct slot *s;
	int fd;

	if (capture_bytes > SEGMENT_MAX / 4 || answer_bytes > SEGMENT_MAX / 4 ||
	    ring_bytes > SEGMENT_MAX / 4)
		return error_set(err, "slot %u: an area is too large", number);
	size[0] = (uint32_t)segment_round(capture_bytes);
	size[1] = (uint32_t)segment_round(answer_bytes);
	size[2] = power_of_two(segment_round(ring_bytes));
	size[3] = (uint32_t)segment_round(sizeof(struct books));
	bytes = SLOT_HEADER_BYTES + size[0] + size[1] + 2 * size[2] + size[3] +
	    CRASH_BYTES;
	fd = segment_new("nds-slot", bytes, err);
	if (fd < 0)
		return -1;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED) {
		error_sys(err, "cannot map slot %u", number);
		close(fd);
		return -1;
	}
	s->number = number;
	slot_fill(s, bytes, size);
	munmap(s, sizeof(*s));
	return fd;
}

int
board_pool_new(struct nds_error *err)
{
	struct pool_board *p;
	int fd = segment_new("nds-pool", POOL_BYTES, err);

	if (fd < 0)
		return -1;
	p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		error_sys(err, "cannot map the pool's board");
		close(fd);
		return -1;
	}
	p->bytes = POOL_BYTES;
	p->version = POOL_VERSION;
	p->magic = POOL_MAGIC;
	munmap(p, sizeof(*p));
	return fd;
}

/* Does [at, at + bytes) lie behind the header and inside the segment? */
static int
inside(uint32_t at, uint32_t bytes, size_t whole)
{
	return at >= sizeof(struct slot) && at <= whole && bytes <= whole - at;
}

static const char *
slot_wrong(const struct slot *s, struct checked *checked)
{
	size_t whole = checked->bytes;

	checked->ring_at = s->ring_at;
	checked->ring_bytes = s->ring_bytes;
	checked->books_at = s->books_bytes < sizeof(struct books) ? 0 :
	    s->books_at;
	checked->capture_at = s->capture_at;
	checked->capture_bytes = s->capture_bytes;
	checked->trace_at = s->trace_at;
	checked->trace_bytes = s->trace_bytes;
	checked->crash_at = s->crash_at;
	checked->crash_bytes = s->crash_bytes;
	if (s->magic != SLOT_MAGIC)
		return "it is no slot";
	if (s->version < SLOT_VERSION || s->bytes != whole)
		return "its version or size is wrong";
	if (!inside(checked->capture_at, checked->capture_bytes, whole) ||
	    !inside(s->answer_at, s->answer_bytes, whole) ||
	    !inside(checked->ring_at, checked->ring_bytes, whole) ||
	    (checked->books_at != 0 &&
		(checked->books_at % 64 != 0 ||
		    !inside(checked->books_at, sizeof(struct books), whole))))
		return "an area lies outside of it";
	if ((checked->trace_bytes > 0 &&
	    !inside(checked->trace_at, checked->trace_bytes, whole)) ||
	    (checked->crash_bytes > 0 &&
	    !inside(checked->crash_at, checked->crash_bytes, whole)))
		return "an area of the observer's lies outside of it";
	if (checked->ring_bytes == 0 ||
	    (checked->ring_bytes & (checked->ring_bytes - 1)) != 0 ||
	    (checked->trace_bytes & (checked->trace_bytes - 1)) != 0)
		return "its ring is no power of two";
	return NULL;
}

struct slot *
board_slot_map(int fd, int writable, struct nds_error *err)
{
	struct slot *s = segment_map(fd, writable, sizeof(*s), err);
	const char *wrong;

	if (s == NULL)
		return NULL;
	wrong = slot_wrong(s, checked_of(s));
	if (wrong == NULL)
		return s;
	error_set(err, "cannot use this shared memory: %s", wrong);
	board_unmap(s);
	return NULL;
}

int
board_slot_whole(const struct slot *s, uint32_t number)
{
	const struct checked *before = checked_of(s);
	struct checked now = {.bytes = before->bytes};

	return slot_wrong(s, &now) == NULL && s->number == number &&
	    now.ring_at == before->ring_at &&
	    now.ring_bytes == before->ring_bytes &&
	    now.books_at == before->books_at &&
	    now.capture_at == before->capture_at &&
	    now.capture_bytes == before->capture_bytes &&
	    now.trace_at == before->trace_at &&
	    now.trace_bytes == before->trace_bytes &&
	    now.crash_at == before->crash_at &&
	    now.crash_bytes == before->crash_bytes;
}

void
board_slot_clean(struct slot *s, uint32_t generation)
{
	atomic_store(&s->state, SLOT_ACCEPTING);
	atomic_store(&s->fd, -1);
	atomic_store(&s->worker_pid, 0);
	atomic_store(&s->guardian_pid, 0);
	atomic_store(&s->tries, 0);
	atomic_store(&s->started_ms, 0);
	atomic_store(&s->deadline_ms, 0);
	atomic_store(&s->generation, generation);
}

struct pool_board *
board_pool_map(int fd, int writable, struct nds_error *err)
{
	struct pool_board *p = segment_map(fd, writable, sizeof(*p), err);

	if (p == NULL)
		return NULL;
	if (p->magic == POOL_MAGIC && p->version >= POOL_VERSION &&
	    p->bytes == checked_of(p)->bytes)
		return p;
	error_set(err, "cannot use this shared memory: it is no pool's board");
	board_unmap(p);
	return NULL;
}

void
board_slot_wipe(struct slot *s)
{
	if (inside(s->capture_at, s->capture_bytes, checked_of(s)->bytes))
		memset(slot_capture(s), 0, s->capture_bytes);
}

uint8_t *
board_ring(const struct slot *s, uint32_t *bytes)
{
	const struct checked *checked = checked_of(s);

	*bytes = checked->ring_bytes;
	return (uint8_t *)((uintptr_t)s + checked->ring_at);
}

uint64_t
board_bytes(const struct slot *s)
{
	return checked_of(s)->bytes;
}

struct books *
board_books(const struct slot *s)
{
	uint32_t at = checked_of(s)->books_at;

	return at == 0 ? NULL : (struct books *)((uintptr_t)s + at);
}

const uint8_t *
board_capture(const struct slot *s, uint32_t *bytes)
{
	const struct checked *checked = checked_of(s);

	*bytes = checked->capture_bytes;
	return (const uint8_t *)((uintptr_t)s + checked->capture_at);
}

uint8_t *
board_trace_ring(const struct slot *s, uint32_t *bytes)
{
	const struct checked *checked = checked_of(s);

	*bytes = checked->trace_bytes;
	return (uint8_t *)((uintptr_t)s + checked->trace_at);
}

uint8_t *
board_crash_stack(const struct slot *s, uint32_t *bytes)
{
	const struct checked *checked = checked_of(s);

	*bytes = checked->crash_bytes;
	return (uint8_t *)((uintptr_t)s + checked->crash_at);
}

uint8_t *
board_shed_ring(const struct pool_board *p, uint32_t *bytes)
{
	*bytes = checked_of(p)->bytes < POOL_BYTES ? 0 : BOARD_SHED_RING;
	return (uint8_t *)((uintptr_t)p + POOL_ROOM);
}

int
board_latency_bucket(int64_t us)
{
	static const int64_t edges[] = BOARD_LATENCY_EDGES;
	int i;

	for (i = 0; i < BOARD_LATENCY_BUCKETS - 1; i++)
		if (us <= edges[i])
			break;
	return i;
}

int
board_check_read(const struct board_check *from, struct board_check *to)
{
	uint32_t seq = atomic_load_explicit(&from->seq, memory_order_acquire);

	if (seq % 2 != 0)
		return -1;
	atomic_init(&to->seq, seq);
	atomic_init(&to->status, atomic_load(&from->status));
	atomic_init(&to->checked_ms, atomic_load(&from->checked_ms));
	atomic_init(&to->duration_ms, atomic_load(&from->duration_ms));
	atomic_init(&to->good_for_ms, atomic_load(&from->good_for_ms));
	memcpy(to->name, from->name, sizeof(to->name));
	memcpy(to->message, from->message, sizeof(to->message));
	to->name[sizeof(to->name) - 1] = '\0';
	to->message[sizeof(to->message) - 1] = '\0';
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&from->seq, memory_order_relaxed) != seq)
		return -1;
	return 0;
}
