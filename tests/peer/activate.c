/* SPDX-License-Identifier: MIT */
/*
 * Socket activation as systemd does it, for tests:
 *
 *	activate [-n NAMES] [-r TIMES] PATH... -- PROGRAM [ARG...]
 *
 * Listens on each PATH and runs PROGRAM with the sockets as descriptors from 3
 * on, named NAMES (separated by colons).  Killed by a signal, the program is
 * run again on the same sockets, and as many TIMES when it exits; then this
 * does so too, with its status.  TERM is passed on.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST 3
#define PATHS_MAX 8

static volatile sig_atomic_t child;

static void
pass_on(int sig)
{
	if (child > 0)
		kill(child, sig);
}

static int
open_at(const char *path, int number)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, 4096) < 0)
		return -1;
	if (fd == number)
		return 0;
	if (dup2(fd, number) < 0)
		return -1;
	return close(fd);
}

static void
become(char **program, int count)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%d", count);
	setenv("LISTEN_FDS", text, 1);
	execv(program[0], program);
	perror(program[0]);
	_exit(127);
}

static int
run(char **program, int count, int times)
{
	int status = 0;

	for (;;) {
		child = fork();
		if (child == 0)
			become(program, count);
		if (child < 0)
			return 1;
		while (waitpid(child, &status, 0) < 0)
			;
		if (!WIFSIGNALED(status) && times-- == 0)
			return WEXITSTATUS(status);
	}
}

int
main(int argc, char **argv)
{
	int at = 1, count = 0, times = 0;

	signal(SIGTERM, pass_on);
	for (; at + 1 < argc && argv[at][0] == '-' && argv[at][1] != '-';
	     at += 2) {
		if (strcmp(argv[at], "-n") == 0)
			setenv("LISTEN_FDNAMES", argv[at + 1], 1);
		else
			times = atoi(argv[at + 1]);
	}
	for (; at < argc && strcmp(argv[at], "--") != 0; at++, count++)
		if (count == PATHS_MAX || open_at(argv[at], FIRST + count) < 0)
			return 1;
	return at + 1 < argc ? run(argv + at + 1, count, times) : 2;
}
