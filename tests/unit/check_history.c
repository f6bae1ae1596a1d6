/* SPDX-License-Identifier: MIT */
/* The history tells what has happened while somebody looked, and by its cause;
 * trouble, what stands before it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "helper/history.h"
#include "helper/trouble.h"

static struct pool_board pool;
static struct slot slot[3];
static const struct slot *known[BOARD_SLOTS_MAX];
static struct history history;
static struct report report;

static void
setup(void)
{
	memset(&pool, 0, sizeof(pool));
	memset(slot, 0, sizeof(slot));
	memset(known, 0, sizeof(known));
	memset(&history, 0, sizeof(history));
	report = (struct report){.pool = &pool, .slot = known,
	    .now_ms = 1000000, .history = &history};
	known[0] = &slot[0];
	pool.started = 1;
	pool.wanted = pool.ready = 2;
	pool.heartbeat_ms = report.now_ms;
	history_look(&history, &report);
}

/* So many looks, one a second, with a supervisor that lives. */
static void
look(int times)
{
	for (; times > 0; times--) {
		report.now_ms += HISTORY_EVERY_MS;
		pool.heartbeat_ms = report.now_ms;
		history_look(&history, &report);
	}
}

/* "kind/what/count;" of each event, the oldest first. */
static const char *
events(void)
{
	static char text[4096];
	json_t *all = history_json(&history, &report, 1), *e;
	size_t i, used = 0;

	text[0] = '\0';
	json_array_foreach(json_object_get(all, "events"), i, e)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s/%s/%d;",
		    json_string_value(json_object_get(e, "kind")),
		    json_string_value(json_object_get(e, "what")),
		    (int)json_integer_value(json_object_get(e, "count")));
	json_decref(all);
	return text;
}

static uint32_t
requests_of_last(void)
{
	return history.sample[(history.samples - 1) % HISTORY_SAMPLES]
	    .counter[0];
}

START_TEST(slots_that_come_later_are_no_second_of_traffic)
{
	slot[1].count.requests = 5000;
	slot[1].count.lost = 2;
	slot[1].count.replayed = 2;
	slot[1].event[EVENT_EXIT_KILLED] = 4;
	slot[1].count.latency[3] = 5000;
	known[1] = &slot[1];
	look(1);
	ck_assert_uint_eq(requests_of_last(), 0);
	ck_assert_uint_eq(history.sample[0].latency[3], 0);
	ck_assert_str_eq(events(), "");
	slot[1].count.requests += 7;
	look(1);
	ck_assert_uint_eq(requests_of_last(), 7);
}
END_TEST

START_TEST(what_a_new_slot_counts_after_it_came_is_seen)
{
	known[2] = &slot[2];
	history_slots(&history, &report);
	slot[2].count.requests = 3;
	look(1);
	ck_assert_uint_eq(requests_of_last(), 3);
}
END_TEST

START_TEST(deaths_are_told_by_how)
{
	slot[0].event[EVENT_EXIT_CRASHED] = 1;
	slot[0].event[EVENT_EXIT_RETIRED] = 9;
	pool.event[EVENT_EXIT_OVERDUE] = 2;
	pool.event[EVENT_EXIT_MEMORY] = 1;
	look(1);
	ck_assert_str_eq(events(),
	    "death/crashed/1;death/memory/1;death/overdue/2;");
}
END_TEST

START_TEST(reloads_and_upgrades_are_told_by_their_end)
{
	pool.event[EVENT_RELOAD_REFUSED] = 1;
	pool.reloads_failed = 1;
	pool.event[EVENT_UPGRADE_FAILED] = 1;
	look(1);
	ck_assert_str_eq(events(),
	    "reload failed//1;reload refused//1;upgrade failed//1;");
}
END_TEST

START_TEST(an_overload_begins_once_and_ends_once)
{
	for (int i = 0; i < 5; i++) {
		pool.shed[SHED_TARGET] += 10;
		look(3);
	}
	pool.shed[SHED_STOP] += 10; /* no load */
	ck_assert_str_eq(events(), "overload began//1;");
	look(HISTORY_CALM_MS / HISTORY_EVERY_MS + 1);
	ck_assert_str_eq(events(), "overload began//1;overload ended//50;");
}
END_TEST

static void
check_says(enum check_status status, const char *message)
{
	struct board_check *c = &pool.check[0];

	pool.checks = 1;
	strcpy(c->name, "database");
	strcpy(c->message, message);
	c->status = status;
	c->checked_ms = report.now_ms;
	c->good_for_ms = 60000;
}

