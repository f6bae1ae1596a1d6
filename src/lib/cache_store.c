/* SPDX-License-Identifier: MIT */
#include "lib/cache_store.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAYS 8		 /* places in the index for one key */
#define INDEX_SHARE 32	 /* one part in so many of the area is index */
#define LINE 64		 /* entries begin at a multiple of it */
#define PRESENT 1u	 /* in cache_way.at: 0 is no entry */
#define OWNER_NONE 65535 /* of a lease that says CACHE_VAIN */
/* Longer leases were scribbled; who asks may have read the clock long ago. */
#define LEASE_SANE_MS (2 * CACHE_LEASE_MAX_MS)

/* A key's place in the index; zero = free. */
struct cache_way {
	_Atomic uint64_t tag; /* the key's hash */
	_Atomic uint64_t at;  /* ring position of its entry | PRESENT */
};

/* Keys have one by their hash, and may share it: one word says all, so that no
 * two get a lease at once, and a lease of another key costs a wait. */
struct cache_hold {
	_Atomic uint64_t lease; /* until_ms << 16 | owner */
	_Atomic uint32_t bell;	/* rung at each release; a futex */
	_Atomic uint32_t waiting; /* at most; who dies waiting stays in it */
};

/* An entry in the ring: this, key, fields, body. */
struct record {
	uint64_t sum; /* of all that follows */
	uint64_t at;  /* its own position */
	int64_t stored_ms;
	uint32_t field_count, key_bytes, fields_bytes, body_bytes;
	uint32_t fresh_ms, stale_ms;
};

/* ---- sums and keys ------------------------------------------------------- */

/* A word at a time, multiply and fold: for accidents, not for enemies; those
 * of the key are compared in full. */
static uint64_t
sum_add(uint64_t sum, const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint64_t word;

	for (; bytes > 0; at += sizeof(word)) {
		size_t some = bytes < sizeof(word) ? bytes : sizeof(word);

		word = some;
		memcpy(&word, at, some);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
		sum ^= sum >> 29;
		bytes -= some;
	}
	return sum;
}

int
cache_key_add(struct cache_key *key, const char *text, size_t bytes)
{
	if (bytes >= sizeof(key->text) - key->bytes)
		return -1;
	memcpy(key->text + key->bytes, text, bytes);
	key->bytes += bytes;
	key->text[key->bytes++] = '\0';
	return 0;
}

void
cache_key_end(struct cache_key *key)
{
	key->hash = sum_add(key->bytes, key->text, key->bytes);
	if (key->hash == 0)
		key->hash = 1;
}

/* ---- the index ----------------------------------------------------------- */

int
cache_store_open(struct cache_store *s, void *area, uint64_t bytes)
{
	uint64_t set_bytes = WAYS * (sizeof(struct cache_way) +
	    sizeof(struct cache_hold));

	memset(s, 0, sizeof(*s));
	if (area == NULL || bytes < 4096)
		return -1;
	s->sets = bytes / INDEX_SHARE / set_bytes;
	if (s->sets == 0)
		s->sets = 1;
	s->head = area;
	s->ways = (struct cache_way *)((char *)area + LINE);
	s->holds = (struct cache_hold *)(s->ways + s->sets * WAYS);
	s->ring = (uint8_t *)(s->holds + s->sets * WAYS);
	s->ring_bytes = (bytes - LINE - s->sets * set_bytes) / LINE * LINE;
	return 0;
}

static struct cache_way *
set_of(const struct cache_store *s, const struct cache_key *key)
{
	return s->ways + key->hash % s->sets * WAYS;
}

static struct cache_way *
way_find(const struct cache_store *s, const struct cache_key *key)
{
	struct cache_way *way = set_of(s, key);

	for (int i = 0; i < WAYS; i++)
		if (atomic_load(&way[i].tag) == key->hash)
			return way + i;
	return NULL;
}

/* The free way of a set, or the one with the oldest entry; its tag as it was
 * then. */
