/* SPDX-License-Identifier: MIT */
/*
 * A wild worker writes anything anywhere into the pool's shared memory, while
 * the others use it: they neither crash nor read beyond it nor loop for ever,
 * and what they get from it is nothing that could not be.
 */
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cache_store.h"
#include "lib/retry.h"
#include "proto/board.h"
#include "proto/breaker.h"
#include "proto/bucket.h"
#include "proto/bulkhead.h"

#define AREA_BYTES (64 << 10)
#define GUARD_BYTES (64 << 10)
#define STEPS 50

static uint8_t *area; /* with unmapped pages before and behind */
static uint64_t seed = 88172645463325252u;
static int rounds = 300; /* or NDS_TEST_ROUNDS */
static void (*use)(unsigned step, int64_t now_ms);

/* xorshift64 (Marsaglia): the same in every run. */
static uint64_t
any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void
begin(void)
{
	uint8_t *all = mmap(NULL, AREA_BYTES + 2 * GUARD_BYTES, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(all, MAP_FAILED);
	area = mmap(all + GUARD_BYTES, AREA_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ck_assert_ptr_ne(area, MAP_FAILED);
}

static void
end(void)
{
	munmap(area - GUARD_BYTES, AREA_BYTES + 2 * GUARD_BYTES);
}

/* A word of any kind: small, large, all bits, or one with a few changed. */
static void
scribble_word(void)
{
	uint64_t at = any() % (AREA_BYTES / 8) * 8, word;

	if (any() % 2) /* heads and indices are at the front */
		at %= 512;
	memcpy(&word, area + at, sizeof(word));
	switch (any() % 5) {
	case 0:
		word = any();
		break;
	case 1:
		word = any() % 2048;
		break;
	case 2:
		word = ~(any() % 65536);
		break;
	case 3:
		word ^= (uint64_t)1 << any() % 64;
		break;
	default:
		word += any() % 256;
		break;
	}
	memcpy(area + at, &word, sizeof(word));
}

static void
scribble_all(void)
{
	for (uint64_t at = 0; at < AREA_BYTES; at += 8) {
		uint64_t word = any();

		memcpy(area + at, &word, sizeof(word));
	}
}

static void
use_much(void)
{
	int64_t now_ms = 1 + (int64_t)(any() % 1000000000);

	for (unsigned step = 0; step < STEPS; step++)
		use(step, now_ms + step);
}

/* Before, between and during; the last by another process. */
static void
attack(void)
{
	pid_t wild;

	for (int round = 0; round < rounds; round++) {
		if (round % 10 == 0)
			scribble_all();
		for (int i = 0; i < 20; i++)
			scribble_word();
		use_much();
	}
	wild = fork();
	if (wild == 0)
		for (;;)
			scribble_word();
	for (int round = 0; round < rounds; round++)
		use_much();
	kill(wild, SIGKILL);
	waitpid(wild, NULL, 0);
}

/* ---- each of those that use it ------------------------------------------- */

static void
bucket_use(unsigned step, int64_t now_ms)
{
	static const struct rate rate = {20000, 100};
	struct bucket_table table;
	struct bucket_answer a;

	ck_assert_int_eq(bucket_open(&table, area, AREA_BYTES), 0);
	bucket_take(&table, bucket_hash(&table, &rate, &step, sizeof(step)),
	    &rate, now_ms * 1000, &a);
	ck_assert_int_ge(a.left, 0);
	ck_assert_int_lt(a.left, rate.burst);
	ck_assert_int_ge(a.next_us, 0);
	ck_assert_int_ge(a.full_us, 0);
	ck_assert(a.admitted || a.next_us > 0);
	ck_assert_int_le(a.full_us, RATE_REFILL_MAX_US);
}

static void
bulkhead_use(unsigned step, int64_t now_ms)
{
	struct shared s = {.area = {[SHARED_BULKHEADS] = area},
	    .area_bytes = {[SHARED_BULKHEADS] = AREA_BYTES}};
	struct bulkhead *b = bulkhead_find(&s, "group", 1024);
	struct bulkhead_state state;
	int place;

	(void)now_ms;
	if (b != NULL) {
		place = bulkhead_enter(b, 1024, step, 0);
		ck_assert_int_lt(place, 1024);
		if (place >= 0)
			bulkhead_leave(b, place, step);
	}
	bulkhead_release(&s, step);
	bulkhead_tell_full(&s);
	for (uint32_t i = 0; i < BULKHEADS_MAX; i++)
		if (bulkhead_read(&s, i, &state) == 0)
			ck_assert_uint_lt(strlen(state.name),
			    BULKHEAD_NAME_BYTES);
}

static void
breaker_use(unsigned step, int64_t now_ms)
{
	static const struct breaker_policy policy = {50, 10, 10000, 5000};
	static const struct retry_policy retry = {3, 50, 1000, 10};
	struct breaker *b = breaker_find(area, AREA_BYTES, "upstream");
	struct breaker_pass pass;

	if (b == NULL)
		return;
	breaker_refuses(b, now_ms);
	if (breaker_ask(b, now_ms, 1000, &pass) == 0)
		breaker_result(b, &policy, &pass, now_ms + 1, step & 1);
	retry_borrow(&b->debt);
	retry_pay(&b->debt, &retry);
}

static void
cache_make(struct cache_store *store, struct cache_key *key, unsigned step)
{
	key->bytes = 0;
	ck_assert_int_eq(cache_store_open(store, area, AREA_BYTES), 0);
	cache_key_add(key, "/", 1 + step % 2);
	cache_key_end(key);
}

static void
cache_use(unsigned step, int64_t now_ms)
{
	static char body[CACHE_BODY_MAX];
	static struct buffer copy;
	struct cache_entry e = {.stored_ms = now_ms, .field_count = 1,
	    .fields_bytes = step, .body_bytes = any() % sizeof(body),
	    .fields = body, .body = body};
	struct cache_claim claim = {.owner = 1, .now_ms = now_ms,
	    .until_ms = now_ms + 1000};
	struct cache_store store;
	struct cache_key key;

	cache_make(&store, &key, step);
	cache_store_lease(&store, &key, &claim);
	cache_store_put(&store, &key, &e);
	cache_store_release(&store, &key, 1, 0);
	if (cache_store_get(&store, &key, &copy, &e) != 0)
		return;
	ck_assert_uint_le(e.body_bytes, sizeof(body));
	ck_assert(e.fields >= copy.data);
	ck_assert(e.body + e.body_bytes <= copy.data + copy.used);
	ck_assert_int_eq(memcmp(e.body, body, e.body_bytes), 0);
}

static void (*const uses[])(unsigned step, int64_t now_ms) = {bucket_use,
    bulkhead_use, breaker_use, cache_use};

START_TEST(a_wild_worker_upsets_no_other)
{
	use = uses[_i];
	attack();
}
END_TEST

/* An index that leads anywhere, to sizes that could be. */
START_TEST(an_entry_that_lies_is_not_followed)
{
	static struct buffer copy;
	uint32_t *number = (uint32_t *)(void *)area;
	struct cache_store store;
	struct cache_entry e;
	struct cache_key key = {0};
	uint64_t *way;

	cache_make(&store, &key, 0);
	way = (uint64_t *)(void *)store.ways;
	for (int round = 0; round < 10 * rounds; round++) {
		for (size_t i = 0; i < AREA_BYTES / sizeof(*number); i++)
			number[i] = (uint32_t)(any() % CACHE_KEY_MAX);
		*store.head = any() % 2 ? 0 : store.ring_bytes;
		for (uint64_t i = 0; i < 2 * 8 * store.sets; i += 2) {
			way[i] = key.hash;
			way[i + 1] = any() % store.ring_bytes | 1;
		}
		ck_assert_int_eq(cache_store_get(&store, &key, &copy, &e), -1);
	}
	free(copy.data);
}
END_TEST

/* What is no slot's number is nobody's place. */
START_TEST(a_scribbled_place_is_free)
{
	struct shared s = {.area = {[SHARED_BULKHEADS] = area},
	    .area_bytes = {[SHARED_BULKHEADS] = AREA_BYTES}};
	struct bulkhead *b = bulkhead_find(&s, "group", 2);
	int place;

	memset(b->owner, 0xff, sizeof(b->owner));
	place = bulkhead_enter(b, 2, 5, 0);
	ck_assert_int_ge(place, 0);
	ck_assert_int_ge(bulkhead_enter(b, 2, BOARD_SLOTS_MAX - 1, 0), 0);
	ck_assert_int_eq(bulkhead_enter(b, 2, 6, 0), -1);
	bulkhead_leave(b, place, 5);
	ck_assert_int_eq(bulkhead_enter(b, 2, 6, 0), place);
}
END_TEST

/* Whatever the segment's head says, its areas lie in it. */
START_TEST(a_scribbled_head_maps_nothing_outside)
{
	static const uint64_t bytes[SHARED_AREAS] = {4096, 4096, 4096, 4096};
	struct nds_error err;
	struct shared s;
	uint64_t head[16], good[16];
	int fd = shared_new(bytes, &err);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, good, sizeof(good), 0), sizeof(good));
	for (int round = 0; round < 70 * rounds; round++) {
		memcpy(head, good, sizeof(head));
		head[any() % 16] = any() % 2 ? any() : any() % 16384 * 64;
		pwrite(fd, head, sizeof(head), 0);
		if (shared_map(&s, fd, 1, &err) < 0)
			continue;
		for (int i = 0; i < SHARED_AREAS; i++)
			if (s.area_bytes[i] != 0)
				memset(s.area[i], 1, s.area_bytes[i]);
		shared_unmap(&s);
	}
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scribble");
	TCase *t = tcase_create("shared memory");
	SRunner *r = srunner_create(s);
	const char *fewer = getenv("NDS_TEST_ROUNDS");
	int failed;

	if (fewer != NULL)
		rounds = atoi(fewer);
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_loop_test(t, a_wild_worker_upsets_no_other, 0,
	    (int)(sizeof(uses) / sizeof(uses[0])));
	tcase_add_test(t, an_entry_that_lies_is_not_followed);
	tcase_add_test(t, a_scribbled_place_is_free);
	tcase_add_test(t, a_scribbled_head_maps_nothing_outside);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