START_TEST(a_check_is_told_when_it_changes)
{
	check_says(CHECK_OK, "");
	look(2);
	check_says(CHECK_FAILED, "no route");
	look(3);
	check_says(CHECK_OK, "");
	look(2);
	ck_assert_str_eq(events(), "check failed/database: no route/1;"
	    "check ok again/database/1;");
}
END_TEST

START_TEST(a_long_message_is_cut_between_characters)
{
	char message[192];
	json_t *all;

	memset(message, 0, sizeof(message));
	for (int i = 0; i < 90; i++)
		memcpy(message + 2 * i, "\xc3\xa9", 2);
	check_says(CHECK_FAILED, message);
	look(1);
	all = history_json(&history, &report, 1);
	ck_assert_ptr_nonnull(all);
	ck_assert_uint_eq(json_array_size(json_object_get(all, "events")), 1);
	json_decref(all);
}
END_TEST

START_TEST(how_a_check_stands_at_the_first_look_is_no_event)
{
	memset(&history, 0, sizeof(history));
	check_says(CHECK_FAILED, "no route");
	history_look(&history, &report);
	look(2);
	ck_assert_str_eq(events(), "");
}
END_TEST

/* "kind/for_ms/why;" of each trouble. */
static const char *
trouble(void)
{
	static char text[1024];
	json_t *all = trouble_list(&report), *t;
	size_t i, used = 0;

	text[0] = '\0';
	json_array_foreach(all, i, t)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s/%d/%s;",
		    json_string_value(json_object_get(t, "kind")),
		    (int)json_integer_value(json_object_get(t, "for_ms")),
		    json_string_value(json_object_get(t, "why")));
	json_decref(all);
	return text;
}

START_TEST(not_ready_says_since_when_and_why)
{
	ck_assert_str_eq(trouble(), "");
	check_says(CHECK_FAILED, "no route");
	look(1);
	report.now_ms += 500;
	ck_assert_str_eq(trouble(),
	    "not ready/500/check database: no route;");
	look(2);
	ck_assert_str_eq(trouble(),
	    "not ready/2500/check database: no route;");
	pool.ready = 0;
	ck_assert_str_eq(trouble(), "not ready/2500/0 of 2 workers ready;");
}
END_TEST

START_TEST(a_start_a_drain_and_a_stop_are_no_trouble)
{
	pool.draining = pool.unready = 1;
	look(1);
	ck_assert_str_eq(trouble(), "");
	pool.draining = pool.unready = 0;
	pool.started = 0;
	look(1);
	ck_assert_str_eq(trouble(), "");
	pool.started = pool.stopping = 1;
	pool.ready = 0;
	look(1);
	ck_assert_str_eq(trouble(), "");
}
END_TEST

START_TEST(a_supervisor_that_is_not_seen_is_told)
{
	report.now_ms += REPORT_AWAY_MS - 1;
	ck_assert_str_eq(trouble(), "");
	report.now_ms += 1;
	history_look(&history, &report);
	pool.main_pid = 7;
	ck_assert_str_eq(trouble(), "supervisor not seen/5000/"
	    "workers serve on; the main process (pid 7) is there;");
	report.orphaned = 1;
	ck_assert_str_eq(trouble(), "supervisor not seen/5000/"
	    "workers serve on; start ndsd again;");
	report.orphaned = 0;
	look(1);
	ck_assert_str_eq(trouble(), "");
	ck_assert_str_eq(events(),
	    "supervisor not seen//1;supervisor seen again//1;");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("history");
	TCase *t = tcase_create("history");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, slots_that_come_later_are_no_second_of_traffic);
	tcase_add_test(t, what_a_new_slot_counts_after_it_came_is_seen);
	tcase_add_test(t, deaths_are_told_by_how);
	tcase_add_test(t, reloads_and_upgrades_are_told_by_their_end);
	tcase_add_test(t, an_overload_begins_once_and_ends_once);
	tcase_add_test(t, a_check_is_told_when_it_changes);
	tcase_add_test(t, a_long_message_is_cut_between_characters);
	tcase_add_test(t, how_a_check_stands_at_the_first_look_is_no_event);
	tcase_add_test(t, not_ready_says_since_when_and_why);
	tcase_add_test(t, a_start_a_drain_and_a_stop_are_no_trouble);
	tcase_add_test(t, a_supervisor_that_is_not_seen_is_told);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
