/* SPDX-License-Identifier: MIT */
#include "base/sig.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const char *
sig_name(int sig)
{
	static char text[24];
	const char *name = sigabbrev_np(sig);

	if (name != NULL)
		snprintf(text, sizeof(text), "SIG%s", name);
	else
		snprintf(text, sizeof(text), "signal %d", sig);
	return text;
}

const char *
sig_ended(int status, char how[SIG_ENDED_BYTES])
{
	if (status < 0)
		snprintf(how, SIG_ENDED_BYTES,
		    "has ended (it is not known how)");
	else if (WIFSIGNALED(status))
		snprintf(how, SIG_ENDED_BYTES, "died of %s",
		    sig_name(WTERMSIG(status)));
	else
		snprintf(how, SIG_ENDED_BYTES, "exited with status %d",
		    WEXITSTATUS(status));
	return how;
}

void
sig_async_set(sigset_t *set)
{
	static const int list[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
	    SIGUSR2, SIGTTIN, SIGTTOU, SIGTSTP, SIGCHLD, SIGPIPE, SIGALRM,
	    SIGWINCH};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaddset(set, list[i]);
}

void
sig_reset(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
