/* SPDX-License-Identifier: MIT */
/*
 * The pool's policy: what it orders in each situation, by cases, and what must
 * hold whatever happens, by a random walk with a fake clock.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ndsd/pool.h"

#define START_MS 10000
#define RETIRE_MS 21000

static struct pool pool;
static const struct settings settings = {.workers = 4,
    .start_timeout_ms = START_MS,
    .request_timeout_ms = RETIRE_MS - POOL_RETIRE_EXTRA_MS};
static int32_t next_pid;
static int64_t now;

static void
setup(void)
{
	now = 1000000;
	next_pid = 100;
	pool_init(&pool, &settings);
}

/* Carry out what the pool orders; returns how many orders of a type. */
static int
obey(enum pool_order_type type)
{
	struct pool_order orders[8];
	size_t count;
	int found = 0;

	while ((count = pool_step(&pool, now, orders, 8)) > 0) {
		for (size_t i = 0; i < count; i++) {
			found += orders[i].type == type;
			if (orders[i].type == POOL_SPAWN)
				pool_spawned(&pool, orders[i].place,
				    next_pid++, now);
		}
	}
	return found;
}

static void
all_ready(void)
{
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		pool_ready(&pool, i, now);
}

static void
retiring_die(void)
{
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		if (pool.place[i].state == POOL_RETIRING)
			pool_died(&pool, i, now);
}

START_TEST(starts_the_wanted_number_at_once)
{
	ck_assert_int_eq(obey(POOL_SPAWN), 4);
	ck_assert_uint_eq(pool_count(&pool, POOL_STARTING), 4);
	ck_assert_int_eq(pool.was_ready, 0);
	all_ready();
	ck_assert_int_eq(pool.was_ready, 1);
	ck_assert_int_eq(obey(POOL_SPAWN), 0);
}
END_TEST

START_TEST(replaces_a_proven_worker_at_once)
{
	obey(POOL_SPAWN);
	all_ready();
	now += POOL_YOUNG_MS;
	pool_died(&pool, 2, now);
	ck_assert_int_eq(obey(POOL_SPAWN), 1);
	ck_assert_uint_eq(pool.place[2].state, POOL_STARTING);
}
END_TEST

START_TEST(backs_off_when_workers_die_young)
{
	obey(POOL_SPAWN);
	for (uint32_t failures = 1; failures < 10; failures++) {
		pool_died(&pool, 0, now);
		ck_assert_int_eq(obey(POOL_SPAWN), 0);
		ck_assert_int_eq(pool_next_ms(&pool, now) - now <=
			pool_retry_ms(failures),
		    1);
		now += pool_retry_ms(failures) - 1;
		ck_assert_int_eq(obey(POOL_SPAWN), 0);
		now += 1;
		ck_assert_int_eq(obey(POOL_SPAWN), 1);
	}
	ck_assert_int_eq(pool_retry_ms(1), POOL_RETRY_FIRST_MS);
	ck_assert_int_eq(pool_retry_ms(4), 8 * POOL_RETRY_FIRST_MS);
	ck_assert_int_eq(pool_retry_ms(99), POOL_RETRY_MAX_MS);
}
END_TEST

START_TEST(a_success_resets_the_back_off)
{
	obey(POOL_SPAWN);
	pool_died(&pool, 0, now);
	now += POOL_RETRY_FIRST_MS;
	obey(POOL_SPAWN);
	all_ready();
	now += POOL_YOUNG_MS;
	pool_died(&pool, 0, now);
	ck_assert_int_eq(obey(POOL_SPAWN), 1);
}
END_TEST

START_TEST(one_crash_loop_does_not_delay_the_others)
{
	obey(POOL_SPAWN);
	all_ready();
	for (int i = 0; i < 6; i++) {
		pool_died(&pool, 0, now);
		now += POOL_RETRY_MAX_MS;
		obey(POOL_SPAWN);
	}
	pool_died(&pool, 0, now); /* waits now */
	pool_died(&pool, 3, now); /* long-lived: replaced at once */
	ck_assert_int_eq(obey(POOL_SPAWN), 1);
	ck_assert_uint_eq(pool.place[3].state, POOL_STARTING);
}
END_TEST

