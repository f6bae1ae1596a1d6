/* SPDX-License-Identifier: MIT */
/*
 * The memory of the response cache: nothing torn is ever given, whoever is
 * killed where and whatever was scribbled; and who waits is woken.
 */
#include "lib/cache_store.h"

#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define AREA_BYTES (256 << 10)
#define KEYS 40

static uint8_t *area; /* shared with children */
static struct cache_store store;
static struct buffer copy;

static void
begin(void)
{
	area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_int_eq(cache_store_open(&store, area, AREA_BYTES), 0);
}

static void
end(void)
{
	munmap(area, AREA_BYTES);
	free(copy.data);
	memset(&copy, 0, sizeof(copy));
}

static void
key_of(struct cache_key *key, unsigned n)
{
	char text[16];

	key->bytes = 0;
	snprintf(text, sizeof(text), "/%u", n);
	cache_key_add(key, text, strlen(text));
	cache_key_end(key);
}

/* Whole if every byte says the same, and that of a body of this key. */
static int
whole(const struct cache_entry *e, unsigned n)
{
	for (size_t i = 0; i < e->body_bytes; i++)
		if (e->body[i] != e->body[0])
			return 0;
	return e->fields_bytes == n && e->body_bytes > 0 &&
	    (unsigned)(unsigned char)e->body[0] % KEYS == n;
}

static void
put(unsigned n, unsigned version)
{
	static char body[30000];
	struct cache_key key;
	struct cache_entry e = {.stored_ms = 1, .fields = body,
	    .fields_bytes = n, .body = body};

	e.body_bytes = 1 + (n * 7919 + version * 104729) % sizeof(body);
	memset(body, (int)(n + KEYS * (version % 6)), e.body_bytes);
	key_of(&key, n);
	cache_store_put(&store, &key, &e);
}

static void
put_for_ever(unsigned seed)
{
	for (unsigned i = seed;; i++)
		put(i * 13 % KEYS, i);
}

static int
get(unsigned n)
{
	struct cache_key key;
	struct cache_entry e;

	key_of(&key, n);
	if (cache_store_get(&store, &key, &copy, &e) != 0)
		return 0;
	ck_assert(whole(&e, n));
	return 1;
}

START_TEST(writers_killed_anywhere_leave_nothing_torn)
{
	pid_t writers[3];
	int got = 0;

	for (unsigned i = 0; i < 300; i++) {
		int64_t until_us = clock_us() + 200 + i * 5;

		for (unsigned w = 0; w < 3; w++) {
			writers[w] = fork();
			if (writers[w] == 0)
				put_for_ever(i * 31 + w);
		}
		while (clock_us() < until_us)
			got += get((unsigned)rand() % KEYS);
		for (int w = 0; w < 3; w++)
			kill(writers[w], SIGKILL);
		while (wait(NULL) > 0)
			;
		for (unsigned n = 0; n < KEYS; n++)
			got += get(n);
	}
	ck_assert_int_gt(got, 1000);
	for (unsigned n = 0; n < 4; n++) { /* and it still works */
		put(n, 1);
		ck_assert(get(n));
	}
}
END_TEST

/* As by a writer that goes on when the ring has come round again, or by an
 * application that writes where it should not. */
START_TEST(a_spoiled_entry_is_gone)
{
	uint8_t *byte;

	put(3, 1);
	ck_assert(get(3));
	for (byte = store.ring; *byte != 3 + KEYS; byte++)
		;
	byte[1] ^= 1;
	ck_assert(!get(3));
	byte[1] ^= 1;
	ck_assert(get(3));
	memset(area, 0xff, 64); /* its head */
	ck_assert(!get(3));
	put(3, 2);
	ck_assert(get(3));
	memset(area, 0xa5, AREA_BYTES);
	for (unsigned n = 0; n < KEYS; n++)
		ck_assert(!get(n));
	put(5, 1);
	ck_assert(get(5));
}
END_TEST

START_TEST(keys_of_one_hash_are_told_apart)
{
	struct cache_key one, other;
	struct cache_entry e = {.stored_ms = 1, .body = "x",
	    .body_bytes = 1, .fields = ""};

	key_of(&one, 1);
	key_of(&other, 2);
	other.hash = one.hash;
	cache_store_put(&store, &one, &e);
	ck_assert_int_eq(cache_store_get(&store, &one, &copy, &e), 0);
	ck_assert_int_eq(cache_store_get(&store, &other, &copy, &e), -1);
}
END_TEST

/* Keys of one set, of which the index has room for eight. */
static void
key_in_set(struct cache_key *key, unsigned n)
{
	key_of(key, n);
	key->hash = (n + 1) * store.sets;
}

static int
has(unsigned n)
{
	struct cache_entry e;
	struct cache_key key;

	key_in_set(&key, n);
	return cache_store_get(&store, &key, &copy, &e) == 0;
}

START_TEST(a_full_set_gives_up_the_oldest)
{
	struct cache_entry e = {.stored_ms = 1, .body = "x",
	    .body_bytes = 1, .fields = ""};
	struct cache_key key;

	for (unsigned n = 0; n < 20; n++) {
		key_in_set(&key, n * 7 % 20);
		cache_store_put(&store, &key, &e);
	}
	for (unsigned n = 0; n < 20; n++)
		ck_assert_int_eq(has(n * 7 % 20), n >= 12);
}
END_TEST

