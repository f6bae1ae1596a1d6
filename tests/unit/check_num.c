/* SPDX-License-Identifier: MIT */
/* Numbers, addresses and near misses, as people write them. */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/near.h"
#include "base/num.h"

typedef int (*parse)(const char *, int64_t, int64_t, int64_t *);

struct row {
	const char *text;
	int64_t value;
	int error; /* errno, 0 = fine */
};

static void
try(parse fn, const struct row *row, int64_t min, int64_t max)
{
	for (; row->text != NULL; row++) {
		int64_t value = -77;

		errno = 0;
		if (row->error == 0) {
			ck_assert_msg(fn(row->text, min, max, &value) == 0,
			    "'%s' refused", row->text);
			ck_assert_int_eq(value, row->value);
			continue;
		}
		ck_assert_msg(fn(row->text, min, max, &value) == -1,
		    "'%s' taken", row->text);
		ck_assert_msg(errno == row->error, "'%s': errno %d", row->text,
		    errno);
		ck_assert_int_eq(value, -77);
	}
}

START_TEST(takes_whole_numbers_and_nothing_else)
{
	static const struct row rows[] = {{"1", 1, 0}, {"512", 512, 0},
	    {"007", 7, 0}, {"0", 0, ERANGE}, {"513", 0, ERANGE},
	    {"9223372036854775807", 0, ERANGE},
	    {"99999999999999999999999", 0, ERANGE}, {"", 0, EINVAL},
	    {" 1", 0, EINVAL}, {"1 ", 0, EINVAL}, {"+1", 0, EINVAL},
	    {"-1", 0, EINVAL}, {"1.0", 0, EINVAL}, {"0x10", 0, EINVAL},
	    {"1e2", 0, EINVAL}, {"abc", 0, EINVAL}, {NULL, 0, 0}};

	try(num_whole, rows, 1, 512);
}
END_TEST

START_TEST(reads_times_with_and_without_unit)
{
	static const struct row rows[] = {{"20", 20000, 0}, {"20s", 20000, 0},
	    {"50ms", 50, 0}, {"2m", 120000, 0}, {"0.5", 500, 0},
	    {"1.5s", 1500, 0}, {"0.25m", 15000, 0}, {"1.005", 1005, 0},
	    {"0", 0, 0}, {"1.50000", 1500, 0}, {"0.0005", 0, EINVAL},
	    {"0.5ms", 0, EINVAL}, {"1.", 0, EINVAL}, {".5", 0, EINVAL},
	    {"5h", 0, EINVAL}, {"5 s", 0, EINVAL}, {"5S", 0, EINVAL},
	    {"ms", 0, EINVAL}, {"-1", 0, EINVAL}, {"61m", 0, ERANGE},
	    {"9223372036854775807m", 0, ERANGE},
	    {"9223372036854775807ms", 0, ERANGE}, {NULL, 0, 0}};

	try(num_time_ms, rows, 0, 3600000);
}
END_TEST

START_TEST(reads_sizes_with_and_without_unit)
{
	static const struct row rows[] = {{"0", 0, 0}, {"4096", 4096, 0},
	    {"64k", 65536, 0}, {"1m", 1048576, 0}, {"2g", 2147483648, 0},
	    {"1.5m", 0, EINVAL}, {"1K", 0, EINVAL}, {"1kb", 0, EINVAL},
	    {"k", 0, EINVAL}, {"5g", 0, ERANGE},
	    {"9223372036854775807g", 0, ERANGE}, {NULL, 0, 0}};

	try(num_bytes, rows, 0, INT64_C(4) << 30);
}
END_TEST

START_TEST(shows_what_it_reads_back_as_the_same)
{
	static const int64_t values[] = {0, 1, 999, 1000, 1500, 59000, 60000,
	    61000, 90000, 3600000, 1024, 1536, 65536, 1048576, 1048577,
	    INT64_C(3) << 30, INT64_MAX};
	char text[24];
	int64_t back;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ck_assert_int_eq(num_time_ms(num_show_ms(values[i], text), 0,
		    INT64_MAX, &back), 0);
		ck_assert_int_eq(back, values[i]);
		ck_assert_int_eq(num_bytes(num_show_bytes(values[i], text), 0,
		    INT64_MAX, &back), 0);
		ck_assert_int_eq(back, values[i]);
	}
	ck_assert_str_eq(num_show_ms(1500, text), "1500ms");
	ck_assert_str_eq(num_show_ms(20000, text), "20s");
	ck_assert_str_eq(num_show_ms(120000, text), "2m");
	ck_assert_str_eq(num_show_bytes(65536, text), "64k");
	ck_assert_str_eq(num_show_bytes(0, text), "0");
}
END_TEST

START_TEST(knows_an_address_to_listen_on)
{
	static const char *const good[] = {"0.0.0.0:3000", "127.0.0.1:1",
	    "[::]:65535", "[::1]:80", "localhost:8080", "a-b.example:443"};
	static const char *const bad[] = {"", ":", ":80", "3000", "host",
	    "host:", "host:0", "host:65536", "host:80x", "host:-1", "::1:80",
	    "[::1]", "[::1:80", "[]:80", "[zz]:80", "1.2.3:80",
	    "1.2.3.4.5:80", "256.1.1.1:80", "a b:80", "a/b:80", "[:80"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(address_wrong(good[i]) == NULL, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(address_wrong(bad[i]) != NULL, "%s", bad[i]);
}
END_TEST

START_TEST(finds_the_word_that_was_meant)
{
	static const char *const list[] = {"status", "drain", "stop", "scale"};

	ck_assert_str_eq(near_word("statsu", list, 4), "status");
	ck_assert_str_eq(near_word("dran", list, 4), "drain");
	ck_assert_str_eq(near_word("stpo", list, 4), "stop");
	ck_assert_str_eq(near_word("scale", list, 4), "scale");
	ck_assert_ptr_null(near_word("frobnicate", list, 4));
	ck_assert_ptr_null(near_word("", list, 4));
	ck_assert_ptr_null(near_word("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", list, 4));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("num");
	TCase *tc = tcase_create("num");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, takes_whole_numbers_and_nothing_else);
	tcase_add_test(tc, reads_times_with_and_without_unit);
	tcase_add_test(tc, reads_sizes_with_and_without_unit);
	tcase_add_test(tc, shows_what_it_reads_back_as_the_same);
	tcase_add_test(tc, knows_an_address_to_listen_on);
	tcase_add_test(tc, finds_the_word_that_was_meant);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
