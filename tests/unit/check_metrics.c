/* SPDX-License-Identifier: MIT */
/* What /metrics is made of: books, tallies and how they are written. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/usage.h"
#include "helper/ledger.h"
#include "lib/access.h"
#include "lib/app.h"
#include "lib/metric.h"
#include "proto/tally.h"

#define SLOTS 64

static struct slot *slots[BOARD_SLOTS_MAX];
static struct pool_board *pool;
static struct report report;

static void
drop(const char *line, size_t bytes, void *arg)
{
	(void)line;
	(void)bytes;
	(void)arg;
}

static void
setup(void)
{
	struct nds_error err;
	int fd = board_pool_new(&err);

	log_open(0, LOG_INFO, drop, NULL);
	pool = board_pool_map(fd, 1, &err);
	ck_assert_ptr_nonnull(pool);
	close(fd);
	for (uint32_t i = 0; i < SLOTS; i++) {
		fd = board_slot_new(i, 4096, 4096, 4096, &err);
		slots[i] = board_slot_map(fd, 1, &err);
		ck_assert_ptr_nonnull(slots[i]);
		close(fd);
	}
	memset(&report, 0, sizeof(report));
	report.pool = pool;
	report.slot = (const struct slot *const *)slots;
}

static void
teardown(void)
{
	board_unmap(pool);
	for (int i = 0; i < SLOTS; i++)
		board_unmap(slots[i]);
}

static void
answer(struct slot *s, const char *method, uint32_t route, int status)
{
	static const struct ident_trace trace;
	struct access a = {.request_id = "id", .trace = &trace,
	    .method = method, .path = "/", .client = "", .status = status,
	    .us = 1500};

	s->flags = 0;
	s->route = route;
	access_end(s, &a);
	access_end(s, &a); /* a second time for the same request */
}

static char *
shown(int open)
{
	char *text = report_metrics(&report, open);

	ck_assert_ptr_nonnull(text);
	return text;
}

static void
assert_shown(const char *line)
{
	char *text = shown(0), *at = strstr(text, line);

	ck_assert_msg(at != NULL && (at == text || at[-1] == '\n'),
	    "%s is not in ...%.1500s", line, strlen(text) < 1500 ? text :
	    text + strlen(text) - 1500);
	free(text);
}

static void
assert_not_shown(const char *part)
{
	char *text = shown(0);

	ck_assert_msg(strstr(text, part) == NULL, "%s is there", part);
	free(text);
}

/* ---- tallies ------------------------------------------------------------- */

static void
three_more(struct slot *s)
{
	struct tally t;

	tally_begin(&t, s);
	tally_add(&t, &s->count.requests, 1);
	tally_add(&t, &s->count.status[2], 1);
	tally_add(&t, &board_books(s)->route[5].latency[3], 1);
	tally_end(&t);
}

/* A process that is stopped before it counts three more; its status is 77 when
 * nobody may be watched here. */
static pid_t
watched(void)
{
	pid_t child = fork();

	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		three_more(slots[0]);
		_exit(0);
	}
	return child;
}

/* A death leaves what stands in the slot, so a copy of it is as good.  Adds to
 * what has been seen: deaths before the request was counted, and after. */
static void
died_here(uint64_t seen[2])
{
	struct slot *s = slots[1];

	memcpy(s, slots[0], board_bytes(s));
	tally_settle(s);
	ck_assert_uint_eq(s->count.requests, 1 +
	    ((s->flags & SLOT_COUNTED) != 0));
	ck_assert_uint_eq(s->count.status[2], s->count.requests);
	ck_assert_uint_eq(board_books(s)->route[5].latency[3],
	    s->count.requests);
	seen[s->count.requests - 1]++;
}

START_TEST(counters_move_together_whatever_instruction_a_worker_dies_at)
{
	uint64_t seen[2] = {0, 0};
	int n = 0, status;
	pid_t child;

	three_more(slots[0]);
	slots[0]->flags = 0;
	child = watched();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	for (; WIFSTOPPED(status) && n < 20000; n++) {
		died_here(seen);
		ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
	}
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		return;
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_uint_gt(seen[0], 10);
	ck_assert_uint_gt(seen[1], 10);
}
END_TEST

