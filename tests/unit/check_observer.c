/* SPDX-License-Identifier: MIT */
/*
 * What looks at workers from outside leaves them as they were, believes
 * nothing that they write, and keeps its own cost small.
 */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "helper/history.h"
#include "helper/status_page.h"
#include "observer/crash.h"
#include "observer/slow.h"
#include "observer/stack.h"
#include "proto/ring.h"
#include "proto/subject.h"

static struct slot *slot;
static pid_t pid; /* of who is looked at */

static struct slot *
slot_make(uint32_t number)
{
	struct nds_error err;
	int fd = board_slot_new(number, 4096, 4096, 65536, &err);
	struct slot *s = board_slot_map(fd, 1, &err);

	ck_assert_ptr_nonnull(s);
	close(fd);
	return s;
}

static void
begin(void)
{
	slot = slot_make(0);
}

static void
end(void)
{
	board_unmap(slot);
}

/* ---- looking at a process ------------------------------------------------ */

static int acks[2];

static void
on_signal(int sig)
{
	char byte = (char)sig;

	if (write(acks[1], &byte, 1) != 1)
		_exit(1);
}

static int
has_answered(void)
{
	struct pollfd p = {.fd = acks[0], .events = POLLIN};
	char byte;

	return poll(&p, 1, 5000) == 1 && read(acks[0], &byte, 1) == 1;
}

/* Begin a process that answers each SIGUSR1. */
static void
answerer(void)
{
	ck_assert_int_eq(pipe(acks), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGUSR1, on_signal);
		on_signal(0);
		for (;;)
			pause();
	}
	ck_assert(has_answered());
}

START_TEST(a_look_takes_no_signal_away)
{
	_Atomic int *over = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stack_sample *sample = stack_room();
	pid_t sender;
	int status, looks = 0;

	answerer();
	sender = fork();
	if (sender == 0) {
		while (*over == 0)
			if (kill(pid, SIGUSR1) < 0 || !has_answered())
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 1000; i++)
		looks += stack_take(sample, pid) == 0;
	*over = 1;
	ck_assert_int_eq(waitpid(sender, &status, 0), sender);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (looks == 0) /* where it is not allowed, nothing is taken either */
		ck_assert_str_eq(sample->why, "ptrace is not allowed");
}
END_TEST

/* Stop every other child of the test's, over and over. */
static void
stop_lookers(pid_t parent)
{
	char path[64], list[256];
	FILE *f;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent,
	    parent);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		f = fopen(path, "r");
		if (f == NULL)
			_exit(1);
		list[0] = '\0';
		if (fgets(list, sizeof(list), f) == NULL)
			list[0] = '\0';
		fclose(f);
		for (char *at = list; sscanf(at, "%d ", &child) == 1;
		    at += strcspn(at, " ") + 1)
			if (child != pid && child != getpid())
				kill(child, SIGSTOP);
	}
}

