/* SPDX-License-Identifier: MIT */
#include "ndsd/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "proto/exit.h"

#define KEEPER_YOUNG_MS 5000
#define KEEPER_PATIENCE_S 2 /* with a supervisor that does not read */
#define KEEPER_HEED_MS 5000 /* or that acts upon no signal */
#define KEEPER_HEED_DOUBLED 4 /* times at most */
#define KEEPER_RETRY_FIRST_MS 100
#define KEEPER_RETRY_MAX_MS 1000

static const int forwarded[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
    SIGUSR2, SIGTTIN, SIGTTOU};

static int
item_find(const struct keeper *k, const char *name)
{
	for (int i = 0; i < k->item_count; i++)
		if (strcmp(k->item[i].name, name) == 0)
			return i;
	return -1;
}

void
keeper_put(struct keeper *k, const char *name, int fd)
{
	int at = item_find(k, name);

	if (at >= 0) {
		close(k->item[at].fd);
	} else if (k->item_count < STORE_MAX) {
		at = k->item_count++;
		snprintf(k->item[at].name, STORE_NAME_BYTES, "%s", name);
	} else {
		log_errorx("the fd store is full: %s is not kept", name);
		close(fd);
		return;
	}
	k->item[at].fd = fd;
}

static void
keeper_drop(struct keeper *k, const char *name)
{
	int at = item_find(k, name);

	if (at < 0)
		return;
	close(k->item[at].fd);
	k->item[at] = k->item[--k->item_count];
}

int
keeper_fd(const struct keeper *k, const char *name)
{
	int at = item_find(k, name);

	return at < 0 ? -1 : k->item[at].fd;
}

/* In the child: become the supervisor, from the binary that we are. */
static void
supervisor_exec(struct keeper *k, int store_fd)
{
	char number[16];

	sig_reset();
	setpgid(0, 0);
	fcntl(store_fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", store_fd);
	setenv(STORE_ENV, number, 1);
	setenv(KEEPER_PATH_ENV, k->exe_path, 1);
	fexecve(k->exe_fd, k->argv, environ);
	log_error("cannot start the supervisor");
	_exit(EXIT_REFUSED);
}

/* One that is stopped or stuck: the next one looks for itself. */
static void
give_up(struct keeper *k, const char *why)
{
	k->deaf = why;
	log_warnx("supervisor (pid %d) %s, killed", k->pid, why);
	kill(k->pid, SIGKILL);
}

/* Tell the supervisor, if there is one.  One that cannot be told, because its
 * queue is full, would never know. */
static void
tell(struct keeper *k, const struct store_message *m, int fd)
{
	if (k->store_fd < 0 || k->deaf || store_send(k->store_fd, m, fd) == 0)
		return;
	if (errno == EPIPE || errno == ECONNRESET)
		return; /* it is dead, as SIGCHLD will tell */
	give_up(k, "cannot be told");
}

/* A new supervisor is handed everything first, so that it can tell at once
 * whether it begins or goes on. */
static void
hand_over(struct keeper *k)
{
	struct store_message m = {.type = STORE_ITEM};

	for (int i = 0; i < k->item_count; i++) {
		memcpy(m.name, k->item[i].name, STORE_NAME_BYTES);
		tell(k, &m, k->item[i].fd);
	}
	m = (struct store_message){.type = STORE_END,
	    .value = k->restarts,
	    .status = k->upgrade_errno};
	tell(k, &m, -1);
	k->upgrade_errno = UPGRADE_NONE;
}

static void
supervisor_start(struct keeper *k)
{
	struct timeval patience = {.tv_sec = KEEPER_PATIENCE_S};
	int pair[2];
	pid_t pid;

	k->started_ms = clock_ms();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_warn("cannot start the supervisor");
		return;
	}
	pid = fork();
	if (pid == 0)
		supervisor_exec(k, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		log_warn("cannot start the supervisor");
		close(pair[0]);
		return;
	}
	k->pid = pid;
	k->deaf = NULL;
	k->store_fd = pair[0];
	setsockopt(k->store_fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
	    sizeof(patience));
	hand_over(k);
}

static void
signal_pass(struct keeper *k, int sig)
{
	struct store_message m = {.type = STORE_SIGNAL,
	    .value = sig,
	    .status = k->serial[sig]};

	tell(k, &m, -1);
}

static int
heed_due(const struct keeper *k)
{
	return k->pid > 0 && k->pending != 0 && !k->deaf && !k->done;
}

