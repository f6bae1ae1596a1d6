/* SPDX-License-Identifier: MIT */
#include "lib/guardian.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/resident.h"
#include "base/sig.h"
#include "lib/app.h"
#include "lib/crash.h"
#include "lib/journal.h"
#include "lib/nds.h"
#include "lib/own.h"
#include "lib/settle.h"
#include "proto/counters.h"
#include "proto/order.h"

#define GRACE_MS 50 /* a worker ends what it can at the deadline itself */
#define AGAIN_MS 100 /* an overdue one that could not be taken */
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 5000
#define GIVE_UP_MS 800 /* a wait as long as this is ndsd's to decide on */
#define BURY_MS 100	  /* for children that are slow to die */
#define MEMORY_EVERY_MS 250
#define MEMORY_TIMES 2 /* APP_MAX_RSS, and a request is taken from a worker */
#define OOM_RAISE 500  /* above what this process has; 1000 is the most */
#define OOM_MAX 1000

struct guardian {
	struct worker *worker;
	sigset_t wait_set, child_set, open_mask;
	pid_t pid;	   /* of the worker */
	int64_t born_ms;   /* of the worker */
	int64_t shortest_ms; /* that a request may have; at least AGAIN_MS */
	int64_t memory_ms; /* next look at the memory; 0 = none is due */
	uint64_t answered; /* by the slot when it was born */
	unsigned failures; /* deaths in a row without one answer */
	enum board_event taken; /* why it was killed; 0 = not by us */
};

/* Its locks go with it: POSIX record locks belong to the shared table. */
static int
close_foreign(int fd, void *slot)
{
	if (!own_has(fd) && fd != atomic_load(&((struct slot *)slot)->fd))
		close(fd);
	return 0;
}

/* ---- the split ----------------------------------------------------------- */

static int
thread_count(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int count = 0;

	if (dir == NULL)
		return 1;
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* As fork(2), with one table of descriptors.  The C library keeps the thread's
 * id in memory; without the kernel's help a child's abort(3) would signal its
 * parent's.  The id's place is asked for in both argument orders of clone(2),
 * of which the other one is ignored here. */
static pid_t
split(void)
{
	unsigned long flags = CLONE_FILES | SIGCHLD;
	int *tid = NULL;

#if defined(__s390__)
	errno = ENOSYS;
	return -1;
#else
	if (prctl(PR_GET_TID_ADDRESS, &tid) == 0 && tid != NULL)
		flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
	return (pid_t)syscall(SYS_clone, flags, NULL, NULL, tid, tid);
#endif
}

/* When memory gets short the kernel shall take the one that can be replaced,
 * and neither the guardian nor ndsd. */
static void
volunteer(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "r+e");
	int adj;

	if (file == NULL)
		return;
	if (fscanf(file, "%d", &adj) == 1 && adj < OOM_MAX) {
		rewind(file);
		fprintf(file, "%d\n", adj > OOM_MAX - OOM_RAISE ? OOM_MAX :
			adj + OOM_RAISE);
	}
	fclose(file);
}

/* Should the guardian die, the worker finishes what it has and leaves.  An
 * order to leave waits until the worker has a handler for it. */
static void
worker_begin(struct guardian *g, pid_t guardian_pid)
{
	sigset_t mask = g->open_mask;

	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGUSR1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != guardian_pid)
		raise(SIGTERM);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	volunteer();
	atomic_store(&g->worker->slot->worker_pid, (int32_t)getpid());
	crash_watch(g->worker->slot);
}

/* ---- waiting ------------------------------------------------------------- */

/* Told to leave by a signal: this worker, and any that follows it. */
static void
pass_signal(struct guardian *g, int sig)
{
	if (sig == SIGCHLD)
		return;
	g->worker->leaving = 1;
	kill(g->pid, SIGTERM);
}

/* No request that begins from now on can be due earlier than the shortest
 * timeout from now, so nobody need tell the guardian that one has begun. */
static int64_t
next_look_ms(const struct guardian *g)
{
	int64_t due = atomic_load(&g->worker->slot->deadline_ms);
	int64_t now = clock_ms(), look = due + GRACE_MS;

	if (due == 0 || due > now + g->shortest_ms)
		look = now + g->shortest_ms; /* a route may make it shorter */
	else if (look <= now)
		look = now + AGAIN_MS;
	return g->memory_ms > 0 && g->memory_ms < look ? g->memory_ms : look;
}

/* The same, told to the worker, which wakes us when its caller wants an answer
 * sooner.  The slot is read once more behind the word, so that no deadline is
 * missed by both. */
static int64_t
plan_look_ms(const struct guardian *g)
{
	int64_t look = next_look_ms(g), again;

	atomic_store(&g->worker->slot->look_ms, look);
	again = next_look_ms(g);
	return again < look ? again : look;
}

/* Held still while its request is taken from it, so that the two never write
 * to the connection or to the log ring at once. */
