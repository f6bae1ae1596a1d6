/* SPDX-License-Identifier: MIT */
/*
 * Kills a process at one place of its life and no other:
 *
 *	kill-at PID SYSCALL entry|exit NTH
 *
 * when it is about to do, or has just done with success, its NTH such system
 * call from now on.  read, write and close count on sockets alone, a wait when
 * it found something.  Says
 * "ready" once it watches, "seen" for each such call, "killed" in the end.
 *
 * Exit: 0 killed, 1 it ended otherwise or never came there, 2 usage, 77 this
 * system lets nobody watch.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 10

static const struct call {
	const char *name;
	long number;
	int of_sockets;
	int least; /* result of one that did something */
} calls[] = {
    {"accept4", SYS_accept4, 0, 0},
    {"epoll_pwait", SYS_epoll_pwait, 0, 1},
    {"recvfrom", SYS_recvfrom, 0, 0},
    {"recvmmsg", SYS_recvmmsg, 0, 0},
    {"sendmmsg", SYS_sendmmsg, 0, 0},
    {"sendmsg", SYS_sendmsg, 0, 0},
    {"shutdown", SYS_shutdown, 0, 0},
    {"listen", SYS_listen, 0, 0},
    {"memfd_create", SYS_memfd_create, 0, 0},
    {"openat", SYS_openat, 0, 0},
    {"pwritev", SYS_pwritev, 0, 0},
    {"read", SYS_read, 1, 0},
    {"write", SYS_write, 1, 0},
    {"close", SYS_close, 1, 0},
};

struct aim {
	pid_t pid;
	const struct call *call;
	int at_exit;
	int left;    /* such calls until the one */
	int is_one; /* the call at hand is such a call */
};

static int
is_socket(pid_t pid, unsigned long long fd)
{
	char path[64], to[16];

	snprintf(path, sizeof(path), "/proc/%d/fd/%llu", pid, fd);
	return readlink(path, to, sizeof(to)) > 7 &&
	    memcmp(to, "socket:", 7) == 0;
}

static int
is_last(struct aim *a)
{
	puts("seen");
	return --a->left == 0;
}

/* Is it here and now? */
static int
reached(struct aim *a)
{
	struct __ptrace_syscall_info info = {0};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, a->pid, sizeof(info), &info) <= 0)
		return 0;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		a->is_one = (long)info.entry.nr == a->call->number &&
		    (!a->call->of_sockets ||
			is_socket(a->pid, info.entry.args[0]));
		return a->is_one && !a->at_exit && is_last(a);
	}
	return info.op == PTRACE_SYSCALL_INFO_EXIT && a->is_one &&
	    a->at_exit && info.exit.rval >= a->call->least && is_last(a);
}

static int
hunt(struct aim *a)
{
	int status, sig;

	while (waitpid(a->pid, &status, 0) == a->pid) {
		if (!WIFSTOPPED(status))
			return 1;
		sig = WSTOPSIG(status);
		if (sig == (SIGTRAP | 0x80) && reached(a)) {
			kill(a->pid, SIGKILL);
			waitpid(a->pid, &status, 0);
			puts("killed");
			return 0;
		}
		if ((sig & 0x7f) == SIGTRAP || status >> 16 != 0)
			sig = 0;
		ptrace(PTRACE_SYSCALL, a->pid, 0, sig);
	}
	return 1;
}

static int
usage(void)
{
	fputs("usage: kill-at PID SYSCALL entry|exit NTH\n", stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	struct aim a = {0};

	if (argc != 5)
		return usage();
	a.pid = atoi(argv[1]);
	a.at_exit = strcmp(argv[3], "exit") == 0;
	a.left = atoi(argv[4]);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(argv[2], calls[i].name) == 0)
			a.call = &calls[i];
	if (a.pid <= 0 || a.left <= 0 || a.call == NULL)
		return usage();
	alarm(PATIENCE_S);
	if (ptrace(PTRACE_SEIZE, a.pid, 0, PTRACE_O_TRACESYSGOOD) < 0 ||
	    ptrace(PTRACE_INTERRUPT, a.pid, 0, 0) < 0) {
		perror("kill-at");
		return errno == EPERM ? 77 : 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	return hunt(&a);
}
