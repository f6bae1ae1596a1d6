/* SPDX-License-Identifier: MIT */
#include "proto/shared.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <string.h>
#include <unistd.h>

#include "proto/segment.h"

#define SHARED_MAGIC 0x4853534eu /* "NSSH" */
#define SHARED_VERSION 1

/* At the segment's start.  A table of more areas than we know is a newer
 * ndsd's, one of fewer an older one's. */
struct header {
	uint32_t magic, version;
	uint64_t bytes; /* of the whole */
	uint32_t areas, unused;
	struct {
		uint64_t at, bytes;
	} area[SHARED_AREAS];
};

static uint64_t
header_fill(struct header *h, const uint64_t area_bytes[SHARED_AREAS])
{
	uint64_t at = segment_round(sizeof(*h));

	memset(h, 0, sizeof(*h));
	h->magic = SHARED_MAGIC;
	h->version = SHARED_VERSION;
	h->areas = SHARED_AREAS;
	for (int i = 0; i < SHARED_AREAS; i++) {
		h->area[i].at = at;
		h->area[i].bytes = segment_round(area_bytes[i]);
		at += h->area[i].bytes;
	}
	h->bytes = at;
	return at;
}

int
shared_new(const uint64_t area_bytes[SHARED_AREAS], struct nds_error *err)
{
	struct header h;
	uint64_t bytes = header_fill(&h, area_bytes);
	int fd;

	if (bytes > SEGMENT_MAX)
		return error_set(err, "%llu bytes of memory for all workers: "
		    "at most %u are possible", (unsigned long long)bytes,
		    SEGMENT_MAX);
	fd = segment_new("nds-shared", bytes, err);
	if (fd < 0)
		return -1;
	if (pwrite(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h))
		return fd;
	error_sys(err, "cannot write to shared memory");
	close(fd);
	return -1;
}

int
shared_pool_new(const struct settings *settings, struct nds_error *err)
{
	const uint64_t bytes[SHARED_AREAS] = {
		[SHARED_BULKHEADS] = SHARED_BULKHEADS_BYTES,
		[SHARED_BUCKETS] = SHARED_BUCKETS_BYTES,
		[SHARED_BREAKERS] = SHARED_BREAKERS_BYTES,
		[SHARED_CACHE] = (uint64_t)settings->cache_bytes};

	return shared_new(bytes, err);
}

static int
areas_take(struct shared *s, struct nds_error *err)
{
	struct header h;
	uint64_t at, bytes;

	memcpy(&h, s->base, sizeof(h));
	if (h.magic != SHARED_MAGIC || h.version < SHARED_VERSION ||
	    h.bytes != s->bytes)
		return error_set(err, "this shared memory is not the pool's");
	for (uint32_t i = 0; i < SHARED_AREAS && i < h.areas; i++) {
		at = h.area[i].at;
		bytes = h.area[i].bytes;
		if (at > s->bytes || bytes > s->bytes - at || at % 64 != 0)
			return error_set(err, "an area of the pool's shared "
			    "memory lies outside of it");
		s->area[i] = bytes == 0 ? NULL : (char *)s->base + at;
		s->area_bytes[i] = bytes;
	}
	return 0;
}

int
shared_map(struct shared *s, int fd, int writable, struct nds_error *err)
{
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	struct stat st;

	memset(s, 0, sizeof(*s));
	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot map shared memory");
	if (st.st_size < (off_t)sizeof(struct header) ||
	    st.st_size > (off_t)SEGMENT_MAX)
		return error_set(err, "shared memory of %lld bytes is not the "
		    "pool's", (long long)st.st_size);
	s->bytes = (uint64_t)st.st_size;
	s->base = mmap(NULL, s->bytes, protection, MAP_SHARED, fd, 0);
	if (s->base == MAP_FAILED) {
		s->base = NULL;
		return error_sys(err, "cannot map shared memory");
	}
	if (areas_take(s, err) == 0)
		return 0;
	shared_unmap(s);
	return -1;
}

void
shared_unmap(struct shared *s)
{
	if (s->base != NULL)
		munmap(s->base, s->bytes);
	memset(s, 0, sizeof(*s));
}
