/* SPDX-License-Identifier: MIT */
/* The supervisor's tables as one release leaves them to another. */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ndsd/state.h"
#include "ndsd/upgrade.h"
#include "proto/exit.h"

static struct state *state;
static int fd;

static void
setup(void)
{
	struct nds_error err;

	fd = state_new(&state, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	state->restarts = 7;
}

static void
teardown(void)
{
	close(fd);
}

START_TEST(the_same_release_goes_on_with_its_settings)
{
	struct nds_error err;
	struct state *again = state_map(fd, &err);

	ck_assert_ptr_nonnull(again);
	ck_assert_uint_eq(again->restarts, 7);
	ck_assert_int_eq(state_knows_settings(again), 1);
	ck_assert_int_eq(upgrade_prove(fd, NULL), EXIT_DONE);
	ck_assert_int_eq(again->proved_by, getpid());
}
END_TEST

START_TEST(settings_of_another_size_are_read_anew)
{
	struct nds_error err;
	struct state *again;

	state->settings_bytes -= 8;
	ck_assert_int_eq(ftruncate(fd, sizeof(*state) - 16), 0);
	again = state_map(fd, &err);
	ck_assert_ptr_nonnull(again);
	ck_assert_uint_eq(again->restarts, 7);
	ck_assert_int_eq(state_knows_settings(again), 0);
	ck_assert_int_eq(upgrade_prove(fd, NULL), EXIT_DONE);
}
END_TEST

START_TEST(and_prove_nothing_when_they_are_wrong)
{
	state->settings_bytes += 8;
	setenv("APP_WORKERS", "many", 1);
	ck_assert_int_ne(upgrade_prove(fd, NULL), EXIT_DONE);
	ck_assert_int_eq(state->proved_by, 0);
	state->settings_bytes -= 8;
	ck_assert_int_eq(upgrade_prove(fd, NULL), EXIT_DONE);
	unsetenv("APP_WORKERS");
}
END_TEST

START_TEST(another_version_or_a_stump_is_refused)
{
	struct nds_error err;

	state->version++;
	ck_assert_ptr_null(state_map(fd, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "version"));
	state->version--;
	ck_assert_int_eq(ftruncate(fd,
	    (off_t)offsetof(struct state, settings) - 1), 0);
	ck_assert_ptr_null(state_map(fd, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "short"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("state");
	TCase *cases = tcase_create("releases");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, the_same_release_goes_on_with_its_settings);
	tcase_add_test(cases, settings_of_another_size_are_read_anew);
	tcase_add_test(cases, and_prove_nothing_when_they_are_wrong);
	tcase_add_test(cases, another_version_or_a_stump_is_refused);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	srunner_free(runner);
	return 0;
}
