/* SPDX-License-Identifier: MIT */
/* The circuit breaker: when it opens, who tries, and what a death leaves. */
#include "proto/breaker.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define TRY_MS 100

static const struct breaker_policy policy = {
    .failure_percent = 50, .min_calls = 4, .window_ms = 1000,
    .open_ms = 300};
static struct breaker *cells; /* shared with children */
static struct breaker *b;
static int64_t now;

static void
begin(void)
{
	cells = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(cells, MAP_FAILED);
	b = breaker_find(cells, 4096, "stock");
	now = 1000000;
}

static void
end(void)
{
	munmap(cells, 4096);
}

static int
asks(struct breaker_pass *pass)
{
	return breaker_ask(b, now, TRY_MS, pass) == 0;
}

static enum breaker_change
tells(const struct breaker_pass *pass, int ok)
{
	return breaker_result(b, &policy, pass, now, ok);
}

/* A whole try that must be allowed. */
static enum breaker_change
tries(int ok)
{
	struct breaker_pass pass;

	ck_assert(asks(&pass));
	return tells(&pass, ok);
}

static void
open_it(void)
{
	for (int i = 1; i < policy.min_calls; i++)
		ck_assert_int_eq(tries(0), BREAKER_SAME);
	ck_assert_int_eq(tries(0), BREAKER_OPENED);
}

START_TEST(opens_when_half_of_enough_tries_fail)
{
	struct breaker_pass pass;

	ck_assert_int_eq(tries(1), BREAKER_SAME);
	ck_assert_int_eq(tries(1), BREAKER_SAME);
	ck_assert_int_eq(tries(1), BREAKER_SAME);
	ck_assert_int_eq(tries(0), BREAKER_SAME);
	ck_assert_int_eq(tries(0), BREAKER_SAME);
	ck_assert_int_eq(tries(0), BREAKER_OPENED);
	ck_assert(!asks(&pass));
	ck_assert(breaker_refuses(b, now));
}
END_TEST

START_TEST(too_few_tries_prove_nothing)
{
	for (int i = 1; i < policy.min_calls; i++)
		ck_assert_int_eq(tries(0), BREAKER_SAME);
	ck_assert(!breaker_refuses(b, now));
}
END_TEST

START_TEST(failures_of_long_ago_are_forgotten)
{
	tries(0);
	tries(0);
	tries(0);
	now += policy.window_ms;
	ck_assert_int_eq(tries(0), BREAKER_SAME);
	tries(0);
	tries(0);
	now += policy.window_ms * 3 / 2;
	tries(0);
	ck_assert_int_eq(tries(0), BREAKER_SAME);
	tries(0);
	now += policy.window_ms / 2; /* the ones before are in the window */
	ck_assert_int_eq(tries(0), BREAKER_OPENED);
}
END_TEST

START_TEST(open_it_lets_one_trial_at_a_time)
{
	struct breaker_pass trial, other;

	open_it();
	now += policy.open_ms - 1;
	ck_assert(!asks(&trial));
	now++;
	ck_assert(asks(&trial));
	ck_assert(!asks(&other));
	now += TRY_MS - 1;
	ck_assert(!asks(&other));
	ck_assert_int_eq(tells(&trial, 1), BREAKER_RECOVERED);
	ck_assert(asks(&other));
	ck_assert_int_eq(tells(&other, 0), BREAKER_SAME);
}
END_TEST

START_TEST(a_failed_trial_opens_it_again)
{
	struct breaker_pass trial, other;

	open_it();
	now += policy.open_ms;
	ck_assert(asks(&trial));
	ck_assert_int_eq(tells(&trial, 0), BREAKER_OPENED);
	now += policy.open_ms - 1;
	ck_assert(!asks(&other));
	now++;
	ck_assert(asks(&other));
}
END_TEST

START_TEST(recovered_it_starts_to_count_anew)
{
	struct breaker_pass trial;

	open_it();
	now += policy.open_ms; /* the window still holds the failures */
	ck_assert(asks(&trial));
	tells(&trial, 1);
	for (int i = 1; i < policy.min_calls; i++)
		ck_assert_int_eq(tries(0), BREAKER_SAME);
}
END_TEST

START_TEST(the_trial_of_a_dead_worker_is_anothers_after_its_time)
{
	struct breaker_pass dead, next;

	open_it();
	now += policy.open_ms;
	ck_assert(asks(&dead));
	now += TRY_MS;
	ck_assert(asks(&next));
	ck_assert_int_eq(tells(&dead, 1), BREAKER_SAME); /* it was slow */
	ck_assert(breaker_refuses(b, now));
	ck_assert_int_eq(tells(&next, 1), BREAKER_RECOVERED);
}
END_TEST

