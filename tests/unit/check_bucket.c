/* SPDX-License-Identifier: MIT */
/* Token buckets: exact by a fake clock, with many clients and many workers. */
#include "proto/bucket.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/shared.h"

#define SECOND INT64_C(1000000)
#define START (1000 * SECOND)
#define WORKERS 4

static void *area;
static struct bucket_table table;
static struct bucket_answer answer;

static void
begin(void)
{
	area = mmap(NULL, SHARED_BUCKETS_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, MAP_FAILED);
	ck_assert_int_eq(bucket_open(&table, area, SHARED_BUCKETS_BYTES), 0);
}

static void
end(void)
{
	munmap(area, SHARED_BUCKETS_BYTES);
}

static int
take(const char *key, const char *text, int64_t now_us)
{
	struct rate rate;

	ck_assert_ptr_null(rate_parse(text, &rate));
	bucket_take(&table, bucket_hash(&table, &rate, key, strlen(key)),
	    &rate, now_us, &answer);
	return answer.admitted;
}

START_TEST(a_burst_and_then_the_rate)
{
	int admitted = 0;

	for (int i = 0; i < 100; i++)
		ck_assert(take("a", "50/s burst 100", START));
	ck_assert(!take("a", "50/s burst 100", START));
	for (int64_t us = 0; us < 10 * SECOND; us += 1000)
		admitted += take("a", "50/s burst 100", START + us);
	ck_assert_int_eq(admitted, 499); /* one each 20 ms, the first at 20 */
}
END_TEST

START_TEST(no_rate_is_further_off_than_five_percent)
{
	static const char *const rates[] = {"1/s burst 1", "7/s burst 3",
	    "333/s burst 10", "9999/s burst 50", "77777/s burst 100",
	    "95000/s burst 100", "6/m burst 1", "100/h burst 1"};
	static const double per_second[] = {1, 7, 333, 9999, 77777, 95000, 0.1,
	    1.0 / 36};
	double every_us = 1e6 / per_second[_i];
	int64_t end_us = START + (int64_t)(2000 * every_us), admitted = 0;
	int64_t step = every_us < 5 ? 1 : (int64_t)(every_us / 5);

	for (int64_t us = START; us < end_us; us += step)
		admitted += take("a", rates[_i], us);
	ck_assert_int_gt(admitted, 2000 * 95 / 100);
	ck_assert_int_lt(admitted, 2000 * 105 / 100 + 100); /* the burst */
}
END_TEST

START_TEST(the_answer_says_what_is_left_and_when_more_comes)
{
	ck_assert(take("a", "1/s burst 3", START));
	ck_assert_int_eq(answer.left, 2);
	ck_assert_int_eq(answer.full_us, SECOND);
	ck_assert(take("a", "1/s burst 3", START));
	ck_assert(take("a", "1/s burst 3", START));
	ck_assert_int_eq(answer.left, 0);
	ck_assert(!take("a", "1/s burst 3", START + SECOND / 4));
	ck_assert_int_eq(answer.left, 0);
	ck_assert_int_eq(answer.next_us, SECOND * 3 / 4);
	ck_assert_int_eq(answer.full_us, 3 * SECOND - SECOND / 4);
	ck_assert(take("a", "1/s burst 3", START + SECOND));
	ck_assert_uint_eq(table.head->refused, 1);
}
END_TEST

START_TEST(clients_do_not_pay_for_each_other)
{
	ck_assert(take("a", "1/s", START));
	ck_assert(!take("a", "1/s", START));
	ck_assert(take("b", "1/s", START));
}
END_TEST

START_TEST(a_changed_limit_begins_anew)
{
	for (int i = 0; i < 10; i++)
		ck_assert(take("a", "1/h burst 24", START));
	ck_assert(take("a", "1/h burst 23", START));
	ck_assert_int_eq(answer.left, 22);
}
END_TEST

/* The monotonic clock of a machine that was moved, or runs for long. */
START_TEST(a_clock_that_jumps_harms_nobody)
{
	const int64_t turn = INT64_C(1) << 44;

	ck_assert(take("a", "1/h", START));
	ck_assert(take("a", "1/h", 5)); /* 1000 s ago: of another clock? */
	ck_assert(take("b", "1/m", turn - SECOND));
	ck_assert(!take("b", "1/m", turn + SECOND));
	ck_assert(take("b", "1/m", turn + 60 * SECOND));
}
END_TEST

static uint64_t
hash_of(uint64_t mark)
{
	return mark << 44 | 12345;
}

