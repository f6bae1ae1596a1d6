/* SPDX-License-Identifier: MIT */
/* The router: which path and method finds which route, and what none finds. */
#include "lib/route.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct router router;
static struct route_path path;
static struct nds_error err;

static int
nothing(struct nds_request *req, struct nds_response *res)
{
	(void)req;
	(void)res;
	return 0;
}

static void
begin(void)
{
	memset(&router, 0, sizeof(router));
	memset(&err, 0, sizeof(err));
}

static void
end(void)
{
	router_free(&router);
}

static struct nds_route *
add(const char *methods, const char *pattern)
{
	return router_add(&router, methods, pattern, nothing, &err);
}

static struct route_match
find(const char *method, const char *raw)
{
	ck_assert_int_eq(route_split(&path, raw, strlen(raw), 1), 0);
	return router_find(&router, method, &path, 0);
}

static const char *
allow(const char *raw)
{
	static char text[256];

	return router_allow(&router, find("NONE", raw).allowed, text,
	    sizeof(text));
}

START_TEST(finds_a_literal_path_and_nothing_near_it)
{
	struct nds_route *route = add("GET", "/orders/list");

	ck_assert_ptr_eq(find("GET", "/orders/list").route, route);
	ck_assert_ptr_null(find("GET", "/orders").route);
	ck_assert_ptr_null(find("GET", "/orders/list/").route);
	ck_assert_ptr_null(find("GET", "/orders/lis").route);
	ck_assert_ptr_null(find("GET", "//orders/list").route);
	ck_assert_uint_eq(find("GET", "/orders").allowed, 0);
}
END_TEST

START_TEST(root_is_a_path_of_its_own)
{
	struct nds_route *route = add("GET", "/");

	ck_assert_ptr_eq(find("GET", "/").route, route);
	ck_assert_ptr_null(find("GET", "//").route);
}
END_TEST

START_TEST(literal_wins_over_parameter_and_parameter_over_rest)
{
	struct nds_route *rest = add("GET", "/a/{all...}");
	struct nds_route *param = add("GET", "/a/{x}");
	struct nds_route *literal = add("GET", "/a/b");

	ck_assert_ptr_eq(find("GET", "/a/b").route, literal);
	ck_assert_ptr_eq(find("GET", "/a/c").route, param);
	ck_assert_ptr_eq(find("GET", "/a/c/d").route, rest);
	ck_assert_ptr_eq(find("GET", "/a/").route, rest);
}
END_TEST

START_TEST(gives_up_a_literal_that_leads_nowhere)
{
	struct nds_route *route;

	add("GET", "/a/b/c");
	route = add("GET", "/a/{x}/d");
	ck_assert_ptr_eq(find("GET", "/a/b/d").route, route);
	ck_assert_str_eq(route_param(route, &path, "x"), "b");
}
END_TEST

START_TEST(a_method_missing_on_the_literal_is_found_on_the_parameter)
{
	struct nds_route *post = add("POST", "/a/{x}");
	struct nds_route *get = add("GET", "/a/b");

	ck_assert_ptr_eq(find("POST", "/a/b").route, post);
	ck_assert_ptr_eq(find("GET", "/a/b").route, get);
	ck_assert_str_eq(allow("/a/b"), "GET, HEAD, OPTIONS, POST");
}
END_TEST

START_TEST(parameters_are_decoded_after_splitting)
{
	struct nds_route *route = add("GET", "/{one}/x/{two}");

	ck_assert_ptr_eq(find("GET", "/a%2Fb/x/%C3%A4+c").route, route);
	ck_assert_str_eq(route_param(route, &path, "one"), "a/b");
	ck_assert_str_eq(route_param(route, &path, "two"), "\xc3\xa4+c");
	ck_assert_ptr_null(route_param(route, &path, "three"));
	ck_assert_str_eq(path.text, "/a/b/x/\xc3\xa4+c");
}
END_TEST