START_TEST(a_failed_fork_counts_as_a_young_death)
{
	struct pool_order order;

	ck_assert_uint_eq(pool_step(&pool, now, &order, 1), 1);
	pool_spawned(&pool, order.place, 0, now);
	ck_assert_uint_eq(pool.place[order.place].state, POOL_EMPTY);
	ck_assert_int_gt(pool.place[order.place].retry_ms, now);
}
END_TEST

START_TEST(kills_what_does_not_become_ready)
{
	obey(POOL_SPAWN);
	now += START_MS - 1;
	ck_assert_int_eq(obey(POOL_KILL), 0);
	ck_assert_int_eq(pool_next_ms(&pool, now), now + 1);
	now += 1;
	ck_assert_int_eq(obey(POOL_KILL), 4);
	ck_assert_int_eq(obey(POOL_KILL), 0);
	pool_ready(&pool, 0, now); /* too late */
	ck_assert_uint_eq(pool.place[0].state, POOL_STARTING);
}
END_TEST

START_TEST(kills_what_does_not_finish)
{
	obey(POOL_SPAWN);
	all_ready();
	pool_scale(&pool, 3);
	ck_assert_int_eq(obey(POOL_RETIRE), 1);
	now += RETIRE_MS;
	ck_assert_int_eq(obey(POOL_KILL), 1);
}
END_TEST

START_TEST(scales_up_and_down)
{
	obey(POOL_SPAWN);
	all_ready();
	pool_scale(&pool, 6);
	ck_assert_int_eq(obey(POOL_SPAWN), 2);
	all_ready();
	pool_scale(&pool, 1);
	ck_assert_int_eq(obey(POOL_RETIRE), 5);
	ck_assert_uint_eq(pool_count(&pool, POOL_READY), 1);
	retiring_die();
	ck_assert_int_eq(obey(POOL_SPAWN), 0);
}
END_TEST

START_TEST(prefers_to_retire_what_is_not_ready_yet)
{
	obey(POOL_SPAWN);
	pool_ready(&pool, 0, now);
	pool_ready(&pool, 3, now);
	pool_scale(&pool, 2);
	obey(POOL_RETIRE);
	ck_assert_uint_eq(pool.place[0].state, POOL_READY);
	ck_assert_uint_eq(pool.place[3].state, POOL_READY);
}
END_TEST

START_TEST(retires_old_only_after_new_is_ready)
{
	obey(POOL_SPAWN);
	all_ready();
	ck_assert_int_eq(pool_reload(&pool, now), 0);
	ck_assert_int_eq(pool_reload(&pool, now), -1);
	for (int turn = 0; turn < 20; turn++) {
		obey(POOL_SPAWN);
		ck_assert_uint_ge(pool_count(&pool, POOL_READY), 4);
		ck_assert_uint_le(pool_count(&pool, POOL_STARTING), 1);
		all_ready();
		retiring_die();
	}
	ck_assert_uint_eq(pool_count(&pool, POOL_READY), 4);
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		if (pool.place[i].state == POOL_READY)
			ck_assert_uint_eq(pool.place[i].generation, 2);
}
END_TEST

/* One worker of a new generation stands beside four old ones. */
static uint32_t
begin_roll(void)
{
	obey(POOL_SPAWN);
	all_ready();
	obey(POOL_SPAWN);
	now += POOL_YOUNG_MS;
	pool_reload(&pool, now);
	ck_assert_int_eq(obey(POOL_SPAWN), 1);
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		if (pool.place[i].state == POOL_STARTING)
			return i;
	ck_abort_msg("no new worker");
	return 0;
}

START_TEST(a_roll_is_done_when_all_are_new_and_proved)
{
	begin_roll();
	for (int turn = 0; turn < 10; turn++) {
		all_ready();
		obey(POOL_SPAWN);
		retiring_die();
	}
	ck_assert_uint_eq(pool.roll, POOL_ROLL_PROOF);
	ck_assert_int_eq(pool_next_ms(&pool, now), now + POOL_PROOF_MS);
	now += POOL_PROOF_MS;
	obey(POOL_SPAWN);
	ck_assert_uint_eq(pool.roll, POOL_ROLL_DONE);
	ck_assert_uint_eq(pool.generation, 2);
}
END_TEST

