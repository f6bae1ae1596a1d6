/* SPDX-License-Identifier: MIT */
/* When a worker that has said nothing counts as ready. */
#include <check.h>
#include <stdlib.h>

#include "ndsd/supervisor.h"

#define BORN_MS 1000

static struct supervisor sup;
static struct state state;

static void
setup(void)
{
	sup.state = &state;
	slot_init(&sup.slot[0], &sup, 0);
	state.pool.wanted = 1;
	state.pool.place[0].state = POOL_STARTING;
	state.pool.place[0].spawned_ms = BORN_MS;
}

/* Its state when it has lived for so long. */
static int
after(int64_t ms)
{
	slot_check_foreign(&sup.slot[0], BORN_MS + ms);
	return (int)state.pool.place[0].state;
}

START_TEST(of_a_program_without_libnds_it_does_in_time)
{
	ck_assert_int_eq(after(SLOT_FOREIGN_READY_MS - 1), POOL_STARTING);
	ck_assert_int_eq(after(SLOT_FOREIGN_READY_MS), POOL_READY);
}
END_TEST

START_TEST(of_libnds_it_never_does)
{
	state.program_libnds = 1;
	ck_assert_int_eq(after(60000), POOL_STARTING);
}
END_TEST

START_TEST(in_a_reload_of_libnds_it_never_does)
{
	state.libnds_before = 1;
	state.roll_open = STATE_ROLL_OPEN;
	ck_assert_int_eq(after(60000), POOL_STARTING);
}
END_TEST

/* An older release of ndsd may have let one begin that ended so. */
START_TEST(behind_a_reload_the_program_before_is_forgotten)
{
	state.libnds_before = 1;
	state.roll_open = STATE_ROLL_SETTLED;
	ck_assert_int_eq(after(SLOT_FOREIGN_READY_MS), POOL_READY);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("slot");
	TCase *t = tcase_create("slot");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, of_a_program_without_libnds_it_does_in_time);
	tcase_add_test(t, of_libnds_it_never_does);
	tcase_add_test(t, in_a_reload_of_libnds_it_never_does);
	tcase_add_test(t, behind_a_reload_the_program_before_is_forgotten);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
