/* SPDX-License-Identifier: MIT */
/* Which of the two formats of /metrics is wanted, and what they have apart. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "helper/exposition.h"

START_TEST(openmetrics_is_written_for_whom_asks_for_it)
{
	static const struct {
		const char *accept;
		int open;
	} cases[] = {{"", 0}, {"*/*", 0}, {"text/plain", 0},
	    {"application/openmetrics-text", 1},
	    {"application/openmetrics-text;version=1.0.0;q=0.5,"
	     "application/openmetrics-text;version=0.0.1;q=0.4,"
	     "text/plain;version=0.0.4;q=0.2,*/*;q=0.1", 1},
	    {"text/plain, application/openmetrics-text;q=0.9", 0},
	    {"application/openmetrics-text; q=0", 0},
	    {"application/openmetrics-text; q=0.0", 0},
	    {"application/openmetrics-textual", 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(exposition_is_open(cases[i].accept) ==
		    cases[i].open, "%s", cases[i].accept);
}
END_TEST

/* A family's head, to be freed. */
static char *
head(int open, const char *help)
{
	struct exposition e = {.open = open};
	char *text = NULL;
	size_t bytes;

	e.out = open_memstream(&text, &bytes);
	ck_assert_ptr_nonnull(e.out);
	exposition_family(&e, "said_total", "counter", help);
	fclose(e.out);
	return text;
}

/* Readers of 0.0.4 refuse all that is shown for one quote escaped there. */
START_TEST(a_help_is_escaped_as_each_format_wants_it)
{
	char *text = head(0, "It \"is\" \\.\n");

	ck_assert_str_eq(text, "# TYPE said_total counter\n"
	    "# HELP said_total It \"is\" \\\\.?\n");
	free(text);
	text = head(1, "It \"is\" \\.\n");
	ck_assert_str_eq(text, "# TYPE said counter\n"
	    "# HELP said It \\\"is\\\" \\\\.?\n");
	free(text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("exposition");
	TCase *t = tcase_create("exposition");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, openmetrics_is_written_for_whom_asks_for_it);
	tcase_add_test(t, a_help_is_escaped_as_each_format_wants_it);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
