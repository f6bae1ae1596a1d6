/* SPDX-License-Identifier: MIT */
/* The scan of a request: what is refused and why, wherever the input is cut. */
#include "proto/wire.h"

#include <check.h>

#include "wire_input.h"

/* ---- scanning ----------------------------------------------------------- */

START_TEST(takes_a_valid_request)
{
	struct wire_scan s;

	valid();
	ck_assert_int_eq(scan(&s), WIRE_WHOLE);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(s.at, raw_bytes);
	ck_assert_uint_eq(s.request_id, 7);
	ck_assert_uint_eq(s.params_at, 16);
	ck_assert_uint_eq(s.params_bytes, 27);
	ck_assert_uint_eq(s.body_bytes, 11);
	ck_assert(s.begun && s.params_ended && s.name_values && s.body_ended);
	ck_assert(!s.aborted && !s.oversized);
}
END_TEST

START_TEST(is_the_same_at_every_cut_and_byte_by_byte)
{
	struct wire_scan whole, cut, step;

	valid();
	ck_assert_int_eq(scan(&whole), WIRE_WHOLE);
	memset(&step, 0, sizeof(step));
	for (size_t at = 0; at < raw_bytes; at++) {
		memset(&cut, 0, sizeof(cut));
		ck_assert_int_eq(scan_some(&cut, at, ROOM), WIRE_MORE);
		ck_assert_uint_le(cut.at, at);
		ck_assert_int_eq(scan_some(&cut, raw_bytes, ROOM), WIRE_WHOLE);
		ck_assert_mem_eq(&cut, &whole, sizeof(cut));
		ck_assert_int_eq(scan_some(&step, at, ROOM), WIRE_MORE);
	}
	ck_assert_int_eq(scan_some(&step, raw_bytes, ROOM), WIRE_WHOLE);
	ck_assert_mem_eq(&step, &whole, sizeof(step));
}
END_TEST

START_TEST(stops_at_the_end_of_the_request)
{
	struct wire_scan s;
	size_t end;

	valid();
	end = raw_bytes;
	memset(raw + end, 0xee, 20);
	raw_bytes += 20;
	ck_assert_int_eq(scan(&s), WIRE_WHOLE);
	ck_assert_uint_eq(s.at, end);
}
END_TEST

static const struct {
	const char *why;
	struct {
		int type;
		uint16_t id;
		const char *content;
		uint16_t bytes;
	} record[3];
} refused[] = {
	{"management record", {{9, 0, "\x0f\0FCGI_MPXS_CONNS", 17}}},
	{"management record", {{1, 1, "\0\1\0\0\0\0\0\0", 8},
	    {9, 0, "\x0f\0FCGI_MPXS_CONNS", 17}}},
	{"role other than responder", {{1, 1, "\0\2\0\0\0\0\0\0", 8}}},
	{"role other than responder", {{1, 1, "\1\1\0\0\0\0\0\0", 8}}},
	{"does not begin with BEGIN_REQUEST", {{WIRE_PARAMS, 1, NULL, 0}}},
	{"BEGIN_REQUEST of a wrong size", {{1, 1, "\0\1\0\0\0\0\0", 7}}},
	{"second BEGIN_REQUEST", {{1, 1, "\0\1\0\0\0\0\0\0", 8},
	    {1, 1, "\0\1\0\0\0\0\0\0", 8}}},
	{"record of another request", {{1, 1, "\0\1\0\0\0\0\0\0", 8},
	    {1, 2, "\0\1\0\0\0\0\0\0", 8}}},
	{"STDIN before the end of PARAMS", {{1, 1, "\0\1\0\0\0\0\0\0", 8},
	    {WIRE_STDIN, 1, NULL, 0}}},
	{"PARAMS after their end", {{1, 1, "\0\1\0\0\0\0\0\0", 8},
	    {WIRE_PARAMS, 1, NULL, 0}, {WIRE_PARAMS, 1, NULL, 0}}},
};

START_TEST(refuses_what_is_no_request)
{
	struct wire_scan s;

	for (int i = 0; i < 3 && refused[_i].record[i].type != 0; i++)
		record(refused[_i].record[i].type, refused[_i].record[i].id,
		    refused[_i].record[i].content,
		    refused[_i].record[i].bytes, 0);
	ck_assert_int_eq(scan(&s), WIRE_BAD);
	ck_assert_str_eq(s.why, refused[_i].why);
}
END_TEST

START_TEST(refuses_other_versions)
{
	struct wire_scan s;

	for (int version = 0; version < 256; version++) {
		setup();
		valid();
		raw[0] = (uint8_t)version;
		ck_assert_int_eq(scan(&s), version == 1 ? WIRE_WHOLE :
		    WIRE_BAD);
	}
}
END_TEST

START_TEST(refuses_what_no_server_sends)
{
	struct wire_scan s;

	for (int type = 0; type < 256; type++) {
		setup();
		begin(1);
		record(type, 1, NULL, 0, 0);
		ck_assert_int_eq(scan(&s), type == WIRE_PARAMS ? WIRE_MORE :
		    WIRE_BAD);
	}
}
END_TEST

START_TEST(tells_an_abort)
{
	struct wire_scan s;

	begin(1);
	record(WIRE_ABORT_REQUEST, 1, NULL, 0, 0);
	ck_assert_int_eq(scan(&s), WIRE_BAD);
	ck_assert_int_eq(s.aborted, 1);
}
END_TEST