/* Each that was killed for it gives the next one twice as long: the machine
 * may be slow. */
static void
heed_begin(struct keeper *k)
{
	k->heed_ms = clock_ms() + (KEEPER_HEED_MS << k->unheeding);
}

/* Nobody could stop a service whose supervisor is stopped or stuck. */
static void
signals_heeded(struct keeper *k)
{
	if (!heed_due(k) || clock_ms() < k->heed_ms)
		return;
	if (k->unheeding < KEEPER_HEED_DOUBLED)
		k->unheeding++;
	give_up(k, "acts upon no signal");
}

static void
signal_took(struct keeper *k, int sig, int serial)
{
	if (serial == k->serial[sig])
		k->pending &= ~(1ull << sig);
	k->unheeding = 0;
	heed_begin(k);
}

/* What the last supervisor took to its grave the next one shall hear. */
static void
signals_pass_again(struct keeper *k)
{
	heed_begin(k);
	for (int sig = 1; sig < 64; sig++)
		if (k->pending & 1ull << sig)
			signal_pass(k, sig);
}

static void
supervisor_died(struct keeper *k, int status)
{
	int64_t lived = clock_ms() - k->started_ms;
	char how[SIG_ENDED_BYTES], soon[CLOCK_SOON_BYTES];

	k->pid = 0;
	if (k->done)
		return;
	close(k->store_fd);
	k->store_fd = -1;
	k->failures = lived < KEEPER_YOUNG_MS ? k->failures + 1 : 0;
	k->restarts++;
	k->retry_ms = clock_ms();
	if (k->failures > 1) {
		int64_t wait = KEEPER_RETRY_FIRST_MS
		    << (k->failures < 8 ? k->failures - 2 : 6);

		k->retry_ms +=
		    wait < KEEPER_RETRY_MAX_MS ? wait : KEEPER_RETRY_MAX_MS;
	}
	log_warnx("supervisor%s%s%s %s after %lld.%03llds, workers serve on, "
		  "next start %s",
	    k->deaf ? " (" : "", k->deaf ? k->deaf : "", k->deaf ? ")" : "",
	    sig_ended(status, how), (long long)lived / 1000,
	    (long long)lived % 1000,
	    clock_soon(k->retry_ms - clock_ms(), soon));
}

/* ---- becoming another binary -------------------------------------------- */

struct keeper_table {
	int restarts, serials, item_count;
};

/* Behind the items: signals that the killed supervisor may not have heard. */
struct keeper_unheard {
	unsigned long long pending;
	int serial[64];
};

static int
table_write(const struct keeper *k)
{
	struct keeper_table head = {k->restarts, k->serials, k->item_count};
	struct keeper_unheard unheard = {.pending = k->pending};
	struct iovec parts[] = {{&head, sizeof(head)},
	    {(void *)(uintptr_t)k->item,
		sizeof(k->item[0]) * (size_t)k->item_count},
	    {&unheard, sizeof(unheard)}};
	int fd = memfd_create("nds-keeper", 0);

	memcpy(unheard.serial, k->serial, sizeof(unheard.serial));
	if (fd >= 0 && writev(fd, parts, 3) ==
		(ssize_t)(parts[0].iov_len + parts[1].iov_len +
		    parts[2].iov_len))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
items_inherit(const struct keeper *k, int inherit)
{
	for (int i = 0; i < k->item_count; i++)
		fcntl(k->item[i].fd, F_SETFD, inherit ? 0 : FD_CLOEXEC);
}

/* The supervisor has asked for it, and has nothing that it must not lose. */
static void
upgrade(struct keeper *k)
{
	char number[16];
	int table_fd;

	if (k->pid > 0) {
		kill(k->pid, SIGKILL);
		waitpid(k->pid, NULL, 0);
	}
	close(k->store_fd);
	k->store_fd = -1;
	k->pid = 0;
	table_fd = table_write(k);
	snprintf(number, sizeof(number), "%d", table_fd);
	setenv(KEEPER_ENV, number, 1);
	items_inherit(k, 1);
	if (table_fd >= 0)
		execv(k->exe_path, k->argv);
	k->upgrade_errno = errno;
	items_inherit(k, 0);
	unsetenv(KEEPER_ENV);
	if (table_fd >= 0)
		close(table_fd);
	k->retry_ms = clock_ms();
}

int
keeper_open(struct keeper *k, struct nds_error *err)
{
	const char *text = getenv(KEEPER_ENV);
	struct keeper_table head;
	struct keeper_unheard unheard;
	int fd = text != NULL ? atoi(text) : -1;
	ssize_t bytes;

	k->upgrade_errno = UPGRADE_NONE;
	if (text == NULL)
		return 0;
	unsetenv(KEEPER_ENV);
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    head.item_count < 0 || head.item_count > STORE_MAX)
		return error_set(err, "the table of what is kept is broken");
	bytes = (ssize_t)(sizeof(k->item[0]) * (size_t)head.item_count);
	if (pread(fd, k->item, (size_t)bytes, sizeof(head)) != bytes)
		return error_set(err, "the table of what is kept is short");
	if (pread(fd, &unheard, sizeof(unheard),
		(off_t)(sizeof(head) + (size_t)bytes)) == sizeof(unheard)) {
		k->pending = unheard.pending;
		memcpy(k->serial, unheard.serial, sizeof(k->serial));
	}
	close(fd);
	k->restarts = head.restarts;
	k->serials = head.serials;
	k->item_count = head.item_count;
	k->upgrade_errno = 0;
	items_inherit(k, 0);
	return 1;
}

