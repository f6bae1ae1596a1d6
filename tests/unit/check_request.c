/* SPDX-License-Identifier: MIT */
/*
 * The request: FastCGI parameters read as HTTP, and the body.  The connection
 * is a stub that gives out a body from memory, in pieces.
 */
#include "lib/request.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- the connection ------------------------------------------------------ */

static struct slot slot;
static struct conn conn;
static struct {
	const char *body;
	size_t bytes, at, piece;
	int end_errno; /* 0 = it ends as it should */
	int reads;
} peer;

ssize_t
conn_body_read(struct conn *c, void *to, size_t bytes)
{
	size_t left = peer.bytes - peer.at;

	(void)c;
	peer.reads++;
	if (left == 0 && peer.end_errno != 0) {
		errno = peer.end_errno;
		return -1;
	}
	if (bytes > left)
		bytes = left;
	if (peer.piece > 0 && bytes > peer.piece)
		bytes = peer.piece;
	if (bytes > 0)
		memcpy(to, peer.body + peer.at, bytes);
	peer.at += bytes;
	return (ssize_t)bytes;
}

int
conn_cancelled(const struct conn *c)
{
	(void)c;
	return 1;
}

/* ---- helpers ------------------------------------------------------------- */

static struct nds_request req;
static struct nds_route route;
static const char *why;

static void
begin(void)
{
	memset(&req, 0, sizeof(req));
	memset(&route, 0, sizeof(route));
	memset(&peer, 0, sizeof(peer));
	conn.slot = &slot;
	why = NULL;
}

static void
end(void)
{
	request_end(&req);
	free(req.body.data);
	free(req.queries.text.data);
	free(req.cookies.text.data);
}

/* Begin a request of up to three parameters beside its method. */
static int
take(const char *first, const char *second, const char *third)
{
	static char method[] = "REQUEST_METHOD=GET";
	static char copy[3][10000];
	static char *envp[] = {method, copy[0], copy[1], copy[2], NULL};

	snprintf(copy[0], sizeof(copy[0]), "%s", first ? first : "A=");
	snprintf(copy[1], sizeof(copy[1]), "%s", second ? second : "B=");
	snprintf(copy[2], sizeof(copy[2]), "%s", third ? third : "C=");
	return request_begin(&req, &conn, envp, &why);
}

static int
take_body(const char *length, const char *body, uint64_t max)
{
	ck_assert_int_eq(take("REQUEST_URI=/", length, NULL), 0);
	peer.at = 0;
	peer.body = body;
	peer.bytes = strlen(body);
	return request_read(&req, &route, max, &why);
}

/* ---- parameters ---------------------------------------------------------- */

START_TEST(reads_method_path_and_query_of_the_request_uri)
{
	ck_assert_int_eq(take("REQUEST_URI=/a%20b?x=1&y", NULL, NULL), 0);
	ck_assert_str_eq(nds_method(&req), "GET");
	ck_assert_str_eq(nds_path(&req), "/a b");
	ck_assert_str_eq(nds_query_string(&req), "x=1&y");
	ck_assert_str_eq(nds_client(&req), "");
	ck_assert_int_eq(nds_content_length(&req), -1);
	ck_assert_int_eq(nds_cancelled(&req), 1);
}
END_TEST

START_TEST(query_string_of_the_front_wins_over_the_uri)
{
	take("REQUEST_URI=/a?x=1", "QUERY_STRING=x=2", "REMOTE_ADDR=::1");
	ck_assert_str_eq(nds_query_string(&req), "x=2");
	ck_assert_str_eq(nds_client(&req), "::1");
}
END_TEST

START_TEST(joins_script_name_and_path_info_without_a_uri)
{
	ck_assert_int_eq(take("SCRIPT_NAME=/app", "PATH_INFO=/a%41", NULL), 0);
	ck_assert_str_eq(nds_path(&req), "/app/a%41");
	ck_assert_str_eq(nds_query_string(&req), "");
}
END_TEST

START_TEST(takes_the_path_of_an_absolute_uri)
{
	ck_assert_int_eq(take("REQUEST_URI=http://h:1/p?q", NULL, NULL), 0);
	ck_assert_str_eq(nds_path(&req), "/p");
	ck_assert_str_eq(nds_query_string(&req), "q");
}
END_TEST

