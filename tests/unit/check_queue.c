/* SPDX-License-Identifier: MIT */
/* The age of the queue's head from samples, against a model that knows every
 * arrival, and controlled delay, both by a fake clock. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "helper/delay.h"
#include "helper/refusal.h"
#include "proto/queue_age.h"

#define SAMPLE_MS 10
#define WORKERS 4
#define STEPS 100000

/* ---- the model: a queue, first in, first out, and workers ---------------- */

struct model {
	int64_t now;
	int64_t arrived_ms[STEPS * 2];
	size_t arrived, accepted;
	int64_t free_ms[WORKERS];
};

static struct model model;
static struct queue_age age;
static struct board_delay kept;
static struct delay delay;

static void
setup(void)
{
	memset(&model, 0, sizeof(model));
	memset(&age, 0, sizeof(age));
	memset(&kept, 0, sizeof(kept));
	memset(&delay, 0, sizeof(delay));
	delay.kept = &kept;
	delay.timeout_ms = 1000;
	delay.target_ms = 50;
	srandom(20);
}

/* One millisecond: requests of two very different costs, and load that comes
 * in waves between none and twice the capacity. */
static void
model_step(void)
{
	long wave = model.now / 2000 % 4;

	model.now++;
	for (int i = 0; i < 2; i++)
		if (random() % 1000 < 30 * wave)
			model.arrived_ms[model.arrived++] = model.now;
	for (int i = 0; i < WORKERS; i++) {
		if (model.free_ms[i] > model.now ||
		    model.accepted == model.arrived)
			continue;
		model.accepted++;
		model.free_ms[i] = model.now +
		    (random() % 10 == 0 ? 400 : 5);
	}
}

static int64_t
model_age(void)
{
	return model.accepted == model.arrived ? -1 :
	    model.now - model.arrived_ms[model.accepted];
}

static void
model_sample(int knows_accepts)
{
	queue_age_note(&age, model.now, knows_accepts ? model.accepted : 0,
	    (uint32_t)(model.arrived - model.accepted));
}

static int
smaller(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

START_TEST(hazard_20_the_age_is_right_to_a_sample_with_mixed_service_times)
{
	static int64_t error[STEPS];
	size_t count = 0;

	for (int i = 0; i < STEPS; i++) {
		model_step();
		if (model.now % SAMPLE_MS != 0)
			continue;
		model_sample(1);
		ck_assert_int_eq(queue_age_head(&age, model.now) < 0,
		    model_age() < 0);
		if (model_age() >= 0)
			error[count++] = llabs(model_age() -
			    queue_age_head(&age, model.now));
	}
	ck_assert_uint_gt(count, STEPS / SAMPLE_MS / 4);
	qsort(error, count, sizeof(error[0]), smaller);
	ck_assert_int_le(error[count / 2], SAMPLE_MS);
	ck_assert_int_le(error[count - 1], 5 * SAMPLE_MS);
}
END_TEST

START_TEST(hazard_21_without_accepts_it_is_at_most_since_when_not_empty)
{
	int64_t since = -1, seen;

	for (int i = 0; i < STEPS; i++) {
		model_step();
		if (model.now % SAMPLE_MS != 0)
			continue;
		model_sample(0);
		if (model_age() < 0)
			since = -1;
		else if (since < 0)
			since = model.now;
		seen = queue_age_head(&age, model.now);
		ck_assert_int_eq(seen, since < 0 ? -1 : model.now - since);
	}
}
END_TEST

START_TEST(accepts_that_nobody_counted_are_forgotten_with_the_queue)
{
	queue_age_note(&age, 0, 10, 3);
	queue_age_note(&age, 100, 10, 2); /* a worker died before it counted */
	queue_age_note(&age, 200, 10, 4);
	ck_assert_int_eq(queue_age_head(&age, 200), 200);
	queue_age_note(&age, 300, 12, 2);
	ck_assert_int_eq(queue_age_head(&age, 300), 100);
	queue_age_note(&age, 400, 14, 0);
	ck_assert_int_eq(queue_age_head(&age, 400), -1);
}
END_TEST

START_TEST(an_hour_without_service_is_known_to_a_part_of_it)
{
	int64_t now, real;
	uint64_t served = 0;

	for (now = 0; now < 3600000; now += SAMPLE_MS)
		queue_age_note(&age, now, 0, (uint32_t)(now / SAMPLE_MS) + 1);
	ck_assert_uint_le(age.count, QUEUE_SAMPLES);
	for (; served < 360000; served += 997) {
		queue_age_note(&age, now, served, (uint32_t)(360000 - served));
		real = now - (int64_t)served * SAMPLE_MS;
		ck_assert_int_le(llabs(queue_age_head(&age, now) - real),
		    SAMPLE_MS + real / QUEUE_PRECISION);
	}
}
END_TEST

/* ---- controlled delay ---------------------------------------------------- */

static int64_t now;

/* The head is so old for a while; returns what is allowed at its end. */
static int64_t
stay(int64_t head_ms, int64_t ms, uint64_t accepted)
{
	int64_t allowed = 0;

	for (int64_t end = now + ms; now < end; now += SAMPLE_MS)
		allowed = delay_note(&delay, now, head_ms, accepted);
	return allowed;
}

START_TEST(a_burst_may_wait_for_the_timeout)
{
	now = 5000;
	ck_assert_int_eq(stay(-1, 100, 1), 1000);
	ck_assert_int_eq(stay(900, 900, 1), 1000);
}
END_TEST

START_TEST(a_queue_that_stands_may_wait_for_the_target)
{
	now = 5000;
	ck_assert_int_eq(stay(60, 1100, 1), 50);
}
END_TEST

START_TEST(one_that_waited_for_the_timeout_was_in_a_queue_that_stands)
{
	now = 5000;
	ck_assert_int_eq(stay(1000, 20, 1), 1000);
	delay_refused(&delay, now, 1);
	ck_assert_int_eq(stay(-1, 200, 1), 50);
}
END_TEST

START_TEST(a_full_queue_that_moves_on_quickly_does_not_stand)
{
	now = 5000;
	ck_assert_int_eq(stay(49, 10000, 1), 1000);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(stay(500, 900, 1), 1000);
		ck_assert_int_eq(stay(20, 20, 1), 1000);
	}
}
END_TEST

