/* SPDX-License-Identifier: MIT */
/* Retries: waits, the budget, and the calls of a handler made of them. */
#include "lib/retry.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/app.h"
#include "lib/call.h"
#include "lib/request.h"

/* ---- waits --------------------------------------------------------------- */

static const struct retry_policy policy = {
    .tries = 5, .first_ms = 100, .longest_ms = 350, .budget_percent = 10};

START_TEST(waits_double_up_to_the_cap)
{
	static const int bounds[] = {100, 200, 350, 350};

	for (int done = 1; done <= 4; done++)
		ck_assert_int_eq(
		    retry_wait_ms(&policy, done, UINT32_MAX), bounds[done - 1]);
	ck_assert_int_eq(retry_wait_ms(&policy, 1000, UINT32_MAX), 350);
}
END_TEST

START_TEST(jitter_is_full)
{
	ck_assert_int_eq(retry_wait_ms(&policy, 3, 0), 0);
	ck_assert_int_eq(retry_wait_ms(&policy, 3, UINT32_MAX / 2), 175);
	ck_assert_int_eq(retry_wait_ms(&policy, 1, UINT32_MAX / 4), 25);
}
END_TEST

/* ---- the budget ---------------------------------------------------------- */

START_TEST(retries_are_a_tenth_of_the_calls_and_ten)
{
	_Atomic int64_t debt = 0;
	int retries = 0;

	for (int i = 0; i < 1000; i++) {
		retry_pay(&debt, &policy);
		retries += retry_borrow(&debt) == 0;
	}
	ck_assert_int_eq(retries, 1000 / 10 + RETRY_RESERVE - 1);
}
END_TEST

START_TEST(a_quiet_time_saves_no_more_than_the_reserve)
{
	_Atomic int64_t debt = 0;
	int retries = 0;

	for (int i = 0; i < 10000; i++)
		retry_pay(&debt, &policy);
	while (retry_borrow(&debt) == 0)
		retries++;
	ck_assert_int_eq(retries, RETRY_RESERVE);
}
END_TEST

START_TEST(a_scribbled_budget_is_a_full_one)
{
	_Atomic int64_t debt = INT64_MIN;

	ck_assert_int_eq(retry_borrow(&debt), 0);
	debt = INT64_MAX;
	retry_pay(&debt, &policy);
	ck_assert_int_eq(debt, 0);
}
END_TEST

START_TEST(processes_together_keep_to_the_budget)
{
	struct {
		_Atomic int64_t debt;
		_Atomic int retries;
	} *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int child = 0; child < 4; child++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < 10000; i++) {
			retry_pay(&shared->debt, &policy);
			if (retry_borrow(&shared->debt) == 0)
				shared->retries++;
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	ck_assert_int_le(shared->retries, 40000 / 10 + RETRY_RESERVE);
	ck_assert_int_ge(shared->retries, 40000 / 10 - 1);
	munmap(shared, 4096);
}
END_TEST

/* ---- calls --------------------------------------------------------------- */

static struct nds_app app;
static struct nds_request req;
static struct conn conn;
static int client_gone;

int
conn_cancelled(const struct conn *c)
{
	(void)c;
	return client_gone;
}

ssize_t
conn_body_read(struct conn *c, void *to, size_t bytes)
{
	(void)c;
	(void)to;
	(void)bytes;
	return 0;
}

static struct nds_upstream *
begin_calls(int left_ms)
{
	memset(&app, 0, sizeof(app));
	conn.fd = -1;
	conn.deadline_ms = clock_ms() + left_ms;
	req.conn = &conn;
	client_gone = 0;
	return nds_upstream(&app, "stock");
}

static void
end_calls(void)
{
	call_end_all(req.calls);
	req.calls = NULL;
	upstream_free_all(app.upstreams);
	app.upstreams = NULL;
}

/* A call of which the first `fails` tries fail. Returns the tries. */
static int
call(struct nds_upstream *u, int fails, const char **why)
{
	struct nds_call *c = nds_call_begin(&req, u);
	int tries = 0;

	while (nds_call_next(c))
		nds_call_result(c, tries++ >= fails);
	*why = nds_call_why(c);
	return tries;
}

START_TEST(a_call_is_tried_until_it_succeeds)
{
	struct nds_upstream *u = begin_calls(10000);
	const char *why;

	nds_upstream_retries(u, 3, 1, 1, 10);
	ck_assert_int_eq(call(u, 0, &why), 1);
	ck_assert_ptr_null(why);
	ck_assert_int_eq(call(u, 2, &why), 3);
	ck_assert_ptr_null(why);
	ck_assert_int_eq(call(u, 9, &why), 3);
	ck_assert_str_eq(why, "every try has failed");
	end_calls();
}
END_TEST

START_TEST(once_is_once)
{
	struct nds_upstream *u = begin_calls(10000);
	struct nds_call *c = nds_call_begin(&req, u);

	nds_call_once(c);
	ck_assert_int_eq(nds_call_next(c), 1);
	ck_assert_int_eq(nds_call_next(c), 0); /* untold: it failed */
	ck_assert_str_eq(nds_call_why(c), "every try has failed");
	end_calls();
}
END_TEST

