/* SPDX-License-Identifier: MIT */
/* Drain and stop: the phases, the quiet time and the one budget, by a fake
 * clock. */
#include <check.h>
#include <string.h>

#include "ndsd/drain.h"

static struct drain drain;
static struct settings settings;
static struct drain_seen seen;
static int64_t now;

static void
setup(void)
{
	memset(&drain, 0, sizeof(drain));
	memset(&settings, 0, sizeof(settings));
	settings.shutdown_timeout_ms = 30000;
	settings.drain_min_ms = 1000;
	settings.drain_quiet_ms = 1000;
	settings.drain_max_ms = 8000;
	seen = (struct drain_seen){.knows_traffic = 1, .processes = 4};
	now = 500000;
}

/* Let the clock run in ticks, with traffic or without; all duties met on the
 * way. */
static int
pass(int64_t ms, int traffic)
{
	int duties = 0;

	for (int64_t end = now + ms; now < end;) {
		now += 100;
		seen.accepted += (uint64_t)traffic;
		duties |= drain_step(&drain, &settings, &seen, now);
	}
	return duties;
}

START_TEST(drains_once_it_is_quiet)
{
	ck_assert_int_eq(drain_begin(&drain, 0, now), 0);
	pass(900, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINING);
	pass(200, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINED);
}
END_TEST

START_TEST(traffic_keeps_a_drain_going_up_to_the_maximum)
{
	drain_begin(&drain, 0, now);
	pass(7800, 1);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINING);
	pass(300, 1);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINED);
}
END_TEST

START_TEST(quiet_counts_from_the_last_request)
{
	drain_begin(&drain, 0, now);
	pass(3000, 1);
	pass(800, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINING);
	pass(300, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINED);
}
END_TEST

START_TEST(a_request_in_work_or_in_the_queue_is_not_quiet)
{
	drain_begin(&drain, 0, now);
	seen.busy = 1;
	pass(3000, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINING);
	seen.busy = 0;
	seen.queued = 1;
	pass(3000, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINING);
}
END_TEST

START_TEST(workers_that_do_not_count_get_the_whole_time)
{
	seen.knows_traffic = 0;
	drain_begin(&drain, 0, now);
	pass(7800, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINING);
	pass(300, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_DRAINED);
}
END_TEST

START_TEST(undrain_serves_again)
{
	ck_assert_int_eq(drain_end(&drain), -1);
	drain_begin(&drain, 0, now);
	ck_assert_int_eq(drain_end(&drain), 0);
	ck_assert_uint_eq(drain.phase, DRAIN_SERVING);
	drain_stop(&drain, 0, 0, now);
	ck_assert_int_eq(drain_end(&drain), -1);
	ck_assert_int_eq(drain_begin(&drain, 0, now), -1);
}
END_TEST

START_TEST(stop_goes_through_drain_front_and_workers)
{
	int duties;

	seen.front_running = 1;
	drain_stop(&drain, 0, 0, now);
	ck_assert_int_eq(pass(800, 0), 0);
	duties = pass(400, 0);
	ck_assert_int_eq(duties, DRAIN_STOP_FRONT_NOW);
	ck_assert_int_eq(pass(500, 0), 0);
	seen.front_running = 0;
	ck_assert_int_eq(pass(100, 0), DRAIN_CLOSE_DOOR | DRAIN_RETIRE_ALL);
	ck_assert_int_eq(pass(500, 0), 0);
	seen.processes = 0;
	pass(100, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_STOPPED);
}
END_TEST

START_TEST(who_does_not_empty_the_queue_is_told_when_it_is_empty)
{
	seen.knows_traffic = 0;
	seen.queued = 3;
	drain_stop(&drain, 0, 1, now);
	ck_assert_int_eq(pass(200, 0), DRAIN_CLOSE_DOOR);
	ck_assert_int_eq(pass(5000, 0), 0);
	seen.queued = 0;
	ck_assert_int_eq(pass(100, 0), DRAIN_RETIRE_ALL);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_WORKERS);
}
END_TEST

START_TEST(a_queue_that_does_not_empty_ends_with_the_budget)
{
	seen.knows_traffic = 0;
	seen.queued = 3;
	drain_stop(&drain, 0, 1, now);
	ck_assert_int_eq(pass(27900, 0), DRAIN_CLOSE_DOOR);
	ck_assert_int_eq(pass(300, 0), DRAIN_RETIRE_ALL);
}
END_TEST

