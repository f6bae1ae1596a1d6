/* SPDX-License-Identifier: MIT */
/*
 * Each run of a check is a forked child in a process group of its own, which
 * sends its result over a pipe and is then killed with all that it started.
 * So a check may hang, crash or leak: it costs its own result and nothing
 * else.  A child that cannot be killed yet (uninterruptible wait) is waited
 * for aside; its check does not run again before it is gone.
 */
#include "lib/checks.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "base/text.h"
#include "helper/place.h"
#include "lib/app.h"
#include "proto/exit.h"
#include "proto/given.h"
#include "proto/order.h"

#define SLACK_MS 5000 /* a result stays good so long over its schedule */
#define LOOK_MS 100   /* for another ndsd, once ours is gone */
#define SHARED_MS 1000 /* for its own checks to be there */

/* What a child sends, in one write: pipes keep so little together. */
struct verdict {
	int32_t failed;
	char message[192];
};

enum run_step { RUN_WAITING, RUN_RUNNING, RUN_REAPING };

struct run {
	enum run_step step;
	int told; /* REAPING: the result is published */
	pid_t pid;
	int pipe_fd; /* RUNNING */
	int64_t next_ms, started_ms;
	const struct app_check *check;
	struct board_check *board;
};

struct checks {
	int control_fd; /* -1 = ndsd is gone, and we go on like its workers */
	int ended;
	struct place place;
	int64_t stop_ms; /* how long that may be in a stop */
	struct pool_board *pool;
	int count;
	struct run run[BOARD_CHECKS_MAX];
};

static volatile sig_atomic_t told_to_end;

static void
on_signal(int sig)
{
	if (sig != SIGCHLD)
		told_to_end = 1;
}

/* ---- the board ----------------------------------------------------------- */

/* Odd while it is written; a predecessor that died in the middle may have left
 * it odd. */