static void
take_request(struct guardian *g, int status, const char *why)
{
	static const struct timespec moment = {0, 20000000};

	kill(g->pid, SIGSTOP);
	sigtimedwait(&g->child_set, NULL, &moment);
	journal_enter_slot(g->worker->slot);
	if (!rescue_take(g->worker->slot, status, why)) {
		journal_enter_slot(NULL);
		kill(g->pid, SIGCONT);
		return;
	}
	g->taken = status == 504 ? EVENT_EXIT_DEADLINE : EVENT_EXIT_MEMORY;
	nds_log(NDS_WARN, "worker %u (pid %d) is killed: %s",
	    g->worker->slot->number, g->pid, why);
	journal_enter_slot(NULL);
	kill(g->pid, SIGKILL);
}

static void
expire_overdue(struct guardian *g)
{
	int64_t due = atomic_load(&g->worker->slot->deadline_ms);

	if (due > 0 && clock_ms() >= due + GRACE_MS)
		take_request(g, 504, "the request took longer than it may");
}

/* Between requests a worker beyond APP_MAX_RSS is replaced by ndsd; one request
 * that needs a multiple of that would have the kernel kill somebody first.  It
 * is not run again: it would do the same again. */
static void
watch_memory(struct guardian *g)
{
	int64_t max = g->worker->settings.max_rss_bytes;

	if (g->memory_ms == 0 || clock_ms() < g->memory_ms)
		return;
	g->memory_ms = clock_ms() + MEMORY_EVERY_MS;
	if (atomic_load(&g->worker->slot->started_ms) > 0 &&
	    resident_bytes(g->pid) / MEMORY_TIMES > max)
		take_request(g, 502,
		    "the request took more memory than it may");
}

/* Reap what has died: also what handlers left behind. Returns 1 with the
 * worker's status when it is among them. */
static int
reap(const struct guardian *g, int *status)
{
	int found = 0, other;
	pid_t pid;

	while ((pid = waitpid(-1, &other, WNOHANG)) > 0) {
		if (pid != g->pid)
			continue;
		*status = other;
		found = 1;
	}
	return found;
}

static int
wait_dead(struct guardian *g)
{
	int status = 0;

	for (;;) {
		int left = clock_left(plan_look_ms(g), 60000);
		struct timespec ts = {left / 1000, left % 1000 * 1000000L};
		int sig = sigtimedwait(&g->wait_set, NULL, &ts);

		if (sig > 0)
			pass_signal(g, sig);
		if (reap(g, &status))
			return status;
		expire_overdue(g);
		watch_memory(g);
	}
}

/* Kill all children. Returns whether there was one, dead or alive. */
static int
kill_children(void)
{
	char path[64], list[4096], *at = list, *end;
	FILE *file;
	size_t bytes;
	long pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	bytes = fread(list, 1, sizeof(list) - 1, file);
	fclose(file);
	list[bytes] = '\0';
	for (; (pid = strtol(at, &end, 10)) > 0; at = end)
		kill((pid_t)pid, SIGKILL);
	return bytes > 0;
}

/* Children that a dead worker left behind: the guardian is their reaper, and
 * of their own children once they are dead. */
