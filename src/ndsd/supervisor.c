/* SPDX-License-Identifier: MIT */
#include "ndsd/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "ndsd/duties.h"
#include "ndsd/generation.h"
#include "ndsd/listen.h"
#include "proto/queue.h"
#include "ndsd/recycle.h"
#include "ndsd/status.h"
#include "ndsd/takeover.h"
#include "proto/exit.h"
#include "proto/store.h"

#define TICK_MS 100
#define OVERDUE_MS 1000	  /* past its deadline by so much, a worker is stuck */
#define HELPERS_STOP_MS 500
#define QUEUE_SEEN_MS 500 /* by the shedder */
#define SHEDDER_TICKS 30  /* that long without a look, it never looks again */

/* ---- policies to deeds -------------------------------------------------- */

static void
obey_pool(struct supervisor *sup, int64_t now_ms)
{
	struct pool *pool = &sup->state->pool;
	struct pool_order orders[16];
	size_t count;

	do {
		generation_step(sup);
		count = pool_step(pool, now_ms, orders, 16);
		for (size_t i = 0; i < count; i++) {
			uint32_t at = orders[i].place;

			if (orders[i].type == POOL_KILL)
				slot_kill(&sup->slot[at]);
			else if (orders[i].type == POOL_RETIRE)
				slot_retire(&sup->slot[at]);
			else
				pool_spawned(pool, at,
				    slot_spawn(&sup->slot[at]), now_ms);
		}
	} while (count > 0);
}

/* What the pool has in mind with each worker, for who looks at the slots. */
static void
publish_places(struct supervisor *sup)
{
	_Static_assert((int)SLOT_STARTING == (int)POOL_STARTING &&
	    (int)SLOT_READY == (int)POOL_READY &&
	    (int)SLOT_RETIRING == (int)POOL_RETIRING, "one is the other");

	for (uint32_t i = 0; i < sup->state->slots; i++)
		if (sup->slot[i].map != NULL)
			atomic_store(&sup->slot[i].map->place,
			    sup->state->pool.place[i].state);
}

static void
publish(struct supervisor *sup, int64_t now_ms)
{
	const struct state *state = sup->state;
	struct pool_board *b = sup->board;
	int draining = state->drain.phase != DRAIN_SERVING;

	atomic_store(&b->heartbeat_ms, now_ms);
	atomic_store(&b->draining, (uint32_t)draining);
	atomic_store(&b->unready,
	    draining &&
		    (state->settings.drain_ready == DRAIN_READY_FAIL ||
			state->drain.phase > DRAIN_DRAINED)
		? 1
		: sup->lost || sup->unshown ? BOARD_UNREACHABLE
					    : 0);
	atomic_store(&b->stopping,
	    (uint32_t)(state->drain.phase > DRAIN_DRAINED));
	if (state->pool.was_ready && !atomic_exchange(&b->started, 1))
		log_info("ready: %u workers after %lldms", state->pool.wanted,
		    (long long)(now_ms - state->started_ms));
	atomic_store(&b->emptying,
	    (uint32_t)(state->drain.phase >= DRAIN_STOP_QUEUE));
	atomic_store(&b->wanted, state->pool.wanted);
	atomic_store(&b->wanted_min, (uint32_t)state->settings.workers_min);
	atomic_store(&b->wanted_max, (uint32_t)state->settings.workers_max);
	atomic_store(&b->ready, pool_count(&state->pool, POOL_READY));
	atomic_store(&b->generation, state->pool.generation);
	publish_places(sup);
}

void
supervisor_step(struct supervisor *sup)
{
	int64_t now = clock_ms();

	for (int i = 0; i < STATE_HELPERS; i++)
		helper_step(&sup->helper[i], now);
	obey_pool(sup, now);
	duties_drain(sup, now);
	obey_pool(sup, now);
	duties_show(sup, now);
	publish(sup, now);
	announce_step(sup, now);
}

/* ---- verbs and signals -------------------------------------------------- */

static uint64_t
accepted_so_far(const struct supervisor *sup)
{
	struct slot_counters sum;

	status_sum(sup, &sum);
	return sum.accepted;
}