START_TEST(nothing_goes_beyond_the_deadline_less_a_tenth)
{
	struct nds_upstream *u = begin_calls(500);
	struct nds_call *c = nds_call_begin(&req, u);
	int64_t begun_ms = clock_ms();

	nds_upstream_retries(u, 10, 60000, 60000, 100);
	ck_assert_int_eq(nds_call_next(c), 1);
	ck_assert_int_le(nds_call_timeout_ms(c), 450);
	nds_call_result(c, 0);
	while (nds_call_next(c))
		nds_call_result(c, 0);
	ck_assert_int_le(clock_ms() - begun_ms, 450);
	ck_assert_str_eq(nds_call_why(c), "no time is left for another try");
	conn.deadline_ms = clock_ms();
	c = nds_call_begin(&req, u);
	ck_assert_int_eq(nds_call_next(c), 0);
	ck_assert_int_eq(nds_call_timeout_ms(c), 1);
	end_calls();
}
END_TEST

static void
nothing(int number)
{
	(void)number;
}

START_TEST(a_signal_does_not_shorten_the_wait)
{
	struct nds_upstream *u = begin_calls(60000);
	struct itimerval timer = {{0, 5000}, {0, 5000}};
	struct sigaction action = {.sa_handler = nothing};
	struct nds_call *c;
	int64_t begun_ms, waited = 0;

	nds_upstream_retries(u, 10, 60, 60, 100);
	nds_upstream_breaker(u, 100, 1000000, 1000, 1);
	c = nds_call_begin(&req, u);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	begun_ms = clock_ms();
	while (nds_call_next(c))
		nds_call_result(c, 0);
	waited = clock_ms() - begun_ms;
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
	/* nine waits of 30 ms on the average; cut short they were 5 each */
	ck_assert_int_gt(waited, 90);
	end_calls();
}
END_TEST

START_TEST(nobody_waits_for_a_client_that_has_gone)
{
	struct nds_upstream *u = begin_calls(60000);
	int64_t begun_ms = clock_ms();
	const char *why;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	close(ends[1]); /* hung up */
	conn.fd = ends[0];
	client_gone = 1;
	nds_upstream_retries(u, 3, 50000, 50000, 10);
	ck_assert_int_eq(call(u, 9, &why), 1);
	ck_assert_str_eq(why, "the client has gone");
	ck_assert_int_lt(clock_ms() - begun_ms, 5000);
	close(ends[0]);
	end_calls();
}
END_TEST

START_TEST(an_open_circuit_and_a_spent_budget_stop_a_call)
{
	struct nds_upstream *u = begin_calls(60000);
	const char *why;
	int tries = 0;

	nds_upstream_retries(u, 2, 0, 0, 0);
	nds_upstream_breaker(u, 100, 1000, 60000, 60000);
	for (int i = 0; i < 20; i++)
		tries += call(u, 9, &why);
	ck_assert_int_eq(tries, 20 + RETRY_RESERVE);
	ck_assert_ptr_nonnull(strstr(why, "budget"));
	nds_upstream_breaker(u, 100, 10, 60000, 60000);
	call(u, 9, &why);
	ck_assert_int_eq(call(u, 9, &why), 0);
	ck_assert_ptr_nonnull(strstr(why, "open"));
	end_calls();
}
END_TEST

START_TEST(a_handler_that_returns_in_the_middle_has_failed)
{
	struct nds_upstream *u = begin_calls(60000);

	nds_upstream_breaker(u, 100, 1, 60000, 60000);
	ck_assert_int_eq(nds_call_next(nds_call_begin(&req, u)), 1);
	call_end_all(req.calls);
	req.calls = NULL;
	ck_assert_int_eq(nds_call_next(nds_call_begin(&req, u)), 0);
	end_calls();
}
END_TEST

START_TEST(without_an_upstream_no_call_is_made)
{
	begin_calls(1000);
	ck_assert_ptr_null(nds_upstream(&app, "stock"));
	ck_assert_ptr_nonnull(strstr(app.wrong.text, "twice"));
	ck_assert_ptr_null(nds_upstream(&app, ""));
	ck_assert_ptr_null(nds_upstream(NULL, "x"));
	ck_assert_ptr_null(nds_call_begin(&req, NULL));
	ck_assert_int_eq(nds_call_next(NULL), 0);
	ck_assert_int_eq(nds_call_timeout_ms(NULL), 1);
	ck_assert_ptr_nonnull(nds_call_why(NULL));
	nds_call_result(NULL, 1);
	nds_call_once(NULL);
	nds_upstream_timeout(NULL, 1);
	end_calls();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("retry");
	TCase *cases = tcase_create("retry");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(cases, waits_double_up_to_the_cap);
	tcase_add_test(cases, jitter_is_full);
	tcase_add_test(cases, retries_are_a_tenth_of_the_calls_and_ten);
	tcase_add_test(cases, a_quiet_time_saves_no_more_than_the_reserve);
	tcase_add_test(cases, a_scribbled_budget_is_a_full_one);
	tcase_add_test(cases, processes_together_keep_to_the_budget);
	tcase_add_test(cases, a_call_is_tried_until_it_succeeds);
	tcase_add_test(cases, once_is_once);
	tcase_add_test(cases, nothing_goes_beyond_the_deadline_less_a_tenth);
	tcase_add_test(cases, a_signal_does_not_shorten_the_wait);
	tcase_add_test(cases, nobody_waits_for_a_client_that_has_gone);
	tcase_add_test(cases, an_open_circuit_and_a_spent_budget_stop_a_call);
	tcase_add_test(cases, a_handler_that_returns_in_the_middle_has_failed);
	tcase_add_test(cases, without_an_upstream_no_call_is_made);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
