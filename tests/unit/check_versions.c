/* SPDX-License-Identifier: MIT */
/* What an application of one libnds and an ndsd of another share. */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/board.h"

/* A later one's header is longer and its areas lie elsewhere, an earlier one's
 * ends sooner. */
START_TEST(hazard_18_a_slot_of_another_version_is_used_as_far_as_known)
{
	struct nds_error err;
	int fd = board_slot_new(7, 65536, 65536, 16384, &err);
	struct slot *s = board_slot_map(fd, 1, &err), *other;

	ck_assert_ptr_nonnull(s);
	s->version++;
	s->capture_at += 8192;
	s->capture_bytes -= 8192;
	other = board_slot_map(fd, 1, &err);
	ck_assert_msg(other != NULL, "of a later one: %s", err.text);
	ck_assert_ptr_eq(slot_capture(other),
	    (uint8_t *)other + s->capture_at);
	ck_assert_ptr_nonnull(board_books(other));
	board_unmap(other);
	s->version--;
	s->books_at = s->books_bytes = 0;
	other = board_slot_map(fd, 1, &err);
	ck_assert_msg(other != NULL, "of an earlier one: %s", err.text);
	ck_assert_ptr_null(board_books(other));
	board_unmap(other);
	board_unmap(s);
	close(fd);
}
END_TEST

/* New members come last, where those that know nothing of them do not look:
 * a number that changes here is another layout for what runs. */
START_TEST(hazard_18_what_versions_share_stays_in_its_place)
{
	static const struct {
		size_t is, was;
	} places[] = {
	    {offsetof(struct slot, state), 64},
	    {offsetof(struct slot, flags), 92},
	    {offsetof(struct slot, request_id), 120},
	    {offsetof(struct slot, count), 192},
	    {offsetof(struct slot, ring_head), 512},
	    {offsetof(struct slot, ring_tail), 576},
	    {offsetof(struct slot, in), 640},
	    {offsetof(struct slot, out), 736},
	    {offsetof(struct slot, answer_status), 832},
	    {offsetof(struct slot, look_ms), 840},
	    {offsetof(struct slot, place), 848},
	    {offsetof(struct slot, books_at), 852},
	    {offsetof(struct slot, route), 860},
	    {offsetof(struct slot, event), 864},
	    {offsetof(struct slot, queue_wait), 1376},
	    {offsetof(struct slot, tally), 1512},
	    {offsetof(struct pool_board, draining), 24},
	    {offsetof(struct pool_board, main_pid), 80},
	    {offsetof(struct pool_board, check), 144},
	    {offsetof(struct pool_board, door_stays), 4624},
	    {offsetof(struct pool_board, shed), 4648},
	    {offsetof(struct pool_board, event), 4672},
	};

	if (sizeof(long) != 8) /* elsewhere they lie elsewhere */
		return;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		ck_assert_msg(places[i].is == places[i].was, "%zu is at %zu",
		    places[i].was, places[i].is);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("versions");
	TCase *tc = tcase_create("slot");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc,
	    hazard_18_a_slot_of_another_version_is_used_as_far_as_known);
	tcase_add_test(tc, hazard_18_what_versions_share_stays_in_its_place);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