int
supervisor_drain(struct supervisor *sup, struct nds_error *err)
{
	if (drain_begin(&sup->state->drain, accepted_so_far(sup),
		clock_ms()) < 0)
		return error_set(err, "the service is stopping");
	log_info("draining: /ready answers %s, answers carry Connection: close",
	    sup->state->settings.drain_ready == DRAIN_READY_FAIL ? "503"
								 : "200");
	supervisor_step(sup);
	return 0;
}

int
supervisor_undrain(struct supervisor *sup, struct nds_error *err)
{
	if (drain_end(&sup->state->drain) < 0)
		return error_set(err, "the service is %s, not draining",
		    status_word(sup));
	log_info("drain called off");
	supervisor_step(sup);
	return 0;
}

int
supervisor_reload(struct supervisor *sup, const char *token,
    struct nds_error *err)
{
	/* who waits for the last one shall hear of that, not of this one */
	control_settle(sup);
	announce_reload(sup, clock_ms());
	if (generation_reload(sup, token, err) < 0) {
		atomic_fetch_add(&sup->board->event[EVENT_RELOAD_REFUSED], 1);
		log_errorx("reload refused: %s", err->text);
		return -1;
	}
	supervisor_step(sup);
	return 0;
}

int
supervisor_scale(struct supervisor *sup, long wanted, struct nds_error *err)
{
	const struct settings *set = &sup->state->settings;
	long least = scale_on(set) ? (long)set->workers_min : 1;
	long most = scale_on(set) ? (long)set->workers_max
				  : BOARD_SLOTS_MAX / 2;

	if (sup->state->drain.phase > DRAIN_DRAINED)
		return error_set(err, "the service is stopping");
	if (wanted < least || wanted > most)
		return error_set(err, "%ld workers: %ld to %ld are allowed%s",
		    wanted, least, most, scale_on(set)
			? " by APP_WORKERS_MIN and APP_WORKERS_MAX"
			: "");
	log_info("workers: %u wanted, was %u", (unsigned)wanted,
	    sup->state->pool.wanted);
	pool_scale(&sup->state->pool, (uint32_t)wanted);
	supervisor_step(sup);
	return 0;
}

void
supervisor_stop(struct supervisor *sup, int quick)
{
	struct drain *d = &sup->state->drain;

	if (d->phase <= DRAIN_DRAINED)
		log_info("stopping%s: at most %llds",
		    quick ? " without drain" : "",
		    (long long)sup->state->settings.shutdown_timeout_ms / 1000);
	drain_stop(d, accepted_so_far(sup), quick, clock_ms());
	supervisor_step(sup);
}

static void
obey_signal(struct supervisor *sup, int sig)
{
	long wanted = (long)sup->state->pool.wanted;
	struct nds_error err;

	switch (sig) {
	case SIGTERM:
	case SIGINT:
		supervisor_stop(sup, 0);
		break;
	case SIGQUIT:
		supervisor_stop(sup, 1);
		break;
	case SIGHUP:
		supervisor_reload(sup, "", &err);
		break;
	case SIGUSR2:
		if (upgrade_begin(sup, -1, &err) < 0)
			log_errorx("upgrade refused: %s", err.text);
		break;
	case SIGTTIN:
	case SIGTTOU:
		wanted += sig == SIGTTIN ? 1 : -1;
		if (supervisor_scale(sup, wanted, &err) < 0)
			log_warnx("%s: %s", sig_name(sig), err.text);
		break;
	default:
		log_warnx("%s is not used by this release", sig_name(sig));
		break;
	}
}

/* ---- deaths ------------------------------------------------------------- */

static void
process_died(struct supervisor *sup, pid_t pid, int status)
{
	if (upgrade_died(sup, pid, status))
		return;
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		const struct pool_place *at = &sup->state->pool.place[i];

		if (at->state != POOL_EMPTY && at->pid == pid) {
			slot_dead(&sup->slot[i], status);
			return;
		}
	}
	for (int i = 0; i < STATE_HELPERS; i++)
		if (sup->state->helper[i].pid == pid) {
			helper_dead(&sup->helper[i], status, clock_ms());
			return;
		}
}

