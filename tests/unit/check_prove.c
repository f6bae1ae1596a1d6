/* SPDX-License-Identifier: MIT */
/*
 * The pure parts of nds-prove: fates, histogram, timeline, schedule, phases,
 * the record, and what the command line takes.
 */
#include <check.h>
#include <curl/curl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "prove/fate.h"
#include "prove/given.h"
#include "prove/hist.h"
#include "prove/options.h"
#include "prove/record.h"
#include "prove/schedule.h"
#include "prove/show.h"
#include "prove/timeline.h"

/* ---- fates --------------------------------------------------------------- */

static const struct outcome good = {.curl = CURLE_OK, .status = 200, .sent = 1,
    .id_matches = 1, .body_matches = 1, .latency_us = 1000};

static enum fate
judge(struct outcome seen)
{
	struct rules rules = {.timeout_us = 1000000, .ids = 1};

	ck_assert_int_eq(options_statuses("2xx", rules.ok), 0);
	return fate_of(&seen, &rules);
}

#define SEEN(...) judge(with((struct outcome){__VA_ARGS__}))

/* The good outcome, but for what is not 0 in `other`. */
static struct outcome
with(struct outcome other)
{
	struct outcome seen = good;

	if (other.curl != 0) {
		seen.curl = other.curl;
		seen.status = other.status;
	} else if (other.status != 0) {
		seen.status = other.status;
	}
	if (other.sent != 0)
		seen.sent = other.sent;
	if (other.latency_us != 0)
		seen.latency_us = other.latency_us;
	seen.extra = other.extra;
	return seen;
}

START_TEST(a_good_answer_in_time_is_the_only_one_that_is_not_lost)
{
	ck_assert_int_eq(judge(good), FATE_ANSWERED);
	ck_assert_int_eq(SEEN(.latency_us = 1000000), FATE_ANSWERED);
	ck_assert_int_eq(SEEN(.latency_us = 1000001), FATE_SLOW);
}
END_TEST

START_TEST(a_failure_is_told_by_how_far_it_came)
{
	ck_assert_int_eq(SEEN(.curl = CURLE_COULDNT_CONNECT), FATE_REFUSED);
	ck_assert_int_eq(SEEN(.curl = CURLE_COULDNT_RESOLVE_HOST),
	    FATE_REFUSED);
	ck_assert_int_eq(SEEN(.curl = CURLE_RECV_ERROR), FATE_RESET);
	ck_assert_int_eq(SEEN(.curl = CURLE_GOT_NOTHING), FATE_RESET);
	ck_assert_int_eq(SEEN(.curl = CURLE_RECV_ERROR, .status = 200),
	    FATE_CUT);
	ck_assert_int_eq(SEEN(.curl = CURLE_PARTIAL_FILE, .status = 200),
	    FATE_CUT);
	ck_assert_int_eq(SEEN(.curl = CURLE_OPERATION_TIMEDOUT), FATE_SLOW);
	ck_assert_int_eq(SEEN(.curl = CURLE_UNSUPPORTED_PROTOCOL), FATE_WRONG);
}
END_TEST

START_TEST(what_was_sent_twice_is_lost_however_it_ended)
{
	ck_assert_int_eq(SEEN(.sent = 2), FATE_RESENT);
	ck_assert_int_eq(SEEN(.sent = 2, .curl = CURLE_GOT_NOTHING),
	    FATE_RESENT);
	ck_assert_int_eq(SEEN(.sent = 2, .status = 503), FATE_RESENT);
}
END_TEST

START_TEST(a_status_is_judged_before_id_and_body)
{
	struct outcome seen = good;

	seen.id_matches = seen.body_matches = 0;
	ck_assert_int_eq(judge(seen), FATE_WRONG);
	seen.status = 502;
	ck_assert_int_eq(judge(seen), FATE_5XX);
	seen.status = 404;
	ck_assert_int_eq(judge(seen), FATE_4XX);
	seen.status = 301;
	ck_assert_int_eq(judge(seen), FATE_3XX);
	seen.status = 777;
	ck_assert_int_eq(judge(seen), FATE_WRONG);
	seen.status = 200;
	seen.id_matches = 1;
	ck_assert_int_eq(judge(seen), FATE_BODY);
	ck_assert_int_eq(SEEN(.extra = 1), FATE_TWICE);
}
END_TEST

