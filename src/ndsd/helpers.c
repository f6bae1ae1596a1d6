/* SPDX-License-Identifier: MIT */
#include "ndsd/helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "ndsd/front.h"
#include "ndsd/supervisor.h"
#include "proto/exit.h"
#include "proto/order.h"
#include "proto/store.h"

#define OBSERVER_TICKS 100 /* 10 s; naming a stack took it 40 ms */

static const char *const names[] = {"health", "checks", "lighttpd", "shed",
    "observer"};

static struct state_process *
record(const struct helper *h)
{
	return &h->sup->state->helper[h->which];
}

void
helper_init(struct supervisor *sup, enum state_helper which)
{
	struct helper *h = &sup->helper[which];

	h->sup = sup;
	h->which = which;
	h->alive.fd = -1;
	process_init(&h->process, names[which], -1);
	h->process.writes_log = which != STATE_FRONT;
	if (which == STATE_FRONT)
		h->process.level = LOG_INFO;
	h->wanted = which == STATE_HEALTH || which == STATE_SHED ||
	    (which == STATE_FRONT && sup->options->front_lighttpd);
}

static void
unwatch(struct helper *h)
{
	int fd = h->alive.fd;

	loop_del(&h->sup->loop, &h->alive);
	if (fd >= 0)
		close(fd);
}

static void
alive_ended(void *arg, uint32_t events)
{
	struct helper *h = arg;

	(void)events;
	helper_dead(h, -1, clock_ms());
	supervisor_step(h->sup);
}

/* A lighttpd that outlived the ndsd before is nobody's child here. */
static void
watch_alive(struct helper *h)
{
	int fd = (int)syscall(SYS_pidfd_open, record(h)->pid, 0);

	h->alive.ready = alive_ended;
	h->alive.arg = h;
	if (fd < 0 && errno == ESRCH)
		return; /* as will be seen in a moment */
	if (fd < 0 || loop_add(&h->sup->loop, &h->alive, fd, EPOLLIN) < 0)
		log_warn("cannot watch lighttpd (pid %d)", record(h)->pid);
}

void
helper_adopt(struct helper *h, int control_fd, int output_fd)
{
	h->process.control_fd = control_fd;
	h->process.output_fd = output_fd;
	h->was_up = record(h)->pid > 0;
	if (output_fd >= 0)
		process_watch_output(&h->process, &h->sup->loop);
	if (h->which != STATE_FRONT || record(h)->pid <= 0)
		return;
	watch_alive(h);
	helper_front_settings(h->sup);
}

static int
reads_slots(const struct helper *h)
{
	return h->which == STATE_HEALTH || h->which == STATE_SHED ||
	    h->which == STATE_OBSERVER;
}

/* They only read the slots, save the observer, which empties rings; where /proc
 * is missing they get the same descriptor as we have. */
static void
show_segment(const struct helper *h, uint32_t number, int segment_fd)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", segment_fd);
	fd = h->which == STATE_OBSERVER ? -1 :
	    open(path, O_RDONLY | O_CLOEXEC);
	if (order_send(h->process.control_fd, ORDER_SLOT, number,
		fd < 0 ? segment_fd : fd) < 0)
		log_warn("%s does not take slot %u", h->process.name, number);
	if (fd >= 0)
		close(fd);
}

void
helper_show_slot(struct supervisor *sup, uint32_t number)
{
	for (int i = 0; i < STATE_HELPERS; i++) {
		const struct helper *h = &sup->helper[i];

		if (reads_slots(h) && h->process.control_fd >= 0)
			show_segment(h, number, sup->slot[number].segment_fd);
	}
}