static void
signals_ready(void *arg, uint32_t events)
{
	struct supervisor *sup = arg;
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)events;
	while (read(sup->signals.fd, &info, sizeof(info)) == sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		process_died(sup, pid, status);
	supervisor_step(sup);
}

static void
store_ready(void *arg, uint32_t events)
{
	struct supervisor *sup = arg;
	struct store_message m;
	int fd, got;

	(void)events;
	while ((got = store_recv(sup->store_fd, &m, &fd, 0)) > 0) {
		if (fd >= 0)
			close(fd);
		if (m.type == STORE_REAPED) {
			process_died(sup, m.value, m.status);
			supervisor_step(sup);
		} else if (m.type == STORE_SIGNAL) {
			if (m.status > sup->state->signal_serial) {
				obey_signal(sup, m.value);
				sup->state->signal_serial = m.status;
			}
			m.type = STORE_TOOK;
			store_send(sup->store_fd, &m, -1);
		}
	}
	if (got == 0) {
		/* no keeper: nobody could start us again or reap for us; the
		 * workers serve on until another ndsd takes over */
		log_errorx("the main process is gone, workers serve on");
		logs_flush(&sup->logs);
		sup->done = 1;
	}
}

/* A worker that is still in a request a second after its deadline does not
 * come back. */
static uint32_t
kill_overdue(struct supervisor *sup, int64_t now_ms)
{
	uint32_t stuck = 0;

	for (uint32_t i = 0; i < sup->state->slots; i++) {
		struct pool_place *at = &sup->state->pool.place[i];
		struct slot *map = sup->slot[i].map;
		int64_t due = map != NULL ? atomic_load(&map->deadline_ms) : 0;

		if (at->state == POOL_EMPTY || at->killed || due == 0 ||
		    now_ms < due + OVERDUE_MS)
			continue;
		stuck++;
		log_warnx("worker %u (pid %d) is stuck in a request, %lldms "
			  "past its deadline, killed",
		    i, at->pid, (long long)(now_ms - due));
		at->killed = 1;
		process_kill(at->pid);
	}
	return stuck;
}

/* ---- the loop ----------------------------------------------------------- */

static void
helpers_stop(struct supervisor *sup, int64_t now_ms)
{
	int alive = 0;

	if (sup->close_ms == 0) {
		sup->close_ms = now_ms + HELPERS_STOP_MS;
		helper_stop(&sup->helper[STATE_HEALTH]);
		helper_stop(&sup->helper[STATE_CHECKS]);
		helper_stop(&sup->helper[STATE_SHED]);
	}
	if (!sup->observer_told && sup->state->helper[STATE_SHED].pid <= 0) {
		sup->observer_told = 1;
		sup->close_ms = now_ms + HELPERS_STOP_MS;
		helper_stop(&sup->helper[STATE_OBSERVER]);
	}
	for (int i = 0; i < STATE_HELPERS; i++) {
		alive += sup->state->helper[i].pid > 0;
		if (now_ms >= sup->close_ms)
			helper_kill(&sup->helper[i]);
	}
	if (alive == 0 || now_ms >= sup->close_ms + HELPERS_STOP_MS)
		sup->done = 1;
}

/* A shedder that is stopped refuses nobody, and a full queue is an error of
 * the front's.  Ticks are counted: time that stood still for us too proves
 * nothing. */
static void
shedder_unseen(struct supervisor *sup)
{
	pid_t pid = sup->state->helper[STATE_SHED].pid;

	if (pid <= 0)
		sup->shedder_ticks = 0;
	else if (++sup->shedder_ticks == SHEDDER_TICKS) {
		sup->shedder_ticks = 0;
		log_errorx("the shedder (pid %d) does not look at the queue "
			   "any more: killed", pid);
		process_kill(pid);
	}
}