START_TEST(each_fate_has_a_key_and_words)
{
	for (int i = 0; i < FATES; i++) {
		ck_assert_ptr_nonnull(fate_key((enum fate)i));
		ck_assert_ptr_nonnull(fate_words((enum fate)i));
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(fate_key((enum fate)i),
			    fate_key((enum fate)j));
	}
}
END_TEST

/* ---- histogram ----------------------------------------------------------- */

static struct hist hist, other;

START_TEST(a_value_comes_back_within_one_percent)
{
	for (int64_t us = 1; us < INT64_C(1) << 32; us += 1 + us / 7) {
		double got;

		hist_clear(&hist);
		hist_add(&hist, us);
		hist_add(&hist, INT64_C(1) << 40); /* so that it is no max */
		got = (double)hist_at(&hist, 0.5);
		ck_assert_msg(got >= 0.99 * (double)us &&
		    got <= 1.01 * (double)us, "%lld came back as %.0f",
		    (long long)us, got);
	}
}
END_TEST

START_TEST(percentiles_are_ranks_and_the_maximum_is_exact)
{
	hist_clear(&hist);
	ck_assert_uint_eq(hist_at(&hist, 0.5), 0);
	for (int i = 1; i <= 100; i++)
		hist_add(&hist, i);
	ck_assert_uint_eq(hist_at(&hist, 0.5), 50);
	ck_assert_uint_eq(hist_at(&hist, 0.99), 99);
	ck_assert_uint_eq(hist_at(&hist, 0.999), 100);
	hist_add(&hist, 123456789);
	ck_assert_uint_eq(hist_at(&hist, 1), 123456789);
	hist_add(&hist, INT64_C(1) << 50);
	ck_assert_uint_eq(hist_at(&hist, 1), UINT64_C(1) << 50);
}
END_TEST

START_TEST(merging_is_counting_both)
{
	hist_clear(&hist);
	hist_clear(&other);
	for (int i = 0; i < 10; i++) {
		hist_add(&hist, 10);
		hist_add(&other, 100);
	}
	hist_merge(&hist, &other);
	ck_assert_uint_eq(hist.count, 20);
	ck_assert_uint_eq(hist_at(&hist, 0.5), 10);
	ck_assert_uint_eq(hist_at(&hist, 0.51), 100);
}
END_TEST

/* ---- timeline ------------------------------------------------------------ */

static struct timeline line;

START_TEST(a_bucket_holds_what_ended_in_it)
{
	timeline_begin(&line);
	timeline_add(&line, 0, 10);
	timeline_add(&line, 99999, 30);
	timeline_add(&line, 100000, -1);
	timeline_add(&line, 350000, 50);
	timeline_settle(&line);
	ck_assert_uint_eq(line.used, 4);
	ck_assert_uint_eq(line.buckets[0].answered, 2);
	ck_assert_uint_eq(line.buckets[0].p50_us, 10);
	ck_assert_uint_eq(line.buckets[0].max_us, 30);
	ck_assert_uint_eq(line.buckets[1].lost, 1);
	ck_assert_uint_eq(line.buckets[2].answered, 0);
	ck_assert_uint_eq(line.buckets[3].p99_us, 50);
	timeline_lose(&line, 99999);
	ck_assert_uint_eq(line.buckets[0].answered, 1);
	ck_assert_uint_eq(line.buckets[0].lost, 1);
}
END_TEST

