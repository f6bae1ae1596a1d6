/* SPDX-License-Identifier: MIT */
#include "ndsd/takeover.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "ndsd/generation.h"
#include "ndsd/supervisor.h"
#include "proto/store.h"

/* Descriptors of one process, until all have come. */
struct kept {
	int segment_fd, control_fd, output_fd;
};

struct takeover {
	struct supervisor *sup;
	int restarts, upgrade_errno, upgrade_client_fd, recent_fd;
	struct kept slot[BOARD_SLOTS_MAX];
	struct kept helper[STATE_HELPERS];
};

static int *
kept_slot(struct takeover *t, const char *name)
{
	unsigned number;

	if (sscanf(name, "slot.%u", &number) == 1 && number < BOARD_SLOTS_MAX)
		return &t->slot[number].segment_fd;
	if (sscanf(name, "control.worker.%u", &number) == 1 &&
	    number < BOARD_SLOTS_MAX)
		return &t->slot[number].control_fd;
	if (sscanf(name, "output.worker.%u", &number) == 1 &&
	    number < BOARD_SLOTS_MAX)
		return &t->slot[number].output_fd;
	return NULL;
}

static int *
kept_helper(struct takeover *t, const char *name)
{
	char wanted[STORE_NAME_BYTES];

	for (int i = 0; i < STATE_HELPERS; i++) {
		const struct process *p = &t->sup->helper[i].process;

		process_store_name(p, "control", wanted);
		if (strcmp(name, wanted) == 0)
			return &t->helper[i].control_fd;
		process_store_name(p, "output", wanted);
		if (strcmp(name, wanted) == 0)
			return &t->helper[i].output_fd;
	}
	return NULL;
}

static int *
kept_shared(struct takeover *t, const char *name)
{
	struct {
		const char *name;
		int *fd;
	} const list[] = {{STORE_STATE, &t->sup->state_fd},
	    {STORE_BOARD, &t->sup->board_fd},
	    {STORE_SHARED, &t->sup->shared_fd}, {STORE_APP, &t->sup->app_fd},
	    {STORE_HEALTH, &t->sup->health_fd},
	    {STORE_CONTROL, &t->sup->control_fd},
	    {UPGRADE_CLIENT, &t->upgrade_client_fd},
	    {STORE_RECENT, &t->recent_fd},
	    {STORE_PROGRAM, &t->sup->program_fd},
	    {STORE_PROGRAM_BEFORE, &t->sup->program_before_fd}};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].fd;
	return NULL;
}

static void
take_item(struct takeover *t, const char *name, int fd)
{
	int *place = kept_shared(t, name);

	if (place == NULL)
		place = kept_slot(t, name);
	if (place == NULL)
		place = kept_helper(t, name);
	if (place != NULL)
		*place = fd;
	else
		close(fd); /* the keeper's own, or a newer ndsd's */
}

static int
take_all(struct takeover *t, struct nds_error *err)
{
	struct store_message m;
	int fd, got;

	while ((got = store_recv(t->sup->store_fd, &m, &fd, 1)) > 0) {
		if (m.type == STORE_END) {
			t->restarts = m.value;
			t->upgrade_errno = m.status;
			return 0;
		}
		if (m.type == STORE_ITEM && fd >= 0)
			take_item(t, m.name, fd);
		else if (fd >= 0)
			close(fd);
	}
	return error_sys(err, "the keeper says nothing");
}

static int
map_shared(struct takeover *t, struct nds_error *err)
{
	struct supervisor *sup = t->sup;

	if (sup->state_fd < 0 || sup->board_fd < 0 || sup->app_fd < 0 ||
	    sup->health_fd < 0 || sup->control_fd < 0)
		return error_set(err, "the fd store lacks what it should keep");
	sup->state = state_map(sup->state_fd, err);
	if (sup->state == NULL)
		return -1;
	sup->board = board_pool_map(sup->board_fd, 1, err);
	if (sup->board == NULL)
		return -1;
	if (sup->shared_fd >= 0 && /* an older ndsd kept none */
	    shared_map(&sup->shared, sup->shared_fd, 1, err) < 0)
		return -1;
	sup->state->restarts = (uint32_t)t->restarts;
	atomic_store(&sup->board->supervisor_restarts, (uint64_t)t->restarts);
	return 0;
}

