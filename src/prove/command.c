/* SPDX-License-Identifier: MIT */
#include "prove/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sig.h"

/* The group keeps a Ctrl-C of the terminal away: it is passed on by will. */
static void
become(const char *text)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	sig_reset();
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(2, 1) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", text, (char *)NULL);
	_exit(127);
}

pid_t
command_start(const char *text, struct nds_error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return error_sys(err, "--during: fork");
	if (pid == 0)
		become(text);
	setpgid(pid, pid);
	return pid;
}

int
command_ended(pid_t pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == pid;
}

const char *
command_words(int status)
{
	static char text[32];

	if (WIFSIGNALED(status))
		return sig_name(WTERMSIG(status));
	snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status));
	return text;
}
