/* SPDX-License-Identifier: MIT */
#include "ndsd/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sig.h"
#include "proto/board.h"
#include "proto/shared.h"
#include "proto/store.h"

#define CHILD_FILES 1024 /* soft limit: select(2) relies on it */

void
process_init(struct process *p, const char *name, int number)
{
	memset(p, 0, sizeof(*p));
	p->name = name;
	p->number = number;
	p->level = LOG_WARN;
	p->control_fd = p->output_fd = -1;
	p->child_control_fd = p->child_output_fd = -1;
	p->control.fd = p->output.fd = -1;
}

void
process_store_name(const struct process *p, const char *what, char name[32])
{
	if (p->number < 0)
		snprintf(name, STORE_NAME_BYTES, "%s.%s", what, p->name);
	else
		snprintf(name, STORE_NAME_BYTES, "%s.%s.%d", what, p->name,
		    p->number);
}

void
process_keep(const struct process *p, int store_fd)
{
	char name[STORE_NAME_BYTES];

	process_store_name(p, "control", name);
	store_put(store_fd, name, p->control_fd);
	process_store_name(p, "output", name);
	store_put(store_fd, name, p->output_fd);
}

void
process_forget(const struct process *p, int store_fd)
{
	char name[STORE_NAME_BYTES];

	process_store_name(p, "control", name);
	store_drop(store_fd, name);
	process_store_name(p, "output", name);
	store_drop(store_fd, name);
}

/* The health responder and the checks process write finished lines of the
 * same form as ours; anything else there is a program's own word. */
static int
is_log_line(const char *text)
{
	return log_is_json() ? text[0] == '{'
			     : text[0] >= '0' && text[0] <= '9';
}

static void
output_line(struct process *p, const char *text)
{
	struct log_line l;

	if (text[0] == '\0')
		return;
	snprintf(p->last, sizeof(p->last), "%s", text);
	tail_add(&p->tail, text, strlen(text));
	if (p->writes_log && is_log_line(text)) {
		size_t bytes = (size_t)snprintf(l.text, sizeof(l.text), "%s\n",
		    text);

		log_send(l.text, bytes);
		return;
	}
	if (!log_wants(p->level))
		return;
	log_line_begin(&l, log_is_json(), p->level, text);
	log_line_text(&l, "source", p->name);
	if (p->number >= 0)
		log_line_number(&l, "worker", p->number);
	log_send(l.text, log_line_end(&l));
}

/* Take what is in the pipe, cut it into lines. Returns 0 when nothing more
 * will come. */
static int
output_read(struct process *p)
{
	char *end;
	ssize_t n = read(p->output_fd, p->line + p->line_bytes,
	    sizeof(p->line) - 1 - p->line_bytes);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	p->line_bytes += (size_t)n;
	p->line[p->line_bytes] = '\0';
	while ((end = memchr(p->line, '\n', p->line_bytes)) != NULL) {
		*end = '\0';
		output_line(p, p->line);
		p->line_bytes -= (size_t)(end + 1 - p->line);
		memmove(p->line, end + 1, p->line_bytes + 1);
	}
	if (p->line_bytes == sizeof(p->line) - 1) {
		output_line(p, p->line);
		p->line_bytes = 0;
	}
	return 1;
}

static void
output_drain(struct process *p)
{
	for (int turns = 64; turns > 0; turns--) {
		ssize_t before = (ssize_t)p->line_bytes;

		if (!output_read(p) || (ssize_t)p->line_bytes == before)
			break;
	}
	if (p->line_bytes > 0)
		output_line(p, p->line);
	p->line_bytes = 0;
}

void
process_kill(pid_t pid)
{
	if (pid > 0 && kill(-pid, SIGKILL) < 0)
		kill(pid, SIGKILL);
}

static void
close_child_ends(struct process *p)
{
	if (p->child_control_fd >= 0)
		close(p->child_control_fd);
	if (p->child_output_fd >= 0)
		close(p->child_output_fd);
	p->child_control_fd = p->child_output_fd = -1;
}

void
process_close(struct process *p, struct loop *loop)
{
	loop_del(loop, &p->control);
	loop_del(loop, &p->output);
	close_child_ends(p);
	if (p->output_fd >= 0)
		output_drain(p);
	if (p->control_fd >= 0)
		close(p->control_fd);
	if (p->output_fd >= 0)
		close(p->output_fd);
	p->control_fd = p->output_fd = -1;
}

