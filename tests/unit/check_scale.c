/* SPDX-License-Identifier: MIT */
/* The number of workers, by a fake clock: a pool of blocking workers under a
 * load that each test makes up. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ndsd/scale.h"

#define TICK_MS 100

static struct scale scale;
static struct settings settings;
static uint32_t wanted, changes;
static uint64_t refused;
static int64_t now, changed, soonest;

static void
setup(void)
{
	memset(&scale, 0, sizeof(scale));
	settings = (struct settings){.workers = 2, .workers_min = 2,
	    .workers_max = 16, .workers_idle_ms = 60000};
	wanted = 2;
	changes = 0;
	refused = 0;
	now = changed = 500000;
	soonest = INT64_MAX;
}

/* One look at a pool that holds so much work. */
static void
look(uint32_t work, uint32_t ready)
{
	uint32_t busy = work < ready ? work : ready, was = wanted;
	struct scale_sample seen = {.wanted = wanted, .ready = ready,
	    .busy = busy, .waiting = work - busy, .refused = refused};

	now += TICK_MS;
	wanted = scale_step(&scale, &settings, &seen, now);
	if (wanted == was)
		return;
	changes++;
	if (now - changed < soonest)
		soonest = now - changed;
	changed = now;
}

static void
pass(int64_t ms, uint32_t work)
{
	for (int64_t end = now + ms; now < end;)
		look(work, wanted);
}

START_TEST(grows_when_requests_wait)
{
	pass(900, 3);
	ck_assert_uint_eq(wanted, 2);
	pass(200, 3);
	ck_assert_uint_eq(wanted, 4); /* three requests in 80 % of four */
	pass(50000, 3);
	ck_assert_uint_eq(changes, 1);
}
END_TEST

START_TEST(a_full_pool_that_nobody_waits_for_stays)
{
	pass(300000, 2);
	ck_assert_uint_eq(changes, 0);
}
END_TEST

START_TEST(grows_when_waiting_is_only_seen_as_refusals)
{
	for (int i = 0; i < 11; i++) {
		refused += 3;
		look(2, wanted);
	}
	ck_assert_uint_eq(wanted, 3);
}
END_TEST

START_TEST(a_step_is_climbed_by_doubling_and_ends_at_the_maximum)
{
	pass(1100, 1000);
	ck_assert_uint_eq(wanted, 4);
	pass(1000, 1000);
	ck_assert_uint_eq(wanted, 8);
	pass(1000, 1000);
	ck_assert_uint_eq(wanted, 16);
	pass(60000, 1000);
	ck_assert_uint_eq(changes, 3);
}
END_TEST

START_TEST(a_burst_that_the_pool_digests_changes_nothing)
{
	pass(1000, 0);
	for (uint32_t i = 0; i < 10; i++)
		look(i < 2 ? 6 : 0, wanted);
	ck_assert_uint_eq(changes, 0);
}
END_TEST

START_TEST(waits_for_workers_that_still_start)
{
	pass(1100, 1000);
	ck_assert_uint_eq(wanted, 4);
	for (int i = 0; i < 105; i++)
		look(1000, 2);
	pass(500, 1000); /* the end of a period that began too early */
	ck_assert_uint_eq(wanted, 4);
	pass(1000, 1000);
	ck_assert_uint_eq(wanted, 8);
}
END_TEST

START_TEST(shrinks_after_the_idle_time_to_what_was_needed)
{
	pass(3200, 1000);
	ck_assert_uint_eq(wanted, 16);
	pass(58000, 4);
	ck_assert_uint_eq(wanted, 16);
	pass(4000, 4);
	ck_assert_uint_eq(wanted, 5);
	pass(59000, 0);
	ck_assert_uint_eq(wanted, 5);
	pass(120000, 0);
	ck_assert_uint_eq(wanted, 2);
	ck_assert_uint_eq(changes, 5);
}
END_TEST

START_TEST(need_in_between_puts_off_shrinking)
{
	pass(3200, 1000);
	for (int i = 0; i < 10; i++) {
		pass(50000, 1);
		pass(3000, 13);
	}
	ck_assert_uint_eq(wanted, 16);
	ck_assert_uint_eq(changes, 3);
	pass(20000, 1);
	pass(3000, 6);
	pass(40000, 1);
	ck_assert_uint_eq(wanted, 8); /* six are 80 % of it */
}
END_TEST

START_TEST(a_ramp_is_followed_up_and_down)
{
	for (uint32_t work = 1; work <= 12; work++)
		pass(5000, work);
	ck_assert_uint_ge(wanted, 13);
	for (uint32_t work = 12; work-- > 0;)
		pass(5000, work);
	pass(180000, 0);
	ck_assert_uint_eq(wanted, 2);
	ck_assert_uint_le(changes, 12);
}
END_TEST

/* Load that swings faster than the idle time is held at its top. */
START_TEST(an_oscillating_load_does_not_make_it_flap)
{
	static const int64_t half_ms[] = {300, 1000, 5000, 20000};

	for (size_t i = 0; i < 4; i++) {
		setup();
		while (now < 500000 + 600000) {
			pass(half_ms[i], 8);
			pass(half_ms[i], 0);
		}
		ck_assert_uint_le(changes, 3);
		ck_assert_uint_ge(wanted, 4);
	}
}
END_TEST

