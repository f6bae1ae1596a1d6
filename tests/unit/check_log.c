/* SPDX-License-Identifier: MIT */
/*
 * Log lines: whatever goes in, one whole line comes out.  JSON is judged by
 * jansson, text by its bytes.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char hostile[] = "a\"b\\c\n{\"level\":\"error\"}\r\x1b[2J\x01\x7f"
    "\xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xc2\x9b"
    "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae\xe2\x82";

static char sunk[2 * LOG_LINE_MAX];
static size_t sunk_bytes;
static int sunk_lines;

static void
sink(const char *line, size_t bytes, void *arg)
{
	(void)arg;
	memcpy(sunk, line, bytes);
	sunk[bytes] = '\0';
	sunk_bytes = bytes;
	sunk_lines++;
}

static json_t *
parse(struct log_line *l)
{
	size_t bytes = log_line_end(l);
	json_error_t error;
	json_t *line;

	ck_assert_uint_le(bytes, LOG_LINE_MAX);
	ck_assert_ptr_eq(memchr(l->text, '\n', bytes), l->text + bytes - 1);
	line = json_loadb(l->text, bytes, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(line != NULL, "%s: %.*s", error.text, (int)bytes,
	    l->text);
	return line;
}

static const char *
text_of(const json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

START_TEST(json_line_has_time_level_message_and_members)
{
	struct log_line l;
	json_t *line;

	log_line_begin(&l, 1, LOG_WARN, "hello");
	log_line_text(&l, "path", "/a");
	log_line_number(&l, "status", 200);
	log_line_milli(&l, "seconds", 1234);
	line = parse(&l);
	ck_assert_uint_eq(strlen(text_of(line, "time")), 24);
	ck_assert_str_eq(text_of(line, "level"), "warn");
	ck_assert_str_eq(text_of(line, "msg"), "hello");
	ck_assert_str_eq(text_of(line, "path"), "/a");
	ck_assert_int_eq(json_integer_value(json_object_get(line, "status")),
	    200);
	ck_assert_double_eq(json_real_value(json_object_get(line, "seconds")),
	    1.234);
	json_decref(line);
}
END_TEST

START_TEST(text_line_reads_as_people_expect)
{
	struct log_line l;
	size_t bytes;

	log_line_begin(&l, 0, LOG_INFO, "GET /");
	log_line_text(&l, "plain", "a-b");
	log_line_text(&l, "blank", "a b");
	log_line_text(&l, "empty", "");
	log_line_text(&l, "quote", "a\"b");
	log_line_number(&l, "n", -5);
	bytes = log_line_end(&l);
	l.text[bytes] = '\0';
	ck_assert_str_eq(l.text + 24, " INFO  GET / plain=a-b blank=\"a b\""
	    " empty=\"\" quote=\"a\\\"b\" n=-5\n");
}
END_TEST

START_TEST(hostile_text_neither_breaks_nor_forges_a_json_line)
{
	struct log_line l;
	json_t *line;

	log_line_begin(&l, 1, LOG_INFO, hostile);
	log_line_text(&l, "path", hostile);
	line = parse(&l);
	ck_assert_str_eq(text_of(line, "level"), "info");
	ck_assert_uint_eq(json_object_size(line), 4);
	ck_assert_str_eq(text_of(line, "path"), "a\"b\\c\n{\"level\":"
	    "\"error\"}\r\x1b[2J\x01\x7f"
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "\xc2\x9b\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae"
	    "\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(line);
	for (size_t i = 0; i + 1 < l.used; i++)
		ck_assert((unsigned char)l.text[i] >= 0x20 &&
		    (unsigned char)l.text[i] < 0x7f);
}
END_TEST

START_TEST(text_line_leaves_a_terminal_alone)
{
	struct log_line l;
	size_t bytes;

	log_line_begin(&l, 0, LOG_INFO, hostile);
	log_line_text(&l, "path", hostile);
	log_line_text(&l, "word", "\xc3\xa9t\xc3\xa9 \xe2\x82\xac");
	bytes = log_line_end(&l);
	l.text[bytes] = '\0';
	ck_assert_ptr_eq(strchr(l.text, '\n'), l.text + bytes - 1);
	ck_assert_ptr_null(strchr(l.text, '\x1b'));
	ck_assert_ptr_null(strstr(l.text, "\xc2\x9b"));
	ck_assert_ptr_null(strstr(l.text, "\xe2\x80\xa8"));
	ck_assert_ptr_nonnull(strstr(l.text, "\\x1b[2J\\x01\\x7f\\xff\\xfe"));
	ck_assert_ptr_nonnull(strstr(l.text, "\\u009b\\u2028\\u2029\\u202e"));
	ck_assert_ptr_nonnull(strstr(l.text,
	    "word=\"\xc3\xa9t\xc3\xa9 \xe2\x82\xac\"\n"));
}
END_TEST

START_TEST(long_text_is_cut_at_a_character_and_members_still_fit)
{
	static char euro[3 * 5000 + 1];
	struct log_line l;
	json_t *line;

	for (int i = 0; i < 5000; i++)
		memcpy(euro + (size_t)i * 3, "\xe2\x82\xac", 3);
	for (size_t skew = 0; skew < 3; skew++) {
		log_line_begin(&l, 1, LOG_INFO, euro + 3 * skew);
		log_line_text(&l, skew == 0 ? "a" : "ab", euro);
		log_line_number(&l, "status", 503);
		line = parse(&l);
		ck_assert_int_eq(json_integer_value(
		    json_object_get(line, "status")), 503);
		json_decref(line);
	}
}
END_TEST

/* Fill the line to every possible rest and add a member of each kind. */
START_TEST(a_full_line_stays_whole)
{
	char fill[1024], escapes[1024];
	struct log_line l;

	memset(escapes, '\x01', sizeof(escapes) - 1);
	escapes[sizeof(escapes) - 1] = '\0';
	for (size_t n = 900; n < 1024; n++) {
		memset(fill, 'x', n);
		fill[n] = '\0';
		for (int json = 0; json < 2; json++) {
			log_line_begin(&l, json, LOG_INFO, "m");
			log_line_text(&l, "a", fill);
			log_line_text(&l, "b", fill);
			log_line_text(&l, "c", fill);
			log_line_text(&l, "d", json ? escapes : fill);
			log_line_text(&l, "e", fill);
			log_line_number(&l, "f", INT64_MIN);
			log_line_milli(&l, "g", INT64_MIN);
			log_line_text(&l, "h", "");
			if (json)
				json_decref(parse(&l));
			else
				ck_assert_uint_le(log_line_end(&l),
				    LOG_LINE_MAX);
		}
	}
}
END_TEST

