/* SPDX-License-Identifier: MIT */
#include "ndsd/slot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "ndsd/exits.h"
#include "ndsd/generation.h"
#include "ndsd/supervisor.h"
#include "proto/bulkhead.h"
#include "proto/order.h"
#include "proto/store.h"
#include "proto/wire.h"

#define SLOT_CAPTURE_BYTES 65536 /* at least: PARAMS must fit as well */
#define SLOT_ANSWER_BYTES 65536
#define SLOT_RING_BYTES 262144

static struct pool_place *
slot_place(struct slot_process *s)
{
	return &s->sup->state->pool.place[s->number];
}

/* Whether it has said ORDER_HELLO. */
static uint8_t *
speaks(struct slot_process *s)
{
	return &s->sup->state->speaks[s->number];
}

void
slot_init(struct slot_process *s, struct supervisor *sup, uint32_t number)
{
	s->sup = sup;
	s->number = number;
	s->segment_fd = -1;
	s->probe.fd = -1;
	process_init(&s->process, "worker", (int)number);
}

static void
segment_name(const struct slot_process *s, char name[STORE_NAME_BYTES])
{
	snprintf(name, STORE_NAME_BYTES, "slot.%u", s->number);
}

static int
segment_make(struct slot_process *s, struct nds_error *err)
{
	int64_t capture = s->sup->state->settings.replay_bytes;
	char name[STORE_NAME_BYTES];

	if (capture < SLOT_CAPTURE_BYTES)
		capture = SLOT_CAPTURE_BYTES;
	s->segment_fd = board_slot_new(s->number, (uint32_t)capture,
	    SLOT_ANSWER_BYTES, SLOT_RING_BYTES, err);
	if (s->segment_fd < 0)
		return -1;
	s->map = board_slot_map(s->segment_fd, 1, err);
	if (s->map == NULL)
		return -1;
	segment_name(s, name);
	store_put(s->sup->store_fd, name, s->segment_fd);
	if (s->number >= s->sup->state->slots)
		s->sup->state->slots = s->number + 1;
	helper_show_slot(s->sup, s->number);
	return 0;
}

/* ---- the probe: one real request through the worker's own path ---------- */

static void
probe_end(struct slot_process *s)
{
	int fd = s->probe.fd;

	loop_del(&s->sup->loop, &s->probe);
	if (fd >= 0)
		close(fd);
	s->probe_bytes = 0;
}

static void
probe_judge(struct slot_process *s)
{
	char answer[sizeof(s->probe_answer)];

	if (wire_answer(s->probe_answer, s->probe_bytes, answer,
		sizeof(answer)) == 1 &&
	    strncmp(answer, "Status: 200", 11) == 0) {
		pool_ready(&s->sup->state->pool, s->number, clock_ms());
		log_debugx("worker %u is ready", s->number);
	} else if (s->probe_bytes > 0) { /* or it died, which is told */
		log_warnx("worker %u did not answer its readiness request, "
			  "will be replaced after APP_START_TIMEOUT",
		    s->number);
	}
	probe_end(s);
	supervisor_step(s->sup);
}