START_TEST(rest_takes_what_is_left_slashes_and_all)
{
	struct nds_route *route = add("GET", "/files/{id}/{path...}");

	ck_assert_ptr_eq(find("GET", "/files/7/a/b%20c//d/").route, route);
	ck_assert_str_eq(route_param(route, &path, "id"), "7");
	ck_assert_str_eq(route_param(route, &path, "path"), "a/b c//d/");
	ck_assert_ptr_eq(find("GET", "/files/7/").route, route);
	ck_assert_str_eq(route_param(route, &path, "path"), "");
	ck_assert_ptr_null(find("GET", "/files/7").route);
}
END_TEST

START_TEST(rest_takes_more_segments_than_a_pattern_may_have)
{
	struct nds_route *route = add("GET", "/{path...}");
	char deep[1001];
	int i;

	for (i = 0; i < 1000; i += 2)
		memcpy(deep + i, "/a", 2);
	deep[1000] = '\0';
	ck_assert_ptr_eq(find("GET", deep).route, route);
	ck_assert_str_eq(route_param(route, &path, "path"), deep + 1);
	ck_assert_uint_eq(path.count, 500);
}
END_TEST

START_TEST(a_parameter_never_takes_an_empty_segment)
{
	add("GET", "/a/{x}");
	ck_assert_ptr_null(find("GET", "/a/").route);
}
END_TEST

START_TEST(dot_segments_are_names_like_others)
{
	struct nds_route *route = add("GET", "/a/{x}");

	ck_assert_ptr_eq(find("GET", "/a/..").route, route);
	ck_assert_str_eq(route_param(route, &path, "x"), "..");
	ck_assert_ptr_eq(find("GET", "/a/%2e").route, route);
}
END_TEST

START_TEST(head_is_found_where_get_is_and_its_own_route_wins)
{
	struct nds_route *get = add("GET", "/a"), *head;

	add("POST", "/b");
	ck_assert_ptr_eq(find("HEAD", "/a").route, get);
	ck_assert_ptr_null(find("HEAD", "/b").route);
	head = add("HEAD", "/a");
	ck_assert_ptr_eq(find("HEAD", "/a").route, head);
}
END_TEST

START_TEST(any_method_comes_after_named_ones)
{
	struct nds_route *any = add("*", "/a"), *put = add("PUT", "/a");

	ck_assert_ptr_eq(find("PUT", "/a").route, put);
	ck_assert_ptr_eq(find("GET", "/a").route, any);
	ck_assert_ptr_eq(find("BREW", "/a").route, any);
	ck_assert_ptr_eq(find("OPTIONS", "/a").route, any);
}
END_TEST

START_TEST(a_wrong_method_tells_the_allowed_ones)
{
	char text[256];

	add("GET, DELETE", "/a");
	add("PURGE", "/a");
	ck_assert_ptr_null(find("POST", "/a").route);
	ck_assert_str_eq(allow("/a"), "GET, HEAD, OPTIONS, DELETE, PURGE");
	ck_assert_ptr_null(find("get", "/a").route);
	router_allow(&router, find("POST", "/a").allowed, text, 12);
	ck_assert_str_eq(text, "GET, HEAD");
}
END_TEST

START_TEST(a_probe_route_is_not_there_for_others)
{
	struct nds_route *route = add("GET", "/probe");

	route->probe_only = 1;
	ck_assert_ptr_null(find("GET", "/probe").route);
	ck_assert_uint_eq(find("GET", "/probe").allowed, 0);
	ck_assert_ptr_eq(router_find(&router, "GET", &path, 1).route, route);
}
END_TEST

static const char *const bad_paths[] = {"", "a", "/%", "/%4", "/%zz", "/%00",
    "/a%00b", "/%ff", "/\xc3", "/%c0%af", "/%ed%a0%80", "/%f4%90%80%80"};

