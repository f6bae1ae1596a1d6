/* SPDX-License-Identifier: MIT */
/*
 * The shedder looks at the queue every few milliseconds while anybody waits,
 * and takes the head out of it only when delay.h says so.  It never waits for
 * anybody: each look is a few system calls, each connection has its own state
 * and deadline (clients.h), and what it logs is lost rather than waited for.
 * Workers know nothing of it: it reads their counters, and it works when all
 * of them are stuck.
 */
#include "helper/shed.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "helper/clients.h"
#include "helper/delay.h"
#include "helper/place.h"
#include "helper/refusal.h"
#include "helper/role.h"
#include "proto/exit.h"
#include "proto/queue.h"
#include "proto/queue_age.h"

#define LOOK_MS 10	 /* while anybody waits, or would have to */
#define LOOK_IDLE_MS 100 /* at most, else */
#define ACCEPTS 64	 /* of one turn */
#define PEER_MS 1000	 /* for its request; then again for our answer */
#define FINISH_MS 400	 /* what is under way when we are told to end */
#define ACCEPT_MS 5	 /* a blocking accept is called back after */
#define SAY_MS 1000	 /* a line for all that was refused meanwhile */

enum { EVENT_CONTROL = CLIENTS };

/* What the last look has found. */
struct sight {
	int64_t now_ms;
	int64_t head_ms;    /* age of the head, -1 = nobody waits */
	int64_t allowed_ms; /* it may be so old */
	uint64_t accepted;  /* by workers, ever */
	int crowded;	    /* somebody waits, or every worker is busy */
};

struct shed {
	const struct settings *settings;
	struct role role;
	struct clients clients;
	struct queue_age age;
	struct delay delay;
	struct sight sight;
	int no_diag;	   /* the kernel does not tell the queue's length */
	struct queue_list list; /* where no worker counts what it accepts */
	int list_lost;		/* it is too long to be told */
	uint64_t taken;		/* out of it, since ever */
	int64_t look_ms;   /* when to look again */
	int64_t finish_ms; /* leave by then; 0 = nobody has told us to */
	int orphaned;	   /* ndsd is gone: stay until another has come */
	struct place place;
	uint64_t accepted; /* by us */
	struct refusal refusal;
	/* of the line that is due */
	int64_t since_ms, oldest_ms;
	unsigned long long refused;
};

/* ---- looking ------------------------------------------------------------- */

static int
readable(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 0) > 0;
}

/* Whether the error is a lack that passes, and says nothing of the kernel. */
static int
scarce(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	    error == ENOMEM;
}

/* Connections that wait; where the kernel does not tell, 1 for any. */
static uint32_t
count_waiting(struct shed *s)
{
	int length = s->no_diag ? -1 : queue_length(s->role.listen_fd);

	if (length < 0 && !s->no_diag && !scarce(errno)) {
		s->no_diag = 1;
		log_warn("the length of the queue cannot be told, only whether "
			 "it is empty");
	}
	return (uint32_t)(length < 0 ? readable(s->role.listen_fd) : length);
}

/* The same where no worker tells what it takes: by who has left. */
static uint32_t
count_listed(struct shed *s)
{
	uint32_t peer[QUEUE_PEERS];
	int count = s->no_diag ? -1 : queue_peers(s->role.listen_fd, peer);

	s->list_lost = count < 0;
	if (count < 0) {
		s->list.count = 0;
		return count_waiting(s);
	}
	s->taken += queue_list_taken(&s->list, peer, (size_t)count);
	s->sight.accepted = s->taken - s->accepted;
	return (uint32_t)count;
}

/* Returns the workers that count what they accept: libnds's. */
static int
sum_workers(const struct role *r, struct sight *sight)
{
	int workers = 0, busy = 0;

	sight->accepted = 0;
	for (uint32_t i = 0; i < r->slots; i++) {
		const struct slot *slot = r->slot[i];

		if (slot == NULL)
			continue;
		sight->accepted += atomic_load(&slot->count.accepted);
		if (atomic_load(&slot->worker_pid) <= 0)
			continue;
		workers++;
		busy += atomic_load(&slot->started_ms) != 0;
	}
	sight->crowded = workers > 0 && busy == workers;
	return workers;
}

/* How old the head may be.  While a stop empties the queue, everything in it
 * is served as long as there is time. */
static int64_t
allowed(struct shed *s, int blind)
{
	struct sight *sight = &s->sight;

	if (atomic_load(&s->role.pool->emptying))
		return INT64_MAX / 2;
	/* Without accepts, "not empty since" is all that is known: busy workers
	 * that are never short of work must not look like a standing queue. */
	s->delay.target_ms = blind ? s->settings->queue_timeout_ms :
	    s->settings->queue_target_ms;
	return delay_note(&s->delay, sight->now_ms, sight->head_ms,
	    sight->accepted);
}