static void
probe_readable(void *arg, uint32_t events)
{
	struct slot_process *s = arg;
	size_t room = sizeof(s->probe_answer) - s->probe_bytes;
	ssize_t n;

	(void)events;
	n = recv(s->probe.fd, s->probe_answer + s->probe_bytes, room,
	    MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		s->probe_bytes += (size_t)n;
	/* it closes behind its answer */
	if (n <= 0 || s->probe_bytes == sizeof(s->probe_answer))
		probe_judge(s);
}

static void
probe_begin(struct slot_process *s)
{
	static const char *const pairs[] = {"REQUEST_METHOD", "GET",
	    "SCRIPT_NAME", ORDER_PROBE_PATH, "REQUEST_URI", ORDER_PROBE_PATH,
	    "QUERY_STRING", "", "SERVER_PROTOCOL", "HTTP/1.1",
	    "GATEWAY_INTERFACE", "CGI/1.1", "REMOTE_ADDR", "", NULL};
	uint8_t request[512];
	size_t bytes = wire_request(request, sizeof(request), pairs);
	int pair[2];

	probe_end(s);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		log_warn("cannot probe worker %u", s->number);
		return;
	}
	s->probe.ready = probe_readable;
	s->probe.arg = s;
	if (send(pair[0], request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes ||
	    order_send(s->process.control_fd, ORDER_PROBE, 0, pair[1]) < 0 ||
	    loop_add(&s->sup->loop, &s->probe, pair[0], EPOLLIN) < 0) {
		log_warn("cannot probe worker %u", s->number);
		close(pair[0]);
	}
	close(pair[1]);
}

/* ---- orders from the worker --------------------------------------------- */

/* What its program has said matters when a reload of it fails. */
void
slot_collect(struct slot_process *s)
{
	logs_collect(&s->sup->logs, s->map,
	    s->sup->state->roll_open ? &s->process.tail : NULL);
}

/* The guardian has logged it and starts the next worker, which does not know
 * what the dead one had been told. */
static void
slot_worker_died(struct slot_process *s, int status)
{
	char how[SIG_ENDED_BYTES];

	slot_collect(s);
	generation_blame(s->sup, s, sig_ended(status, how));
	pool_worker_died(&s->sup->state->pool, s->number, clock_ms());
	atomic_fetch_add(&s->sup->board->workers_died, 1);
	if (slot_place(s)->state == POOL_RETIRING)
		slot_retire(s);
	else if (slot_place(s)->state == POOL_STARTING)
		probe_begin(s);
}

static void
slot_order(struct slot_process *s, const struct order *order)
{
	struct state *state = s->sup->state;

	switch (order->type) {
	case ORDER_HELLO:
		if (!*speaks(s)) /* slow to say so, and taken for another */
			pool_unready(&state->pool, s->number);
		*speaks(s) = 1;
		state->program_libnds = 1;
		probe_begin(s);
		helper_program_known(s->sup);
		break;
	case ORDER_CHECKS:
		state->program_checks = order->value;
		helper_program_known(s->sup);
		break;
	case ORDER_DIED:
		slot_worker_died(s, (int)order->value);
		supervisor_step(s->sup);
		break;
	case ORDER_POKE:
		slot_collect(s);
		break;
	default:
		break;
	}
}

static void
control_readable(void *arg, uint32_t events)
{
	struct slot_process *s = arg;
	struct order order;
	int fd, got;

	(void)events;
	while ((got = order_recv(s->process.control_fd, &order, &fd)) > 0) {
		if (fd >= 0)
			close(fd);
		slot_order(s, &order);
	}
	/* EOF: it has closed it or died; waitpid will tell */
	if (got == 0)
		loop_del(&s->sup->loop, &s->process.control);
}

static void
slot_watch(struct slot_process *s)
{
	s->process.control.ready = control_readable;
	s->process.control.arg = s;
	loop_add(&s->sup->loop, &s->process.control, s->process.control_fd,
	    EPOLLIN);
	process_watch_output(&s->process, &s->sup->loop);
}

/* ---- life --------------------------------------------------------------- */

static void
segment_drop(struct slot_process *s)
{
	char name[STORE_NAME_BYTES];

	segment_name(s, name);
	store_drop(s->sup->store_fd, name);
	board_unmap(s->map);
	close(s->segment_fd);
	s->map = NULL;
	s->segment_fd = -1;
}

int32_t
slot_spawn(struct slot_process *s)
{
	struct process_spec spec = {
	    .argv = s->sup->options->program,
	    .path = s->sup->options->program_path,
	    .program_fd = s->sup->program_fd,
	    .role = "worker",
	    .listen_fd = s->sup->app_fd,
	    .pool_fd = s->sup->board_fd,
	    .shared_fd = s->sup->shared_fd,
	    .settings = &s->sup->state->settings,
	    .pid = &slot_place(s)->pid,
	};
	struct nds_error err;
	pid_t pid = -1;

	if (s->map != NULL && !board_slot_whole(s->map, s->number)) {
		log_errorx("slot %u begins anew: its worker has written over "
			   "the head of it", s->number);
		segment_drop(s);
	}
	if (s->map == NULL && segment_make(s, &err) < 0)
		goto fail;
	board_slot_clean(s->map, s->sup->state->pool.generation);
	spec.slot_fd = s->segment_fd;
	*speaks(s) = 0;
	slot_place(s)->requests_before = atomic_load(&s->map->count.requests);
	if (process_open(&s->process, &err) < 0)
		goto fail;
	process_keep(&s->process, s->sup->store_fd);
	pid = process_start(&s->process, &spec, &err);
	if (pid < 0)
		goto fail;
	slot_watch(s);
	atomic_fetch_add(&s->sup->board->workers_spawned, 1);
	return (int32_t)pid;
fail:
	process_close(&s->process, &s->sup->loop);
	log_errorx("worker %u: %s", s->number, err.text);
	snprintf(s->sup->state->roll_reason,
	    sizeof(s->sup->state->roll_reason), "%.399s", err.text);
	s->sup->state->roll_said[0] = '\0';
	return 0;
}

/* What it was told before may never have been sent. */
static void
slot_repeat(struct slot_process *s)
{
	if (slot_place(s)->state == POOL_RETIRING)
		slot_retire(s);
	else if (slot_place(s)->state == POOL_STARTING && *speaks(s))
		probe_begin(s); /* the answer to the last one died with us */
}

/* A segment that a handler has scribbled on: its worker goes, and the slot
 * begins anew with the next one. */
static void
segment_give_up(struct slot_process *s, const struct nds_error *err)
{
	log_errorx("slot %u cannot be taken over, its worker is killed: %s",
	    s->number, err->text);
	segment_drop(s);
	slot_place(s)->killed = 1;
	process_kill(slot_place(s)->pid);
}

void
slot_adopt(struct slot_process *s, int segment_fd, int control_fd,
    int output_fd)
{
	struct nds_error err;

	s->segment_fd = segment_fd;
	s->process.control_fd = control_fd;
	s->process.output_fd = output_fd;
	s->map = board_slot_map(segment_fd, 1, &err);
	if (control_fd >= 0 && output_fd >= 0)
		slot_watch(s);
	if (s->map == NULL)
		segment_give_up(s, &err);
	else if (control_fd >= 0)
		slot_repeat(s);
}

void
slot_retire(struct slot_process *s)
{
	int32_t pid = slot_place(s)->pid;

	if (*speaks(s) &&
	    order_send(s->process.control_fd, ORDER_RETIRE, 0, -1) == 0)
		return;
	if (pid > 0)
		kill(pid, SIGTERM);
}

void
slot_kill(struct slot_process *s)
{
	int32_t pid = slot_place(s)->pid;

	log_warnx("worker %u (pid %d) does not %s in time, killed", s->number,
	    pid,
	    slot_place(s)->state == POOL_STARTING ? "become ready" : "finish");
	s->sup->state->killed += s->sup->state->pool.stopping;
	process_kill(pid);
}

static void
log_death(struct slot_process *s, int status)
{
	const struct pool_place *at = slot_place(s);
	int64_t now = clock_ms(), lived = now - at->spawned_ms;
	int64_t wait = at->retry_ms > now ? at->retry_ms - now : 0;
	char how[SIG_ENDED_BYTES], soon[CLOCK_SOON_BYTES];

	log_warnx("worker %u (pid %d) %s after %lld.%llds, next start %s",
	    s->number, at->pid, sig_ended(status, how), (long long)lived / 1000,
	    (long long)lived % 1000 / 100, clock_soon(wait, soon));
}

/* The guardian is dead and its worker is not yet: the slot must not be used
 * before.  One that we have killed is on its way, and the place stays what it
 * was, so that the policy hears of a start that failed; any other finishes what
 * it has and leaves. */
static int
outlived_by_worker(struct slot_process *s)
{
	struct pool_place *at = slot_place(s);
	int32_t worker = atomic_load(&s->map->worker_pid);

	if (worker <= 0 || worker == at->pid || kill(worker, 0) < 0)
		return 0;
	if (at->killed) {
		at->pid = worker;
		process_kill(worker);
		return 1;
	}
	log_warnx("worker %u: its guardian (pid %d) died, pid %d finishes its "
		  "request and leaves",
	    s->number, at->pid, worker);
	at->pid = worker;
	at->state = POOL_RETIRING;
	at->since_ms = clock_ms();
	return 1;
}

void
slot_dead(struct slot_process *s, int status)
{
	struct pool_place *at = slot_place(s);
	struct pool_place was = *at;
	char how[SIG_ENDED_BYTES];

	if (s->map != NULL) {
		slot_collect(s);
		if (outlived_by_worker(s))
			return;
	}
	bulkhead_release(&s->sup->shared, s->number);
	probe_end(s);
	process_close(&s->process, &s->sup->loop);
	process_forget(&s->process, s->sup->store_fd);
	if (was.pid > 0) /* 0: the last supervisor died just here */
		kill(-was.pid, SIGKILL); /* children it left behind */
	generation_blame(s->sup, s,
	    !was.killed ? sig_ended(status, how)
		: was.state != POOL_STARTING ? "hung in a request"
		: generation_late(s->sup, s->number));
	exits_count(s, &was, status);
	pool_died(&s->sup->state->pool, s->number, clock_ms());
	if (was.state != POOL_RETIRING && !was.killed) {
		at->pid = was.pid;
		log_death(s, status);
		at->pid = 0;
		atomic_fetch_add(&s->sup->board->workers_died, 1);
	}
	if (s->map == NULL)
		return;
	board_slot_clean(s->map, was.generation);
	board_slot_wipe(s->map); /* others' secrets */
}

/* Once a generation. */
static void
say_unproved(struct slot_process *s)
{
	struct supervisor *sup = s->sup;

	if (sup->unproved == slot_place(s)->generation)
		return;
	sup->unproved = slot_place(s)->generation;
	log_info("generation %u is a program without libnds: a worker that "
		 "lives counts as ready, that it serves cannot be proved",
	    sup->unproved);
}

void
slot_check_foreign(struct slot_process *s, int64_t now_ms)
{
	struct pool_place *at = slot_place(s);

	if (at->state != POOL_STARTING || *speaks(s) ||
	    generation_must_speak(s->sup) ||
	    now_ms - at->spawned_ms < SLOT_FOREIGN_READY_MS)
		return;
	say_unproved(s);
	pool_ready(&s->sup->state->pool, s->number, now_ms);
	helper_program_known(s->sup);
}

int
slot_busy(const struct slot_process *s)
{
	return s->map != NULL && atomic_load(&s->map->started_ms) != 0;
}

int64_t
slot_request_ms(const struct slot_process *s, int64_t now_ms)
{
	int64_t began = s->map != NULL ? atomic_load(&s->map->started_ms) : 0;

	return began > 0 && began <= now_ms ? now_ms - began : 0;
}
