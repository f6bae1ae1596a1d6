/* SPDX-License-Identifier: MIT */
/*
 * The response cache: which answers meet which requests and for how long, by a
 * clock of the test's own, and who makes one.
 */
#include "lib/cache.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "lib/app.h"
#include "lib/cache_store.h"
#include "lib/request.h"
#include "lib/response.h"

#define AREA_BYTES (256 << 10)

/* ---- the clock ----------------------------------------------------------- */

static int64_t now_ms = 1000000;

int64_t __wrap_clock_ms(void);
int __wrap_clock_left(int64_t deadline_ms, int cap_ms);

int64_t
__wrap_clock_ms(void)
{
	return now_ms;
}

/* Whoever waits has waited. */
int
__wrap_clock_left(int64_t deadline_ms, int cap_ms)
{
	int64_t left = deadline_ms - now_ms;

	(void)cap_ms;
	now_ms += left > 0 ? left : 0;
	return left > 0;
}

/* ---- one worker after the other ------------------------------------------ */

static struct slot slot;
static struct conn conn;
static struct shared shared;
static struct nds_app app = {.slot = &slot, .shared = &shared};
static struct nds_route route;
static struct nds_request req;
static struct nds_response res;

static void
begin(void)
{
	memset(shared.area[SHARED_CACHE], 0, AREA_BYTES);
	app.name = "app";
	app.version = "1";
	slot.number = 0;
	memset(&route, 0, sizeof(route));
	nds_route_cache(&route, 1000, 500, NULL);
}

/* Take a request of these parameters to where a handler would run. Returns 1
 * when it need not. */
static int
ask(const char *target, const char *first, const char *second)
{
	static char method[] = "REQUEST_METHOD=GET", copy[3][5000];
	static char *envp[] = {copy[0], copy[1], copy[2], method, NULL};
	const char *why;

	snprintf(copy[0], sizeof(copy[0]), "REQUEST_URI=%s", target);
	snprintf(copy[1], sizeof(copy[1]), "%s", first ? first : "A=");
	snprintf(copy[2], sizeof(copy[2]), "%s", second ? second : "B=");
	conn.slot = &slot;
	conn.deadline_ms = now_ms + 20000;
	ck_assert_int_eq(request_begin(&req, &conn, envp, &why), 0);
	req.route = &route;
	response_begin(&res, &conn, req.request_id,
	    strcmp(req.method, "HEAD") == 0);
	return cache_answer(&app, &req, &res);
}

static void
answer(const char *text)
{
	nds_text(&res, 200, text);
	cache_keep(&req, &res, 1);
}

/* The field of the answer, "" if it has none. */
static const char *
field(const char *name)
{
	static char value[256];
	char *at;

	res.fields[res.fields_used] = '\0';
	at = strstr(res.fields, name);
	snprintf(value, sizeof(value), "%s", at == NULL ? "" :
	    at + strlen(name) + 2);
	value[strcspn(value, "\r\n")] = '\0';
	return value;
}

static int
body_is(const char *text)
{
	return res.status == 200 && res.body.used == strlen(text) &&
	    memcmp(res.body.data, text, strlen(text)) == 0;
}

START_TEST(an_answer_serves_until_its_time)
{
	begin();
	ck_assert(!ask("/a?b=1", NULL, NULL));
	answer("one");
	ck_assert_str_eq(field("Cache-Status"), "nds; fwd=uri-miss; stored");
	now_ms += 999;
	ck_assert(ask("/a?b=1", NULL, NULL));
	ck_assert(body_is("one"));
	ck_assert_str_eq(field("Content-Type"), "text/plain; charset=utf-8");
	ck_assert_str_eq(field("Cache-Status"), "nds; hit; ttl=0");
	ck_assert_str_eq(field("Age"), "0");
	now_ms++;
	ck_assert(!ask("/a?b=1", NULL, NULL));
	answer("two");
	ck_assert_str_eq(field("Cache-Status"), "nds; fwd=stale; stored");
	ck_assert(ask("/a?b=1", NULL, NULL));
	ck_assert(body_is("two"));
}
END_TEST