static uint32_t
write_begin(struct board_check *b)
{
	uint32_t seq = atomic_load_explicit(&b->seq, memory_order_relaxed) | 1;

	atomic_store_explicit(&b->seq, seq, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return seq;
}

static void
write_end(struct board_check *b, uint32_t seq)
{
	atomic_store_explicit(&b->seq, seq + 1, memory_order_release);
}

/* A result of the process before this one still counts, or each restart of
 * this process would take the pool out of service for a moment. */
static void
board_begin(const struct run *run)
{
	struct board_check *b = run->board, old;
	uint32_t seq;
	int known = board_check_read(b, &old) == 0 &&
	    strcmp(old.name, run->check->name) == 0;

	seq = write_begin(b);
	b->good_for_ms = (uint32_t)(run->check->every_ms +
	    run->check->timeout_ms) + SLACK_MS;
	if (!known) {
		b->status = CHECK_PENDING;
		b->checked_ms = 0;
		b->duration_ms = 0;
		memset(b->message, 0, sizeof(b->message));
		snprintf(b->name, sizeof(b->name), "%s", run->check->name);
	}
	write_end(b, seq);
}

static void
publish(struct run *run, enum check_status status, const char *message)
{
	struct board_check *b = run->board;
	enum check_status before = b->status;
	int64_t now = clock_ms();
	uint32_t seq = write_begin(b);

	b->status = status;
	b->checked_ms = now;
	b->duration_ms = (uint32_t)(now - run->started_ms);
	snprintf(b->message, sizeof(b->message), "%s", message);
	text_make_utf8(b->message);
	write_end(b, seq);
	run->told = 1;
	if (status == before)
		return;
	if (status == CHECK_OK)
		nds_log(NDS_INFO, "check %s is ok", run->check->name);
	else
		nds_log(NDS_WARN, "check %s failed: %s", run->check->name,
		    b->message);
}

/* ---- a run --------------------------------------------------------------- */

__attribute__((noreturn)) static void
child(const struct checks *c, const struct run *run, int out)
{
	struct verdict verdict = {0};

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sig_reset();
	signal(SIGPIPE, SIG_IGN); /* nobody may read what a check says */
	close(c->control_fd);
	board_unmap(c->pool);
	verdict.failed = run->check->check(verdict.message,
	    sizeof(verdict.message)) != 0;
	verdict.message[sizeof(verdict.message) - 1] = '\0';
	if (write(out, &verdict, sizeof(verdict)) != sizeof(verdict))
		_exit(EXIT_REFUSED);
	_exit(EXIT_DONE);
}

static void
run_start(struct checks *c, struct run *run)
{
	char message[128];
	int ends[2];

	run->started_ms = clock_ms();
	run->next_ms = run->started_ms + run->check->every_ms;
	run->told = 0;
	if (pipe2(ends, O_CLOEXEC) == 0) {
		run->pid = fork();
		if (run->pid == 0)
			child(c, run, ends[1]);
		close(ends[1]);
		if (run->pid > 0) {
			setpgid(run->pid, run->pid);
			run->pipe_fd = ends[0];
			run->step = RUN_RUNNING;
			return;
		}
		close(ends[0]);
	}
	snprintf(message, sizeof(message), "cannot be run: %s",
	    strerror(errno));
	publish(run, CHECK_FAILED, message);
}

/* The child is of no more use, whatever it still does. */
static void
run_kill(struct run *run)
{
	if (run->step == RUN_RUNNING)
		close(run->pipe_fd);
	if (kill(-run->pid, SIGKILL) < 0)
		kill(run->pid, SIGKILL);
	run->step = RUN_REAPING;
}

/* The pipe has something: a whole verdict, or the end of a child that never
 * gave one; then its death will tell. */
static void
run_read(struct run *run)
{
	struct verdict verdict;
	ssize_t got = read(run->pipe_fd, &verdict, sizeof(verdict));

	if (got < 0 && errno == EINTR)
		return;
	if (got == sizeof(verdict)) {
		verdict.message[sizeof(verdict.message) - 1] = '\0';
		if (verdict.failed && verdict.message[0] == '\0')
			strcpy(verdict.message, "failed");
		publish(run, verdict.failed ? CHECK_FAILED : CHECK_OK,
		    verdict.message);
	}
	run_kill(run);
}

static void
run_reap(struct run *run)
{
	char message[128], how[SIG_ENDED_BYTES];
	int status = 0;

	if (waitpid(run->pid, &status, WNOHANG) == 0)
		return;
	if (!run->told) {
		snprintf(message, sizeof(message), "%s without a result",
		    sig_ended(status, how));
		publish(run, CHECK_FAILED, message);
	}
	run->step = RUN_WAITING;
	run->next_ms = clock_ms() + run->check->every_ms;
}

static int64_t
run_deadline(const struct run *run)
{
	return run->started_ms + run->check->timeout_ms;
}

/* What is due at this moment. */
static void
run_step(struct checks *c, struct run *run)
{
	char message[64];
	int64_t now = clock_ms();

	if (run->step == RUN_REAPING)
		run_reap(run);
	if (run->step == RUN_WAITING && now >= run->next_ms)
		run_start(c, run);
	if (run->step != RUN_WAITING && !run->told &&
	    now >= run_deadline(run)) {
		snprintf(message, sizeof(message), "timed out after %d ms",
		    run->check->timeout_ms);
		publish(run, CHECK_FAILED, message);
		run_kill(run);
		run_reap(run);
	}
}

/* ---- loop ---------------------------------------------------------------- */

static void
orders(struct checks *c)
{
	struct order order;
	int fd, got;

	while ((got = order_recv(c->control_fd, &order, &fd)) == 1) {
		if (fd >= 0)
			close(fd);
		if (order.type == ORDER_RETIRE)
			c->ended = 1;
	}
	if (got == 0) {
		close(c->control_fd);
		c->control_fd = -1;
	}
}

/* When something is due again; a child that only has to be reaped announces
 * itself by SIGCHLD. */
static int64_t
next_due(const struct checks *c)
{
	int64_t next = INT64_MAX, due;

	if (c->control_fd < 0)
		next = clock_ms() + LOOK_MS;
	for (int i = 0; i < c->count; i++) {
		const struct run *run = &c->run[i];

		due = run->step == RUN_WAITING ? run->next_ms :
		    run->told ? INT64_MAX : run_deadline(run);
		if (due < next)
			next = due;
	}
	return next;
}

static void
wait_once(struct checks *c, const sigset_t *waiting)
{
	struct pollfd fds[1 + BOARD_CHECKS_MAX];
	int64_t due = next_due(c);
	int ms = due == INT64_MAX ? INT_MAX : clock_left(due, INT_MAX);
	struct timespec timeout = {.tv_sec = ms / 1000,
	    .tv_nsec = ms % 1000 * 1000000L};

	fds[0] = (struct pollfd){.fd = c->control_fd, .events = POLLIN};
	for (int i = 0; i < c->count; i++)
		fds[1 + i] = (struct pollfd){.events = POLLIN,
		    .fd = c->run[i].step == RUN_RUNNING ? c->run[i].pipe_fd :
		    -1};
	if (ppoll(fds, (nfds_t)c->count + 1, &timeout, waiting) <= 0)
		return;
	if (fds[0].revents != 0)
		orders(c);
	for (int i = 0; i < c->count; i++)
		if (fds[1 + i].revents != 0)
			run_read(&c->run[i]);
}

static int
is_over(struct checks *c)
{
	return place_is_over(&c->place, SHARED_MS,
	    c->pool->stopping ? c->stop_ms : -1);
}

static void
loop(struct checks *c)
{
	sigset_t waiting;

	sigemptyset(&waiting);
	while (!c->ended && !told_to_end) {
		for (int i = 0; i < c->count; i++)
			run_step(c, &c->run[i]);
		wait_once(c, &waiting);
		if (c->control_fd < 0 && is_over(c))
			c->ended = 1;
	}
	for (int i = 0; i < c->count; i++)
		if (c->run[i].step == RUN_RUNNING)
			run_kill(&c->run[i]);
}

static void
signals_set(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	sig_async_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGCHLD, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
}

int
checks_run(struct nds_app *app)
{
	struct checks c = {.count = app->check_count};
	struct nds_error err;

	c.pool = given_pool(1, &err);
	if (c.pool == NULL ||
	    given_fd(BOARD_ENV_CONTROL, &c.control_fd, &err) < 0) {
		log_errorx("dependency checks: %s", err.text);
		board_unmap(c.pool);
		return EXIT_REFUSED;
	}
	c.stop_ms = app->settings.drain_max_ms;
	place_note(&c.place, app->settings.runtime_dir, BOARD_HEALTH, c.pool,
	    c.control_fd);
	signals_set();
	for (int i = 0; i < c.count; i++) {
		c.run[i].check = &app->checks[i];
		c.run[i].board = &c.pool->check[i];
		board_begin(&c.run[i]);
	}
	atomic_store(&c.pool->checks, (uint32_t)c.count);
	loop(&c);
	board_unmap(c.pool);
	return EXIT_DONE;
}
