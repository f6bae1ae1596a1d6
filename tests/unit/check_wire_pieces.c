/* SPDX-License-Identifier: MIT */
/*
 * Bodies in pieces of any size, requests made, answers read, and a long walk
 * through garbage by all of them.
 */
#include "proto/wire.h"

#include <check.h>

#include "wire_input.h"

/* ---- bodies ------------------------------------------------------------- */

/* Walk raw[from..) in pieces of step bytes; returns the content's bytes. */
static size_t
walk(struct wire_body *b, size_t from, size_t step, char *out)
{
	size_t used = 0, bytes, taken, left;
	const uint8_t *chunk;
	uint8_t *piece;

	for (; from < raw_bytes; from += taken) {
		left = raw_bytes - from < step ? raw_bytes - from : step;
		piece = malloc(left);
		memcpy(piece, raw + from, left);
		taken = wire_body_take(b, piece, left, &chunk, &bytes);
		ck_assert_uint_le(taken, left);
		if (bytes > 0)
			memcpy(out + used, chunk, bytes);
		used += bytes;
		free(piece);
		if (taken == 0)
			break;
	}
	return used;
}

START_TEST(finds_the_body_in_pieces_of_any_size)
{
	struct wire_scan s;
	char out[ROOM];

	valid();
	ck_assert_int_eq(scan(&s), WIRE_WHOLE);
	for (size_t step = 1; step <= raw_bytes; step++) {
		struct wire_body b = {.request_id = 7};

		ck_assert_uint_eq(walk(&b, s.params_end, step, out), 11);
		ck_assert_mem_eq(out, "hello world", 11);
		ck_assert(b.ended && !b.aborted);
		ck_assert_ptr_null(b.why);
	}
}
END_TEST

START_TEST(tells_an_abort_in_the_body)
{
	struct wire_body b = {.request_id = 7};
	char out[ROOM];

	record(WIRE_STDIN, 7, "half", 4, 4);
	record(WIRE_ABORT_REQUEST, 7, NULL, 0, 0);
	ck_assert_uint_eq(walk(&b, 0, ROOM, out), 4);
	ck_assert(b.aborted);
	ck_assert_ptr_null(b.why);
}
END_TEST

START_TEST(refuses_nonsense_in_the_body)
{
	static const struct {
		int type;
		uint16_t id;
		const char *why;
	} bad[] = {
		{WIRE_PARAMS, 7, "record other than STDIN in the body"},
		{WIRE_STDIN, 8, "record of another request"},
		{9, 0, "management record"},
	};
	struct wire_body b = {.request_id = 7};
	char out[ROOM];

	record(WIRE_STDIN, 7, "half", 4, 0);
	record(bad[_i].type, bad[_i].id, "more", 4, 0);
	ck_assert_uint_eq(walk(&b, 0, ROOM, out), 4);
	ck_assert_str_eq(b.why, bad[_i].why);
	ck_assert(!b.ended);
}
END_TEST

/* ---- making requests, reading answers ----------------------------------- */

START_TEST(makes_requests_that_it_takes)
{
	static char value[200];
	static const char *const list[] = {"REQUEST_METHOD", "GET", "LONG",
	    value, NULL};
	struct wire_scan s;

	memset(value, 'x', sizeof(value) - 1);
	raw_bytes = wire_request(raw, ROOM, list);
	ck_assert_uint_eq(raw_bytes, 40 + 2 + 17 + 5 + 4 + 199);
	ck_assert_int_eq(scan(&s), WIRE_WHOLE);
	ck_assert_uint_eq(s.at, raw_bytes);
	ck_assert_uint_eq(s.body_bytes, 0);
	raw_bytes = wire_request(raw, ROOM, list + 4);
	ck_assert_int_eq(scan(&s), WIRE_WHOLE);
	ck_assert_uint_eq(s.at, raw_bytes);
	ck_assert_uint_eq(raw_bytes, 32);
}
END_TEST