START_TEST(a_try_from_before_the_opening_says_nothing_after_it)
{
	struct breaker_pass slow[8], trial;

	for (int i = 0; i < 8; i++)
		ck_assert(asks(&slow[i]));
	open_it();
	now += policy.open_ms;
	ck_assert(asks(&trial));
	tells(&trial, 1);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(tells(&slow[i], 0), BREAKER_SAME);
	ck_assert(!breaker_refuses(b, now));
}
END_TEST

START_TEST(what_is_scribbled_there_passes)
{
	struct breaker_pass pass;

	memset((char *)b + sizeof(b->key), 0xfe, sizeof(*b) - sizeof(b->key));
	ck_assert(asks(&pass));
	ck_assert_int_eq(tells(&pass, 1), BREAKER_RECOVERED);
	open_it();
}
END_TEST

START_TEST(each_name_has_a_cell_of_its_own)
{
	struct breaker *other = breaker_find(cells, 4096, "prices");
	char name[16];
	int found = 2;

	ck_assert_ptr_ne(other, b);
	ck_assert_ptr_eq(breaker_find(cells, 4096, "prices"), other);
	ck_assert_ptr_eq(breaker_find(cells, 4096, "stock"), b);
	for (int i = 0; i < 80; i++) {
		snprintf(name, sizeof(name), "%d", i);
		found += breaker_find(cells, 4096, name) != NULL;
	}
	ck_assert_int_le(found, 4096 / (int)sizeof(*b));
	ck_assert_int_gt(found, 40);
	ck_assert_ptr_null(breaker_find(NULL, 0, "stock"));
}
END_TEST

/* ---- many processes ------------------------------------------------------ */

#define CHILDREN 4
#define EACH 20000

START_TEST(no_count_of_any_process_is_lost)
{
	static const struct breaker_policy never = {
	    .failure_percent = 100, .min_calls = 1000000, .window_ms = 1000,
	    .open_ms = 300};
	struct breaker_pass pass;

	for (int i = 0; i < CHILDREN; i++) {
		if (fork() != 0)
			continue;
		for (int n = 0; n < EACH; n++) {
			asks(&pass);
			breaker_result(b, &never, &pass, now, n % 2);
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	ck_assert_uint_eq((b->half[0] | b->half[1]) & 0xffffffffff,
	    (uint64_t)CHILDREN * EACH << 20 | CHILDREN * EACH / 2);
}
END_TEST

static void
ask_and_tell_for_ever(void)
{
	struct breaker_pass pass;

	for (unsigned n = 0;; n++) {
		now = clock_ms();
		if (breaker_ask(b, now, 5, &pass) == 0)
			tells(&pass, n % 3 == 0);
	}
}

/* Children are killed wherever they are; then the circuit must still open,
 * try and close. */
START_TEST(killed_anywhere_it_still_works)
{
	struct breaker_pass pass;

	for (int i = 0; i < 200; i++) {
		pid_t child = fork();
		int64_t until_us = clock_us() + i * 10;

		if (child == 0)
			ask_and_tell_for_ever();
		while (clock_us() < until_us)
			;
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	now = clock_ms() + 1000;
	ck_assert(asks(&pass));
	tells(&pass, 1);
	now += 2000;
	ck_assert(!breaker_refuses(b, now));
	open_it();
	now += policy.open_ms;
	ck_assert_int_eq(tries(1), BREAKER_RECOVERED);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("breaker");
	TCase *cases = tcase_create("breaker");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(cases, begin, end);
	tcase_add_test(cases, opens_when_half_of_enough_tries_fail);
	tcase_add_test(cases, too_few_tries_prove_nothing);
	tcase_add_test(cases, failures_of_long_ago_are_forgotten);
	tcase_add_test(cases, open_it_lets_one_trial_at_a_time);
	tcase_add_test(cases, a_failed_trial_opens_it_again);
	tcase_add_test(cases, recovered_it_starts_to_count_anew);
	tcase_add_test(cases,
	    the_trial_of_a_dead_worker_is_anothers_after_its_time);
	tcase_add_test(cases,
	    a_try_from_before_the_opening_says_nothing_after_it);
	tcase_add_test(cases, what_is_scribbled_there_passes);
	tcase_add_test(cases, each_name_has_a_cell_of_its_own);
	tcase_add_test(cases, no_count_of_any_process_is_lost);
	tcase_add_test(cases, killed_anywhere_it_still_works);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
