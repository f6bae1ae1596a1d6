/* SPDX-License-Identifier: MIT */
/* Bulkheads: places that are never lost, whoever dies when. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/bulkhead.h"

#define WORKERS 4
#define KILLS 300

static struct shared shared;

static void
begin(void)
{
	static const uint64_t bytes[SHARED_AREAS] = {
		[SHARED_BULKHEADS] = SHARED_BULKHEADS_BYTES};
	struct nds_error err;
	int fd = shared_new(bytes, &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(shared_map(&shared, fd, 1, &err), 0);
	close(fd);
}

static void
end(void)
{
	shared_unmap(&shared);
}

static uint32_t
held(uint32_t i)
{
	struct bulkhead_state state;

	ck_assert_int_eq(bulkhead_read(&shared, i, &state), 0);
	return state.held;
}

START_TEST(as_many_enter_as_there_are_places)
{
	struct bulkhead *b = bulkhead_find(&shared, "slow", 3);
	int place[3];

	for (uint32_t slot = 0; slot < 3; slot++) {
		place[slot] = bulkhead_enter(b, 3, 100 + slot, 0);
		ck_assert_int_ge(place[slot], 0);
		ck_assert_int_lt(place[slot], 3);
	}
	ck_assert_int_eq(bulkhead_enter(b, 3, 7, 0), -1);
	bulkhead_leave(b, place[1], 101);
	ck_assert_int_eq(bulkhead_enter(b, 3, 7, 0), place[1]);
	ck_assert_int_eq(bulkhead_enter(b, 3, 8, 0), -1);
	ck_assert_uint_eq(held(0), 3);
}
END_TEST

START_TEST(who_holds_a_place_finds_it_again)
{
	struct bulkhead *b = bulkhead_find(&shared, "slow", 2);
	int place = bulkhead_enter(b, 2, 5, 0);

	ck_assert_int_ge(bulkhead_enter(b, 2, 6, 0), 0);
	ck_assert_int_eq(bulkhead_enter(b, 2, 5, 1), place);
	ck_assert_uint_eq(held(0), 2);
}
END_TEST

START_TEST(nobody_gives_back_what_is_anothers)
{
	struct bulkhead *b = bulkhead_find(&shared, "slow", 1);
	int place = bulkhead_enter(b, 1, 5, 0);

	bulkhead_leave(b, place, 6);
	bulkhead_release(&shared, 4);
	ck_assert_int_eq(bulkhead_enter(b, 1, 6, 0), -1);
	bulkhead_release(&shared, 5);
	ck_assert_int_eq(bulkhead_enter(b, 1, 6, 0), place);
}
END_TEST

START_TEST(of_many_places_one_that_runs_again_finds_its_own)
{
	struct bulkhead *b = bulkhead_find(&shared, "slow", 8);
	int place[2];

	place[0] = bulkhead_enter(b, 8, 4, 0);
	place[1] = bulkhead_enter(b, 8, 12, 0); /* both begin at the same */
	bulkhead_leave(b, place[0], 4);
	ck_assert_int_eq(bulkhead_enter(b, 8, 12, 1), place[1]);
	ck_assert_uint_eq(held(0), 1);
}
END_TEST

static int
is_below(const void *count, uint32_t slot)
{
	return slot < *(const uint32_t *)count;
}

START_TEST(what_no_process_can_hold_is_swept)
{
	struct bulkhead *b = bulkhead_find(&shared, "slow", 3);
	const uint32_t used = 8;

	ck_assert_int_ge(bulkhead_enter(b, 3, 7, 0), 0);
	ck_assert_int_ge(bulkhead_enter(b, 3, 8, 0), 0);
	ck_assert_int_ge(bulkhead_enter(b, 3, 600, 0), 0);
	bulkhead_sweep(&shared, is_below, &used);
	ck_assert_uint_eq(held(0), 1);
	ck_assert_int_ge(bulkhead_enter(b, 3, 1, 0), 0);
	ck_assert_int_ge(bulkhead_enter(b, 3, 2, 0), 0);
	ck_assert_int_eq(bulkhead_enter(b, 3, 3, 0), -1);
}
END_TEST