START_TEST(a_request_is_counted_once)
{
	struct slot *s = slots[0];

	answer(s, "GET", BOOKS_UNMATCHED, 200);
	answer(s, "GET", BOOKS_UNMATCHED, 200);
	ck_assert_uint_eq(s->count.requests, 2);
	s->tally.steps = 1u << 31; /* whatever a handler scribbles */
	s->tally.step[0].at = UINT32_MAX - 7;
	tally_settle(s);
	ck_assert_uint_eq(s->tally.steps, 0);
}
END_TEST

/* ---- requests ------------------------------------------------------------ */

START_TEST(slots_that_know_routes_in_another_order_are_added_up)
{
	uint32_t a0 = books_route(board_books(slots[0]), "/a");
	uint32_t b0 = books_route(board_books(slots[0]), "/b/{id}");
	uint32_t b1 = books_route(board_books(slots[1]), "/b/{id}");

	ck_assert_uint_ne(b0, b1);
	ck_assert_uint_eq(books_route(board_books(slots[0]), "/a"), a0);
	answer(slots[0], "GET", a0, 200);
	answer(slots[0], "POST", b0, 201);
	answer(slots[1], "POST", b1, 201);
	assert_shown("nds_http_requests_total{method=\"GET\",code=\"200\","
	    "route=\"/a\"} 1\n");
	assert_shown("nds_http_requests_total{method=\"POST\",code=\"201\","
	    "route=\"/b/{id}\"} 2\n");
	assert_shown("nds_http_request_duration_seconds_bucket{"
	    "route=\"/b/{id}\",le=\"0.001\"} 0\n");
	assert_shown("nds_http_request_duration_seconds_bucket{"
	    "route=\"/b/{id}\",le=\"0.002\"} 2\n");
	assert_shown("nds_http_request_duration_seconds_sum{"
	    "route=\"/b/{id}\"} 0.003000\n");
}
END_TEST

START_TEST(a_million_methods_and_routes_and_all_codes_stay_bounded)
{
	struct books *b = board_books(slots[0]);
	char text[64];
	size_t before;

	for (int i = 0; i < 1000000; i++) {
		snprintf(text, sizeof(text), "M%d", i);
		answer(slots[0], text, BOOKS_UNMATCHED, 404);
		snprintf(text, sizeof(text), "/route/%d", i);
		answer(slots[0], "GET", books_route(b, text), 200);
	}
	assert_shown("nds_http_requests_total{method=\"OTHER\",code=\"404\","
	    "route=\"unmatched\"} 1000000\n");
	assert_shown("nds_http_requests_total{method=\"GET\",code=\"200\","
	    "route=\"other\"} 999936\n");
	for (int code = 200; code < 600; code++)
		for (uint32_t at = 0; at < BOOKS_ROUTES; at++)
			answer(slots[0], "GET", at, code);
	before = strlen(shown(0));
	for (int code = 200; code < 600; code++)
		for (uint32_t at = 0; at < BOOKS_ROUTES; at++)
			answer(slots[0], "PUT", at, code);
	ck_assert_uint_lt(strlen(shown(0)), before + 1000);
	assert_not_shown("method=\"PUT\"");
}
END_TEST

START_TEST(a_long_pattern_is_cut_and_stays_apart_from_its_like)
{
	struct books *b = board_books(slots[0]);
	char one[300], two[300];

	memset(one, 'x', sizeof(one));
	one[0] = '/';
	one[299] = '\0';
	memcpy(two, one, sizeof(two));
	two[298] = 'y';
	ck_assert_uint_ne(books_route(b, one), books_route(b, two));
	ck_assert_uint_eq(books_route(b, one), BOOKS_FIRST);
}
END_TEST

