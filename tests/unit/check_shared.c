/* SPDX-License-Identifier: MIT */
/* The memory that a pool shares: areas, and what is refused. */
#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/shared.h"

static const uint64_t sizes[SHARED_AREAS] = {100, 0, 8192, 1};

static int
fresh(void)
{
	struct nds_error err;
	int fd = shared_new(sizes, &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	return fd;
}

START_TEST(areas_lie_apart_and_are_zero)
{
	struct nds_error err;
	struct shared s;
	int fd = fresh();

	ck_assert_int_eq(shared_map(&s, fd, 1, &err), 0);
	ck_assert_uint_ge(s.area_bytes[0], 100);
	ck_assert_ptr_null(s.area[1]);
	ck_assert_uint_eq(s.area_bytes[1], 0);
	ck_assert_int_eq(*(char *)s.area[2], 0);
	memset(s.area[0], 1, s.area_bytes[0]);
	memset(s.area[3], 3, s.area_bytes[3]);
	ck_assert_int_eq(*(char *)s.area[2], 0);
	shared_unmap(&s);
	close(fd);
}
END_TEST

START_TEST(what_one_writes_another_reads)
{
	struct nds_error err;
	struct shared a, b;
	int fd = fresh();

	ck_assert_int_eq(shared_map(&a, fd, 1, &err), 0);
	ck_assert_int_eq(shared_map(&b, fd, 0, &err), 0);
	strcpy(a.area[2], "here");
	ck_assert_str_eq(b.area[2], "here");
	shared_unmap(&a);
	shared_unmap(&b);
	close(fd);
}
END_TEST

START_TEST(refuses_an_area_outside_of_it)
{
	struct nds_error err;
	struct shared s;
	int fd = fresh();
	uint64_t far = UINT64_MAX - 4095;

	ck_assert_int_eq(pwrite(fd, &far, sizeof(far), 24), sizeof(far));
	ck_assert_int_eq(shared_map(&s, fd, 1, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "outside"));
	close(fd);
}
END_TEST

START_TEST(refuses_what_is_not_its_own)
{
	struct nds_error err;
	struct shared s;
	int fd = memfd_create("other", 0);

	ck_assert_int_eq(shared_map(&s, fd, 1, &err), -1);
	ck_assert_int_eq(ftruncate(fd, 65536), 0);
	ck_assert_int_eq(shared_map(&s, fd, 1, &err), -1);
	ck_assert_ptr_null(s.base);
	close(fd);
}
END_TEST

START_TEST(refuses_more_than_can_be)
{
	static const uint64_t huge[SHARED_AREAS] = {1ull << 31};
	struct nds_error err;

	ck_assert_int_eq(shared_new(huge, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "at most"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("shared");
	TCase *cases = tcase_create("segment");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(cases, areas_lie_apart_and_are_zero);
	tcase_add_test(cases, what_one_writes_another_reads);
	tcase_add_test(cases, refuses_an_area_outside_of_it);
	tcase_add_test(cases, refuses_what_is_not_its_own);
	tcase_add_test(cases, refuses_more_than_can_be);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	srunner_free(runner);
	return 0;
}