START_TEST(of_a_full_set_the_next_to_be_full_gives_way)
{
	struct rate rate = {SECOND, 100};

	for (uint64_t mark = 1; mark <= BUCKET_WAYS; mark++)
		for (uint64_t i = 0; i < 10 + (mark + 4) % BUCKET_WAYS; i++)
			bucket_take(&table, hash_of(mark), &rate, START,
			    &answer);
	ck_assert_uint_eq(table.head->replaced, 0);
	bucket_take(&table, hash_of(99), &rate, START, &answer);
	ck_assert_int_eq(answer.left, 99);
	ck_assert_uint_eq(table.head->replaced, 1);
	for (uint64_t mark = 1; mark <= BUCKET_WAYS; mark++)
		if (mark != 4) { /* it had used 10, the others more */
			bucket_take(&table, hash_of(mark), &rate, START,
			    &answer);
			ck_assert_int_lt(answer.left, 90);
		}
}
END_TEST

START_TEST(a_full_bucket_makes_way_for_nothing)
{
	struct rate rate = {SECOND, 5};

	for (uint64_t mark = 1; mark <= 1000; mark++)
		bucket_take(&table, hash_of(mark), &rate,
		    START + (int64_t)mark * SECOND, &answer);
	ck_assert_uint_eq(table.head->replaced, 0);
}
END_TEST

START_TEST(a_million_clients_change_nothing_for_one)
{
	struct rate rate;
	unsigned admitted = 0, first = 0;

	ck_assert_ptr_null(rate_parse("1/m burst 5", &rate));
	for (uint32_t i = 0; i < 1000000; i++) {
		bucket_take(&table, bucket_hash(&table, &rate, &i, sizeof(i)),
		    &rate, START + i, &answer);
		first += (unsigned)answer.admitted;
		if (i % 100 == 0)
			admitted += (unsigned)take("a", "1/m burst 5",
			    START + i);
	}
	ck_assert_uint_eq(first, 1000000);
	ck_assert_uint_eq(admitted, 5);
	ck_assert_uint_gt(table.head->replaced, 500000);
}
END_TEST

struct joint {
	_Atomic int64_t clock_us, admitted;
};

/* As a worker that opens the area that others use. */
static int
hammer(struct joint *joint, const char *rate, int64_t step_us,
    int64_t until_us)
{
	int64_t now_us, admitted = 0;
	int last = 1;

	if (bucket_open(&table, area, SHARED_BUCKETS_BYTES) < 0)
		return 0;
	while (last || step_us > 0) {
		now_us = atomic_fetch_add(&joint->clock_us, step_us);
		if (now_us >= until_us)
			break;
		admitted += last = take("a", rate, now_us);
	}
	atomic_fetch_add(&joint->admitted, admitted);
	return 1;
}

/* All workers at once, by one clock that each of them moves on: to the end, or
 * (step 0) each until it is refused. Returns how many were admitted. */
static int64_t
hammer_all(const char *rate, int64_t step_us)
{
	struct joint *joint = mmap(NULL, sizeof(*joint),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t admitted;
	int status;

	ck_assert_ptr_ne(joint, MAP_FAILED);
	joint->clock_us = START;
	for (int i = 0; i < WORKERS; i++)
		if (fork() == 0)
			_exit(!hammer(joint, rate, step_us,
			    START + 3 * SECOND));
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	admitted = joint->admitted;
	munmap(joint, sizeof(*joint));
	return admitted;
}

START_TEST(workers_together_admit_what_one_would)
{
	int64_t admitted = hammer_all("10000/s burst 100", 3);

	ck_assert_int_gt(admitted, 30100 * 99 / 100);
	ck_assert_int_lt(admitted, 30100 * 101 / 100);
}
END_TEST

START_TEST(workers_share_a_burst_to_its_last_token)
{
	ck_assert_int_eq(hammer_all("1/s burst 80000", 0), 80000);
}
END_TEST

START_TEST(an_area_without_room_is_refused)
{
	struct bucket_table t;

	ck_assert_int_eq(bucket_open(&t, NULL, 0), -1);
	ck_assert_int_eq(bucket_open(&t, area, 64), -1);
	ck_assert_ptr_null(t.head);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bucket");
	TCase *t = tcase_create("bucket"), *crowds = tcase_create("crowds");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, a_burst_and_then_the_rate);
	tcase_add_loop_test(t, no_rate_is_further_off_than_five_percent, 0, 8);
	tcase_add_test(t, the_answer_says_what_is_left_and_when_more_comes);
	tcase_add_test(t, clients_do_not_pay_for_each_other);
	tcase_add_test(t, a_changed_limit_begins_anew);
	tcase_add_test(t, a_clock_that_jumps_harms_nobody);
	tcase_add_test(t, of_a_full_set_the_next_to_be_full_gives_way);
	tcase_add_test(t, a_full_bucket_makes_way_for_nothing);
	tcase_add_test(t, an_area_without_room_is_refused);
	suite_add_tcase(s, t);
	tcase_set_timeout(crowds, 60);
	tcase_set_tags(crowds, "long");
	tcase_add_checked_fixture(crowds, begin, end);
	tcase_add_test(crowds, a_million_clients_change_nothing_for_one);
	tcase_add_test(crowds, workers_together_admit_what_one_would);
	tcase_add_test(crowds, workers_share_a_burst_to_its_last_token);
	suite_add_tcase(s, crowds);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