START_TEST(a_queue_that_goes_on_to_another_ndsd_is_left)
{
	seen.knows_traffic = 0;
	seen.door_stays = 1;
	seen.queued = 3;
	drain_stop(&drain, 0, 1, now);
	ck_assert_int_eq(pass(300, 0), DRAIN_CLOSE_DOOR | DRAIN_RETIRE_ALL);
}
END_TEST

START_TEST(a_second_signal_skips_the_quiet_time)
{
	drain_stop(&drain, 0, 0, now);
	pass(200, 1);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_DRAIN);
	drain_stop(&drain, 0, 0, now);
	pass(200, 1);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_WORKERS);
}
END_TEST

START_TEST(a_quick_stop_leaves_the_drain_out)
{
	drain_stop(&drain, 0, 1, now);
	ck_assert_int_eq(pass(200, 1), DRAIN_CLOSE_DOOR | DRAIN_RETIRE_ALL);
}
END_TEST

START_TEST(a_finished_drain_is_not_done_twice)
{
	drain_begin(&drain, 0, now);
	pass(1200, 0);
	drain_stop(&drain, 0, 0, now);
	ck_assert_int_eq(pass(200, 1), DRAIN_CLOSE_DOOR | DRAIN_RETIRE_ALL);
}
END_TEST

START_TEST(one_budget_spans_the_whole_stop)
{
	int64_t began = now;

	seen.front_running = 1;
	drain_stop(&drain, 0, 0, now);
	pass(27900, 1);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_FRONT);
	ck_assert_int_eq(pass(200, 0), DRAIN_KILL_FRONT);
	seen.front_running = 0;
	pass(100, 0);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_WORKERS);
	ck_assert_int_eq(pass(900, 0), DRAIN_KILL_ALL);
	ck_assert_int_le(now - began, settings.shutdown_timeout_ms);
	ck_assert_int_eq(drain_deadline_ms(&drain, &settings), began + 30000);
}
END_TEST

START_TEST(a_process_that_does_not_die_is_left)
{
	drain_stop(&drain, 0, 1, now);
	pass(29000, 1);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_WORKERS);
	seen.processes = 1;
	ck_assert_int_eq(pass(400, 0), DRAIN_KILL_ALL);
	ck_assert_int_eq(pass(100, 0), DRAIN_KILL_ALL);
	ck_assert_uint_eq(drain.phase, DRAIN_STOPPED);
}
END_TEST

START_TEST(who_comes_late_kills_before_it_leaves)
{
	drain_stop(&drain, 0, 1, now);
	pass(20000, 1);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_WORKERS);
	seen.processes = 1;
	ck_assert_int_eq(pass(60000, 0), DRAIN_KILL_ALL);
	ck_assert_uint_eq(drain.phase, DRAIN_STOPPED);
}
END_TEST

START_TEST(a_front_that_does_not_die_is_left)
{
	seen.front_running = 1;
	drain_stop(&drain, 0, 1, now);
	ck_assert_int_eq(pass(28100, 1) & DRAIN_KILL_FRONT, DRAIN_KILL_FRONT);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_FRONT);
	pass(1000, 1);
	ck_assert_uint_eq(drain.phase, DRAIN_STOP_WORKERS);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("drain");
	TCase *cases = tcase_create("phases");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, drains_once_it_is_quiet);
	tcase_add_test(cases, traffic_keeps_a_drain_going_up_to_the_maximum);
	tcase_add_test(cases, quiet_counts_from_the_last_request);
	tcase_add_test(cases, a_request_in_work_or_in_the_queue_is_not_quiet);
	tcase_add_test(cases, workers_that_do_not_count_get_the_whole_time);
	tcase_add_test(cases, undrain_serves_again);
	tcase_add_test(cases, stop_goes_through_drain_front_and_workers);
	tcase_add_test(cases,
	    who_does_not_empty_the_queue_is_told_when_it_is_empty);
	tcase_add_test(cases, a_queue_that_does_not_empty_ends_with_the_budget);
	tcase_add_test(cases, a_queue_that_goes_on_to_another_ndsd_is_left);
	tcase_add_test(cases, a_second_signal_skips_the_quiet_time);
	tcase_add_test(cases, a_quick_stop_leaves_the_drain_out);
	tcase_add_test(cases, a_finished_drain_is_not_done_twice);
	tcase_add_test(cases, one_budget_spans_the_whole_stop);
	tcase_add_test(cases, a_process_that_does_not_die_is_left);
	tcase_add_test(cases, who_comes_late_kills_before_it_leaves);
	tcase_add_test(cases, a_front_that_does_not_die_is_left);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	srunner_free(runner);
	return 0;
}