static void
look(struct shed *s)
{
	struct pool_board *pool = s->role.pool;
	struct sight *sight = &s->sight;
	int workers = sum_workers(&s->role, sight);
	uint32_t waiting = workers > 0 ? count_waiting(s) : count_listed(s);
	int blind = s->no_diag || (workers == 0 && s->list_lost);

	sight->now_ms = clock_ms();
	queue_age_note(&s->age, sight->now_ms,
	    blind ? 0 : sight->accepted + s->accepted, waiting);
	sight->head_ms = queue_age_head(&s->age, sight->now_ms);
	sight->crowded |= waiting > 0;
	sight->allowed_ms = allowed(s, blind);
	atomic_store(&pool->queue_length, waiting);
	atomic_store(&pool->queue_wait_ms,
	    sight->head_ms < 0 ? 0 : sight->head_ms);
	atomic_store(&pool->queue_seen_ms, sight->now_ms);
}

/* When to look again: soon, and not later than the head is too old. */
static int64_t
next_look(const struct shed *s)
{
	const struct sight *sight = &s->sight;
	int64_t idle = s->settings->queue_timeout_ms / 4;
	int64_t left = sight->allowed_ms - sight->head_ms;

	if (!sight->crowded)
		return sight->now_ms + (idle > LOOK_IDLE_MS ? LOOK_IDLE_MS :
			idle < LOOK_MS ? LOOK_MS : idle);
	return sight->now_ms + (left < 1 ? 1 : left > LOOK_MS ? LOOK_MS : left);
}

/* ---- refusing ------------------------------------------------------------ */

static void
say(struct shed *s, int64_t now_ms)
{
	if (s->refused == 0)
		return;
	log_warnx("refused %llu request%s within %lldms: no worker for up to "
		  "%lldms",
	    s->refused, s->refused == 1 ? "" : "s",
	    (long long)(now_ms - s->since_ms), (long long)s->oldest_ms);
	s->refused = 0;
}

static void
refuse(struct shed *s, int fd, enum shed_reason reason)
{
	const struct sight *sight = &s->sight;

	s->accepted++;
	delay_refused(&s->delay, sight->now_ms, sight->accepted);
	atomic_fetch_add(&s->role.pool->shed[reason], 1);
	if (s->refused++ == 0) {
		s->since_ms = sight->now_ms;
		s->oldest_ms = 0;
	}
	if (sight->head_ms > s->oldest_ms)
		s->oldest_ms = sight->head_ms;
	clients_add(&s->clients, fd, sight->head_ms < 0 ? 0 : sight->head_ms);
}

/* Called in the middle of accept4: to interrupt it is all. */
static void
on_alarm(int sig)
{
	(void)sig;
}

/* Accept without waiting.  O_NONBLOCK belongs to the listener and not to us:
 * a program without libnds would end if it found it set.  Where it is not, a
 * timer calls back from the wait for a connection that a worker was quicker
 * to take. */
