/* SPDX-License-Identifier: MIT */
/* Request ids and traces: what is taken over, and what is made instead. */
#include "proto/ident.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEX "0123456789abcdef"
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static char id[IDENT_REQUEST_BYTES];
static struct ident_trace trace;

START_TEST(keeps_an_id_that_follows_the_rules)
{
	static const char longest[] = "012345678901234567890123456789"
	    "012345678901234567890123456789012";

	ident_request(id, "aZ0._-");
	ck_assert_str_eq(id, "aZ0._-");
	ck_assert_uint_eq(strlen(longest), 63);
	ident_request(id, longest);
	ck_assert_str_eq(id, longest);
}
END_TEST

static const char *const bad_ids[] = {NULL, "", "a b", "a\n", "a\"",
    "\xc3\xa4", "a,b",
    "0123456789012345678901234567890123456789012345678901234567890123"};

START_TEST(makes_an_id_for_one_that_does_not)
{
	ident_request(id, bad_ids[_i]);
	ck_assert_uint_eq(strlen(id), 32);
	ck_assert_uint_eq(strspn(id, HEX), 32);
}
END_TEST

START_TEST(no_two_ids_are_the_same)
{
	char before[IDENT_REQUEST_BYTES] = "";
	int i;

	for (i = 0; i < 1000; i++) { /* several refills of the store */
		ident_request(id, NULL);
		ck_assert_str_ne(id, before);
		memcpy(before, id, sizeof(before));
	}
}
END_TEST

START_TEST(a_forked_child_draws_ids_of_its_own)
{
	char child[33] = "";
	int fds[2], status;
	pid_t pid;

	ident_request(id, NULL); /* the store is filled */
	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ident_request(id, NULL);
	if (pid == 0)
		_exit(write(fds[1], id, 32) != 32);
	ck_assert_int_eq(read(fds[0], child, 32), 32);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_str_ne(id, child);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(goes_on_with_a_trace_under_a_span_of_its_own)
{
	ident_trace(&trace, "00-" TRACE "-" SPAN "-00");
	ck_assert_uint_eq(strlen(trace.parent), 55);
	ck_assert_int_eq(strncmp(trace.parent, "00-" TRACE "-", 36), 0);
	ck_assert_int_eq(strncmp(trace.parent + 36, trace.span_id, 16), 0);
	ck_assert_str_eq(trace.parent + 52, "-00");
	ck_assert_str_eq(trace.trace_id, TRACE);
	ck_assert_str_ne(trace.span_id, SPAN);
}
END_TEST

START_TEST(reads_a_later_version_as_far_as_it_knows_it)
{
	ident_trace(&trace, "cc-" TRACE "-" SPAN "-ff-more");
	ck_assert_str_eq(trace.trace_id, TRACE);
	ck_assert_int_eq(strncmp(trace.parent, "00-", 3), 0);
	ck_assert_str_eq(trace.parent + 52, "-01");
}
END_TEST

static const char *const bad_traces[] = {"", "00-" TRACE "-" SPAN,
    "00-" TRACE "-" SPAN "-01-more", "ff-" TRACE "-" SPAN "-01",
    "cc-" TRACE "-" SPAN "-01more", "00-" TRACE "-" SPAN "-0G",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
    "00-00000000000000000000000000000000-" SPAN "-01",
    "00-" TRACE "-0000000000000000-01", "00_" TRACE "-" SPAN "-01",
    "00-" TRACE "-" SPAN "-01, 00-" TRACE "-" SPAN "-01"};

START_TEST(begins_a_trace_for_an_invalid_one)
{
	ident_trace(&trace, bad_traces[_i]);
	ck_assert_ptr_null(strstr(bad_traces[_i], trace.trace_id));
	ck_assert_uint_eq(strlen(trace.parent), 55);
	ck_assert_uint_eq(strspn(trace.trace_id, HEX), 32);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ident");
	TCase *t = tcase_create("ident");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_test(t, keeps_an_id_that_follows_the_rules);
	tcase_add_loop_test(t, makes_an_id_for_one_that_does_not, 0,
	    sizeof(bad_ids) / sizeof(*bad_ids));
	tcase_add_test(t, no_two_ids_are_the_same);
	tcase_add_test(t, a_forked_child_draws_ids_of_its_own);
	tcase_add_test(t, goes_on_with_a_trace_under_a_span_of_its_own);
	tcase_add_test(t, reads_a_later_version_as_far_as_it_knows_it);
	tcase_add_loop_test(t, begins_a_trace_for_an_invalid_one, 0,
	    sizeof(bad_traces) / sizeof(*bad_traces));
	suite_add_tcase(s, t);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