START_TEST(a_new_worker_that_dies_before_it_is_ready_ends_the_roll)
{
	uint32_t fresh = begin_roll();

	pool_died(&pool, fresh, now);
	ck_assert_uint_eq(pool.roll, POOL_ROLL_BACK);
	ck_assert_uint_eq(pool.generation, 1);
	ck_assert_int_eq(obey(POOL_RETIRE), 0);
	ck_assert_int_eq(obey(POOL_SPAWN), 0);
	ck_assert_uint_eq(pool_count(&pool, POOL_READY), 4);
}
END_TEST

START_TEST(a_new_worker_that_never_gets_ready_ends_the_roll)
{
	uint32_t fresh = begin_roll();

	now += START_MS;
	ck_assert_int_eq(obey(POOL_KILL), 1);
	pool_died(&pool, fresh, now);
	ck_assert_uint_eq(pool.roll, POOL_ROLL_BACK);
	ck_assert_uint_eq(pool_count(&pool, POOL_READY), 4);
}
END_TEST

START_TEST(a_generation_that_starts_dying_is_taken_back)
{
	uint32_t fresh = begin_roll();

	all_ready();
	obey(POOL_SPAWN);
	retiring_die();
	pool_worker_died(&pool, fresh, now);
	ck_assert_uint_eq(pool.roll, POOL_ROLL_RUNNING);
	pool_worker_died(&pool, fresh, now);
	ck_assert_uint_eq(pool.roll, POOL_ROLL_BACK);
	for (int turn = 0; turn < 10; turn++) {
		obey(POOL_SPAWN);
		ck_assert_uint_ge(pool_count(&pool, POOL_READY), 4);
		all_ready();
		retiring_die();
	}
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		if (pool.place[i].state != POOL_EMPTY)
			ck_assert_uint_eq(pool.place[i].generation, 1);
	pool_reload(&pool, now);
	ck_assert_uint_eq(pool.generation, 3); /* no number comes twice */
}
END_TEST

START_TEST(an_old_worker_that_dies_in_a_roll_does_not_end_it)
{
	begin_roll();
	pool_died(&pool, 0, now);
	ck_assert_uint_eq(pool.roll, POOL_ROLL_RUNNING);
}
END_TEST

START_TEST(an_outdated_worker_that_never_got_ready_goes_at_once)
{
	obey(POOL_SPAWN);
	pool_reload(&pool, now);
	ck_assert_int_eq(obey(POOL_RETIRE), 4);
	ck_assert_uint_eq(pool_count(&pool, POOL_STARTING), 4);
}
END_TEST

START_TEST(a_worn_worker_goes_only_after_another_is_ready)
{
	obey(POOL_SPAWN);
	all_ready();
	pool_worn(&pool, 1);
	ck_assert_int_eq(obey(POOL_SPAWN), 1);
	ck_assert_uint_eq(pool.place[1].state, POOL_READY);
	all_ready();
	ck_assert_int_eq(obey(POOL_RETIRE), 1);
	ck_assert_uint_eq(pool.place[1].state, POOL_RETIRING);
	ck_assert_uint_eq(pool_count(&pool, POOL_READY), 4);
	retiring_die();
	ck_assert_int_eq(obey(POOL_SPAWN), 0);
}
END_TEST

START_TEST(stop_retires_all_and_starts_none)
{
	obey(POOL_SPAWN);
	all_ready();
	pool_stop(&pool);
	ck_assert_int_eq(obey(POOL_RETIRE), 4);
	retiring_die();
	ck_assert_int_eq(obey(POOL_SPAWN), 0);
	ck_assert_uint_eq(pool_count(&pool, POOL_EMPTY), BOARD_SLOTS_MAX);
}
END_TEST

/* ---- whatever happens ---------------------------------------------------- */

static uint32_t
random_place(enum pool_place_state state)
{
	uint32_t start = (uint32_t)rand() % 32;

	for (uint32_t i = 0; i < 32; i++)
		if (pool.place[(start + i) % 32].state == state)
			return (start + i) % 32;
	return BOARD_SLOTS_MAX;
}

