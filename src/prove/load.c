/* SPDX-License-Identifier: MIT */
#include "prove/load.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "prove/client.h"
#include "prove/command.h"
#include "prove/each.h"
#include "prove/live.h"
#include "prove/schedule.h"

#define REST_US 10000	   /* a refused client's pause, in a closed loop */
#define GIVE_UP_US 1000000 /* nothing there, and nothing to wait for */
#define SPARE_FILES 64	   /* descriptors beside those of the clients */

struct load {
	const struct options *options;
	struct record *record;
	struct nds_error *err;
	int failed;  /* err is filled: end */
	int abandon; /* end without what is under way */
	struct crowd crowd;
	struct schedule schedule;
	CURLM *multi;
	struct client *clients;
	struct client *idle;	       /* a stack */
	struct client *resting, *last; /* a queue, by idle_until_us */
	int64_t active, opened;
	pid_t command; /* 0 = not running */
	int64_t command_us; /* its next start */
	int timer_fd, signal_fd;
	int64_t live_us; /* when the live line is due */
	FILE *each;	 /* NULL = not wanted */
};

/* ---- the end of a request ------------------------------------------------ */

static void
idle_push(struct load *l, struct client *c)
{
	c->next = l->idle;
	l->idle = c;
}

static void
rest_push(struct load *l, struct client *c, int64_t now_us)
{
	c->idle_until_us = now_us + REST_US;
	c->next = NULL;
	if (l->resting == NULL)
		l->resting = c;
	else
		l->last->next = c;
	l->last = c;
}

static void
rest_end(struct load *l, int64_t now_us)
{
	while (l->resting != NULL && l->resting->idle_until_us <= now_us) {
		struct client *c = l->resting;

		l->resting = c->next;
		idle_push(l, c);
	}
}

/* What this machine lacks is no loss of the server's. */
static void
check_own(struct load *l, const struct client *c)
{
	switch (client_errno(c)) {
	case EADDRNOTAVAIL:
		error_set(l->err, "this machine has no free port left for new "
		    "connections: use a lower --rate, or keep connections");
		break;
	case EMFILE:
	case ENFILE:
		error_set(l->err, "no more files can be opened: use fewer "
		    "--clients, or raise the limit (ulimit -n)");
		break;
	default:
		return;
	}
	l->failed = 1;
	l->schedule.stopped = 1;
}

static enum phase
note(struct load *l, const struct finished *f)
{
	if (l->each != NULL)
		each_write(l->each, f, l->record->begin_us);
	return record_add(l->record, f);
}

static void
count(struct load *l, struct client *c, int code)
{
	struct record *r = l->record;
	struct finished f = {.end_us = clock_us(), .seen = &c->seen,
	    .id = c->id == NULL ? "" : c->id, .detail = c->error};
	enum phase phase;

	f.sent_us = c->due_us;
	client_end(c, code);
	c->seen.latency_us = f.end_us - c->due_us;
	f.fate = fate_of(&c->seen, &l->options->rules);
	if (f.fate == FATE_REFUSED)
		check_own(l, c);
	if (l->failed)
		return;
	if (c->error[0] == '\0' && code != CURLE_OK)
		f.detail = curl_easy_strerror((CURLcode)code);
	r->reached |= client_connected(c);
	phase = note(l, &f);
	client_rest(c, phase, f.fate == FATE_ANSWERED ? f.end_us : 0);
	if (f.fate == FATE_REFUSED && l->options->rate == 0)
		rest_push(l, c, f.end_us);
	else
		idle_push(l, c);
}

/* Its connection had ended while it rested, and nothing was sent yet. */
static void
send_again(struct load *l, struct client *c)
{
	int64_t left_us = c->due_us + l->options->rules.timeout_us - clock_us();

	client_begin(c, c->number, c->due_us, left_us < 1 ? 1 : left_us);
	curl_multi_add_handle(l->multi, c->easy);
	l->active++;
}

static void
collect(struct load *l)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(l->multi, &left)) != NULL) {
		int code = (int)message->data.result;
		char *private = NULL;
		struct client *c;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
		    &private);
		c = (struct client *)(void *)private;
		if (code != CURLE_ABORTED_BY_CALLBACK)
			count(l, c, code);
		curl_multi_remove_handle(l->multi, c->easy);
		l->active--;
		if (code == CURLE_ABORTED_BY_CALLBACK)
			send_again(l, c);
	}
}

/* ---- its beginning ------------------------------------------------------- */