static struct cache_way *
way_oldest(struct cache_way *set, uint64_t *tag)
{
	uint64_t oldest_at = UINT64_MAX, at, each;
	struct cache_way *oldest = set;

	*tag = atomic_load(&set->tag);
	for (int i = 0; i < WAYS; i++) {
		each = atomic_load(&set[i].tag);
		at = each == 0 ? 0 : 1 + atomic_load(&set[i].at);
		if (at >= oldest_at)
			continue;
		oldest = set + i;
		oldest_at = at;
		*tag = each;
	}
	return oldest;
}

/* The key's way, made if there is none in place of the oldest; NULL after too
 * many races.  Until its entry is kept that of another key stands there, which
 * is never taken for ours. */
static struct cache_way *
way_claim(const struct cache_store *s, const struct cache_key *key)
{
	struct cache_way *way;
	uint64_t tag;

	for (int tries = 0; tries < WAYS; tries++) {
		way = way_find(s, key);
		if (way != NULL)
			return way;
		way = way_oldest(set_of(s, key), &tag);
		if (atomic_compare_exchange_strong(&way->tag, &tag, key->hash))
			return way;
	}
	return NULL;
}

/* ---- entries ------------------------------------------------------------- */

static uint64_t
record_bytes(const struct record *r)
{
	return sizeof(*r) + (uint64_t)r->key_bytes + r->fields_bytes +
	    r->body_bytes;
}

/* Never of what stands in the ring: another writer, a lap later, may write
 * there too. */
static uint64_t
record_sum(const struct record *r, const char *key, const char *fields,
    const char *body)
{
	uint64_t sum = sum_add(0, &r->at, sizeof(*r) - sizeof(r->sum));

	sum = sum_add(sum, key, r->key_bytes);
	sum = sum_add(sum, fields, r->fields_bytes);
	return sum_add(sum, body, r->body_bytes);
}

/* Copy the record at a position of the ring, if one can be there. */
static int
record_copy(const struct cache_store *s, uint64_t at, struct buffer *copy)
{
	uint64_t offset = at % s->ring_bytes, room = s->ring_bytes - offset;
	struct record r;

	if (atomic_load(s->head) - at > s->ring_bytes || room < sizeof(r))
		return -1;
	memcpy(&r, s->ring + offset, sizeof(r));
	if (r.key_bytes > CACHE_KEY_MAX || r.fields_bytes > CACHE_FIELDS_MAX ||
	    r.body_bytes > CACHE_BODY_MAX || record_bytes(&r) > room)
		return -1;
	copy->used = 0;
	return buffer_add(copy, s->ring + offset, record_bytes(&r));
}

/* Is the copy a whole entry of this key, written for this position?  Then *e
 * points into it. */
static int
record_read(const struct buffer *copy, uint64_t at,
    const struct cache_key *key, struct cache_entry *e)
{
	const char *text = copy->data + sizeof(struct record);
	struct record r;

	memcpy(&r, copy->data, sizeof(r));
	if (r.at != at || record_bytes(&r) != copy->used ||
	    r.key_bytes != key->bytes ||
	    memcmp(text, key->text, key->bytes) != 0)
		return -1;
	e->stored_ms = r.stored_ms;
	e->fresh_ms = r.fresh_ms;
	e->stale_ms = r.stale_ms;
	e->field_count = r.field_count;
	e->fields_bytes = r.fields_bytes;
	e->body_bytes = r.body_bytes;
	e->fields = text + r.key_bytes;
	e->body = e->fields + r.fields_bytes;
	return r.sum == record_sum(&r, text, e->fields, e->body) ? 0 : -1;
}

int
cache_store_get(const struct cache_store *s, const struct cache_key *key,
    struct buffer *copy, struct cache_entry *e)
{
	const struct cache_way *way = way_find(s, key);
	uint64_t at = way == NULL ? 0 :
	    atomic_load_explicit(&way->at, memory_order_acquire);

	if ((at & PRESENT) == 0)
		return -1;
	at -= PRESENT;
	if (record_copy(s, at, copy) != 0)
		return -1;
	return record_read(copy, at, key, e);
}

/* Take room at the head, in one piece: what does not fit behind goes to the
 * beginning. */