START_TEST(what_is_scribbled_into_books_comes_out_harmless)
{
	struct books *b = board_books(slots[0]);

	memset(b, 0xff, sizeof(*b));
	free(shown(1));
	memset(b, 0, sizeof(*b));
	b->routes = 3;
	strcpy(b->route[BOOKS_FIRST].label, "nonsense");
	strcpy(b->route[BOOKS_FIRST + 1].label, "/\"\n\\\033[31m\xff\xc2\x9b");
	b->series[0].key = books_key(BOOKS_FIRST + 1, 1, 200);
	b->series[0].count = 3;
	b->series[1].key = books_key(BOOKS_FIRST, 1, 200);
	b->series[1].count = 1;
	strcpy(b->metric[0].name, "nds_generation");
	strcpy(b->metric[1].name, "two words");
	b->metrics = 4;
	strcpy(b->metric[2].name, "no_edge");
	b->metric[2].kind = BOOKS_HISTOGRAM;
	b->metric[2].edges = 1;
	b->metric[2].edge[0] = NAN;
	strcpy(b->metric[3].name, "no_number_total");
	books_set(&b->metric[3].value, -INFINITY);
	assert_shown("nds_http_requests_total{method=\"GET\",code=\"200\","
	    "route=\"/\\\"?\\\\?[31m??\"} 3\n");
	assert_not_shown("nonsense");
	assert_not_shown("two words");
	assert_not_shown("no_edge");
	assert_not_shown("no_number_total");
	assert_not_shown("nds_generation 0\nnds_generation");
}
END_TEST

/* ---- the application's own ----------------------------------------------- */

static const double edges[] = {0.5, 1};

static struct nds_app *
app_new(void)
{
	struct nds_app *app = nds_app_new("numbers", "1");

	app->slot = slots[0];
	return app;
}

START_TEST(an_applications_numbers_are_summed_over_the_slots)
{
	struct nds_app *app = app_new();
	struct nds_metric *c = nds_counter(app, "jobs_total", "Jobs."),
	    *g = nds_gauge(app, "depth", "Depth."),
	    *h = nds_histogram(app, "work_seconds", "Work.", edges, 2);

	nds_metric_label(c, "kind", "a\"b");
	for (int i = 0; i < 2; i++) {
		app->slot = slots[i];
		slots[i]->worker_pid = 1;
		metric_open(app);
		nds_counter_add(c, 1.5);
		nds_counter_add(c, -7);
		nds_gauge_set(g, 2);
		nds_gauge_add(g, -0.5);
		nds_histogram_observe(h, 0.5);
		nds_histogram_observe(h, 9);
	}
	assert_shown("jobs_total{kind=\"a\\\"b\"} 3\n");
	assert_shown("depth 3\n");
	assert_shown("work_seconds_bucket{le=\"0.5\"} 2\n");
	assert_shown("work_seconds_bucket{le=\"1.0\"} 2\n");
	assert_shown("work_seconds_bucket{le=\"+Inf\"} 4\n");
	assert_shown("work_seconds_sum 19\n");
	slots[1]->worker_pid = 0;
	assert_shown("depth 1.5\n");
	metric_begin(app);
	assert_shown("jobs_total{kind=\"a\\\"b\"} 3\n");
	slots[1]->worker_pid = 1;
	assert_shown("depth 1.5\n");
}
END_TEST

static void
assert_refused(void (*describe)(struct nds_app *app), const char *why)
{
	struct nds_app *app = app_new();

	describe(app);
	if (app->wrong.text[0] == '\0')
		metric_check(app, &app->wrong);
	ck_assert_msg(strstr(app->wrong.text, why) != NULL, "'%s' is not '%s'",
	    app->wrong.text, why);
}

#define REFUSED(name, code)                                                  \
	static void name(struct nds_app *app) { code; }
REFUSED(bad_name, nds_gauge(app, "a-b", "h"))
REFUSED(our_name, nds_gauge(app, "nds_mine", "h"))
REFUSED(no_total, nds_counter(app, "jobs", "h"))
REFUSED(total, nds_gauge(app, "jobs_total", "h"))
REFUSED(two_lines, nds_gauge(app, "jobs", "h\nnds_x 1"))
REFUSED(falling, nds_histogram(app, "jobs", "h", (double[]){2, 1}, 2))
REFUSED(many, nds_histogram(app, "jobs", "h", edges, 99))
REFUSED(bad_label, nds_metric_label(nds_gauge(app, "jobs", "h"), "le", "1"))
REFUSED(twice, (nds_gauge(app, "jobs", "h"), nds_gauge(app, "jobs", "h")))
REFUSED(unlike, (nds_counter(app, "j_total", "h"),
    nds_metric_label(nds_counter(app, "j_total", "h"), "a", "b")))