/* It was due so long ago that its time is over before it could be sent. */
static void
count_unsent(struct load *l, int64_t due_us, int64_t now_us)
{
	struct outcome seen = {.curl = CURLE_OPERATION_TIMEDOUT,
	    .latency_us = now_us - due_us};
	struct finished f = {.sent_us = due_us, .end_us = now_us,
	    .seen = &seen, .fate = FATE_SLOW, .id = "",
	    .detail = "not sent: every client was waiting for an answer"};

	note(l, &f);
}

static void
send_one(struct load *l, int64_t due_us, int64_t left_us)
{
	struct client *c = l->idle;

	l->idle = c->next;
	client_begin(c, l->schedule.issued, due_us, left_us);
	curl_multi_add_handle(l->multi, c->easy);
	l->active++;
}

static void
send_due(struct load *l, int64_t now_us)
{
	int64_t timeout_us = l->options->rules.timeout_us;

	rest_end(l, now_us);
	while (l->idle != NULL) {
		int64_t due_us = schedule_next(&l->schedule, now_us);

		if (due_us > now_us)
			return;
		l->schedule.issued++;
		if (due_us + timeout_us <= now_us)
			count_unsent(l, due_us, now_us);
		else
			send_one(l, due_us, due_us + timeout_us - now_us);
	}
}

/* ---- the command --------------------------------------------------------- */

static void
command_begin(struct load *l, int64_t now_us)
{
	l->command_us = SCHEDULE_NEVER;
	l->command = command_start(l->options->during, l->err);
	if (l->command < 0) {
		l->command = 0;
		l->failed = l->schedule.stopped = 1;
		return;
	}
	runs_begin(&l->record->runs, now_us);
}

/* Again, if what is left holds another quiet time behind it. */
static void
command_plan(struct load *l, int64_t now_us)
{
	const struct options *o = l->options;
	const struct schedule *s = &l->schedule;
	int64_t lead_us = o->lead_ms * 1000, next_us;
	int again;

	next_us = l->record->runs.last.start_us + o->every_ms * 1000;
	if (next_us < now_us)
		next_us = now_us;
	again = s->count > 0 ? s->issued < s->count :
	    next_us + lead_us < s->begin_us + s->duration_us;
	if (o->every_ms > 0 && again && !s->stopped) {
		l->command_us = next_us;
		return;
	}
	l->schedule.hold_us = now_us + lead_us;
}

static void
command_step(struct load *l, int64_t now_us)
{
	int status;

	if (l->command > 0 && command_ended(l->command, &status)) {
		l->command = 0;
		runs_end(&l->record->runs, now_us, status);
		command_plan(l, now_us);
	}
	if (l->command_us <= now_us && !l->schedule.stopped)
		command_begin(l, now_us);
}

/* ---- the loop ------------------------------------------------------------ */

/* The first asks for an early end, the next one insists. */
static void
on_signal(struct load *l)
{
	int again = l->record->interrupted;

	l->schedule.stopped = 1;
	l->record->interrupted = 1;
	if (l->command > 0)
		kill(-l->command, again ? SIGKILL : SIGTERM);
	l->command_us = SCHEDULE_NEVER;
	l->abandon = again;
}