START_TEST(a_long_run_keeps_every_count_in_wider_buckets)
{
	const int64_t hour_us = INT64_C(3600000000);
	uint64_t answered = 0, lost = 0;
	struct bucket all;

	timeline_begin(&line);
	for (int64_t at_us = 0; at_us < 5 * hour_us; at_us += 250000) {
		timeline_add(&line, at_us, at_us == hour_us ? 77777 : 10);
		answered++;
		if (at_us % 7000000 == 0) {
			timeline_add(&line, at_us, -1);
			lost++;
		}
	}
	timeline_settle(&line);
	ck_assert_int_eq(line.step_us, 8 * TIMELINE_STEP_US);
	all = timeline_join(&line, 0, line.used);
	ck_assert_uint_eq(all.answered, answered);
	ck_assert_uint_eq(all.lost, lost);
	ck_assert_uint_eq(all.max_us, 77777);
	all = timeline_join(&line, 4500, 4501); /* an hour of 0.8 s */
	ck_assert_uint_eq(all.max_us, 77777);
}
END_TEST

/* ---- schedule ------------------------------------------------------------ */

START_TEST(an_open_loop_keeps_its_times_whatever_the_answers_do)
{
	struct schedule s = {.begin_us = 1000, .duration_us = 1000000,
	    .rate = 3};

	ck_assert_int_eq(schedule_next(&s, 5), 1000);
	s.issued = 1;
	ck_assert_int_eq(schedule_next(&s, 900000), 334333);
	s.issued = 2;
	ck_assert_int_eq(schedule_next(&s, 999999999), 667666);
	s.issued = 3;
	ck_assert_int_eq(schedule_next(&s, 5), SCHEDULE_NEVER);
}
END_TEST

START_TEST(a_closed_loop_is_due_until_its_time_or_count)
{
	struct schedule s = {.begin_us = 1000, .duration_us = 500};

	ck_assert_int_eq(schedule_next(&s, 1499), 1499);
	ck_assert_int_eq(schedule_next(&s, 1500), SCHEDULE_NEVER);
	s.count = 2;
	s.issued = 1;
	ck_assert_int_eq(schedule_next(&s, 9000), 9000);
	s.issued = 2;
	ck_assert_int_eq(schedule_next(&s, 9000), SCHEDULE_NEVER);
}
END_TEST

START_TEST(a_command_holds_the_load_but_an_early_end_does_not)
{
	struct schedule s = {.duration_us = 500, .hold_us = 9000};

	ck_assert_int_eq(schedule_next(&s, 8999), 8999);
	ck_assert_int_eq(schedule_next(&s, 9000), SCHEDULE_NEVER);
	s.stopped = 1;
	ck_assert_int_eq(schedule_next(&s, 100), SCHEDULE_NEVER);
}
END_TEST

/* ---- phases and the record ----------------------------------------------- */

static struct record record;

static enum phase
add(int64_t sent_us, int64_t end_us, enum fate fate)
{
	struct outcome seen = {.status = 200, .latency_us = end_us - sent_us};
	struct finished f = {sent_us, end_us, &seen, fate, "id", "detail"};

	return record_add(&record, &f);
}

START_TEST(a_request_belongs_to_the_command_it_overlaps)
{
	record_begin(&record, 0);
	ck_assert_int_eq(add(10, 20, FATE_ANSWERED), PHASE_BEFORE);
	runs_begin(&record.runs, 100);
	ck_assert_int_eq(add(50, 150, FATE_ANSWERED), PHASE_DURING);
	runs_end(&record.runs, 200, 0);
	ck_assert_int_eq(add(190, 250, FATE_RESET), PHASE_DURING);
	ck_assert_int_eq(add(210, 250, FATE_ANSWERED), PHASE_AFTER);
	runs_begin(&record.runs, 300);
	runs_end(&record.runs, 310, 256);
	ck_assert_int_eq(add(290, 330, FATE_ANSWERED), PHASE_DURING);
	record_end(&record, 1000);
	ck_assert_uint_eq(record.phases[PHASE_DURING].fates[FATE_RESET], 1);
	ck_assert_uint_eq(record.runs.failed, 1);
	ck_assert_int_eq(record.phases[PHASE_BEFORE].span_us, 100);
	ck_assert_int_eq(record.phases[PHASE_DURING].span_us, 110);
	ck_assert_int_eq(record.phases[PHASE_AFTER].span_us, 790);
}
END_TEST

