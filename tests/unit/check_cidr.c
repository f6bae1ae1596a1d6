/* SPDX-License-Identifier: MIT */
/* What limits are written with: rates and ranges of addresses. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "base/rate.h"
#include "base/siphash.h"

static int
holds(const char *ranges, const char *address)
{
	struct cidr list[8];
	uint8_t bytes[16];
	size_t count;

	ck_assert_ptr_null(cidr_list(ranges, list, 8, &count));
	ck_assert_int_eq(cidr_address(address, strlen(address), bytes), 0);
	return cidr_has(list, count, bytes);
}

START_TEST(a_range_holds_what_its_prefix_says)
{
	ck_assert(holds("10.0.0.0/8", "10.255.1.2"));
	ck_assert(!holds("10.0.0.0/8", "11.0.0.0"));
	ck_assert(holds("192.168.4.0/22", "192.168.7.255"));
	ck_assert(!holds("192.168.4.0/22", "192.168.8.0"));
	ck_assert(holds("127.0.0.1", "127.0.0.1"));
	ck_assert(!holds("127.0.0.1", "127.0.0.2"));
	ck_assert(holds("2001:db8::/33", "2001:db8:7fff::1"));
	ck_assert(!holds("2001:db8::/33", "2001:db8:8000::1"));
	ck_assert(holds("0.0.0.0/0", "255.255.255.255"));
	ck_assert(!holds("0.0.0.0/0", "::1"));
	ck_assert(holds("::/0", "1.2.3.4"));
	ck_assert(!holds("", "1.2.3.4"));
	ck_assert(holds("::1, 10.1.0.0/16 10.2.0.0/16", "10.2.3.4"));
}
END_TEST

START_TEST(both_ways_to_write_an_ipv4_address_are_one)
{
	ck_assert(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
	ck_assert(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
}
END_TEST

START_TEST(what_is_no_range_is_refused)
{
	static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/",
	    "10.0.0.0/-1", "10.0.0.0/0008", "10.0.0.1/8", "::/129", "10.0.0",
	    "host", "1.2.3.4/8/8", "/8", "[::1]", "2001:db8::1/64",
	    "1:2:3:4:5:6:7:8:9",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	size_t count;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(cidr_list(bad[i], NULL, 8, &count) != NULL,
		    "%s", bad[i]);
	ck_assert_str_eq(cidr_list("::1,::2,::3", NULL, 2, &count),
	    "too many addresses");
}
END_TEST

static const struct {
	const char *text;
	int64_t every_us, burst;
} good[] = {{"off", 0, 0}, {"50/s", 20000, 50}, {"50/s burst 100", 20000, 100},
    {"1/s", 1000000, 1}, {"3/s burst 1", 333333, 1}, {"6/m", 10000000, 6},
    {"100/h burst 2000", 36000000, 2000}, {"100000/s", 10, 100000},
    {"1/h burst 24", INT64_C(3600000000), 24}};

START_TEST(reads_rates)
{
	struct rate rate;

	ck_assert_msg(rate_parse(good[_i].text, &rate) == NULL, "%s",
	    good[_i].text);
	ck_assert_int_eq(rate.every_us, good[_i].every_us);
	ck_assert_int_eq(rate.burst, good[_i].burst);
}
END_TEST

START_TEST(what_is_no_rate_is_refused)
{
	static const char *const bad[] = {"", "50", "0/s", "-1/s", "50/d",
	    "50/", "/s", "50 /s", "50/s burst", "50/s burst 0", "50/s burst x",
	    "50/s  burst 1", "50/s burst 1 burst 1", "200000/s",
	    "1/h burst 25", "99999999999999999999/s", "1.5/s", "on", "50/s ",
	    "1/s burst 1111111111111111111111111111111111111111111111111111"};
	struct rate rate = {7, 7};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(rate_parse(bad[i], &rate) != NULL, "%s", bad[i]);
	ck_assert_int_eq(rate.every_us, 7);
	ck_assert_int_eq(rate.burst, 7);
}
END_TEST

/* Key 00..0f, message 00..0e: the example of the paper, appendix A. */
START_TEST(hashes_as_the_paper_says)
{
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100),
	    UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t message[15];

	for (uint8_t i = 0; i < sizeof(message); i++)
		message[i] = i;
	ck_assert_uint_eq(siphash(key, message, sizeof(message)),
	    UINT64_C(0xa129ca6149be45e5));
	ck_assert_uint_ne(siphash(key, message, 14),
	    siphash(key, message, 13));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cidr");
	TCase *t = tcase_create("cidr");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_test(t, a_range_holds_what_its_prefix_says);
	tcase_add_test(t, both_ways_to_write_an_ipv4_address_are_one);
	tcase_add_test(t, what_is_no_range_is_refused);
	tcase_add_loop_test(t, reads_rates, 0, sizeof(good) / sizeof(*good));
	tcase_add_test(t, what_is_no_rate_is_refused);
	tcase_add_test(t, hashes_as_the_paper_says);
	suite_add_tcase(s, t);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