static void
read_fds(struct load *l)
{
	struct signalfd_siginfo info;
	uint64_t ticks;

	if (read(l->timer_fd, &ticks, sizeof(ticks)) < 0)
		ticks = 0; /* EAGAIN: it was another descriptor */
	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			on_signal(l);
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
next_event(const struct load *l, int64_t now_us)
{
	int64_t at = sooner(l->command_us, l->live_us);

	if (l->idle != NULL)
		at = sooner(at, schedule_next(&l->schedule, now_us));
	if (l->resting != NULL)
		at = sooner(at, l->resting->idle_until_us);
	return at;
}

/* The timer, since libcurl's own wait counts in milliseconds. */
static void
wait_for(struct load *l)
{
	struct curl_waitfd fds[2] = {
	    {.fd = l->timer_fd, .events = CURL_WAIT_POLLIN},
	    {.fd = l->signal_fd, .events = CURL_WAIT_POLLIN}};
	int64_t now_us = clock_us(), at_us = next_event(l, now_us);
	struct itimerspec spec = {{0, 0}, {0, 0}};

	if (at_us != SCHEDULE_NEVER) {
		spec.it_value.tv_sec = at_us / 1000000;
		spec.it_value.tv_nsec = at_us % 1000000 * 1000;
	}
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
	curl_multi_poll(l->multi, fds, 2, at_us <= now_us ? 0 : 1000, NULL);
	read_fds(l);
}

static int
is_done(const struct load *l, int64_t now_us)
{
	if (l->failed || l->abandon)
		return 1;
	return l->active == 0 && l->command == 0 &&
	    schedule_next(&l->schedule, now_us) == SCHEDULE_NEVER;
}

/* Nobody is there, and no command will change that. */
static int
is_hopeless(const struct load *l, int64_t now_us)
{
	return !l->record->reached && l->record->losses_kept > 0 &&
	    l->options->during == NULL &&
	    now_us - l->record->begin_us > GIVE_UP_US;
}

static void
loop(struct load *l)
{
	int64_t now_us = l->record->begin_us;
	int running;

	for (;;) {
		command_step(l, now_us);
		send_due(l, now_us);
		curl_multi_perform(l->multi, &running);
		collect(l);
		now_us = clock_us();
		if (now_us >= l->live_us)
			l->live_us = live_show(l->record, now_us);
		if (is_hopeless(l, now_us))
			l->schedule.stopped = 1;
		if (is_done(l, now_us))
			return;
		wait_for(l);
		now_us = clock_us();
	}
}

/* ---- begin and end ------------------------------------------------------- */

static int
raise_files(const struct options *o, struct nds_error *err)
{
	rlim_t wanted = (rlim_t)o->clients + SPARE_FILES;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_sys(err, "getrlimit");
	if (limit.rlim_max < wanted)
		return error_set(err, "--clients: at most %lld, since this "
		    "process may open %lld files",
		    (long long)limit.rlim_max - SPARE_FILES,
		    (long long)limit.rlim_max);
	if (limit.rlim_cur >= wanted)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ?
	    error_sys(err, "setrlimit") : 0;
}

static int
open_fds(struct load *l)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC,
	    TFD_CLOEXEC | TFD_NONBLOCK);
	return l->signal_fd < 0 || l->timer_fd < 0 ? -1 : 0;
}

static int
open_clients(struct load *l)
{
	const struct options *o = l->options;
	uint32_t run;

	if (getrandom(&run, sizeof(run), 0) != sizeof(run))
		return -1;
	snprintf(l->crowd.run, sizeof(l->crowd.run), "%08x", (unsigned)run);
	l->multi = curl_multi_init();
	l->clients = calloc((size_t)o->clients, sizeof(*l->clients));
	if (l->multi == NULL || l->clients == NULL)
		return -1;
	curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)o->clients);
	for (; l->opened < o->clients; l->opened++) {
		if (client_open(&l->clients[l->opened], &l->crowd) < 0)
			return -1;
		idle_push(l, &l->clients[l->opened]);
	}
	return 0;
}

/* The connections end with the multi handle: sockets_close() looks at each. */
static void
close_all(struct load *l)
{
	for (int64_t i = 0; i < l->opened; i++)
		curl_multi_remove_handle(l->multi, l->clients[i].easy);
	curl_multi_cleanup(l->multi);
	for (int64_t i = 0; i < l->opened; i++)
		client_close(&l->clients[i]);
	free(l->clients);
	sockets_free(&l->crowd.sockets);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
}

static void
plan(struct load *l, int64_t now_us)
{
	const struct options *o = l->options;

	l->schedule = (struct schedule){.begin_us = now_us,
	    .duration_us = o->duration_ms * 1000, .count = o->count,
	    .rate = o->rate};
	l->command_us = SCHEDULE_NEVER;
	l->live_us = live_wanted() ? now_us : SCHEDULE_NEVER;
	if (o->during == NULL)
		return;
	l->command_us = now_us + o->lead_ms * 1000;
	l->schedule.hold_us = SCHEDULE_NEVER; /* until it has ended */
}

int
load_run(const struct options *o, struct record *record, struct nds_error *err)
{
	struct load l = {.options = o, .record = record, .err = err,
	    .timer_fd = -1, .signal_fd = -1};

	record_begin(record, clock_us());
	l.crowd.options = o;
	l.crowd.sockets.record = record;
	l.crowd.hash_known = o->hash_given;
	memcpy(l.crowd.hash, o->hash, HASH_BYTES);
	if (raise_files(o, err) < 0)
		return -1;
	if (o->each != NULL && (l.each = each_open(o->each, err)) == NULL)
		return -1;
	if (open_fds(&l) < 0 || open_clients(&l) < 0) {
		l.failed = 1;
		error_sys(err, "cannot begin");
	} else {
		plan(&l, record->begin_us = record->answer_us = clock_us());
		loop(&l);
	}
	record_end(record, clock_us());
	close_all(&l);
	live_end();
	if (l.each != NULL && each_close(l.each, err) < 0)
		l.failed = 1;
	return l.failed ? -1 : 0;
}