START_TEST(refuses_params_over_the_limit)
{
	struct wire_scan s;

	valid();
	memset(&s, 0, sizeof(s));
	ck_assert_int_eq(scan_some(&s, raw_bytes, 27), WIRE_WHOLE);
	memset(&s, 0, sizeof(s));
	ck_assert_int_eq(scan_some(&s, raw_bytes, 26), WIRE_BAD);
	ck_assert_int_eq(s.oversized, 1);
	ck_assert_str_eq(s.why, "PARAMS too large");
}
END_TEST

START_TEST(judges_a_record_by_its_header)
{
	struct wire_scan s = {.at = 0};

	begin(1);
	record(WIRE_PARAMS, 1, NULL, 0, 0);
	raw[raw_bytes - 4] = 0xff; /* announces 65,280 bytes, sends none */
	ck_assert_int_eq(scan_some(&s, raw_bytes, ROOM), WIRE_BAD);
	ck_assert_int_eq(s.oversized, 1);
}
END_TEST

START_TEST(stays_refused)
{
	struct wire_scan s;

	begin(1);
	begin(1);
	ck_assert_int_eq(scan(&s), WIRE_BAD);
	setup();
	valid();
	ck_assert_int_eq(scan_some(&s, raw_bytes, ROOM), WIRE_BAD);
}
END_TEST

/* ---- name-value pairs --------------------------------------------------- */

static const struct {
	const char *bytes;
	uint16_t count;
	int valid;
} pairs[] = {
	{"", 0, 1},
	{"\x00\x00", 2, 1},
	{"\x01\x01" "ab", 4, 1},
	{"\x80\x00\x00\x01\x01" "ab", 7, 1},
	{"\x80\x00\x00\x01\x80\x00\x00\x01" "ab", 10, 1},
	{"\x01", 1, 0},					/* no value length */
	{"\x80\x00\x00", 3, 0},				/* half a length */
	{"\x01\x80\x00\x00", 4, 0},
	{"\x01\x01" "a", 3, 0},				/* one byte short */
	{"\x01\x02" "ab", 4, 0},
	{"\x02\x01" "ab", 4, 0},
	{"\x80\x00\x00\x02\x01" "ab", 7, 0},
	{"\x01\x80\x00\x00\x02" "ab", 7, 0},
	{"\xff\xff\xff\xff\x01" "ab", 7, 0},		/* 2^31 - 1 */
	{"\x01\xff\xff\xff\xff" "ab", 7, 0},
	{"\xff\xff\xff\xff\xff\xff\xff\xff" "ab", 10, 0},
	{"\xff\xff\xff\xff\xff\xff\xff\xff", 8, 0},
	{"\xff\xff\xff\xfe\x80\x00\x00\x02" "ab", 10, 0}, /* sum is 2^31 */
	{"\x01\x01" "ab" "\x7f\x7f", 6, 0},
};

static void
check_pairs(size_t cut)
{
	const char *bytes = pairs[cut % 100].bytes;
	uint16_t count = pairs[cut % 100].count, first = 0;
	struct wire_scan s;

	setup();
	if (cut >= 100)
		first = (uint16_t)(cut / 100);
	begin(1);
	if (first > 0 && first < count)
		record(WIRE_PARAMS, 1, bytes, first, 5);
	else
		first = 0;
	if (count > 0)
		record(WIRE_PARAMS, 1, bytes + first, count - first, 0);
	record(WIRE_PARAMS, 1, NULL, 0, 0);
	record(WIRE_STDIN, 1, NULL, 0, 0);
	ck_assert_int_eq(scan(&s), pairs[cut % 100].valid ? WIRE_WHOLE :
	    WIRE_BAD);
	ck_assert_int_eq(s.name_values, pairs[cut % 100].valid);
	ck_assert_int_eq(s.params_ended, 1);
}

START_TEST(checks_the_lengths_of_pairs)
{
	for (size_t first = 0; first < 10; first++)
		check_pairs(first * 100 + (size_t)_i);
}
END_TEST

START_TEST(finds_a_parameter_wherever_its_records_are_cut)
{
	struct wire_scan s;
	char value[4];

	valid();
	ck_assert_int_eq(scan(&s), WIRE_WHOLE);
	ck_assert_int_eq(wire_param(&s, raw, "REQUEST_METHOD", value,
	    sizeof(value)), 3);
	ck_assert_str_eq(value, "GET");
	ck_assert_int_eq(wire_param(&s, raw, "k", value, 2), 2);
	ck_assert_str_eq(value, "v");
	ck_assert_int_eq(wire_param(&s, raw, "REQUEST", value,
	    sizeof(value)), -1);
	ck_assert_int_eq(wire_param(&s, raw, "none", value, 1), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("wire");
	TCase *t = tcase_create("wire");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, takes_a_valid_request);
	tcase_add_test(t, is_the_same_at_every_cut_and_byte_by_byte);
	tcase_add_test(t, stops_at_the_end_of_the_request);
	tcase_add_test(t, refuses_other_versions);
	tcase_add_loop_test(t, refuses_what_is_no_request, 0,
	    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(t, refuses_what_no_server_sends);
	tcase_add_test(t, tells_an_abort);
	tcase_add_test(t, refuses_params_over_the_limit);
	tcase_add_test(t, judges_a_record_by_its_header);
	tcase_add_test(t, stays_refused);
	tcase_add_loop_test(t, checks_the_lengths_of_pairs, 0,
	    (int)(sizeof(pairs) / sizeof(pairs[0])));
	tcase_add_test(t, finds_a_parameter_wherever_its_records_are_cut);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