START_TEST(refuses_what_is_no_path)
{
	ck_assert_int_eq(take("REQUEST_URI=/%00", NULL, NULL), 400);
	ck_assert_int_eq(take("REQUEST_URI=/a%2", NULL, NULL), 400);
	ck_assert_int_eq(take("REQUEST_URI=*", NULL, NULL), 400);
	ck_assert_int_eq(take(NULL, NULL, NULL), 400);
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(refuses_a_path_beyond_the_limit)
{
	char uri[9000] = "REQUEST_URI=/";

	memset(uri + strlen(uri), 'a', sizeof(uri) - strlen(uri) - 1);
	ck_assert_int_eq(take(uri, NULL, NULL), 414);
	memcpy(uri, "SCRIPT_NAME=", 12);
	ck_assert_int_eq(take(uri, NULL, NULL), 414);
}
END_TEST

START_TEST(finds_a_header_in_any_case)
{
	take("HTTP_X_THING=a", "CONTENT_TYPE=text/plain", "REQUEST_URI=/");
	ck_assert_str_eq(nds_header(&req, "X-Thing"), "a");
	ck_assert_str_eq(nds_header(&req, "x_thing"), "a");
	ck_assert_str_eq(nds_header(&req, "content-type"), "text/plain");
	ck_assert_ptr_null(nds_header(&req, "Content-Length"));
	ck_assert_ptr_null(nds_header(&req, "X-Thin"));
	ck_assert_ptr_null(nds_header(&req, "X-Thing="));
	ck_assert_ptr_null(nds_header(&req, ""));
	ck_assert_str_eq(nds_fcgi_param(&req, "REQUEST_URI"), "/");
}
END_TEST

static const struct {
	const char *param;
	int status;
	int64_t length;
} lengths[] = {{"CONTENT_LENGTH=", 0, -1}, {"CONTENT_LENGTH=0", 0, 0},
    {"CONTENT_LENGTH=12", 0, 12}, {"CONTENT_LENGTH=-1", 400, -1},
    {"CONTENT_LENGTH=+1", 400, -1}, {"CONTENT_LENGTH=1 ", 400, -1},
    {"CONTENT_LENGTH=0x1", 400, -1}, {"CONTENT_LENGTH=1,1", 400, -1},
    {"CONTENT_LENGTH=99999999999999999999", 413, -1}};

START_TEST(content_length_is_digits_and_nothing_else)
{
	ck_assert_int_eq(take("REQUEST_URI=/", lengths[_i].param, NULL),
	    lengths[_i].status);
	ck_assert_int_eq(nds_content_length(&req), lengths[_i].length);
}
END_TEST

/* ---- query and cookies --------------------------------------------------- */

START_TEST(decodes_the_query_and_takes_the_first_of_a_name)
{
	take("QUERY_STRING=a=1+2%2b&a=2&b&=e&c=&%64=%C3%A4&e=%zz&&f=x=y",
	    "REQUEST_URI=/", NULL);
	ck_assert_str_eq(nds_query(&req, "a"), "1 2+");
	ck_assert_str_eq(nds_query(&req, "b"), "");
	ck_assert_str_eq(nds_query(&req, "c"), "");
	ck_assert_str_eq(nds_query(&req, "d"), "\xc3\xa4");
	ck_assert_str_eq(nds_query(&req, "e"), "%zz");
	ck_assert_str_eq(nds_query(&req, "f"), "x=y");
	ck_assert_str_eq(nds_query(&req, ""), "e");
	ck_assert_ptr_null(nds_query(&req, "x"));
}
END_TEST

START_TEST(a_query_value_with_a_nul_or_no_utf8_counts_as_none)
{
	take("QUERY_STRING=a=x%00y&b=%ff&%00=1&c=1", "REQUEST_URI=/", NULL);
	ck_assert_ptr_null(nds_query(&req, "a"));
	ck_assert_ptr_null(nds_query(&req, "b"));
	ck_assert_ptr_null(nds_query(&req, ""));
	ck_assert_str_eq(nds_query(&req, "c"), "1");
}
END_TEST

START_TEST(a_query_of_one_letter_names_fits)
{
	char query[9000] = "QUERY_STRING=";
	size_t at;

	for (at = strlen(query); at + 3 < sizeof(query); at += 2)
		memcpy(query + at, "a&", 3);
	memcpy(query + at, "z", 2);
	take(query, "REQUEST_URI=/", NULL);
	ck_assert_str_eq(nds_query(&req, "z"), "");
}
END_TEST

START_TEST(reads_cookies)
{
	take("HTTP_COOKIE=a=1; b=\"q w\" ;bad;c=x=y; a=2;d=", "REQUEST_URI=/",
	    NULL);
	ck_assert_str_eq(nds_cookie(&req, "a"), "1");
	ck_assert_str_eq(nds_cookie(&req, "b"), "q w");
	ck_assert_str_eq(nds_cookie(&req, "c"), "x=y");
	ck_assert_str_eq(nds_cookie(&req, "d"), "");
	ck_assert_ptr_null(nds_cookie(&req, "bad"));
	ck_assert_ptr_null(nds_cookie(&req, "A"));
}
END_TEST

START_TEST(the_next_request_does_not_see_the_last_ones_query)
{
	take("QUERY_STRING=a=1", "REQUEST_URI=/", "HTTP_COOKIE=k=1");
	ck_assert_str_eq(nds_query(&req, "a"), "1");
	ck_assert_str_eq(nds_cookie(&req, "k"), "1");
	request_end(&req);
	take("QUERY_STRING=b=1", "REQUEST_URI=/", "HTTP_COOKIE=l=1");
	ck_assert_ptr_null(nds_query(&req, "a"));
	ck_assert_ptr_null(nds_cookie(&req, "k"));
}
END_TEST

/* ---- ids ----------------------------------------------------------------- */

START_TEST(keeps_a_request_id_that_follows_the_rules)
{
	take("HTTP_X_REQUEST_ID=aZ0._-", "REQUEST_URI=/", NULL);
	ck_assert_str_eq(nds_request_id(&req), "aZ0._-");
	ck_assert_str_eq(slot.request_id, "aZ0._-");
}
END_TEST

START_TEST(goes_on_with_the_callers_trace)
{
	take("HTTP_TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-"
	     "00f067aa0ba902b7-01", "REQUEST_URI=/", NULL);
	ck_assert_str_eq(req.trace.trace_id,
	    "4bf92f3577b34da6a3ce929d0e0e4736");
	ck_assert_str_eq(nds_traceparent(&req), req.trace.parent);
}
END_TEST

/* ---- body ---------------------------------------------------------------- */

START_TEST(reads_the_body_whole_with_a_nul_behind)
{
	size_t bytes;

	peer.piece = 3;
	ck_assert_int_eq(take_body("CONTENT_LENGTH=8", "{\"a\": 1}", 100), 0);
	ck_assert_str_eq(nds_body(&req, &bytes), "{\"a\": 1}");
	ck_assert_uint_eq(bytes, 8);
	ck_assert_int_eq(nds_body_read(&req, &bytes, 1), 0);
}
END_TEST

START_TEST(parses_a_body_as_json_or_says_why_not)
{
	json_error_t error;
	json_t *json;

	take_body("CONTENT_LENGTH=7", "{\"a\":1}", 100);
	json = nds_body_json(&req, &error);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "a")), 1);
	json_decref(json);
	request_end(&req);
	take_body("CONTENT_LENGTH=4", "{\"a\"", 100);
	ck_assert_ptr_null(nds_body_json(&req, &error));
	ck_assert_str_ne(error.text, "");
	ck_assert_ptr_null(nds_body_json(&req, NULL));
}
END_TEST