START_TEST(groups_are_found_by_name_and_do_not_mix)
{
	struct bulkhead *a = bulkhead_find(&shared, "a", 1);
	struct bulkhead *b = bulkhead_find(&shared, "b", 2);
	struct bulkhead_state state;

	ck_assert_ptr_ne(a, b);
	ck_assert_ptr_eq(bulkhead_find(&shared, "a", 9), a);
	ck_assert_int_ge(bulkhead_enter(a, 1, 0, 0), 0);
	ck_assert_int_eq(bulkhead_enter(a, 1, 1, 0), -1);
	ck_assert_int_ge(bulkhead_enter(b, 2, 1, 0), 0);
	ck_assert_int_eq(bulkhead_read(&shared, 0, &state), 0);
	ck_assert_str_eq(state.name, "a");
	ck_assert_uint_eq(state.places, 9);
	ck_assert_uint_eq(state.held, 1);
	ck_assert_uint_eq(state.refused, 1);
	bulkhead_release(&shared, 1);
	ck_assert_uint_eq(held(0), 1);
	ck_assert_uint_eq(held(1), 0);
	ck_assert_int_eq(bulkhead_read(&shared, 2, &state), -1);
}
END_TEST

START_TEST(a_full_table_says_so_once)
{
	char name[16];

	for (int i = 0; i < BULKHEADS_MAX; i++) {
		snprintf(name, sizeof(name), "group %d", i);
		ck_assert_ptr_nonnull(bulkhead_find(&shared, name, 1));
	}
	ck_assert_ptr_null(bulkhead_find(&shared, "one more", 1));
	ck_assert_ptr_nonnull(bulkhead_find(&shared, "group 0", 1));
	ck_assert_int_eq(bulkhead_tell_full(&shared), 1);
	ck_assert_int_eq(bulkhead_tell_full(&shared), 0);
}
END_TEST

START_TEST(no_memory_is_no_limit)
{
	struct shared none = {0};
	struct bulkhead_state state;

	ck_assert_ptr_null(bulkhead_find(&none, "slow", 1));
	ck_assert_int_eq(bulkhead_tell_full(&none), 0);
	ck_assert_int_eq(bulkhead_read(&none, 0, &state), -1);
	bulkhead_release(&none, 1);
}
END_TEST

/* A worker that goes in and out and says so now and then. */
static void
work(uint32_t slot, int out)
{
	struct bulkhead *b = bulkhead_find(&shared, "storm", 2);
	int place;

	for (unsigned i = 0;; i++) {
		place = bulkhead_enter(b, 2, slot, 0);
		if (place >= 2 || (i % 64 == 0 && write(out, "", 1) != 1))
			_exit(1);
		if (place >= 0)
			bulkhead_leave(b, place, slot);
	}
}

static pid_t
worker_start(uint32_t slot, int out)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		work(slot, out);
	return pid;
}

START_TEST(no_place_is_lost_in_a_storm_of_kills)
{
	struct bulkhead *b = bulkhead_find(&shared, "storm", 2);
	int pipe_fd[2], status, found = 0;
	pid_t pid[WORKERS];
	char byte;

	ck_assert_int_eq(pipe(pipe_fd), 0);
	for (uint32_t i = 0; i < WORKERS; i++)
		pid[i] = worker_start(i, pipe_fd[1]);
	for (uint32_t n = 0; n < KILLS; n++) {
		ck_assert_int_eq(read(pipe_fd[0], &byte, 1), 1);
		kill(pid[n % WORKERS], SIGKILL);
		waitpid(pid[n % WORKERS], &status, 0);
		ck_assert(WIFSIGNALED(status));
		for (int at = 0; at < 2; at++)
			found += b->owner[at] == n % WORKERS + 1;
		bulkhead_release(&shared, n % WORKERS);
		pid[n % WORKERS] = worker_start(n % WORKERS, pipe_fd[1]);
	}
	for (uint32_t i = 0; i < WORKERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		bulkhead_release(&shared, i);
	}
	ck_assert_int_gt(found, 0); /* some did die in the middle */
	ck_assert_uint_eq(held(0), 0);
	ck_assert_int_ge(bulkhead_enter(b, 2, 8, 0), 0);
	ck_assert_int_ge(bulkhead_enter(b, 2, 9, 0), 0);
	ck_assert_int_eq(bulkhead_enter(b, 2, 10, 0), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bulkhead");
	TCase *t = tcase_create("bulkhead");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, as_many_enter_as_there_are_places);
	tcase_add_test(t, who_holds_a_place_finds_it_again);
	tcase_add_test(t, nobody_gives_back_what_is_anothers);
	tcase_add_test(t,
	    of_many_places_one_that_runs_again_finds_its_own);
	tcase_add_test(t, what_no_process_can_hold_is_swept);
	tcase_add_test(t, groups_are_found_by_name_and_do_not_mix);
	tcase_add_test(t, a_full_table_says_so_once);
	tcase_add_test(t, no_memory_is_no_limit);
	tcase_add_test(t, no_place_is_lost_in_a_storm_of_kills);
	suite_add_tcase(s, t);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