/* As the value of a member, whose line ends there. */
static void
escaped(const char *text, int json, char *to)
{
	struct log_line l;

	log_line_begin(&l, json, LOG_INFO, "m");
	l.used = 0;
	log_line_escape(&l, text, 1000);
	memcpy(to, l.text, l.used);
	to[l.used] = '\0';
}

START_TEST(a_byte_is_escaped_alike_wherever_it_stands)
{
	char text[24], one[16], got[64], want[64];

	for (int c = 1; c < 2 * 256; c++) {
		snprintf(text, sizeof(text), "%c", c & 0xff);
		if (text[0] == '\0')
			continue;
		escaped(text, c < 256, one);
		for (int at = 0; at < 19; at++) {
			memset(text, '~', 19);
			text[19] = '\0';
			text[at] = (char)c;
			escaped(text, c < 256, got);
			snprintf(want, sizeof(want), "%.*s%s%.*s", at,
			    "~~~~~~~~~~~~~~~~~~~", one, 18 - at,
			    "~~~~~~~~~~~~~~~~~~~");
			ck_assert_str_eq(got, want);
		}
	}
}
END_TEST

START_TEST(numbers_are_written_to_their_ends)
{
	static const struct {
		int64_t value;
		const char *number, *milli;
	} rows[] = {{0, "n=0", "m=0.000"}, {7, "n=7", "m=0.007"},
	    {-5, "n=-5", "m=-0.005"}, {1234, "n=1234", "m=1.234"},
	    {INT64_MAX, "n=9223372036854775807", "m=9223372036854775.807"},
	    {INT64_MIN, "n=-9223372036854775808", "m=-9223372036854775.808"}};
	char want[80];
	struct log_line l;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		log_line_begin(&l, 0, LOG_INFO, "m");
		log_line_number(&l, "n", rows[i].value);
		log_line_milli(&l, "m", rows[i].value);
		l.text[log_line_end(&l)] = '\0';
		snprintf(want, sizeof(want), " INFO  m %s %s\n",
		    rows[i].number, rows[i].milli);
		ck_assert_str_eq(l.text + 24, want);
	}
}
END_TEST