START_TEST(no_announced_body_costs_no_read)
{
	ck_assert_int_eq(take_body("CONTENT_LENGTH=0", "", 100), 0);
	ck_assert_int_eq(peer.reads, 0);
	ck_assert_str_eq(nds_body(&req, NULL), "");
}
END_TEST

START_TEST(refuses_a_length_over_the_limit_without_reading)
{
	ck_assert_int_eq(take_body("CONTENT_LENGTH=101", "abc", 100), 413);
	ck_assert_int_eq(peer.reads, 0);
	ck_assert_ptr_null(nds_body(&req, NULL));
}
END_TEST

START_TEST(refuses_an_unannounced_body_over_the_limit)
{
	ck_assert_int_eq(take_body(NULL, "0123456789", 10), 0);
	ck_assert_str_eq(nds_body(&req, NULL), "0123456789");
	request_end(&req);
	memset(&peer, 0, sizeof(peer));
	ck_assert_int_eq(take_body(NULL, "0123456789a", 10), 413);
}
END_TEST

START_TEST(stops_at_the_announced_length)
{
	ck_assert_int_eq(take_body("CONTENT_LENGTH=3", "abcdef", 100), 0);
	ck_assert_str_eq(nds_body(&req, NULL), "abc");
	ck_assert_uint_eq(peer.at, 3);
}
END_TEST

static const struct {
	int error, status;
} endings[] = {{0, 400}, {EPROTO, 400}, {ETIMEDOUT, 408}, {ECONNRESET, -1},
    {ECANCELED, -1}};

START_TEST(a_short_body_never_reaches_the_handler)
{
	peer.end_errno = endings[_i].error;
	ck_assert_int_eq(take_body("CONTENT_LENGTH=9", "abc", 100),
	    endings[_i].status);
	ck_assert_ptr_null(nds_body(&req, NULL));
}
END_TEST

START_TEST(a_large_body_grows_and_is_given_back)
{
	size_t bytes = 300000, got;
	char *body = malloc(bytes + 1);

	memset(body, 'x', bytes);
	body[bytes] = '\0';
	peer.piece = 7000;
	ck_assert_int_eq(take_body("CONTENT_LENGTH=300000", body, 1000000), 0);
	ck_assert_int_eq(memcmp(nds_body(&req, &got), body, bytes + 1), 0);
	ck_assert_uint_eq(got, bytes);
	request_end(&req);
	ck_assert_ptr_null(req.body.data);
	free(body);
}
END_TEST