START_TEST(the_worst_gap_counts_good_answers_alone_and_reaches_the_end)
{
	struct tally total;

	record_begin(&record, 1000);
	add(1000, 1500, FATE_ANSWERED);
	add(1500, 1900, FATE_5XX);
	add(1900, 2200, FATE_ANSWERED);
	record_end(&record, 2300);
	record_total(&record, &total);
	ck_assert_int_eq(total.gap_us, 700);
	ck_assert_int_eq(total.gap_at_us, 500);
	record_end(&record, 9000);
	record_total(&record, &total);
	ck_assert_int_eq(total.gap_us, 6800);
	ck_assert_uint_eq(tally_requests(&total), 3);
	ck_assert_uint_eq(tally_lost(&total), 1);
	ck_assert_int_eq(record.losses_kept, 1);
	ck_assert_int_eq(record.losses[0].fate, FATE_5XX);
}
END_TEST

START_TEST(a_second_answer_turns_an_answered_one_into_a_lost_one)
{
	record_begin(&record, 0);
	add(0, 10, FATE_ANSWERED);
	record_twice(&record, PHASE_BEFORE, 10);
	ck_assert_uint_eq(record.phases[0].fates[FATE_ANSWERED], 0);
	ck_assert_uint_eq(record.phases[0].fates[FATE_TWICE], 1);
	ck_assert_uint_eq(record.timeline.buckets[0].lost, 1);
}
END_TEST

START_TEST(losses_and_runs_are_kept_up_to_a_limit_and_counted_beyond)
{
	record_begin(&record, 0);
	for (int i = 0; i < 3 * RUNS_KEPT; i++) {
		runs_begin(&record.runs, i);
		runs_end(&record.runs, i + 1, 0);
		add(i, i + 1, FATE_RESET);
	}
	ck_assert_uint_eq(record.runs.count, 3 * RUNS_KEPT);
	ck_assert_uint_eq(runs_kept(&record.runs), RUNS_KEPT);
	ck_assert_int_eq(record.losses_kept, LOSSES_KEPT);
	ck_assert_uint_eq(tally_lost(&record.phases[PHASE_DURING]),
	    3 * RUNS_KEPT);
}
END_TEST

/* ---- the command line ---------------------------------------------------- */

START_TEST(lists_of_statuses_are_single_ones_ranges_and_classes)
{
	static const char *const bad[] = {"", "2", "20", "2x", "1xx", "600",
	    "200,", ",200", "200-", "300-200", "200 204", "2000", NULL};
	unsigned char ok[STATUS_END] = {0};

	ck_assert_int_eq(options_statuses("204,3xx,500-502", ok), 0);
	for (int i = 0; i < STATUS_END; i++)
		ck_assert_int_eq(ok[i], i == 204 || i / 100 == 3 ||
		    (i >= 500 && i <= 502));
	for (int i = 0; bad[i] != NULL; i++)
		ck_assert_msg(options_statuses(bad[i], ok) < 0, "'%s' taken",
		    bad[i]);
	ck_assert_int_eq(ok[204], 1);
}
END_TEST

static int
parse(struct options *o, const char *arg, const char *value,
    struct nds_error *err)
{
	const char *argv[] = {"nds-prove", "http://127.0.0.1:1/", arg, value,
	    NULL};

	return options_parse(o, value == NULL ? 3 : 4, argv, err);
}

START_TEST(a_wrong_value_is_refused_with_what_is_allowed)
{
	static const char *const rows[][3] = {{"-c", "0", "1 to 10000"},
	    {"-c", "x", "1 to 10000"}, {"--rate", "-1", "to 1000000"},
	    {"-d", "soon", "500ms"}, {"-X", "G T", "GET"},
	    {"-H", "no colon", "Name: value"}, {"-H", "A: b\nC", "Name:"},
	    {"--hash", "abc", "64"}, {"--ok-status", "all", "500-502"},
	    {"--durin", "x", "--during"}, {"--json=x", NULL, "no value"},
	    {"-c", NULL, "wants a value"}, {"ftp://x/", NULL, "one URL"},
	    {"--every", "1", "--during"}, {"--data-file", "/no/file", "/no/"}};
	struct nds_error err;
	struct options o;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(parse(&o, rows[i][0], rows[i][1], &err), -1);
		ck_assert_msg(strstr(err.text, rows[i][2]) != NULL,
		    "%s: '%s' does not say %s", rows[i][0], err.text,
		    rows[i][2]);
		options_free(&o);
	}
}
END_TEST