REFUSED(both, (nds_gauge(app, "jobs", "h"),
    nds_counter(app, "jobs_total", "h")))

START_TEST(mistakes_in_a_description_are_named)
{
	assert_refused(bad_name, "a-b");
	assert_refused(our_name, "nds_mine");
	assert_refused(no_total, "jobs");
	assert_refused(total, "jobs_total");
	assert_refused(two_lines, "one line");
	assert_refused(falling, "edges that rise");
	assert_refused(many, "edges that rise");
	assert_refused(bad_label, "label le");
	assert_refused(twice, "described twice");
	assert_refused(unlike, "not alike");
	assert_refused(both, "not alike");
	nds_counter_add(NULL, 1);
	nds_gauge_set(NULL, 1);
	nds_gauge_add(NULL, 1);
	nds_histogram_observe(NULL, 1);
	nds_metric_label(NULL, "a", "b");
}
END_TEST

/* ---- writing ------------------------------------------------------------- */

START_TEST(openmetrics_names_units_and_ends)
{
	char *text = shown(1);

	ck_assert_ptr_nonnull(strstr(text, "# TYPE nds_http_requests counter"));
	ck_assert_ptr_nonnull(strstr(text,
	    "# UNIT nds_queue_wait_seconds seconds\n"));
	ck_assert_ptr_nonnull(strstr(text, "# TYPE nds_build info\n"));
	ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
	free(text);
	assert_not_shown("# EOF");
	assert_not_shown("# UNIT");
}
END_TEST

START_TEST(sixty_four_workers_and_twenty_routes_stay_small)
{
	char path[32];
	size_t bytes;

	for (int i = 0; i < SLOTS; i++) {
		slots[i]->worker_pid = getpid();
		for (int at = 0; at < 20; at++) {
			snprintf(path, sizeof(path), "/api/v1/thing%d/{id}",
			    at);
			for (int code = 200; code < 210; code++)
				answer(slots[i], "GET", books_route(
				    board_books(slots[i]), path), code);
		}
	}
	bytes = strlen(shown(1));
	ck_assert_uint_gt(bytes, 30000);
	ck_assert_uint_lt(bytes, 200000);
}
END_TEST

START_TEST(a_process_is_asked_what_it_takes)
{
	struct usage u;

	usage_read(&u, getpid());
	ck_assert_int_eq(u.known, 1);
	ck_assert_uint_gt(u.resident_bytes, 100000);
	usage_read(&u, 0x7ffffff0);
	ck_assert_int_eq(u.known, 0);
}
END_TEST

/* What a test has asked for ends with its process. */
int __lsan_is_turned_off(void);
int
__lsan_is_turned_off(void)
{
	return 1;
}

int
main(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("metrics"), *steps = tcase_create("steps");
	TCase *many = tcase_create("many");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_checked_fixture(steps, setup, teardown);
	tcase_add_checked_fixture(many, setup, teardown);
	tcase_set_timeout(steps, 120);
	tcase_set_timeout(many, 120);
	tcase_set_tags(steps, "long");
	tcase_set_tags(many, "long");
	tcase_add_test(steps,
	    counters_move_together_whatever_instruction_a_worker_dies_at);
	tcase_add_test(t, a_request_is_counted_once);
	tcase_add_test(t,
	    slots_that_know_routes_in_another_order_are_added_up);
	tcase_add_test(many,
	    a_million_methods_and_routes_and_all_codes_stay_bounded);
	tcase_add_test(t, a_long_pattern_is_cut_and_stays_apart_from_its_like);
	tcase_add_test(t, what_is_scribbled_into_books_comes_out_harmless);
	tcase_add_test(t, an_applications_numbers_are_summed_over_the_slots);
	tcase_add_test(t, mistakes_in_a_description_are_named);
	tcase_add_test(t, openmetrics_names_units_and_ends);
	tcase_add_test(t, sixty_four_workers_and_twenty_routes_stay_small);
	tcase_add_test(t, a_process_is_asked_what_it_takes);
	suite_add_tcase(s, t);
	suite_add_tcase(s, many);
#ifndef __SANITIZE_ADDRESS__ /* many times the steps */
	suite_add_tcase(s, steps);
#endif
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
