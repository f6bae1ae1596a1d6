/* SPDX-License-Identifier: MIT */
#include "helper/role.h"

#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sig.h"
#include "proto/given.h"

static volatile sig_atomic_t told_to_end;
static sigset_t none;

static void
on_signal(int sig)
{
	(void)sig;
	told_to_end = 1;
}

int
role_told_to_end(void)
{
	return told_to_end;
}

const sigset_t *
role_mask(void)
{
	return &none;
}

static void
signals_set(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	sigemptyset(&none);
	sig_async_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = SIG_IGN; /* the group's, not meant for us */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
}

/* Off fd 0, where anything that reads standard input would meet it. */
static int
listener_take(struct role *r, struct nds_error *err)
{
	int on, null_fd;
	socklen_t bytes = sizeof(on);

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &on, &bytes)
	    < 0 || on == 0)
		return error_set(err, "fd 0 is no listening socket");
	r->listen_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (r->listen_fd < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		return error_sys(err, "cannot move the listener");
	close(null_fd);
	return 0;
}

int
role_open(struct role *r, int pool_writable, struct nds_error *err)
{
	r->pool = given_pool(pool_writable, err);
	if (r->pool == NULL ||
	    given_fd(BOARD_ENV_CONTROL, &r->control_fd, err) < 0 ||
	    listener_take(r, err) < 0)
		return -1;
	signals_set();
	return 0;
}

static void
slot_take(struct role *r, uint32_t number, int fd)
{
	struct nds_error err;
	struct slot *s;

	if (number >= BOARD_SLOTS_MAX || fd < 0)
		return;
	s = board_slot_map(fd, 0, &err);
	if (s == NULL) {
		log_errorx("slot %u: %s", number, err.text);
		return;
	}
	board_unmap((void *)(uintptr_t)r->slot[number]);
	r->slot[number] = s;
	if (number >= r->slots)
		r->slots = number + 1;
}

int
role_order(struct role *r, struct order *order)
{
	int fd, got;

	while ((got = order_recv(r->control_fd, order, &fd)) == 1) {
		if (order->type == ORDER_SLOT)
			slot_take(r, order->value, fd);
		if (fd >= 0)
			close(fd);
		if (order->type != ORDER_SLOT)
			break;
	}
	return got;
}

void
role_close(struct role *r)
{
	for (uint32_t i = 0; i < r->slots; i++)
		board_unmap((void *)(uintptr_t)r->slot[i]);
}