START_TEST(makes_no_request_that_does_not_fit)
{
	static const char *const list[] = {"NAME", "value", NULL};
	size_t fits = wire_request(raw, ROOM, list);

	ck_assert_uint_gt(fits, 0);
	for (size_t room = 0; room < fits; room++) {
		uint8_t *out = malloc(room > 0 ? room : 1);

		ck_assert_uint_eq(wire_request(out, room, list), 0);
		free(out);
	}
}
END_TEST

static int
answer(size_t bytes, char *out, size_t out_bytes)
{
	uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
	int result;

	memcpy(copy, raw, bytes);
	result = wire_answer(copy, bytes, out, out_bytes);
	free(copy);
	return result;
}

START_TEST(reads_an_answer_at_every_cut)
{
	char out[64], small[6];

	record(WIRE_STDOUT, 1, "Status: 200\r\n", 13, 3);
	record(WIRE_STDERR, 1, "oops", 4, 0);
	record(WIRE_STDOUT, 1, "\r\nok", 4, 0);
	wire_trailer(raw + raw_bytes, 1);
	raw_bytes += WIRE_TRAILER_BYTES;
	for (size_t at = 0; at < raw_bytes; at++)
		ck_assert_int_eq(answer(at, out, sizeof(out)), 0);
	ck_assert_int_eq(answer(raw_bytes, out, sizeof(out)), 1);
	ck_assert_str_eq(out, "Status: 200\r\n\r\nok");
	ck_assert_int_eq(answer(raw_bytes, small, sizeof(small)), 1);
	ck_assert_str_eq(small, "Statu");
}
END_TEST

START_TEST(knows_what_is_no_answer)
{
	char out[64];

	valid();
	ck_assert_int_eq(answer(raw_bytes, out, sizeof(out)), -1);
	memset(raw, 0xff, 8);
	ck_assert_int_eq(answer(8, out, sizeof(out)), -1);
}
END_TEST

/* ---- anything at all ---------------------------------------------------- */

static uint32_t seed;

static uint32_t
dice(uint32_t sides)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % sides;
}

/* A valid request with a few bytes changed and an end cut off, or noise. */
static void
garble(void)
{
	setup();
	valid();
	for (uint32_t n = dice(6); n > 0; n--)
		raw[dice((uint32_t)raw_bytes)] = (uint8_t)dice(256);
	if (dice(8) == 0)
		for (size_t at = 0; at < raw_bytes; at++)
			raw[at] = (uint8_t)dice(12);
	raw_bytes = dice((uint32_t)raw_bytes + 1);
}

START_TEST(survives_garbage_and_never_reads_outside)
{
	int verdicts[3] = {0, 0, 0};
	struct wire_scan once, step;
	enum wire_verdict verdict, last;
	char out[ROOM];

	seed = 20240607;
	for (int round = 0; round < 40000; round++) {
		struct wire_body b = {.request_id = 7};

		garble();
		verdict = scan(&once);
		verdicts[verdict]++;
		memset(&step, 0, sizeof(step));
		scan_some(&step, dice((uint32_t)raw_bytes + 1), ROOM);
		last = scan_some(&step, raw_bytes, ROOM);
		ck_assert_int_eq(last, verdict);
		ck_assert_uint_eq(step.at, once.at);
		ck_assert_uint_le(once.at, raw_bytes);
		ck_assert((verdict == WIRE_BAD) == (once.why != NULL));
		walk(&b, dice((uint32_t)raw_bytes + 1), 1 + dice(40), out);
		answer(raw_bytes, out, 1 + dice(64));
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_gt(verdicts[i], 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("wire_pieces");
	TCase *t = tcase_create("wire_pieces");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, finds_the_body_in_pieces_of_any_size);
	tcase_add_test(t, tells_an_abort_in_the_body);
	tcase_add_loop_test(t, refuses_nonsense_in_the_body, 0, 3);
	tcase_add_test(t, makes_requests_that_it_takes);
	tcase_add_test(t, makes_no_request_that_does_not_fit);
	tcase_add_test(t, reads_an_answer_at_every_cut);
	tcase_add_test(t, knows_what_is_no_answer);
	tcase_add_test(t, survives_garbage_and_never_reads_outside);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