START_TEST(it_stands_until_workers_have_emptied_it)
{
	now = 5000;
	stay(60, 1100, 1);
	delay_refused(&delay, now, 1);
	ck_assert_int_eq(stay(-1, 100, 1), 50); /* we have, they have not */
	ck_assert_int_eq(stay(40, 100, 2), 50);
	ck_assert_int_eq(stay(-1, 20, 2), 1000);
}
END_TEST

START_TEST(it_stands_no_longer_when_nobody_is_refused)
{
	now = 5000;
	stay(60, 1100, 1);
	delay_refused(&delay, now, 1);
	ck_assert_int_eq(stay(40, 900, 2), 50);
	ck_assert_int_eq(stay(40, 200, 2), 1000);
}
END_TEST

/* A wave of so many refusals comes and is gone: workers have emptied it. */
static int64_t
wave(int refusals)
{
	static uint64_t accepted;

	stay(-1, 100, ++accepted);
	stay(1000, 20, ++accepted);
	for (int i = 0; i < refusals; i++)
		delay_refused(&delay, ++now, accepted);
	return stay(-1, 20, ++accepted);
}

START_TEST(the_wave_after_a_wave_may_not_wait_as_long)
{
	now = 5000;
	ck_assert_int_eq(wave(3), 1000);
	ck_assert_int_eq(wave(4), 500);
	ck_assert_int_eq(wave(100), 100);
	ck_assert_int_eq(wave(1000), 50);
	ck_assert_int_eq(wave(1), 1000);
}
END_TEST

START_TEST(a_wave_is_forgotten_after_a_while)
{
	now = 5000;
	wave(1000);
	ck_assert_int_eq(stay(-1, 15900, 100), 50);
	ck_assert_int_eq(stay(-1, 100, 100), 1000);
}
END_TEST

START_TEST(after_a_wave_a_queue_stands_sooner)
{
	now = 5000;
	ck_assert_int_eq(wave(25), 200);
	ck_assert_int_eq(stay(60, 190, 200), 200);
	ck_assert_int_eq(stay(60, 20, 200), 50);
}
END_TEST

static uint64_t crowd_served;

/* Clients that are as many as can be waiting, 15 times the capacity: 3000 each
 * second, of which who is served or refused comes again after a second.
 * Returns the longest wait of one that was served in the last 10 s. */