START_TEST(refuses_a_malformed_path)
{
	const char *raw = bad_paths[_i];

	route_split(&path, "/before", 7, 1);
	errno = 0;
	ck_assert_int_eq(route_split(&path, raw, strlen(raw), 1), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(path.text, "");
	ck_assert_uint_eq(path.count, 0);
}
END_TEST

START_TEST(refuses_a_path_that_is_too_long)
{
	char *raw = malloc(ROUTE_PATH_MAX + 1);

	memset(raw, '/', ROUTE_PATH_MAX + 1);
	ck_assert_int_eq(route_split(&path, raw, ROUTE_PATH_MAX, 1), 0);
	ck_assert_int_eq(route_split(&path, raw, ROUTE_PATH_MAX + 1, 1), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	free(raw);
}
END_TEST

START_TEST(a_decoded_path_is_not_decoded_again)
{
	ck_assert_int_eq(route_split(&path, "/100%25", 7, 0), 0);
	ck_assert_str_eq(path.text, "/100%25");
}
END_TEST

static const struct {
	const char *methods, *pattern;
} bad_routes[] = {{"GET", ""}, {"GET", "a"}, {"", "/"}, {"GET,", "/"},
    {"GET;POST", "/"}, {"GET", "/{}"}, {"GET", "/{a"}, {"GET", "/a}"},
    {"GET", "/x{a}"}, {"GET", "/{a...}/b"}, {"GET", "/{a}/{a}"},
    {"GET", "/{...}"}, {"GET", "/{a b}"}, {NULL, "/"}, {"GET", NULL}};

START_TEST(refuses_a_wrong_route_and_says_why)
{
	ck_assert_ptr_null(
	    add(bad_routes[_i].methods, bad_routes[_i].pattern));
	ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(refuses_a_route_twice_but_not_its_other_methods)
{
	ck_assert_ptr_nonnull(add("GET,POST", "/a/{x}"));
	ck_assert_ptr_null(add("POST", "/a/{y}"));
	ck_assert_ptr_nonnull(strstr(err.text, "twice"));
	ck_assert_ptr_nonnull(add("PUT", "/a/{y}"));
	ck_assert_ptr_eq(find("PUT", "/a/1").route,
	    router_find(&router, "PUT", &path, 0).route);
	ck_assert_str_eq(
	    route_param(find("PUT", "/a/1").route, &path, "y"), "1");
}
END_TEST

START_TEST(refuses_more_segments_than_it_can_hold)
{
	char pattern[2 * ROUTE_SEGMENTS_MAX + 3];
	int i;

	for (i = 0; i <= ROUTE_SEGMENTS_MAX; i++)
		memcpy(pattern + 2 * i, "/a", 3);
	ck_assert_ptr_null(add("GET", pattern));
	pattern[2 * ROUTE_SEGMENTS_MAX] = '\0';
	ck_assert_ptr_nonnull(add("GET", pattern));
	ck_assert_ptr_nonnull(find("GET", pattern).route);
}
END_TEST

static Suite *
route_suite(void)
{
	Suite *s = suite_create("route");
	TCase *t = tcase_create("route");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, finds_a_literal_path_and_nothing_near_it);
	tcase_add_test(t, root_is_a_path_of_its_own);
	tcase_add_test(t,
	    literal_wins_over_parameter_and_parameter_over_rest);
	tcase_add_test(t, gives_up_a_literal_that_leads_nowhere);
	tcase_add_test(t,
	    a_method_missing_on_the_literal_is_found_on_the_parameter);
	tcase_add_test(t, parameters_are_decoded_after_splitting);
	tcase_add_test(t, rest_takes_what_is_left_slashes_and_all);
	tcase_add_test(t, rest_takes_more_segments_than_a_pattern_may_have);
	tcase_add_test(t, a_parameter_never_takes_an_empty_segment);
	tcase_add_test(t, dot_segments_are_names_like_others);
	tcase_add_test(t, head_is_found_where_get_is_and_its_own_route_wins);
	tcase_add_test(t, any_method_comes_after_named_ones);
	tcase_add_test(t, a_wrong_method_tells_the_allowed_ones);
	tcase_add_test(t, a_probe_route_is_not_there_for_others);
	tcase_add_loop_test(t, refuses_a_malformed_path, 0,
	    sizeof(bad_paths) / sizeof(*bad_paths));
	tcase_add_test(t, refuses_a_path_that_is_too_long);
	tcase_add_test(t, a_decoded_path_is_not_decoded_again);
	tcase_add_loop_test(t, refuses_a_wrong_route_and_says_why, 0,
	    sizeof(bad_routes) / sizeof(*bad_routes));
	tcase_add_test(t, refuses_a_route_twice_but_not_its_other_methods);
	tcase_add_test(t, refuses_more_segments_than_it_can_hold);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(route_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