/* One that swings slower follows, once a time. */
START_TEST(a_slow_swing_changes_once_a_cool_down)
{
	while (now < 500000 + 1200000) {
		pass(100000, 8);
		pass(100000, 0);
	}
	ck_assert_uint_le(changes, 6 * 5);
	ck_assert_int_ge(soonest, SCALE_PERIOD_MS);
}
END_TEST

START_TEST(another_number_begins_anew)
{
	pass(50000, 0);
	wanted = 9; /* ndsctl scale 9 */
	pass(59000, 0);
	ck_assert_uint_eq(wanted, 9);
	pass(3000, 0);
	ck_assert_uint_eq(wanted, 2);
}
END_TEST

START_TEST(changed_bounds_hold_at_once)
{
	pass(3200, 1000);
	settings.workers_max = 6;
	look(1000, wanted);
	ck_assert_uint_eq(wanted, 6);
	settings.workers_min = settings.workers_max = 10;
	look(0, wanted);
	ck_assert_uint_eq(wanted, 10);
}
END_TEST

START_TEST(a_gap_or_a_clock_that_jumps_proves_nothing)
{
	refused = 5;
	pass(3200, 1000);
	pass(30000, 0);
	now += 3600000; /* suspended, or no supervisor */
	pass(59000, 0);
	ck_assert_uint_eq(wanted, 16);
	now -= 7200000;
	pass(59000, 0);
	ck_assert_uint_eq(wanted, 16);
	pass(3000, 0);
	ck_assert_uint_eq(wanted, 2);
	pass(3000, 2);
	refused = 0; /* a counter that began again */
	pass(3000, 2);
	ck_assert_uint_eq(wanted, 2);
}
END_TEST

START_TEST(settings_that_change_keep_what_the_load_has_set)
{
	struct settings off = {.workers = 2, .workers_min = 2,
	    .workers_max = 2}, fixed = off, narrow = settings;

	ck_assert(scale_on(&settings));
	ck_assert(!scale_on(&off));
	narrow.workers_max = 6;
	ck_assert_uint_eq(scale_carry(9, &settings, &settings), 9);
	ck_assert_uint_eq(scale_carry(9, &settings, &narrow), 6);
	ck_assert_uint_eq(scale_carry(1, &off, &settings), 2);
	ck_assert_uint_eq(scale_carry(9, &settings, &off), 2);
	ck_assert_uint_eq(scale_carry(9, &off, &off), 9);
	fixed.workers = fixed.workers_min = fixed.workers_max = 7;
	ck_assert_uint_eq(scale_carry(9, &off, &fixed), 7);
}
END_TEST

/* Whatever comes: within the bounds, at most the double at a time, never two
 * changes in one period, never fewer before a whole idle time. */
START_TEST(a_random_walk_keeps_the_promises)
{
	uint32_t work = 0, was;
	int64_t grown = 0, at = 0;
	unsigned seed = 7;

	settings.workers_idle_ms = 5000;
	for (int i = 0; i < 100000; i++) {
		int roll = rand_r(&seed) % 100;

		if (roll < 20)
			work += (uint32_t)rand_r(&seed) % 6;
		else if (roll < 45)
			work /= 2;
		refused += roll == 50;
		was = wanted;
		look(work, roll == 60 ? wanted / 2 : wanted);
		ck_assert_uint_ge(wanted, 2);
		ck_assert_uint_le(wanted, 16);
		ck_assert_uint_le(wanted, 2 * was);
		if (wanted != was) {
			ck_assert_int_ge(now - at, SCALE_PERIOD_MS);
			at = now;
		}
		if (wanted < was)
			ck_assert_int_ge(now - grown, 5000);
		else if (wanted > was)
			grown = now;
	}
	ck_assert_uint_gt(changes, 100);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("scale");
	TCase *tc = tcase_create("scale");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, grows_when_requests_wait);
	tcase_add_test(tc, a_full_pool_that_nobody_waits_for_stays);
	tcase_add_test(tc, grows_when_waiting_is_only_seen_as_refusals);
	tcase_add_test(tc,
	    a_step_is_climbed_by_doubling_and_ends_at_the_maximum);
	tcase_add_test(tc, a_burst_that_the_pool_digests_changes_nothing);
	tcase_add_test(tc, waits_for_workers_that_still_start);
	tcase_add_test(tc, shrinks_after_the_idle_time_to_what_was_needed);
	tcase_add_test(tc, need_in_between_puts_off_shrinking);
	tcase_add_test(tc, a_ramp_is_followed_up_and_down);
	tcase_add_test(tc, an_oscillating_load_does_not_make_it_flap);
	tcase_add_test(tc, a_slow_swing_changes_once_a_cool_down);
	tcase_add_test(tc, another_number_begins_anew);
	tcase_add_test(tc, changed_bounds_hold_at_once);
	tcase_add_test(tc, a_gap_or_a_clock_that_jumps_proves_nothing);
	tcase_add_test(tc, settings_that_change_keep_what_the_load_has_set);
	tcase_add_test(tc, a_random_walk_keeps_the_promises);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	srunner_free(runner);
	return 0;
}