START_TEST(a_lease_ends_by_its_time)
{
	struct cache_claim mine = {.owner = 1, .now_ms = 1, .until_ms = 1000};
	struct cache_claim other = {.owner = 2, .now_ms = 1, .until_ms = 1000};
	struct cache_key key;

	key_of(&key, 1);
	ck_assert_int_eq(cache_store_lease(&store, &key, &mine), CACHE_LEASED);
	other.now_ms = 999;
	ck_assert_int_eq(cache_store_lease(&store, &key, &other), CACHE_HELD);
	other.now_ms = 1000;
	other.until_ms = 2000;
	ck_assert_int_eq(cache_store_lease(&store, &key, &other),
	    CACHE_LEASED);
	cache_store_release(&store, &key, 1, 0); /* no longer its own */
	mine.now_ms = 1001;
	ck_assert_int_eq(cache_store_lease(&store, &key, &mine), CACHE_HELD);
	cache_store_release(&store, &key, 2, 3000);
	ck_assert_int_eq(cache_store_lease(&store, &key, &mine), CACHE_VAIN);
}
END_TEST

START_TEST(a_lease_that_nobody_can_have_asked_for_is_none)
{
	struct cache_claim wild = {.owner = 1, .now_ms = 1,
	    .until_ms = 3 * CACHE_LEASE_MAX_MS};
	struct cache_claim other = {.owner = 2, .now_ms = 1, .until_ms = 1000};
	struct cache_key key;

	key_of(&key, 1);
	ck_assert_int_eq(cache_store_lease(&store, &key, &wild), CACHE_LEASED);
	ck_assert_int_eq(cache_store_lease(&store, &key, &other),
	    CACHE_LEASED);
}
END_TEST

#define ROUNDS 100000

/* Ask for the lease of one key after the other, each at the same moment as the
 * other process. Returns how many were given. */
static int
leases_taken(_Atomic unsigned *meeting, uint16_t owner)
{
	struct cache_claim claim = {.owner = owner};
	struct cache_key key;
	int taken = 0;

	for (unsigned n = 0; n < ROUNDS; n++) {
		key_of(&key, n);
		claim.now_ms = 10 * n + 1;
		claim.until_ms = claim.now_ms + 5;
		atomic_fetch_add(meeting, 1);
		for (int spins = 0; *meeting < 2 * n + 2; spins++)
			if (spins > 1000) /* one processor, or a busy one */
				sched_yield();
		taken += cache_store_lease(&store, &key, &claim) ==
		    CACHE_LEASED;
	}
	return taken;
}

START_TEST(of_two_at_once_one_gets_the_lease)
{
	struct {
		_Atomic unsigned meeting;
		int taken;
	} *both = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int taken;

	if (fork() == 0) {
		both->taken = leases_taken(&both->meeting, 1);
		_exit(0);
	}
	taken = leases_taken(&both->meeting, 2);
	wait(NULL);
	ck_assert_int_eq(taken + both->taken, ROUNDS);
	munmap(both, 4096);
}
END_TEST

START_TEST(a_release_wakes_who_waits)
{
	struct cache_claim mine = {.owner = 1, .now_ms = 1, .until_ms = 1000};
	struct cache_claim other = {.owner = 2, .now_ms = 1, .until_ms = 1000};
	struct cache_key key;
	int64_t begun_us;
	pid_t child;

	key_of(&key, 1);
	ck_assert_int_eq(cache_store_lease(&store, &key, &mine), CACHE_LEASED);
	child = fork();
	if (child == 0) {
		while (cache_store_lease(&store, &key, &other) == CACHE_HELD)
			cache_store_wait(&store, &key, other.bell, 60000);
		_exit(0);
	}
	begun_us = clock_us();
	cache_store_wait(&store, &key, mine.bell, 20); /* the child's turn */
	cache_store_release(&store, &key, 1, 0);
	waitpid(child, NULL, 0);
	ck_assert_int_lt(clock_us() - begun_us, 10000000);
}
END_TEST

START_TEST(no_area_or_a_tiny_one_is_no_cache)
{
	char tiny[64];

	ck_assert_int_eq(cache_store_open(&store, NULL, 0), -1);
	ck_assert_int_eq(cache_store_open(&store, tiny, sizeof(tiny)), -1);
	ck_assert_ptr_null(store.ring);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cache store");
	TCase *cases = tcase_create("store");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(cases, begin, end);
	tcase_add_test(cases, writers_killed_anywhere_leave_nothing_torn);
	tcase_add_test(cases, a_spoiled_entry_is_gone);
	tcase_add_test(cases, keys_of_one_hash_are_told_apart);
	tcase_add_test(cases, a_full_set_gives_up_the_oldest);
	tcase_add_test(cases, a_lease_ends_by_its_time);
	tcase_add_test(cases,
	    a_lease_that_nobody_can_have_asked_for_is_none);
	tcase_add_test(cases, of_two_at_once_one_gets_the_lease);
	tcase_add_test(cases, a_release_wakes_who_waits);
	tcase_add_test(cases, no_area_or_a_tiny_one_is_no_cache);
	tcase_set_timeout(cases, 60);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