static int64_t
crowd_longest(void)
{
	static int64_t due[3000];
	int64_t longest = 0, head;
	size_t next;

	for (int i = 0; i < 3000; i++)
		due[i] = i / 10; /* within 300 ms, as a wave does */
	for (now = 1; now < 20000; now++) {
		next = model.arrived;
		model.now = now;
		for (; due[next % 3000] <= now && next < model.accepted + 3000;
		     next++)
			model.arrived_ms[next] = due[next % 3000];
		model.arrived = next;
		for (int i = 0; i < WORKERS; i++) {
			if (model.free_ms[i] > now || model_age() < 0)
				continue;
			if (now > 10000 && model_age() > longest)
				longest = model_age();
			due[model.accepted++ % 3000] = now + 1000;
			model.free_ms[i] = now + 20;
			crowd_served++;
		}
		for (;;) {
			head = model_age();
			if (head < delay_note(&delay, now, head, crowd_served))
				break;
			delay_refused(&delay, now, crowd_served);
			due[model.accepted++ % 3000] = now + 1000;
		}
	}
	return longest;
}

START_TEST(waves_of_a_crowd_do_not_wait_for_the_timeout_each_time)
{
	int64_t longest = crowd_longest();

	ck_assert_int_le(longest, 2 * delay.target_ms);
	ck_assert_uint_gt(crowd_served, 0);
}
END_TEST

START_TEST(the_next_shedder_goes_on_where_the_last_one_was)
{
	struct delay next = {.timeout_ms = 1000, .target_ms = 50,
	    .kept = &kept};

	now = 5000;
	stay(60, 1100, 1);
	delay_refused(&delay, now, 1);
	delay = next;
	ck_assert_int_eq(stay(60, 20, 1), 50);
}
END_TEST

START_TEST(retry_after_is_told_and_at_most_twice_that)
{
	unsigned seen[8] = {0}, s;

	for (int i = 0; i < 1000; i++) {
		s = refusal_retry_after_s(2500);
		ck_assert_uint_ge(s, 3);
		ck_assert_uint_le(s, 6);
		seen[s]++;
	}
	for (s = 3; s <= 6; s++)
		ck_assert_uint_gt(seen[s], 150);
	ck_assert_uint_eq(refusal_retry_after_s(0), 0);
}
END_TEST

START_TEST(who_has_left_the_queue_was_taken)
{
	static const uint32_t first[] = {7, 8, 9}, then[] = {9, 10},
	    gone[] = {0, 10, 11}, others[] = {20, 21}, nobody[] = {0};
	struct queue_list list = {0};

	ck_assert_uint_eq(queue_list_taken(&list, first, 3), 0);
	ck_assert_uint_eq(queue_list_taken(&list, first, 3), 0);
	ck_assert_uint_eq(queue_list_taken(&list, then, 2), 2);
	/* 9 has hung up, and waits all the same */
	ck_assert_uint_eq(queue_list_taken(&list, gone, 3), 0);
	ck_assert_uint_eq(queue_list_taken(&list, others, 2), 3);
	ck_assert_uint_eq(queue_list_taken(&list, nobody, 1), 1);
	ck_assert_uint_eq(queue_list_taken(&list, nobody, 0), 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue");
	TCase *tc = tcase_create("queue");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc,
	    hazard_20_the_age_is_right_to_a_sample_with_mixed_service_times);
	tcase_add_test(tc,
	    hazard_21_without_accepts_it_is_at_most_since_when_not_empty);
	tcase_add_test(tc,
	    accepts_that_nobody_counted_are_forgotten_with_the_queue);
	tcase_add_test(tc, an_hour_without_service_is_known_to_a_part_of_it);
	tcase_add_test(tc, who_has_left_the_queue_was_taken);
	tcase_add_test(tc, a_burst_may_wait_for_the_timeout);
	tcase_add_test(tc, a_queue_that_stands_may_wait_for_the_target);
	tcase_add_test(tc,
	    one_that_waited_for_the_timeout_was_in_a_queue_that_stands);
	tcase_add_test(tc, a_full_queue_that_moves_on_quickly_does_not_stand);
	tcase_add_test(tc, it_stands_until_workers_have_emptied_it);
	tcase_add_test(tc, it_stands_no_longer_when_nobody_is_refused);
	tcase_add_test(tc, the_wave_after_a_wave_may_not_wait_as_long);
	tcase_add_test(tc, a_wave_is_forgotten_after_a_while);
	tcase_add_test(tc, after_a_wave_a_queue_stands_sooner);
	tcase_add_test(tc,
	    waves_of_a_crowd_do_not_wait_for_the_timeout_each_time);
	tcase_add_test(tc, the_next_shedder_goes_on_where_the_last_one_was);
	tcase_add_test(tc, retry_after_is_told_and_at_most_twice_that);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