/* What traces are told to come from. */
static const char *
program_name(const struct supervisor *sup)
{
	const char *path = sup->options->program[0];
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* What each of them is started as. */
static void
helper_spec(struct helper *h, struct process_spec *spec, char **argv)
{
	struct supervisor *sup = h->sup;

	*spec = (struct process_spec){
	    .argv = argv,
	    .program_fd = -1,
	    .listen_fd = -1,
	    .slot_fd = -1,
	    .shared_fd = -1,
	    .pool_fd = sup->board_fd,
	    .settings = &sup->state->settings,
	    .pid = &record(h)->pid,
	};
	switch (h->which) {
	case STATE_HEALTH:
		argv[0] = (char *)(uintptr_t)sup->options->responder;
		spec->role = "health";
		spec->listen_fd = sup->health_fd;
		spec->shared_fd = sup->shared_fd;
		break;
	case STATE_SHED:
		argv[0] = (char *)(uintptr_t)sup->options->responder;
		spec->role = "shed";
		spec->listen_fd = sup->app_fd;
		break;
	case STATE_OBSERVER:
		argv[0] = (char *)(uintptr_t)sup->options->observer;
		argv[1] = (char *)(uintptr_t)program_name(sup);
		spec->role = "observer";
		break;
	case STATE_CHECKS:
		spec->argv = sup->options->program;
		spec->path = sup->options->program_path;
		spec->program_fd = sup->program_fd;
		spec->role = "checks";
		break;
	default:
		argv[0] = (char *)(uintptr_t)sup->options->lighttpd;
		argv[1] = (char *)(uintptr_t)"-D";
		argv[2] = (char *)(uintptr_t)"-f";
		argv[3] = sup->state->settings.front_config;
		spec->pool_fd = -1;
		break;
	}
}

/* It reads them when it starts, and again at its graceful restart. */
static void
front_prepare(struct helper *h)
{
	const struct settings *s = &h->sup->state->settings;
	struct nds_error err;

	h->sup->state->front_again = 0;
	if (front_settings_write(s, &err) < 0)
		log_errorx("%s", err.text);
	setenv(FRONT_SETTINGS_ENV, front_settings_path(s), 1);
}

static void
helper_start(struct helper *h, int64_t now_ms)
{
	struct process_spec spec;
	struct nds_error err;
	char *argv[5] = {NULL};
	pid_t pid = -1;

	helper_spec(h, &spec, argv);
	record(h)->spawned_ms = now_ms;
	if (h->which == STATE_FRONT)
		front_prepare(h);
	if (process_open(&h->process, &err) == 0) {
		process_keep(&h->process, h->sup->store_fd);
		pid = process_start(&h->process, &spec, &err);
	}
	if (pid < 0) {
		process_close(&h->process, &h->sup->loop);
		log_errorx("%s", err.text);
		record(h)->failures++;
		record(h)->retry_ms =
		    now_ms + pool_retry_ms(record(h)->failures);
		return;
	}
	record(h)->pid = (int32_t)pid;
	if (h->which == STATE_FRONT)
		front_note(&h->sup->state->settings, pid);
	process_watch_output(&h->process, &h->sup->loop);
	for (uint32_t i = 0; reads_slots(h) && i < h->sup->state->slots; i++)
		if (h->sup->slot[i].segment_fd >= 0)
			show_segment(h, i, h->sup->slot[i].segment_fd);
}

void
helper_front_settings(struct supervisor *sup)
{
	const struct settings *s = &sup->state->settings;
	struct nds_error err;

	if (!sup->options->front_lighttpd || front_settings_same(s))
		return;
	sup->state->front_again = 1; /* first: it is worse to forget it */
	if (front_settings_write(s, &err) < 0)
		log_errorx("lighttpd keeps its settings: %s", err.text);
}

/* Not before it can have made ready for that signal: it would die of it. */
static void
front_tell(struct helper *h, int64_t now_ms)
{
	const struct state_process *r = record(h);

	if (h->which != STATE_FRONT || !h->wanted ||
	    !h->sup->state->front_again ||
	    now_ms - r->spawned_ms < HELPER_YOUNG_MS)
		return;
	kill(r->pid, SIGUSR1); /* lighttpd's graceful restart */
	h->sup->state->front_again = 0; /* last: twice is better than never */
	log_info("lighttpd (pid %d) restarts gracefully: its settings have "
		 "changed",
	    r->pid);
}

void
helper_step(struct helper *h, int64_t now_ms)
{
	struct state_process *r = record(h);

	if (r->pid > 0) {
		front_tell(h, now_ms);
		if (now_ms - r->spawned_ms >= HELPER_UP_MS)
			h->was_up = 1;
		return;
	}
	if (h->wanted && now_ms >= r->retry_ms)
		helper_start(h, now_ms);
}

int64_t
helper_next_ms(const struct helper *h, int64_t now_ms)
{
	const struct state_process *r = record(h);

	if (h->wanted && r->pid == 0 && r->retry_ms > now_ms)
		return r->retry_ms;
	return INT64_MAX;
}

/* lighttpd that never came up will not come up the next time either: its
 * configuration is wrong or its port is taken. */
static void
front_failed(struct helper *h)
{
	log_errorx("lighttpd could not start: %s; check %s and that "
		   "APP_BIND_ADDRESS=%s is free",
	    h->process.last[0] != '\0' ? h->process.last : "it said nothing",
	    h->sup->state->settings.front_config,
	    h->sup->state->settings.bind_address);
	h->sup->status = EXIT_REFUSED;
	supervisor_stop(h->sup, 1);
}

void
helper_dead(struct helper *h, int status, int64_t now_ms)
{
	struct state_process *r = record(h);
	int pid = r->pid, young = now_ms - r->spawned_ms < HELPER_YOUNG_MS;
	char how[SIG_ENDED_BYTES], soon[CLOCK_SOON_BYTES];

	unwatch(h);
	process_close(&h->process, &h->sup->loop);
	process_forget(&h->process, h->sup->store_fd);
	r->pid = 0;
	if (h->which == STATE_FRONT)
		front_forget(&h->sup->state->settings);
	if (!h->wanted)
		return;
	if (h->which == STATE_FRONT && !h->was_up && WIFEXITED(status) &&
	    WEXITSTATUS(status) != 0) {
		h->wanted = 0;
		front_failed(h);
		return;
	}
	if (h->again && status == 0) { /* as it was told */
		h->again = 0;
		r->retry_ms = now_ms;
		return;
	}
	r->failures = young ? r->failures + 1 : 0;
	r->retry_ms = now_ms + pool_retry_ms(r->failures);
	log_warnx("%s (pid %d) %s, next start %s", h->process.name, pid,
	    sig_ended(status, how),
	    clock_soon(pool_retry_ms(r->failures), soon));
}

/* Once: a second SIGINT ends lighttpd in the middle of its requests, and the
 * supervisor before this one may have sent the first. */
static void
front_stop(struct state *state, int32_t pid)
{
	if (state->front_stopping == pid)
		return;
	kill(pid, SIGINT); /* its graceful stop */
	state->front_stopping = pid;
}

void
helper_stop(struct helper *h)
{
	int32_t pid = record(h)->pid;

	h->wanted = 0;
	if (pid <= 0)
		return;
	if (h->which == STATE_FRONT) {
		front_stop(h->sup->state, pid);
		return;
	}
	if (order_send(h->process.control_fd, ORDER_RETIRE, 0, -1) < 0)
		kill(pid, SIGTERM);
}

void
helper_again(struct helper *h)
{
	int wanted = h->wanted;

	helper_stop(h);
	h->wanted = wanted;
	h->again = record(h)->pid > 0;
}

void
helper_kill(struct helper *h)
{
	int32_t pid = record(h)->pid;

	h->wanted = 0;
	if (pid == 0 && h->which == STATE_FRONT && helper_front_runs(h->sup))
		pid = h->sup->state->front_stopping;
	process_kill(pid);
}

int
helper_front_runs(const struct supervisor *sup)
{
	int32_t group = sup->state->front_stopping;

	return sup->state->helper[STATE_FRONT].pid > 0 ||
	    (group > 0 && kill(-group, 0) == 0);
}

void
helper_program_known(struct supervisor *sup)
{
	const struct settings *s = &sup->state->settings;
	struct helper *checks = &sup->helper[STATE_CHECKS];
	int serves = sup->state->drain.phase < DRAIN_STOP_WORKERS;
	int ours = sup->state->program_libnds;

	checks->wanted = serves && ours && sup->state->program_checks > 0;
	/* of others there are the spans of what the shedder refuses */
	sup->helper[STATE_OBSERVER].wanted = serves &&
	    (ours || strcmp(s->trace, "off") != 0);
}

void
helper_watch_observer(struct supervisor *sup)
{
	pid_t pid = sup->state->helper[STATE_OBSERVER].pid;
	uint64_t turns = atomic_load(&sup->board->observer_turns);

	if (pid <= 0 || turns == 0 || turns != sup->observer_turns)
		sup->observer_ticks = 0;
	sup->observer_turns = turns;
	if (sup->observer_ticks++ < OBSERVER_TICKS)
		return;
	sup->observer_ticks = 0;
	log_errorx("the observer (pid %d) does not look at the workers any "
		   "more: killed", pid);
	process_kill(pid);
}