START_TEST(a_stale_answer_serves_while_one_worker_makes_the_new)
{
	begin();
	ck_assert(!ask("/", NULL, NULL));
	answer("old");
	now_ms += 1200;
	ck_assert(!ask("/", NULL, NULL)); /* this one makes it */
	slot.number = 1;
	ck_assert(ask("/", NULL, NULL));
	ck_assert(body_is("old"));
	ck_assert_str_eq(field("Cache-Status"), "nds; hit; ttl=0");
	ck_assert_str_eq(field("Age"), "1");
	now_ms += 299;
	ck_assert(ask("/", NULL, NULL));
	now_ms++; /* too old: waits, in vain, and makes it too */
	ck_assert(!ask("/", NULL, NULL));
}
END_TEST

START_TEST(the_maker_killed_another_makes_it)
{
	int64_t before_ms = now_ms;

	begin();
	ck_assert(!ask("/", NULL, NULL));
	ck_assert(!ask("/", NULL, NULL)); /* its successor, at once */
	ck_assert_int_eq(now_ms, before_ms);
	slot.number = 1;
	ck_assert(!ask("/", NULL, NULL)); /* another, after a wait */
	begin();
	ck_assert(!ask("/", NULL, NULL));
	answer("old");
	now_ms += 1000;
	ck_assert(!ask("/", NULL, NULL));
	slot.number = 1;
	nds_route_cache(&route, 1000, 60000, NULL);
	ck_assert(ask("/", NULL, NULL));
	now_ms += 20000; /* the dead one's deadline */
	ck_assert(!ask("/", NULL, NULL));
}
END_TEST

START_TEST(what_is_not_kept_is_not_waited_for)
{
	int64_t before_ms;

	begin();
	ck_assert(!ask("/", NULL, NULL));
	nds_problem(&res, 404, "none");
	cache_keep(&req, &res, 1);
	before_ms = now_ms;
	ck_assert(!ask("/", NULL, NULL));
	slot.number = 1;
	ck_assert(!ask("/", NULL, NULL));
	ck_assert_int_eq(now_ms, before_ms);
	answer("now there is one");
	ck_assert(ask("/", NULL, NULL));
}
END_TEST

START_TEST(the_key_is_all_of_the_target_and_the_version)
{
	begin();
	ck_assert(!ask("/a", "HTTP_HOST=x", NULL));
	answer("one");
	ck_assert(ask("/a", "HTTP_HOST=x", NULL));
	ck_assert(!ask("/b", "HTTP_HOST=x", NULL));
	ck_assert(!ask("/a?", "HTTP_HOST=x", "QUERY_STRING=q"));
	ck_assert(!ask("/a", "HTTP_HOST=y", NULL));
	ck_assert(!ask("/a", "HTTP_HOST=x", "HTTPS=on"));
	app.version = "2";
	ck_assert(!ask("/a", "HTTP_HOST=x", NULL));
	answer("of the new version");
	app.version = "1";
	ck_assert(ask("/a", "HTTP_HOST=x", NULL));
	ck_assert(body_is("one"));
}
END_TEST

START_TEST(named_headers_are_part_of_the_key)
{
	begin();
	nds_route_cache(&route, 1000, 0, "Accept-Language, Accept");
	ck_assert(!ask("/", "HTTP_ACCEPT_LANGUAGE=de", NULL));
	answer("Guten Tag");
	ck_assert_str_eq(field("Vary"), "Accept-Language, Accept");
	ck_assert(!ask("/", "HTTP_ACCEPT_LANGUAGE=en", NULL));
	answer("Good day");
	ck_assert(!ask("/", NULL, NULL));
	answer("?");
	ck_assert(!ask("/", "HTTP_ACCEPT_LANGUAGE=", NULL));
	ck_assert(!ask("/", "HTTP_ACCEPT=de", NULL));
	ck_assert(ask("/", "HTTP_ACCEPT_LANGUAGE=de", NULL));
	ck_assert(body_is("Guten Tag"));
}
END_TEST

START_TEST(head_is_answered_by_what_get_has_kept)
{
	begin();
	ck_assert(!ask("/", "REQUEST_METHOD=HEAD", NULL));
	answer("of a HEAD");
	ck_assert(!ask("/", NULL, NULL));
	answer("one");
	ck_assert(ask("/", "REQUEST_METHOD=HEAD", NULL));
	ck_assert(body_is("one"));
}
END_TEST