static void
random_event(void)
{
	static const enum pool_place_state mortal[] = {POOL_STARTING,
	    POOL_READY, POOL_RETIRING};
	int dice = rand() % 100;
	uint32_t at;

	if (dice < 45) {
		at = random_place(POOL_STARTING);
		if (at < BOARD_SLOTS_MAX)
			pool_ready(&pool, at, now);
	} else if (dice < 80) {
		at = random_place(mortal[rand() % 3]);
		if (at < BOARD_SLOTS_MAX)
			pool_died(&pool, at, now);
	} else if (dice < 90) {
		pool_scale(&pool, 1 + (uint32_t)rand() % 12);
	} else if (dice < 94) {
		at = random_place(POOL_READY);
		if (at < BOARD_SLOTS_MAX)
			pool_worn(&pool, at);
	} else if (dice < 96) {
		pool_reload(&pool, now);
	}
	now += rand() % 400;
}

/* Ready workers before and after obeying: the pool itself may only take away
 * what is beyond the wanted number. */
static void
walk_step(void)
{
	uint32_t ready, after;

	random_event();
	ready = pool_count(&pool, POOL_READY);
	obey(POOL_SPAWN);
	after = pool_count(&pool, POOL_READY);
	if (after < ready)
		ck_assert_uint_ge(after, pool.wanted);
	ck_assert_uint_le(pool_count(&pool, POOL_STARTING), pool.wanted);
	ck_assert_int_gt(pool_next_ms(&pool, now), now);
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		if (pool.place[i].state == POOL_EMPTY)
			ck_assert_int_eq(pool.place[i].pid, 0);
}

START_TEST(a_random_walk_never_breaks_the_invariants)
{
	srand(20260);
	for (int i = 0; i < 100000; i++)
		walk_step();
}
END_TEST

START_TEST(after_any_walk_the_pool_becomes_whole_again)
{
	srand(7);
	for (int i = 0; i < 2000; i++)
		walk_step();
	for (int i = 0; i < 200; i++) {
		obey(POOL_SPAWN);
		all_ready();
		retiring_die();
		now += POOL_RETRY_MAX_MS;
	}
	ck_assert_uint_eq(pool_count(&pool, POOL_READY), pool.wanted);
	ck_assert_uint_eq(pool_count(&pool, POOL_EMPTY),
	    BOARD_SLOTS_MAX - pool.wanted);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pool");
	TCase *cases = tcase_create("policy");
	TCase *walks = tcase_create("walk");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, starts_the_wanted_number_at_once);
	tcase_add_test(cases, replaces_a_proven_worker_at_once);
	tcase_add_test(cases, backs_off_when_workers_die_young);
	tcase_add_test(cases, a_success_resets_the_back_off);
	tcase_add_test(cases, one_crash_loop_does_not_delay_the_others);
	tcase_add_test(cases, a_failed_fork_counts_as_a_young_death);
	tcase_add_test(cases, kills_what_does_not_become_ready);
	tcase_add_test(cases, kills_what_does_not_finish);
	tcase_add_test(cases, scales_up_and_down);
	tcase_add_test(cases, prefers_to_retire_what_is_not_ready_yet);
	tcase_add_test(cases, retires_old_only_after_new_is_ready);
	tcase_add_test(cases,
	    an_outdated_worker_that_never_got_ready_goes_at_once);
	tcase_add_test(cases, a_roll_is_done_when_all_are_new_and_proved);
	tcase_add_test(cases,
	    a_new_worker_that_dies_before_it_is_ready_ends_the_roll);
	tcase_add_test(cases, a_new_worker_that_never_gets_ready_ends_the_roll);
	tcase_add_test(cases, a_generation_that_starts_dying_is_taken_back);
	tcase_add_test(cases,
	    an_old_worker_that_dies_in_a_roll_does_not_end_it);
	tcase_add_test(cases, a_worn_worker_goes_only_after_another_is_ready);
	tcase_add_test(cases, stop_retires_all_and_starts_none);
	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(walks, setup, NULL);
	tcase_set_timeout(walks, 120);
	tcase_set_tags(walks, "long");
	tcase_add_test(walks, a_random_walk_never_breaks_the_invariants);
	tcase_add_test(walks, after_any_walk_the_pool_becomes_whole_again);
	suite_add_tcase(suite, walks);
	srunner_run_all(runner, CK_ENV);
	srunner_free(runner);
	return 0;
}