START_TEST(events_below_the_level_are_not_made)
{
	sunk_lines = 0;
	log_open(1, LOG_WARN, sink, NULL);
	log_debugx("no");
	log_info("no");
	ck_assert_int_eq(sunk_lines, 0);
	ck_assert(!log_wants(LOG_INFO));
	ck_assert(log_wants(LOG_WARN));
	log_warnx("yes %d", 7);
	ck_assert_int_eq(sunk_lines, 1);
	ck_assert_ptr_nonnull(strstr(sunk, "\"msg\":\"yes 7\"}\n"));
}
END_TEST

START_TEST(warn_and_error_append_the_reason_and_keep_errno)
{
	log_open(0, LOG_DEBUG, sink, NULL);
	errno = ENOENT;
	log_warn("cannot open %s", "x");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(sunk,
	    " WARN  cannot open x: No such file or directory\n"));
	log_error("again");
	ck_assert_ptr_nonnull(strstr(sunk, " ERROR again: No such file"));
	log_errorx("alone");
	ck_assert_ptr_nonnull(strstr(sunk, " ERROR alone\n"));
}
END_TEST

START_TEST(an_endless_event_is_one_valid_line)
{
	static char text[9001];
	json_t *line;

	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	for (size_t skew = 0; skew < 2; skew++) {
		log_open(1, LOG_DEBUG, sink, NULL);
		log_info("%s%s", skew ? "x" : "", text);
		line = json_loadb(sunk, sunk_bytes, 0, NULL);
		ck_assert_ptr_nonnull(line);
		ck_assert_ptr_null(strstr(text_of(line, "msg"),
		    "\xef\xbf\xbd"));
		json_decref(line);
	}
}
END_TEST

/* By form and level. */
START_TEST(a_finished_line_tells_its_level_and_message)
{
	struct log_line l;
	const char *message;
	size_t bytes;

	log_line_begin(&l, _i % 2, (enum log_level)(_i / 2), "hello you");
	log_line_text(&l, "level", "error");
	bytes = log_line_end(&l);
	ck_assert_int_eq((int)log_line_level(l.text, bytes, &message), _i / 2);
	ck_assert_int_eq(strncmp(message, "hello you", 9), 0);
	for (size_t cut = 0; cut < (size_t)(message - l.text); cut++) {
		const char *begin;
		char *copy = malloc(cut > 0 ? cut : 1);

		memcpy(copy, l.text, cut);
		ck_assert_int_eq((int)log_line_level(copy, cut, &begin),
		    LOG_INFO);
		ck_assert_ptr_eq(begin, copy);
		free(copy);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, json_line_has_time_level_message_and_members);
	tcase_add_test(tc, text_line_reads_as_people_expect);
	tcase_add_test(tc, hostile_text_neither_breaks_nor_forges_a_json_line);
	tcase_add_test(tc, text_line_leaves_a_terminal_alone);
	tcase_add_test(tc,
	    long_text_is_cut_at_a_character_and_members_still_fit);
	tcase_add_test(tc, a_full_line_stays_whole);
	tcase_add_test(tc, a_byte_is_escaped_alike_wherever_it_stands);
	tcase_add_test(tc, numbers_are_written_to_their_ends);
	tcase_add_test(tc, events_below_the_level_are_not_made);
	tcase_add_test(tc, warn_and_error_append_the_reason_and_keep_errno);
	tcase_add_test(tc, an_endless_event_is_one_valid_line);
	tcase_add_loop_test(tc, a_finished_line_tells_its_level_and_message, 0,
	    8);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