static void
bury_children(const struct guardian *g)
{
	static const struct timespec moment = {0, 10000000};
	int64_t until = clock_ms() + BURY_MS;

	while (kill_children() && clock_ms() < until) {
		sigtimedwait(&g->child_set, NULL, &moment);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* A worker that answered something has proved the program; only those that
 * die without, one after the other, wait. */
static int64_t
back_off_ms(struct guardian *g)
{
	int64_t wait_ms;

	if (atomic_load(&g->worker->slot->count.requests) > g->answered)
		g->failures = 0;
	if (++g->failures < 3)
		return 0;
	wait_ms = RETRY_FIRST_MS << (g->failures < 9 ? g->failures - 3 : 6);
	return wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
}

/* Told to leave meanwhile: at once where nobody waits for an answer. */
static void
back_off(struct guardian *g, int64_t wait_ms, enum rescue next)
{
	int64_t until = clock_ms() + wait_ms;

	while (clock_ms() < until && !g->worker->leaving) {
		int left = clock_left(until, RETRY_MAX_MS);
		struct timespec ts = {left / 1000, left % 1000 * 1000000L};
		int sig = sigtimedwait(&g->wait_set, NULL, &ts);

		if (sig > 0 && sig != SIGCHLD)
			g->worker->leaving = 1;
	}
	if (wait_ms > 0 && g->worker->leaving && next == RESCUE_NOTHING)
		_exit(0);
}

/* Returns 1 when ndsd has been told. */
static int
tell_death(struct guardian *g, int status, int64_t wait_ms)
{
	int64_t lived = clock_ms() - g->born_ms;
	struct worker *w = g->worker;
	char how[SIG_ENDED_BYTES], soon[CLOCK_SOON_BYTES];

	nds_log(NDS_WARN, "worker %u (pid %d) %s%s after %lld.%llds, next one "
			  "%s",
	    w->slot->number, g->pid,
	    g->taken != 0 ? "was killed" : sig_ended(status, how),
	    WIFSIGNALED(status) ? "" : " in a request", (long long)lived / 1000,
	    (long long)lived % 1000 / 100, clock_soon(wait_ms, soon));
	return w->control_fd >= 0 && own_has(w->control_fd) &&
	    order_send(w->control_fd, ORDER_DIED, (uint32_t)status, -1) == 0;
}

/* ndsd would count this place among those that serve. */
static void
give_up(const struct guardian *g, const char *why)
{
	nds_log(NDS_ERROR, "worker %u %s: this responder ends, ndsd starts the "
			   "next one",
	    g->worker->slot->number, why);
	atomic_store(&g->worker->slot->death_counted, 1);
	_exit(1);
}

static void
count_death(struct guardian *g, int status)
{
	enum board_event how =
	    g->taken != 0 ? g->taken : counters_exit(status);

	atomic_fetch_add(&g->worker->slot->event[how], 1);
	g->taken = 0;
}

/* Returns what the next worker finds; does not return when the worker left by
 * itself. */
static enum rescue
bury(struct guardian *g, int status)
{
	const struct settings *set = &g->worker->settings;
	struct slot *s = g->worker->slot;
	uint64_t lost = atomic_load(&s->count.lost);
	int held = atomic_load(&s->fd) >= 0;
	enum rescue next;
	int64_t wait_ms;
	int told;

	if (WIFEXITED(status) && atomic_load(&s->fd) < 0 &&
	    atomic_load(&s->state) == SLOT_ACCEPTING)
		_exit(WEXITSTATUS(status));
	wait_ms = back_off_ms(g);
	journal_enter_slot(s);
	told = tell_death(g, status, wait_ms);
	next = rescue_dead(s, g->worker->listen_fd,
	    (uint32_t)set->replay_bytes, set->request_timeout_ms);
	journal_enter_slot(NULL);
	crash_tell(s, g->pid, !held ? CRASH_NONE :
		next != RESCUE_NOTHING ? CRASH_REPLAYED :
		atomic_load(&s->count.lost) > lost ? CRASH_LOST :
		CRASH_ANSWERED);
	own_visit(close_foreign, s);
	bury_children(g);
	if (next != RESCUE_CAPTURED)
		bulkhead_release(&g->worker->shared, s->number);
	if (next == RESCUE_NOTHING)
		memset(slot_capture(s), 0, atomic_load(&s->capture_used));
	count_death(g, status);
	if (next == RESCUE_NOTHING && told && wait_ms >= GIVE_UP_MS)
		give_up(g, "dies again and again");
	back_off(g, wait_ms, next);
	if (!own_has(g->worker->listen_fd))
		give_up(g, "had a handler that closed the listener");
	return next;
}

static void
guardian_open(struct guardian *g, struct worker *w)
{
	sigset_t async;

	g->worker = w;
	g->shortest_ms = w->settings.request_timeout_ms;
	if (w->app->router.shortest_ms > 0 &&
	    w->app->router.shortest_ms < g->shortest_ms)
		g->shortest_ms = w->app->router.shortest_ms;
	if (g->shortest_ms < AGAIN_MS)
		g->shortest_ms = AGAIN_MS;
	sigemptyset(&g->child_set);
	sigaddset(&g->child_set, SIGCHLD);
	sigemptyset(&g->wait_set);
	sigaddset(&g->wait_set, SIGCHLD);
	sigaddset(&g->wait_set, SIGTERM);
	sigaddset(&g->wait_set, SIGUSR1);
	sigaddset(&g->wait_set, SIGINT);
	signal(SIGCHLD, SIG_DFL);
	sig_async_set(&async);
	sigprocmask(SIG_BLOCK, &async, &g->open_mask);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (w->settings.max_rss_bytes > 0)
		g->memory_ms = clock_ms() + MEMORY_EVERY_MS;
	atomic_store(&w->slot->guardian_pid, (int32_t)getpid());
	settle_open(w->pool);
}

static int
serve_alone(struct guardian *g, const char *why)
{
	nds_log(NDS_WARN, "no guardian (%s): a request dies with its worker",
	    why);
	sigprocmask(SIG_SETMASK, &g->open_mask, NULL);
	atomic_store(&g->worker->slot->guardian_pid, 0);
	atomic_store(&g->worker->slot->worker_pid, (int32_t)getpid());
	return serve_run(g->worker);
}

int
guardian_run(struct worker *w)
{
	static struct guardian g;
	pid_t self = getpid();

	guardian_open(&g, w);
	if (thread_count() > 1)
		return serve_alone(&g, "more than one thread before nds_run()");
	if (own_note() < 0)
		return serve_alone(&g, "no memory for its descriptors");
	for (;;) {
		g.born_ms = clock_ms();
		g.answered = atomic_load(&w->slot->count.requests);
		g.pid = split();
		if (g.pid == 0) {
			worker_begin(&g, self);
			return serve_run(w);
		}
		if (g.pid < 0)
			return serve_alone(&g, strerror(errno));
		w->resume = bury(&g, wait_dead(&g));
		w->successor = 1;
	}
}
