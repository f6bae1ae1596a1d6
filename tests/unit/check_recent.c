/* SPDX-License-Identifier: MIT */
/* The last lines of the log: what stays, in which order, and for whom. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ndsd/recent.h"

static struct recent *recent;
static char out[RECENT_RINGS * RECENT_BYTES + 1];
static size_t older;
static int fd;

static void
setup(void)
{
	struct nds_error err;

	fd = recent_new(&recent, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
}

static void
teardown(void)
{
	close(fd);
}

static void
add(int json, enum log_level level, const char *message, int number)
{
	struct log_line l;

	log_line_begin(&l, json, level, message);
	if (strcmp(message, "request") == 0)
		log_line_text(&l, "request_id", "some.request");
	log_line_number(&l, "n", number);
	recent_add(recent, l.text, log_line_end(&l));
}

static size_t
show(uint64_t position)
{
	size_t bytes = recent_since(recent, position, out, &older);

	ck_assert_uint_lt(bytes, sizeof(out));
	out[bytes] = '\0';
	return bytes;
}

/* More lines than a ring holds, from number on. */
static void
flood(int json, enum log_level level, const char *message, int number)
{
	for (int i = 0; i < 6000; i++)
		add(json, level, message, number + i);
}

static int
count(const char *word)
{
	int found = 0;

	for (const char *at = out; (at = strstr(at, word)) != NULL; at++)
		found++;
	return found;
}

/* Each line of `out` is whole, and its number above that of the one before. */
static void
check_order(void)
{
	int last = -1;

	for (char *line = out, *next; *line != '\0'; line = next) {
		const char *n;

		next = strchr(line, '\n');
		ck_assert_ptr_nonnull(next);
		*next++ = '\0';
		n = strstr(line, line[0] == '{' ? "\"n\":" : " n=");
		ck_assert_msg(n != NULL, "%s", line);
		n += line[0] == '{' ? 4 : 3;
		ck_assert_msg(atoi(n) > last, "%s after %d", line, last);
		last = atoi(n);
	}
}

START_TEST(all_lines_are_there_while_they_find_room)
{
	add(1, LOG_INFO, "one", 1);
	add(1, LOG_ERROR, "two", 2);
	add(1, LOG_INFO, "three", 3);
	show(0);
	ck_assert_uint_eq(older, 0);
	ck_assert_int_eq(count("\n"), 3);
	ck_assert_uint_eq(recent->lines, 3);
	check_order();
}
END_TEST

START_TEST(warnings_and_errors_outlive_a_crowd)
{
	add(_i, LOG_INFO, "hello", 0);
	add(_i, LOG_WARN, "careful", 1);
	add(_i, LOG_ERROR, "request refused", 2);
	flood(_i, LOG_INFO, "request", 3);
	flood(_i, LOG_WARN, "request", 6003);
	add(_i, LOG_WARN, "late", 12003);
	ck_assert_uint_le(show(0), RECENT_RINGS * RECENT_BYTES);
	ck_assert_int_eq(count("hello"), 0);
	ck_assert_int_eq(count("careful"), 1);
	ck_assert_int_eq(count("request refused"), 1);
	ck_assert_int_eq(count("late"), 1);
	ck_assert_int_gt(count("request"), 2000);
	ck_assert_int_eq(strstr(out, "careful") < out + older, 1);
	ck_assert_int_eq(out[older - 1], '\n');
	check_order();
}
END_TEST

START_TEST(failed_requests_outlive_a_crowd_as_well)
{
	add(_i, LOG_WARN, "request", 0);
	add(_i, LOG_WARN, "careful", 1);
	add(_i, LOG_WARN, "request", 2);
	flood(_i, LOG_INFO, "request", 3);
	show(0);
	ck_assert_int_eq(count(_i ? "\"n\":0}" : " n=0\n"), 1);
	ck_assert_int_eq(count("careful"), 1);
	check_order();
}
END_TEST

START_TEST(who_goes_on_is_told_nothing_twice)
{
	uint64_t next;

	add(1, LOG_WARN, "first", 0);
	next = recent_end(recent);
	ck_assert_uint_eq(show(next), 0);
	add(1, LOG_WARN, "second", 1);
	show(next);
	ck_assert_int_eq(count("first"), 0);
	ck_assert_int_eq(count("second"), 1);
	flood(1, LOG_INFO, "request", 2);
	show(next);
	ck_assert_int_eq(count("first"), 0);
	ck_assert_int_eq(count("second"), 1);
	ck_assert_uint_gt(show(UINT64_MAX), 100); /* none of ours: the first */
	ck_assert_int_eq(count("first"), 1);
}
END_TEST

START_TEST(the_next_one_goes_on_with_it)
{
	struct nds_error err;
	struct recent *again;

	add(1, LOG_INFO, "before", 0);
	again = recent_map(fd, &err);
	ck_assert_ptr_nonnull(again);
	recent = again;
	add(1, LOG_INFO, "after", 1);
	show(0);
	ck_assert_int_eq(count("before"), 1);
	check_order();
	again->version++;
	ck_assert_ptr_null(recent_map(fd, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "another release"));
	ck_assert_ptr_null(recent_map(-1, &err));
	recent_add(NULL, "lost\n", 5);
}
END_TEST

/* Of a worker that has written over its ring. */
START_TEST(what_is_no_line_harms_nothing)
{
	static char noise[8 * LOG_LINE_MAX];

	memset(noise, '{', sizeof(noise));
	noise[sizeof(noise) - 1] = '\n';
	recent_add(recent, noise, sizeof(noise));
	recent_add(recent, "\n{\n", 3);
	recent_add(recent, noise, 100);
	recent_add(recent, noise, 0);
	ck_assert_uint_eq(show(0), 3);
	memset(noise, 'x', sizeof(noise));
	for (int i = 0; i < 7; i++)
		noise[(i + 1) * LOG_LINE_MAX - 1] = '\n';
	for (int i = 0; i < 100; i++)
		recent_add(recent, noise, 7 * LOG_LINE_MAX);
	ck_assert_uint_eq(show(0) % LOG_LINE_MAX, 0);
	ck_assert_uint_gt(show(0), RECENT_BYTES - 4 * LOG_LINE_MAX);
}
END_TEST

/* It may have begun to write over the oldest bytes, and said nothing yet. */
START_TEST(a_writer_that_died_in_a_line_leaves_whole_ones)
{
	struct recent_ring *ring = &recent->ring[RECENT_ALL];
	int number = 0;

	for (; number < 4000; number++)
		add(1, LOG_INFO, "request", number);
	for (int i = 0; i < LOG_LINE_MAX; i++)
		ring->text[(ring->end + (uint64_t)i) % RECENT_BYTES] = '#';
	show(0);
	ck_assert_int_eq(count("#"), 0);
	ck_assert_int_eq(out[0], '{');
	check_order();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("recent");
	TCase *tc = tcase_create("recent");
	SRunner *runner;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, all_lines_are_there_while_they_find_room);
	tcase_add_loop_test(tc, warnings_and_errors_outlive_a_crowd, 0, 2);
	tcase_add_loop_test(tc, failed_requests_outlive_a_crowd_as_well, 0, 2);
	tcase_add_test(tc, who_goes_on_is_told_nothing_twice);
	tcase_add_test(tc, the_next_one_goes_on_with_it);
	tcase_add_test(tc, what_is_no_line_harms_nothing);
	tcase_add_test(tc, a_writer_that_died_in_a_line_leaves_whole_ones);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	srunner_free(runner);
	return 0;
}