static int
take(int listen_fd)
{
	static const struct itimerval soon = {{0, ACCEPT_MS * 1000},
	    {0, ACCEPT_MS * 1000}}, never;
	int fd, error;

	if (fcntl(listen_fd, F_GETFL) & O_NONBLOCK)
		return accept4(listen_fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
	errno = EAGAIN;
	if (!readable(listen_fd))
		return -1;
	setitimer(ITIMER_REAL, &soon, NULL);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	error = errno;
	setitimer(ITIMER_REAL, &never, NULL);
	errno = error == EINTR ? EAGAIN : error;
	return fd;
}

static void
shed_turn(struct shed *s)
{
	int fd;

	for (int i = 0; i < ACCEPTS; i++) {
		look(s);
		if (s->sight.head_ms < s->sight.allowed_ms) {
			s->look_ms = next_look(s);
			return;
		}
		fd = take(s->role.listen_fd);
		if (fd >= 0)
			refuse(s, fd, s->delay.kept->standing ? SHED_TARGET :
			    SHED_TIMEOUT);
		else if (scarce(errno) && !clients_make_room(&s->clients)) {
			s->look_ms = s->sight.now_ms + LOOK_MS;
			return;
		}
	}
	s->look_ms = s->sight.now_ms; /* others first */
}

/* ---- the end ------------------------------------------------------------- */

/* Behind the last worker: whoever still waits is told so. */
static void
empty_queue(struct shed *s)
{
	int fd;

	look(s);
	while ((fd = take(s->role.listen_fd)) >= 0)
		refuse(s, fd, SHED_STOP);
}

static void
finish(struct shed *s, int may_empty)
{
	if (s->finish_ms != 0)
		return;
	if (may_empty && atomic_load(&s->role.pool->emptying) &&
	    !atomic_load(&s->role.pool->door_stays))
		empty_queue(s);
	atomic_store(&s->role.pool->queue_wait_ms, 0); /* not known any more */
	s->finish_ms = clock_ms() + FINISH_MS;
}

static void
control_ready(struct shed *s)
{
	struct order order;
	int got;

	while ((got = role_order(&s->role, &order)) == 1)
		if (order.type == ORDER_RETIRE)
			finish(s, 1);
	if (got == 0) { /* ndsd is gone; its workers serve on, and so do we */
		clients_watch(&s->clients, EPOLL_CTL_DEL, s->role.control_fd, 0,
		    0);
		s->orphaned = 1;
	}
}

/* Where the sockets were handed in, the workers of another ndsd take from the
 * same queue, which we cannot know: then its shedder is the one, at once. */
static int
has_to_end(struct shed *s)
{
	int stops = atomic_load(&s->role.pool->stopping) != 0;

	if (role_told_to_end())
		return 1;
	return s->orphaned && place_is_over(&s->place, 0,
	    stops ? s->settings->drain_max_ms : -1) &&
	    (s->place.shared || s->sight.head_ms < 0);
}

/* ---- loop ---------------------------------------------------------------- */

static int
is_done(const struct shed *s)
{
	return s->finish_ms != 0 && (!clients_any(&s->clients) ||
	    clock_ms() >= s->finish_ms);
}

static int
patience(struct shed *s)
{
	int64_t next = clients_expire(&s->clients);
	int64_t own = s->finish_ms != 0 ? s->finish_ms : s->look_ms;

	return clock_left(next == 0 || own < next ? own : next, INT_MAX);
}

static void
serve(struct shed *s)
{
	struct epoll_event events[64];
	int count;

	while (!is_done(s)) {
		count = epoll_pwait(s->clients.epoll_fd, events, 64,
		    patience(s), role_mask());
		for (int i = 0; i < count; i++)
			if (events[i].data.u64 == EVENT_CONTROL)
				control_ready(s);
			else
				clients_ready(&s->clients, events[i].data.u64);
		if (has_to_end(s))
			finish(s, 0);
		if (s->finish_ms == 0 && clock_ms() >= s->look_ms)
			shed_turn(s);
		if (clock_ms() - s->since_ms >= SAY_MS)
			say(s, clock_ms());
	}
	say(s, clock_ms());
}

static void
signals_set(void)
{
	struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
	sigset_t set;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* Nobody may read what we say: lose it then. */
	fcntl(STDERR_FILENO, F_SETFL,
	    fcntl(STDERR_FILENO, F_GETFL) | O_NONBLOCK);
}

static int
shed_open(struct shed *s, const struct settings *set, struct nds_error *err)
{
	struct clients *c = &s->clients;

	s->settings = set;
	s->delay.timeout_ms = s->settings->queue_timeout_ms;
	s->delay.target_ms = s->settings->queue_target_ms;
	if (role_open(&s->role, 1, err) < 0)
		return -1;
	s->delay.kept = &s->role.pool->delay;
	refusal_open(&s->refusal, set, s->role.pool);
	place_note(&s->place, s->settings->runtime_dir, BOARD_APP,
	    s->role.pool, s->role.control_fd);
	for (int i = 0; i < SHED_REASONS; i++) /* also those before us */
		s->accepted += atomic_load(&s->role.pool->shed[i]);
	c->name = "shedder";
	c->peer_ms = PEER_MS;
	c->answers_large = 1;
	c->answer = refusal_answer;
	c->arg = &s->refusal;
	if (clients_open(c) < 0 ||
	    clients_watch(c, EPOLL_CTL_ADD, s->role.control_fd, EPOLLIN,
		EVENT_CONTROL) < 0)
		return error_sys(err, "cannot wait for connections");
	signals_set();
	return 0;
}

int
shed_run(const struct settings *set)
{
	struct shed *s = calloc(1, sizeof(*s));
	struct nds_error err;

	if (s == NULL || shed_open(s, set, &err) < 0) {
		log_errorx("shedder: %s", s == NULL ? "no memory" : err.text);
		free(s);
		return EXIT_REFUSED;
	}
	serve(s);
	clients_close(&s->clients);
	role_close(&s->role);
	free(s);
	return EXIT_DONE;
}