static void
output_ready(void *arg, uint32_t events)
{
	struct process *p = arg;

	(void)events;
	/* at its end: the fd is closed with the process, by process_close() */
	if (!output_read(p))
		loop_del(p->loop, &p->output);
}

void
process_watch_output(struct process *p, struct loop *loop)
{
	p->output.ready = output_ready;
	p->output.arg = p;
	p->loop = loop;
	loop_add(loop, &p->output, p->output_fd, EPOLLIN);
}

static void
export_fd(const char *key, int fd)
{
	char number[16];

	unsetenv(key);
	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", fd);
	setenv(key, number, 1);
}

static void
export_environment(const struct process_spec *spec, int control_fd)
{
	char text[SETTINGS_LIST_MAX];

	for (const struct settings_row *row = settings_table; row->key != NULL;
	     row++)
		setenv(row->key, settings_show(spec->settings, row, text), 1);
	unsetenv(STORE_ENV);
	unsetenv(BOARD_ENV_ROLE);
	export_fd(BOARD_ENV_CONTROL, spec->role != NULL ? control_fd : -1);
	export_fd(BOARD_ENV_SLOT, spec->slot_fd);
	export_fd(BOARD_ENV_POOL, spec->pool_fd);
	export_fd(SHARED_ENV, spec->shared_fd);
	if (spec->role != NULL)
		setenv(BOARD_ENV_ROLE, spec->role, 1);
}

static void
limit_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur > CHILD_FILES) {
		limit.rlim_cur = CHILD_FILES;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The interpreter of a script opens it again by the descriptor's number. */
static void
file_exec(const struct process_spec *spec)
{
	fexecve(spec->program_fd, spec->argv, environ);
	if (errno != ENOENT)
		return;
	fcntl(spec->program_fd, F_SETFD, 0);
	fexecve(spec->program_fd, spec->argv, environ);
}

/* By its path where that still is the file, so that it has its name. */
static void
program_exec(const struct process_spec *spec)
{
	struct stat at, file;

	if (spec->path == NULL)
		execvp(spec->argv[0], spec->argv);
	else if (spec->program_fd >= 0 && fstat(spec->program_fd, &file) == 0 &&
	    (stat(spec->path, &at) < 0 || at.st_ino != file.st_ino ||
		at.st_dev != file.st_dev))
		file_exec(spec);
	else
		execv(spec->path, spec->argv);
}

/* A supervisor that died before it could note our pid has a successor that may
 * know nothing of us, and starts another. */
static int
is_unknown(const struct process_spec *spec, pid_t parent)
{
	return spec->pid != NULL && getppid() != parent &&
	    atomic_load(spec->pid) != (int32_t)getpid();
}

/* Between fork and exec. */
static void
child_exec(const struct process *p, const struct process_spec *spec,
    pid_t parent)
{
	int control_fd = p->child_control_fd, output_fd = p->child_output_fd;
	int null_fd = -1;

	setpgid(0, 0);
	if (is_unknown(spec, parent))
		_exit(0);
	if (spec->pid != NULL)
		atomic_store(spec->pid, (int32_t)getpid());
	if (spec->listen_fd < 0)
		null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (dup2(spec->listen_fd < 0 ? null_fd : spec->listen_fd, 0) < 0 ||
	    dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
		_exit(126);
	export_environment(spec, control_fd);
	if (spec->role != NULL)
		limit_files();
	sig_reset();
	program_exec(spec);
	dprintf(2, "cannot execute %s: %s\n", spec->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

int
process_open(struct process *p, struct nds_error *err)
{
	int control[2], output[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		return error_sys(err, "cannot start a %s", p->name);
	if (pipe2(output, O_CLOEXEC) < 0) {
		error_sys(err, "cannot start a %s", p->name);
		close(control[0]);
		close(control[1]);
		return -1;
	}
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	p->control_fd = control[0];
	p->output_fd = output[0];
	p->child_control_fd = control[1];
	p->child_output_fd = output[1];
	p->line_bytes = 0;
	p->last[0] = '\0';
	p->tail.bytes = 0;
	p->tail.text[0] = '\0';
	return 0;
}

pid_t
process_start(struct process *p, const struct process_spec *spec,
    struct nds_error *err)
{
	pid_t self = getpid(), pid = fork();

	if (pid == 0)
		child_exec(p, spec, self);
	if (pid < 0)
		error_sys(err, "cannot start a %s: fork", p->name);
	else
		setpgid(pid, pid);
	close_child_ends(p);
	return pid;
}