static const char *const private_fields[][2] = {{"Set-Cookie", "a=b"},
    {"Cache-Control", "no-store"}, {"cache-control", "max-age=5, private"},
    {"Cache-Control", "Private=\"x\""}, {"Cache-Control", "no-cache"},
    {"Cache-Control", "max-age=0"}, {"Cache-Control", "s-maxage=0"},
    {"Cache-Control", "max-age=soon"}, {"Cache-Control", "max-age"},
    {"Cache-Control", "max-age=-1"}, {"Vary", "*"},
    {"Vary", "Accept, Cookie"}};

START_TEST(a_private_answer_is_not_kept)
{
	begin();
	nds_route_cache(&route, 1000, 0, "Accept");
	ck_assert(!ask("/", NULL, NULL));
	nds_add_header(&res, "Cache-Control", "max-age=60");
	nds_add_header(&res, private_fields[_i][0], private_fields[_i][1]);
	answer("mine");
	ck_assert_str_eq(field("Cache-Status"), "nds; fwd=uri-miss");
	ck_assert(!ask("/", NULL, NULL));
}
END_TEST

/* What an answer says, and for how many ms it is fresh, and given stale, on a
 * route of 5 s and 5 s more. */
static const struct {
	const char *says;
	int fresh_ms, stale_ms;
} lives[] = {{"public", 5000, 5000}, {"max-age=2", 2000, 5000},
    {"Max-Age=\"2\"", 2000, 5000}, {"max-age=60", 5000, 5000},
    {"max-age=99999999999999999999", 5000, 5000},
    {"max-age=4, max-age=2", 2000, 5000},
    {"max-age=2, s-maxage=3", 3000, 0}, {"s-maxage=3, max-age=0", 3000, 0},
    {"max-age=2, must-revalidate", 2000, 0}, {"Must-Revalidate", 5000, 0},
    {"max-age=2,proxy-revalidate", 2000, 0},
    {"max-age=2, stale-while-revalidate=1", 2000, 1000},
    {"stale-while-revalidate=60", 5000, 5000},
    {"max-age=2, stale-while-revalidate=?", 2000, 0},
    {"max-ages=1, xmax-age=1, no-storex", 5000, 5000}};

START_TEST(an_answer_may_shorten_its_own_life)
{
	int64_t end_ms;

	begin();
	nds_route_cache(&route, 5000, 5000, NULL);
	ck_assert(!ask("/", NULL, NULL));
	nds_set_header(&res, "Cache-Control", lives[_i].says);
	answer("one");
	end_ms = now_ms + lives[_i].fresh_ms;
	now_ms = end_ms - 1;
	ck_assert(ask("/", NULL, NULL));
	ck_assert_str_eq(field("Cache-Control"), lives[_i].says);
	ck_assert_str_eq(field("Cache-Status"), "nds; hit; ttl=0");
	now_ms++;
	ck_assert(!ask("/", NULL, NULL)); /* this one makes it */
	slot.number = 1;
	end_ms += lives[_i].stale_ms;
	if (now_ms < end_ms) {
		now_ms = end_ms - 1;
		ck_assert(ask("/", NULL, NULL));
		now_ms++;
	}
	ck_assert(!ask("/", NULL, NULL));
}
END_TEST

START_TEST(a_date_alone_is_not_read_and_nothing_kept)
{
	static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";

	begin();
	ck_assert(!ask("/", NULL, NULL));
	nds_set_header(&res, "Expires", date);
	answer("old");
	ck_assert(!ask("/", NULL, NULL));
	nds_set_header(&res, "Expires", date);
	nds_set_header(&res, "Cache-Control", "max-age=1"); /* RFC 9111, 5.3 */
	answer("new");
	ck_assert(ask("/", NULL, NULL));
}
END_TEST

START_TEST(a_route_that_gives_less_today_gives_it_to_old_answers_too)
{
	begin();
	ck_assert(!ask("/", NULL, NULL));
	answer("one");
	now_ms += 500;
	ck_assert(ask("/", NULL, NULL));
	nds_route_cache(&route, 500, 0, NULL);
	ck_assert(!ask("/", NULL, NULL));
}
END_TEST

