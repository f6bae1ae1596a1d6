/* SPDX-License-Identifier: MIT */
/*
 * The response: what leaves for what a handler makes.  The connection is a
 * stub that keeps what it is given.
 */
#include "lib/response.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the connection ------------------------------------------------------ */

static struct {
	char text[200000];
	size_t used;
	int answers, writes, ended; /* ended: -1 = broken, 1 = well */
	int fail_errno;
} sent;

static int
keep(const void *data, size_t bytes)
{
	if (sent.fail_errno != 0) {
		errno = sent.fail_errno;
		return -1;
	}
	if (bytes > 0)
		memcpy(sent.text + sent.used, data, bytes);
	sent.used += bytes;
	sent.text[sent.used] = '\0';
	return 0;
}

int
conn_answer(struct conn *c, const void *head, size_t head_bytes,
    const void *body, size_t body_bytes)
{
	(void)c;
	sent.answers++;
	return keep(head, head_bytes) != 0 || keep(body, body_bytes) != 0 ? -1 :
	    0;
}

int
conn_stream(struct conn *c, const void *data, size_t bytes)
{
	(void)c;
	sent.writes++;
	return keep(data, bytes);
}

int
conn_stream_end(struct conn *c, int ok)
{
	(void)c;
	sent.ended = ok ? 1 : -1;
	return 0;
}

/* ---- helpers ------------------------------------------------------------- */

static struct nds_response res;
static struct slot slot;
static struct conn conn = {.slot = &slot};

static void
begin(void)
{
	memset(&sent, 0, sizeof(sent));
	memset(&res, 0, sizeof(res));
	response_begin(&res, &conn, "id-1", 0);
}

static void
end(void)
{
	response_end(&res);
	free(res.body.data);
}

static void
expect(const char *text)
{
	ck_assert_int_eq(response_complete(&res), 1);
	ck_assert_int_eq(response_send(&res, 1), 0);
	ck_assert_str_eq(sent.text, text);
}

/* ---- whole answers ------------------------------------------------------- */

START_TEST(text_leaves_with_type_length_and_id)
{
	ck_assert_int_eq(nds_text(&res, 200, "hi\n"), 0);
	expect("Status: 200 OK\r\n"
	       "Content-Type: text/plain; charset=utf-8\r\n"
	       "Content-Length: 3\r\nX-Request-Id: id-1\r\n\r\nhi\n");
	ck_assert_uint_eq(res.body_sent, 3);
}
END_TEST

START_TEST(head_leaves_with_the_length_and_no_body)
{
	res.is_head = 1;
	nds_data(&res, 200, "a/b", "12345678901", 11);
	expect("Status: 200 OK\r\nContent-Type: a/b\r\n"
	       "Content-Length: 11\r\nX-Request-Id: id-1\r\n\r\n");
	ck_assert_uint_eq(res.body_sent, 0);
}
END_TEST

START_TEST(no_content_has_neither_body_nor_length)
{
	nds_text(&res, 200, "gone with the next answer");
	nds_empty(&res, 204);
	expect("Status: 204 No Content\r\n"
	       "Content-Type: text/plain; charset=utf-8\r\n"
	       "X-Request-Id: id-1\r\n\r\n");
}
END_TEST

START_TEST(an_empty_answer_with_a_body_status_has_length_zero)
{
	nds_set_header(&res, "Location", "/x");
	nds_empty(&res, 303);
	expect("Status: 303 See Other\r\nLocation: /x\r\n"
	       "Content-Length: 0\r\nX-Request-Id: id-1\r\n\r\n");
}
END_TEST

START_TEST(says_close_while_the_pool_drains)
{
	res.says_close = 1;
	nds_empty(&res, 299);
	expect("Status: 299 Success\r\nContent-Length: 0\r\n"
	       "X-Request-Id: id-1\r\nConnection: close\r\n\r\n");
}
END_TEST

START_TEST(json_leaves_compact)
{
	ck_assert_int_eq(nds_json(&res, 200,
	    json_pack("{s:i, s:[s]}", "a", 1, "b", "x y")), 0);
	expect("Status: 200 OK\r\nContent-Type: application/json\r\n"
	       "Content-Length: 19\r\nX-Request-Id: id-1\r\n\r\n"
	       "{\"a\":1,\"b\":[\"x y\"]}");
}
END_TEST