static int
is_alive(int32_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* The last supervisor may have died between fork and its own note of it: the
 * child writes its pid itself. */
static void
adopt_slot(struct takeover *t, uint32_t number)
{
	struct slot_process *s = &t->sup->slot[number];
	struct pool_place *at = &t->sup->state->pool.place[number];
	const struct kept *kept = &t->slot[number];

	if (kept->segment_fd < 0)
		return;
	slot_adopt(s, kept->segment_fd, kept->control_fd, kept->output_fd);
	if (at->state == POOL_EMPTY && is_alive(at->pid))
		pool_spawned(&t->sup->state->pool, number, at->pid,
		    clock_ms());
	else if (at->state != POOL_EMPTY && !is_alive(at->pid))
		slot_dead(s, 0);
}

static void
adopt_helper(struct takeover *t, int which)
{
	struct helper *h = &t->sup->helper[which];
	struct state_process *r = &t->sup->state->helper[which];

	helper_adopt(h, t->helper[which].control_fd,
	    t->helper[which].output_fd);
	if (t->sup->state->drain.phase > DRAIN_STOP_DRAIN)
		h->wanted = 0;
	if (r->pid > 0 && !is_alive(r->pid))
		helper_dead(h, 0, clock_ms());
}

static int
open_loop(struct supervisor *sup, struct nds_error *err)
{
	sigset_t set;
	int fd;

	if (loop_open(&sup->loop) < 0)
		return error_sys(err, "epoll");
	/* orders come from the keeper; a stray signal shall change nothing */
	sig_async_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || loop_add(&sup->loop, &sup->signals, fd, EPOLLIN) < 0)
		return error_sys(err, "signalfd");
	return 0;
}

static void
open_logs(struct takeover *t)
{
	struct supervisor *sup = t->sup;
	struct nds_error err;
	struct recent *recent = recent_map(t->recent_fd, &err);

	logs_open(&sup->logs, &sup->loop,
	    &sup->board->event[EVENT_LOG_DROPPED], recent);
	logs_format(&sup->logs, &sup->state->settings);
	if (recent == NULL)
		log_warnx("`ndsctl logs` will show nothing: %s", err.text);
	if (t->recent_fd >= 0)
		close(t->recent_fd);
}

static void
adopt_all(struct takeover *t)
{
	struct supervisor *sup = t->sup;

	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++)
		adopt_slot(t, i);
	for (int i = 0; i < STATE_HELPERS; i++)
		adopt_helper(t, i);
	helper_program_known(sup);
}

int
takeover_run(struct supervisor *sup, struct nds_error *err)
{
	static struct takeover t;

	t.sup = sup;
	sup->state_fd = sup->board_fd = sup->shared_fd = -1;
	sup->app_fd = sup->health_fd = -1;
	t.recent_fd = t.upgrade_client_fd = sup->upgrade.client_fd = -1;
	sup->control_fd = sup->signals.fd = sup->store.fd = -1;
	sup->program_fd = sup->program_before_fd = -1;
	for (uint32_t i = 0; i < BOARD_SLOTS_MAX; i++) {
		t.slot[i] = (struct kept){-1, -1, -1};
		slot_init(&sup->slot[i], sup, i);
	}
	for (int i = 0; i < STATE_HELPERS; i++) {
		t.helper[i] = (struct kept){-1, -1, -1};
		helper_init(sup, (enum state_helper)i);
	}
	if (take_all(&t, err) < 0 || map_shared(&t, err) < 0 ||
	    generation_open(sup, err) < 0 || open_loop(sup, err) < 0)
		return -1;
	open_logs(&t);
	sup->born_ms = clock_ms();
	control_open(sup);
	adopt_all(&t);
	if (t.upgrade_errno != UPGRADE_NONE) {
		upgrade_answer(sup, t.upgrade_client_fd, t.upgrade_errno);
		store_drop(sup->store_fd, UPGRADE_CLIENT);
	}
	return 0;
}