START_TEST(other_answers_are_not_kept)
{
	static char big[CACHE_BODY_MAX + 1];

	begin();
	ck_assert(!ask("/", NULL, NULL));
	nds_text(&res, 201, "created");
	cache_keep(&req, &res, 1);
	ck_assert(!ask("/", NULL, NULL));
	nds_text(&res, 200, "failed then");
	cache_keep(&req, &res, 0);
	ck_assert(!ask("/", NULL, NULL));
	nds_stream(&res, 200, "text/plain", 5);
	cache_keep(&req, &res, 1);
	ck_assert(!ask("/", NULL, NULL));
	memset(big, 'x', sizeof(big));
	nds_data(&res, 200, "text/plain", big, sizeof(big));
	cache_keep(&req, &res, 1);
	ck_assert(!ask("/", NULL, NULL));
	nds_data(&res, 200, "text/plain", big, sizeof(big) - 1);
	cache_keep(&req, &res, 1);
	ck_assert(ask("/", NULL, NULL));
	ck_assert_uint_eq(res.body.used, CACHE_BODY_MAX);
}
END_TEST

START_TEST(an_authorized_request_goes_past_it)
{
	begin();
	ck_assert(!ask("/", NULL, NULL));
	answer("for all");
	ck_assert(!ask("/", "HTTP_AUTHORIZATION=Basic eA==", NULL));
	answer("for one");
	ck_assert_str_eq(field("Cache-Status"), "nds; fwd=bypass");
	ck_assert(!ask("/", "REQUEST_METHOD=POST", NULL));
	ck_assert(ask("/", NULL, NULL));
	ck_assert(body_is("for all"));
}
END_TEST

START_TEST(a_full_cache_gives_up_the_oldest)
{
	static char text[8000];
	char target[32];
	int kept = 0;

	begin();
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 100; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		ck_assert(!ask(target, NULL, NULL));
		answer(text);
		ck_assert(ask(target, NULL, NULL));
	}
	for (int i = 0; i < 100; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		if (!ask(target, NULL, NULL))
			ck_assert_int_eq(kept, 0);
		else
			kept++;
		ck_assert(!kept || body_is(text));
	}
	ck_assert_int_gt(kept, AREA_BYTES / 8500 - 3);
	ck_assert_int_lt(kept, AREA_BYTES / 8000);
}
END_TEST

static void
add_cases(TCase *cases)
{
	tcase_add_test(cases, an_answer_serves_until_its_time);
	tcase_add_test(cases,
	    a_stale_answer_serves_while_one_worker_makes_the_new);
	tcase_add_test(cases, the_maker_killed_another_makes_it);
	tcase_add_test(cases, what_is_not_kept_is_not_waited_for);
	tcase_add_test(cases, the_key_is_all_of_the_target_and_the_version);
	tcase_add_test(cases, named_headers_are_part_of_the_key);
	tcase_add_test(cases, head_is_answered_by_what_get_has_kept);
	tcase_add_loop_test(cases, a_private_answer_is_not_kept, 0,
	    sizeof(private_fields) / sizeof(private_fields[0]));
	tcase_add_loop_test(cases, an_answer_may_shorten_its_own_life, 0,
	    sizeof(lives) / sizeof(lives[0]));
	tcase_add_test(cases, a_date_alone_is_not_read_and_nothing_kept);
	tcase_add_test(cases,
	    a_route_that_gives_less_today_gives_it_to_old_answers_too);
	tcase_add_test(cases, other_answers_are_not_kept);
	tcase_add_test(cases, an_authorized_request_goes_past_it);
	tcase_add_test(cases, a_full_cache_gives_up_the_oldest);
}

int
main(void)
{
	Suite *suite = suite_create("cache");
	TCase *cases = tcase_create("cache");
	SRunner *runner = srunner_create(suite);
	int failed;

	shared.area[SHARED_CACHE] = mmap(NULL, AREA_BYTES,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared.area_bytes[SHARED_CACHE] = AREA_BYTES;
	add_cases(cases);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