START_TEST(options_are_written_in_every_usual_way)
{
	struct nds_error err = {""};
	struct options o;

	ck_assert_int_eq(parse(&o, "-c7", NULL, &err), 0);
	ck_assert_int_eq(o.clients, 7);
	ck_assert_int_eq(parse(&o, "--clients=9", NULL, &err), 0);
	ck_assert_int_eq(o.clients, 9);
	ck_assert_int_eq(parse(&o, "--new", NULL, &err), 0);
	ck_assert_int_eq(o.fresh, 1);
	ck_assert_int_eq(parse(&o, "--data", "x=1", &err), 0);
	ck_assert_str_eq(options_method(&o), "POST");
	ck_assert_uint_eq(o.body_bytes, 3);
}
END_TEST

START_TEST(a_url_has_a_host_and_a_scheme_of_http)
{
	static const char *const bad[] = {"", "localhost", "/path",
	    "ftp://host/", "http://", "file:///etc/passwd", "http://a b/",
	    NULL};
	struct nds_error err;

	ck_assert_int_eq(given_url("http://127.0.0.1:3000", &err), 0);
	ck_assert_int_eq(given_url("https://[::1]/x?y=z", &err), 0);
	for (int i = 0; bad[i] != NULL; i++)
		ck_assert_msg(given_url(bad[i], &err) < 0, "'%s' taken",
		    bad[i]);
}
END_TEST

START_TEST(numbers_and_strings_are_shown_as_their_reader_wants_them)
{
	char text[48], *made = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&made, &bytes);

	ck_assert_str_eq(show_ms(0, text), "0.000");
	ck_assert_str_eq(show_ms(4560, text), "4.56");
	ck_assert_str_eq(show_ms(1234567, text), "1235");
	ck_assert_str_eq(show_count(7, ",", text), "7");
	ck_assert_str_eq(show_count(1234567, ",", text), "1,234,567");
	show_json(out, "a\"\\\n\x01z");
	show_html(out, "<a href='&'>");
	fclose(out);
	ck_assert_str_eq(made, "\"a\\\"\\\\\\u000a\\u0001z\""
	    "&#60;a href=&#39;&#38;&#39;&#62;");
	free(made);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_good_answer_in_time_is_the_only_one_that_is_not_lost,
	    a_failure_is_told_by_how_far_it_came,
	    what_was_sent_twice_is_lost_however_it_ended,
	    a_status_is_judged_before_id_and_body,
	    each_fate_has_a_key_and_words,
	    a_value_comes_back_within_one_percent,
	    percentiles_are_ranks_and_the_maximum_is_exact,
	    merging_is_counting_both, a_bucket_holds_what_ended_in_it,
	    a_long_run_keeps_every_count_in_wider_buckets,
	    an_open_loop_keeps_its_times_whatever_the_answers_do,
	    a_closed_loop_is_due_until_its_time_or_count,
	    a_command_holds_the_load_but_an_early_end_does_not,
	    a_request_belongs_to_the_command_it_overlaps,
	    the_worst_gap_counts_good_answers_alone_and_reaches_the_end,
	    a_second_answer_turns_an_answered_one_into_a_lost_one,
	    losses_and_runs_are_kept_up_to_a_limit_and_counted_beyond,
	    lists_of_statuses_are_single_ones_ranges_and_classes,
	    a_wrong_value_is_refused_with_what_is_allowed,
	    options_are_written_in_every_usual_way,
	    a_url_has_a_host_and_a_scheme_of_http,
	    numbers_and_strings_are_shown_as_their_reader_wants_them};
	Suite *suite = suite_create("prove");
	TCase *tcase = tcase_create("pure");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