static uint64_t
ring_take(const struct cache_store *s, uint64_t bytes)
{
	uint64_t old = atomic_load(s->head), at, left;

	do {
		at = old / LINE * LINE;
		left = s->ring_bytes - at % s->ring_bytes;
		if (left < bytes)
			at += left;
	} while (!atomic_compare_exchange_weak(s->head, &old, at + bytes));
	return at;
}

int
cache_store_put(const struct cache_store *s, const struct cache_key *key,
    const struct cache_entry *e)
{
	struct record r = {.stored_ms = e->stored_ms,
	    .fresh_ms = e->fresh_ms, .stale_ms = e->stale_ms,
	    .field_count = e->field_count, .key_bytes = (uint32_t)key->bytes,
	    .fields_bytes = (uint32_t)e->fields_bytes,
	    .body_bytes = (uint32_t)e->body_bytes};
	uint64_t bytes = (record_bytes(&r) + LINE - 1) / LINE * LINE;
	struct cache_way *way;
	uint8_t *to;

	if (e->fields_bytes > CACHE_FIELDS_MAX ||
	    e->body_bytes > CACHE_BODY_MAX || bytes > s->ring_bytes / 2)
		return -1;
	way = way_claim(s, key);
	if (way == NULL)
		return -1;
	r.at = ring_take(s, bytes);
	r.sum = record_sum(&r, key->text, e->fields, e->body);
	to = s->ring + r.at % s->ring_bytes;
	memcpy(to, &r, sizeof(r));
	to += sizeof(r);
	memcpy(to, key->text, key->bytes);
	memcpy(to + key->bytes, e->fields, e->fields_bytes);
	memcpy(to + key->bytes + e->fields_bytes, e->body, e->body_bytes);
	atomic_store_explicit(&way->at, r.at | PRESENT, memory_order_release);
	return 0;
}

/* ---- leases -------------------------------------------------------------- */

static struct cache_hold *
hold_of(const struct cache_store *s, const struct cache_key *key)
{
	return s->holds + (key->hash >> 32) % (s->sets * WAYS);
}

static int
lease_over(uint64_t lease, int64_t now_ms)
{
	int64_t left = (int64_t)(lease >> 16) - now_ms;

	return left <= 0 || left > LEASE_SANE_MS;
}

enum cache_lease
cache_store_lease(const struct cache_store *s, const struct cache_key *key,
    struct cache_claim *claim)
{
	struct cache_hold *hold = hold_of(s, key);
	uint64_t mine = (uint64_t)claim->until_ms << 16 | claim->owner, old;

	claim->bell = atomic_load(&hold->bell);
	old = atomic_load(&hold->lease);
	while (lease_over(old, claim->now_ms) ||
	    (uint16_t)old == claim->owner)
		if (atomic_compare_exchange_weak(&hold->lease, &old, mine))
			return CACHE_LEASED;
	return (uint16_t)old == OWNER_NONE ? CACHE_VAIN : CACHE_HELD;
}

void
cache_store_release(const struct cache_store *s, const struct cache_key *key,
    uint16_t owner, int64_t vain_until_ms)
{
	struct cache_hold *hold = hold_of(s, key);
	uint64_t old = atomic_load(&hold->lease), next = 0;

	if (vain_until_ms != 0)
		next = (uint64_t)vain_until_ms << 16 | OWNER_NONE;
	if ((uint16_t)old != owner ||
	    !atomic_compare_exchange_strong(&hold->lease, &old, next))
		return;
	atomic_fetch_add(&hold->bell, 1);
	if (atomic_load(&hold->waiting) == 0)
		return;
	syscall(SYS_futex, &hold->bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void
cache_store_wait(const struct cache_store *s, const struct cache_key *key,
    uint32_t bell, int wait_ms)
{
	struct timespec most = {wait_ms / 1000, wait_ms % 1000 * 1000000L};
	struct cache_hold *hold = hold_of(s, key);

	atomic_fetch_add(&hold->waiting, 1);
	syscall(SYS_futex, &hold->bell, FUTEX_WAIT, bell, &most, NULL, 0);
	atomic_fetch_sub(&hold->waiting, 1);
}