static void
read_store(struct keeper *k)
{
	struct store_message m;
	int fd;

	while (k->store_fd >= 0 && store_recv(k->store_fd, &m, &fd, 0) > 0) {
		if (m.type == STORE_PUT && fd >= 0) {
			keeper_put(k, m.name, fd);
			continue;
		}
		if (fd >= 0)
			close(fd);
		if (m.type == STORE_DROP)
			keeper_drop(k, m.name);
		if (m.type == STORE_TOOK && m.value > 0 && m.value < 64)
			signal_took(k, m.value, m.status);
		if (m.type == STORE_UPGRADE) {
			upgrade(k);
			return;
		}
		if (m.type == STORE_BYE) {
			k->done = 1;
			k->status = m.value;
		}
	}
}

static void
reap(struct keeper *k)
{
	struct store_message m = {.type = STORE_REAPED};
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->pid) {
			k->pid = 0;
			read_store(k); /* its last words */
			supervisor_died(k, status);
		} else {
			m.value = pid;
			m.status = status;
			tell(k, &m, -1);
		}
	}
}

static void
read_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			reap(k);
			continue;
		}
		if (k->pending == 0)
			heed_begin(k);
		k->pending |= 1ull << info.ssi_signo;
		k->serial[info.ssi_signo] = ++k->serials;
		signal_pass(k, (int)info.ssi_signo);
	}
}

static int
signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
keeper_turn(struct keeper *k)
{
	struct pollfd fds[] = {{.fd = k->signal_fd, .events = POLLIN},
	    {.fd = k->store_fd, .events = POLLIN}};
	int wait = -1;

	if (k->pid == 0)
		wait = clock_left(k->retry_ms, KEEPER_RETRY_MAX_MS);
	else if (heed_due(k))
		wait = clock_left(k->heed_ms, INT_MAX);
	poll(fds, 2, wait);
	read_signals(k);
	read_store(k);
	signals_heeded(k);
	if (k->store_fd >= 0 && (fds[1].revents & POLLHUP)) {
		/* gone, or closed it: SIGCHLD tells which */
		close(k->store_fd);
		k->store_fd = -1;
		if (k->pid > 0 && !k->done)
			kill(k->pid, SIGKILL);
	}
	if (k->pid == 0 && !k->done && clock_ms() >= k->retry_ms) {
		supervisor_start(k);
		signals_pass_again(k);
		k->retry_ms = clock_ms() + KEEPER_RETRY_MAX_MS;
	}
}

static void
find_self(struct keeper *k)
{
	ssize_t n = readlink("/proc/self/exe", k->exe_path,
	    sizeof(k->exe_path) - 1);

	k->exe_path[n > 0 ? n : 0] = '\0';
	k->exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

int
keeper_run(struct keeper *k, char **argv)
{
	k->argv = argv;
	k->store_fd = -1;
	find_self(k);
	k->signal_fd = signals_open();
	if (k->exe_fd < 0 || k->signal_fd < 0) {
		log_error("cannot become the main process (is /proc mounted?)");
		return EXIT_REFUSED;
	}
	prctl(PR_SET_NAME, "ndsd"); /* as which others find it */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (!k->done || k->pid != 0)
		keeper_turn(k);
	return k->status;
}