START_TEST(a_looker_that_is_stopped_lets_go)
{
	struct stack_sample *sample = stack_room();
	pid_t parent = getpid(), stopper;

	answerer();
	stopper = fork();
	if (stopper == 0)
		stop_lookers(parent);
	for (int i = 0; i < 10; i++) {
		stack_take(sample, pid);
		kill(pid, SIGUSR1);
		ck_assert(has_answered());
	}
	kill(stopper, SIGKILL);
	waitpid(stopper, NULL, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* The first child of a process, 0 = none. */
static int
child_of(pid_t parent)
{
	char path[64];
	int child = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent,
	    parent);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%d", &child) != 1)
		child = 0;
	fclose(f);
	return child;
}

static int
tracer_of(pid_t who)
{
	char path[64], line[128];
	int tracer = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", who);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		sscanf(line, "TracerPid: %d", &tracer);
	if (f != NULL)
		fclose(f);
	return tracer;
}

/* Stop the looker of an observer while it looks. Returns its pid. */
static int
stop_looker(pid_t observer)
{
	int looker;

	for (;;) {
		looker = child_of(observer);
		if (looker == 0 || kill(looker, SIGSTOP) < 0)
			continue;
		if (tracer_of(pid) == looker)
			return looker;
		kill(looker, SIGCONT);
	}
}

START_TEST(a_looker_ends_with_its_observer)
{
	struct stack_sample *sample = stack_room();
	int looker, status;
	pid_t observer;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	answerer();
	if (stack_take(sample, pid) < 0) /* it is not allowed here */
		return;
	observer = fork();
	if (observer == 0)
		for (;;)
			stack_take(sample, pid);
	looker = stop_looker(observer);
	kill(observer, SIGKILL);
	ck_assert_int_eq(waitpid(observer, NULL, 0), observer);
	ck_assert_int_eq(waitpid(looker, &status, 0), looker);
	kill(pid, SIGUSR1);
	ck_assert(has_answered());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(a_look_at_who_is_traced_says_so)
{
	struct stack_sample *sample = stack_room();

	answerer();
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
		ck_assert_int_eq(stack_take(sample, pid), -1);
		ck_assert_str_eq(sample->why,
		    "another process traces the worker");
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* ---- slow requests ------------------------------------------------------- */

#define SLOTS 8

static char told[16384];

static void
keep_line(const char *line, size_t bytes, void *arg)
{
	(void)arg;
	strncat(told, line, bytes);
}

static int
lines_of(unsigned worker)
{
	char key[32];
	int lines = 0;

	snprintf(key, sizeof(key), "\"worker\":%u,", worker);
	for (char *at = told; (at = strstr(at, key)) != NULL; at++)
		lines++;
	return lines;
}

static int
lines_all(void)
{
	int lines = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		lines += lines_of(i);
	return lines;
}

static struct slow slow;
static struct slot *slots[SLOTS];

static void
slow_begin(void)
{
	answerer();
	log_open(1, LOG_INFO, keep_line, NULL);
	for (unsigned i = 0; i < SLOTS; i++) {
		slots[i] = slot_make(i);
		slots[i]->started_ms = 1000;
		slots[i]->worker_pid = pid;
		slots[i]->state = SLOT_RUNNING;
	}
}

static void
slow_end(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		board_unmap(slots[i]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(slow_requests_take_turns)
{
	int64_t now;

	slow_begin();
	slow_look(&slow, slots, SLOTS, 1000, 1999);
	ck_assert_int_eq(lines_all(), 0);
	slow_look(&slow, slots, SLOTS, 1000, 2000);
	ck_assert_int_eq(lines_all(), 1);
	slow.rest_ms = 60000;
	slow_look(&slow, slots, SLOTS, 1000, 59999);
	ck_assert_int_eq(lines_all(), 1);
	for (now = 60000; now < 60000 * 3 * SLOTS; now += 60000)
		slow_look(&slow, slots, SLOTS, 1000, now);
	for (unsigned i = 0; i < SLOTS; i++)
		ck_assert_int_eq(lines_of(i), 1); /* each, once */
	ck_assert_ptr_null(strstr(told, "left_out"));
	slow_end();
}
END_TEST

START_TEST(a_slow_request_that_was_not_told_is_counted)
{
	slow_begin();
	slow.rest_ms = 5000;
	slow_look(&slow, slots, 1, 1000, 2500);
	slots[0]->started_ms = 2600;
	slow_look(&slow, slots, 1, 1000, 4000);
	slow_look(&slow, slots, 1, 1000, 4999);
	ck_assert_int_eq(lines_all(), 0);
	slow_look(&slow, slots, 1, 1000, 5000);
	ck_assert_int_eq(lines_of(0), 1);
	ck_assert_ptr_nonnull(strstr(told, "\"running_ms\":2400,"));
	ck_assert_ptr_nonnull(strstr(told, "\"left_out\":1"));
	slow_end();
}
END_TEST

/* ---- a slot that its worker has scribbled over --------------------------- */

START_TEST(a_capture_that_lies_is_not_followed)
{
	struct subject subject;

	slot->capture_at = 0x7ffff000;
	slot->capture_bytes = UINT32_MAX;
	slot->capture_used = 65536;
	subject_take(&subject, slot);
	ck_assert_str_eq(subject.path, "");
}
END_TEST

/* xorshift64 (Marsaglia): the same in every run. */
static uint64_t
any(void)
{
	static uint64_t seed = 88172645463325252u;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static struct pool_board pool;
static struct history history;
static const struct slot *known[BOARD_SLOTS_MAX];
static struct report report = {.pool = &pool,
    .slot = known,
    .now_ms = 1000,
    .history = &history};

/* Any JSON, so that it can be shown. */
static char *
page_text(const char *path)
{
	struct ask_answer a;
	struct ask ask;

	memset(&ask, 0, sizeof(ask));
	strcpy(ask.path, path);
	ck_assert_int_eq(status_page(&a, &report, &ask), 1);
	ck_assert_ptr_nonnull(a.body);
	return a.body;
}

static void
look_at_all(void)
{
	static char spans[16 * RING_LINE_MAX];
	struct subject subject;

	history_look(&history, &report);
	report.now_ms += HISTORY_EVERY_MS;
	subject_take(&subject, slot);
	ring_span_read(slot, spans, sizeof(spans));
	free(page_text("/status/recent.json"));
	free(page_text("/status/requests.json"));
}

START_TEST(a_scribbled_slot_can_be_looked_at)
{
	uint64_t *words = (uint64_t *)(void *)slot;

	log_open(1, LOG_INFO, keep_line, NULL);
	known[0] = slot;
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 20; i++)
			words[any() % (sizeof(*slot) / 8)] = any() % 2 ?
			    any() : any() % 4096;
		look_at_all();
		slot->crash_told = slot->crash.serial - 1;
		slot->crash.pid = 0;
		told[0] = '\0';
		if (round % 100 == 0) /* libdw takes its time */
			crash_look(slot, 0);
	}
	known[0] = NULL;
}
END_TEST

START_TEST(all_who_ask_get_the_same_history)
{
	char *first, *second, *third;

	history_look(&history, &report); /* the first only notes */
	report.now_ms += HISTORY_EVERY_MS;
	history_look(&history, &report);
	first = page_text("/status/history.json");
	report.now_ms += HISTORY_EVERY_MS - 1;
	history_look(&history, &report);
	second = page_text("/status/history.json");
	ck_assert_str_eq(second, first);
	report.now_ms += 1;
	history_look(&history, &report);
	third = page_text("/status/history.json");
	ck_assert_str_ne(third, first);
	free(first);
	free(second);
	free(third);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("observer");
	TCase *looks = tcase_create("looks"), *t = tcase_create("observer");
	SRunner *r = srunner_create(s);
	int failed;

	/* valgrind does not know ptrace(2) */
	tcase_set_tags(looks, "long");
	tcase_add_checked_fixture(looks, begin, end);
	tcase_add_test(looks, a_look_takes_no_signal_away);
	tcase_add_test(looks, a_looker_that_is_stopped_lets_go);
	tcase_add_test(looks, a_looker_ends_with_its_observer);
	tcase_add_test(looks, a_look_at_who_is_traced_says_so);
	tcase_add_test(looks, slow_requests_take_turns);
	tcase_add_test(looks, a_slow_request_that_was_not_told_is_counted);
	tcase_set_timeout(looks, 60);
	suite_add_tcase(s, looks);
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, a_capture_that_lies_is_not_followed);
	tcase_add_test(t, a_scribbled_slot_can_be_looked_at);
	tcase_add_test(t, all_who_ask_get_the_same_history);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