START_TEST(a_streamed_body_is_the_handlers_to_read)
{
	char piece[4];

	route.stream_body = 1;
	ck_assert_int_eq(take_body(NULL, "abcdef", 100), 0);
	ck_assert_int_eq(peer.reads, 0);
	ck_assert_ptr_null(nds_body(&req, NULL));
	ck_assert_int_eq(nds_body_read(&req, piece, 4), 4);
	ck_assert_int_eq(nds_body_read(&req, piece, 4), 2);
	ck_assert_int_eq(nds_body_read(&req, piece, 4), 0);
}
END_TEST

START_TEST(a_streamed_body_ends_with_an_error_at_its_limit)
{
	char piece[4];

	route.stream_body = 1;
	route.has_max_body = 1;
	route.max_body = 5;
	ck_assert_int_eq(take_body(NULL, "abcdef", 100), 0);
	ck_assert_int_eq(nds_body_read(&req, piece, 4), 4);
	ck_assert_int_eq(nds_body_read(&req, piece, 4), -1);
	ck_assert_int_eq(errno, EFBIG);
	errno = 0;
	ck_assert_int_eq(nds_body_read(&req, piece, 4), -1);
	ck_assert_int_eq(errno, EFBIG);
}
END_TEST

START_TEST(no_limit_is_for_streamed_bodies_alone)
{
	route.has_max_body = 1;
	ck_assert_int_eq(take_body("CONTENT_LENGTH=3", "abc", 2), 413);
	route.stream_body = 1;
	ck_assert_int_eq(take_body("CONTENT_LENGTH=3", "abc", 2), 0);
}
END_TEST

START_TEST(the_deadline_counts_down_to_zero)
{
	take("REQUEST_URI=/", NULL, NULL);
	conn.deadline_ms = clock_ms() + 10000;
	ck_assert_int_gt(nds_deadline_left_ms(&req), 9000);
	ck_assert_int_le(nds_deadline_left_ms(&req), 10000);
	conn.deadline_ms = clock_ms() - 1;
	ck_assert_int_eq(nds_deadline_left_ms(&req), 0);
}
END_TEST

static void
add_parameters(TCase *t)
{
	tcase_add_test(t, reads_method_path_and_query_of_the_request_uri);
	tcase_add_test(t, query_string_of_the_front_wins_over_the_uri);
	tcase_add_test(t, joins_script_name_and_path_info_without_a_uri);
	tcase_add_test(t, takes_the_path_of_an_absolute_uri);
	tcase_add_test(t, refuses_what_is_no_path);
	tcase_add_test(t, refuses_a_path_beyond_the_limit);
	tcase_add_test(t, finds_a_header_in_any_case);
	tcase_add_loop_test(t, content_length_is_digits_and_nothing_else, 0,
	    sizeof(lengths) / sizeof(*lengths));
	tcase_add_test(t, decodes_the_query_and_takes_the_first_of_a_name);
	tcase_add_test(t, a_query_value_with_a_nul_or_no_utf8_counts_as_none);
	tcase_add_test(t, a_query_of_one_letter_names_fits);
	tcase_add_test(t, reads_cookies);
	tcase_add_test(t, the_next_request_does_not_see_the_last_ones_query);
	tcase_add_test(t, keeps_a_request_id_that_follows_the_rules);
	tcase_add_test(t, goes_on_with_the_callers_trace);
}

static void
add_body(TCase *t)
{
	tcase_add_test(t, reads_the_body_whole_with_a_nul_behind);
	tcase_add_test(t, parses_a_body_as_json_or_says_why_not);
	tcase_add_test(t, no_announced_body_costs_no_read);
	tcase_add_test(t, refuses_a_length_over_the_limit_without_reading);
	tcase_add_test(t, refuses_an_unannounced_body_over_the_limit);
	tcase_add_test(t, stops_at_the_announced_length);
	tcase_add_loop_test(t, a_short_body_never_reaches_the_handler, 0,
	    sizeof(endings) / sizeof(*endings));
	tcase_add_test(t, a_large_body_grows_and_is_given_back);
	tcase_add_test(t, a_streamed_body_is_the_handlers_to_read);
	tcase_add_test(t, a_streamed_body_ends_with_an_error_at_its_limit);
	tcase_add_test(t, no_limit_is_for_streamed_bodies_alone);
	tcase_add_test(t, the_deadline_counts_down_to_zero);
}

int
main(void)
{
	Suite *s = suite_create("request");
	TCase *t = tcase_create("request");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, begin, end);
	add_parameters(t);
	add_body(t);
	suite_add_tcase(s, t);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