START_TEST(null_json_is_a_500)
{
	ck_assert_int_eq(nds_json(&res, 200, NULL), 0);
	ck_assert_int_eq(res.status, 500);
}
END_TEST

START_TEST(a_problem_carries_what_rfc_9457_asks_and_the_id)
{
	json_t *json;

	ck_assert_int_eq(nds_problem(&res, 404, "no %s \xff\"", "tea"), 0);
	response_send(&res, 1);
	ck_assert_ptr_nonnull(
	    strstr(sent.text, "Content-Type: application/problem+json\r\n"));
	json = json_loads(strchr(sent.text, '{'), 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(json, "title")),
	    "Not Found");
	ck_assert_int_eq(
	    json_integer_value(json_object_get(json, "status")), 404);
	ck_assert_str_eq(json_string_value(json_object_get(json, "detail")),
	    "no tea ?\"");
	ck_assert_str_eq(
	    json_string_value(json_object_get(json, "request_id")), "id-1");
	json_decref(json);
}
END_TEST

START_TEST(a_later_answer_replaces_the_body_and_keeps_the_headers)
{
	nds_set_header(&res, "X-A", "1");
	nds_text(&res, 200, "first");
	nds_data(&res, 201, "a/b", "2", 1);
	expect("Status: 201 Created\r\nX-A: 1\r\nContent-Type: a/b\r\n"
	       "Content-Length: 1\r\nX-Request-Id: id-1\r\n\r\n2");
}
END_TEST