/* The shedder does, and knows its age as well; this is for want of it. */
static void
measure_queue(struct supervisor *sup, int64_t now_ms)
{
	int length;

	if (now_ms - atomic_load(&sup->board->queue_seen_ms) < QUEUE_SEEN_MS) {
		sup->shedder_ticks = 0;
		return;
	}
	shedder_unseen(sup);
	length = queue_length(sup->app_fd);
	atomic_store(&sup->board->queue_wait_ms, 0);
	atomic_store(&sup->board->queue_length,
	    length > 0 ? (uint32_t)length : 0);
}

static void
tick(struct supervisor *sup, int64_t now_ms)
{
	sup->tick_ms = now_ms + TICK_MS;
	measure_queue(sup, now_ms);
	helper_watch_observer(sup);
	duties_places(sup);
	for (uint32_t i = 0; i < sup->state->slots; i++) {
		slot_check_foreign(&sup->slot[i], now_ms);
		if (sup->slot[i].map != NULL)
			slot_collect(&sup->slot[i]);
	}
	duties_sweep(sup);
	atomic_store(&sup->board->stuck, kill_overdue(sup, now_ms));
	recycle_tick(sup, now_ms);
	duties_scale(sup, now_ms);
	supervisor_step(sup);
	control_tick(sup, now_ms);
	upgrade_tick(sup, now_ms);
	if (sup->state->drain.phase == DRAIN_STOPPED)
		helpers_stop(sup, now_ms);
}

static int64_t
next_deadline(const struct supervisor *sup, int64_t now_ms)
{
	int64_t next = pool_next_ms(&sup->state->pool, now_ms);

	for (int i = 0; i < STATE_HELPERS; i++) {
		int64_t due = helper_next_ms(&sup->helper[i], now_ms);

		next = due < next ? due : next;
	}
	return sup->tick_ms < next ? sup->tick_ms : next;
}

static void
say_goodbye(struct supervisor *sup)
{
	struct store_message bye = {.type = STORE_BYE};

	if (sup->state->drain.phase != DRAIN_STOPPED)
		return;
	if (sup->status == EXIT_DONE && sup->state->killed > 0)
		sup->status = EXIT_KILLED;
	listen_tidy(&sup->state->settings, sup->state->made);
	log_info("stopped after %lldms, %u killed",
	    (long long)(clock_ms() - sup->state->drain.stop_ms),
	    sup->state->killed);
	logs_flush(&sup->logs);
	control_close(sup);
	bye.value = sup->status;
	store_send(sup->store_fd, &bye, -1);
}

static void
supervisor_loop(struct supervisor *sup)
{
	while (!sup->done) {
		int64_t now = clock_ms();

		if (now >= sup->tick_ms)
			tick(sup, now);
		else if (next_deadline(sup, now) <= now)
			supervisor_step(sup);
		logs_flush(&sup->logs);
		loop_turn(&sup->loop, next_deadline(sup, clock_ms()));
	}
	say_goodbye(sup);
}

int
supervisor_run(const struct options *options, int store_fd)
{
	struct supervisor *sup = calloc(1, sizeof(*sup));
	struct nds_error err;

	prctl(PR_SET_NAME, "ndsd-supervisor");
	/* a stopped one would hold the lock, and never see that EOF */
	prctl(PR_SET_PDEATHSIG, SIGCONT);
	if (sup == NULL) {
		log_error("cannot start the supervisor");
		return EXIT_REFUSED;
	}
	sup->options = options;
	sup->store_fd = store_fd;
	announce_open(&sup->announce);
	if (takeover_run(sup, &err) < 0) {
		log_errorx("cannot take over: %s", err.text);
		return EXIT_REFUSED;
	}
	sup->store.ready = store_ready;
	sup->signals.ready = signals_ready;
	sup->store.arg = sup->signals.arg = sup;
	if (loop_add(&sup->loop, &sup->store, store_fd, EPOLLIN) < 0) {
		log_error("cannot watch the keeper");
		return EXIT_REFUSED;
	}
	duties_repeat(sup);
	supervisor_step(sup);
	supervisor_loop(sup);
	return sup->status;
}