START_TEST(refuses_a_status_out_of_range)
{
	ck_assert_int_eq(nds_text(&res, 199, "x"), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(nds_text(&res, 600, "x"), -1);
	ck_assert_int_eq(nds_problem(&res, 399, "x"), -1);
	ck_assert_int_eq(nds_text(&res, 200, NULL), -1);
	ck_assert_int_eq(response_complete(&res), 0);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_told_by_errno)
{
	nds_text(&res, 200, "x");
	sent.fail_errno = EPIPE;
	ck_assert_int_eq(response_send(&res, 1), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(a_large_body_is_given_back)
{
	char *body = calloc(1, 100000);

	nds_data(&res, 200, NULL, body, 100000);
	ck_assert_uint_ge(res.body.size, 100000);
	response_end(&res);
	ck_assert_ptr_null(res.body.data);
	free(body);
}
END_TEST

/* ---- headers ------------------------------------------------------------- */

static const struct {
	const char *name, *value;
} hostile[] = {{"X-A", "a\r\nX-B: c"}, {"X-A", "a\nb"}, {"X-A", "a\rb"},
    {"X-A", "\x01"}, {"X-A", "\x7f"}, {"X A", "a"}, {"X-A:", "a"}, {"", "a"},
    {"X-A\r\nX-B", "a"}, {"X-\xc3\xa4", "a"}, {"status", "500"},
    {"Content-Length", "1"}, {"CONNECTION", "close"},
    {"Transfer-Encoding", "chunked"}, {"X-Request-ID", "a"}, {NULL, "a"},
    {"X-A", NULL}};

START_TEST(refuses_a_hostile_header_and_keeps_the_answer)
{
	errno = 0;
	ck_assert_int_eq(
	    nds_set_header(&res, hostile[_i].name, hostile[_i].value), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(
	    nds_add_header(&res, hostile[_i].name, hostile[_i].value), -1);
	nds_empty(&res, 200);
	expect("Status: 200 OK\r\nContent-Length: 0\r\n"
	       "X-Request-Id: id-1\r\n\r\n");
}
END_TEST

START_TEST(refuses_a_hostile_content_type)
{
	ck_assert_int_eq(nds_data(&res, 200, "a\r\nb: c", "x", 1), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(nds_stream(&res, 200, "a\nb", 1), -1);
}
END_TEST

START_TEST(set_replaces_in_any_case_and_add_stands_beside)
{
	nds_set_header(&res, "X-A", "1");
	nds_set_header(&res, "X-AB", "2");
	nds_add_header(&res, "x-a", "3");
	nds_set_header(&res, "X-C", "\xc3\xa4\tb");
	nds_set_header(&res, "X-a", "4");
	nds_add_header(&res, "Set-Cookie", "a=1");
	nds_add_header(&res, "Set-Cookie", "b=2");
	nds_empty(&res, 204);
	expect("Status: 204 No Content\r\nX-AB: 2\r\nX-C: \xc3\xa4\tb\r\n"
	       "X-a: 4\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
	       "X-Request-Id: id-1\r\n\r\n");
}
END_TEST

START_TEST(refuses_headers_beyond_the_limits)
{
	char large[RESPONSE_FIELDS_BYTES];
	int i;

	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	ck_assert_int_eq(nds_set_header(&res, "X-A", large), -1);
	ck_assert_int_eq(errno, E2BIG);
	large[sizeof(large) - 8] = '\0';
	ck_assert_int_eq(nds_set_header(&res, "X-A", large), 0);
	ck_assert_int_eq(nds_set_header(&res, "X-B", ""), -1);
	ck_assert_int_eq(nds_set_header(&res, "X-A", ""), 0);
	for (i = 1; i < RESPONSE_FIELDS_MAX; i++)
		ck_assert_int_eq(nds_add_header(&res, "X-B", ""), 0);
	ck_assert_int_eq(nds_add_header(&res, "X-B", ""), -1);
	ck_assert_int_eq(errno, E2BIG);
}
END_TEST

START_TEST(a_full_head_fits_with_what_is_ours)
{
	char large[RESPONSE_FIELDS_BYTES];
	char id[64];

	memset(id, 'i', 63);
	id[63] = '\0';
	res.request_id = id;
	res.says_close = 1;
	memset(large, 'a', sizeof(large));
	large[sizeof(large) - 7] = '\0';
	ck_assert_int_eq(nds_set_header(&res, "X-A", large), 0);
	ck_assert_int_eq(nds_data(&res, 431, NULL, "x", 1), 0);
	ck_assert_int_eq(response_send(&res, 1), 0);
	ck_assert_str_eq(sent.text + sent.used - 5, "\r\n\r\nx");
}
END_TEST

/* ---- streams ------------------------------------------------------------- */

#define STREAM_HEAD "Status: 200 OK\r\nContent-Type: a/b\r\n"
#define STREAM_ID "X-Request-Id: id-1\r\n\r\n"

START_TEST(a_stream_leaves_as_it_is_written)
{
	ck_assert_int_eq(nds_stream(&res, 200, "a/b", 6), 0);
	ck_assert_int_eq(sent.writes, 0);
	ck_assert_int_eq(nds_write(&res, "abc", 3), 0);
	ck_assert_str_eq(sent.text,
	    STREAM_HEAD "Content-Length: 6\r\n" STREAM_ID "abc");
	ck_assert_int_eq(nds_write(&res, "def", 3), 0);
	expect(STREAM_HEAD "Content-Length: 6\r\n" STREAM_ID "abcdef");
	ck_assert_int_eq(sent.ended, 1);
	ck_assert_int_eq(sent.answers, 0);
}
END_TEST

START_TEST(a_stream_of_unknown_length_has_no_length)
{
	nds_stream(&res, 200, "a/b", -1);
	nds_write(&res, "abc", 3);
	expect(STREAM_HEAD STREAM_ID "abc");
	ck_assert_int_eq(sent.ended, 1);
}
END_TEST

START_TEST(a_stream_shorter_than_promised_is_broken_off)
{
	nds_stream(&res, 200, "a/b", 4);
	nds_write(&res, "abc", 3);
	ck_assert_int_eq(response_complete(&res), 0);
	ck_assert_int_eq(response_send(&res, 0), 1);
	ck_assert_int_eq(sent.ended, -1);
}
END_TEST

START_TEST(a_stream_takes_no_more_than_promised)
{
	nds_stream(&res, 200, "a/b", 4);
	nds_write(&res, "abc", 3);
	ck_assert_int_eq(nds_write(&res, "de", 2), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_eq(nds_write(&res, "d", 1), -1);
	ck_assert_int_eq(response_complete(&res), 0);
	ck_assert_int_eq(response_send(&res, 0), 1);
	ck_assert_ptr_null(strstr(sent.text, "abcd"));
}
END_TEST

START_TEST(a_stream_whose_peer_has_gone_says_so)
{
	nds_stream(&res, 200, "a/b", 4);
	sent.fail_errno = EPIPE;
	ck_assert_int_eq(nds_write(&res, "abcd", 4), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(response_complete(&res), 0);
	ck_assert_int_eq(response_send(&res, 0), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(a_streamed_head_request_sends_the_head_alone)
{
	res.is_head = 1;
	nds_stream(&res, 200, "a/b", 6);
	ck_assert_int_eq(nds_write(&res, "abc", 3), 0);
	expect(STREAM_HEAD "Content-Length: 6\r\n" STREAM_ID);
	ck_assert_int_eq(sent.answers, 1);
	ck_assert_uint_eq(res.body_sent, 0);
}
END_TEST

START_TEST(a_stream_without_a_byte_is_a_whole_answer)
{
	nds_stream(&res, 200, "a/b", -1);
	expect(STREAM_HEAD "Content-Length: 0\r\n" STREAM_ID);
}
END_TEST

START_TEST(nothing_else_can_be_made_once_a_stream_began)
{
	ck_assert_int_eq(nds_write(&res, "a", 1), -1);
	ck_assert_int_eq(errno, EINVAL);
	nds_stream(&res, 200, "a/b", 6);
	ck_assert_int_eq(nds_text(&res, 200, "x"), -1);
	ck_assert_int_eq(errno, EALREADY);
	ck_assert_int_eq(nds_stream(&res, 200, "a/b", 6), -1);
	nds_write(&res, "abc", 3);
	ck_assert_int_eq(nds_set_header(&res, "X-A", "1"), -1);
	ck_assert_int_eq(errno, EALREADY);
}
END_TEST

static void
add_whole(TCase *t)
{
	tcase_add_test(t, text_leaves_with_type_length_and_id);
	tcase_add_test(t, head_leaves_with_the_length_and_no_body);
	tcase_add_test(t, no_content_has_neither_body_nor_length);
	tcase_add_test(t, an_empty_answer_with_a_body_status_has_length_zero);
	tcase_add_test(t, says_close_while_the_pool_drains);
	tcase_add_test(t, json_leaves_compact);
	tcase_add_test(t, null_json_is_a_500);
	tcase_add_test(t, a_problem_carries_what_rfc_9457_asks_and_the_id);
	tcase_add_test(t,
	    a_later_answer_replaces_the_body_and_keeps_the_headers);
	tcase_add_test(t, refuses_a_status_out_of_range);
	tcase_add_test(t, a_peer_that_is_gone_is_told_by_errno);
	tcase_add_test(t, a_large_body_is_given_back);
}

static void
add_headers_and_streams(TCase *t)
{
	tcase_add_loop_test(t, refuses_a_hostile_header_and_keeps_the_answer,
	    0, sizeof(hostile) / sizeof(*hostile));
	tcase_add_test(t, refuses_a_hostile_content_type);
	tcase_add_test(t, set_replaces_in_any_case_and_add_stands_beside);
	tcase_add_test(t, refuses_headers_beyond_the_limits);
	tcase_add_test(t, a_full_head_fits_with_what_is_ours);
	tcase_add_test(t, a_stream_leaves_as_it_is_written);
	tcase_add_test(t, a_stream_of_unknown_length_has_no_length);
	tcase_add_test(t, a_stream_shorter_than_promised_is_broken_off);
	tcase_add_test(t, a_stream_takes_no_more_than_promised);
	tcase_add_test(t, a_stream_whose_peer_has_gone_says_so);
	tcase_add_test(t, a_streamed_head_request_sends_the_head_alone);
	tcase_add_test(t, a_stream_without_a_byte_is_a_whole_answer);
	tcase_add_test(t, nothing_else_can_be_made_once_a_stream_began);
}

int
main(void)
{
	Suite *s = suite_create("response");
	TCase *t = tcase_create("response");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, begin, end);
	add_whole(t);
	add_headers_and_streams(t);
	suite_add_tcase(s, t);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
